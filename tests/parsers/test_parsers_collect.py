"""A pass of all parsers together."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, ClassVar

import pytest

from fake_platforms import GOOD, OWN_KEYS, Call, FakePlatform, Reply, account, settings
from smart_sync import logs
from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, Metrics, ParsedMetrics
from smart_sync.errors import DatabaseError, ParserFailed
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.collect import collect
from smart_sync.parsers.inspection import account_of, inspect
from smart_sync.parsers.parser import Fetched, Unfetched
from smart_sync.parsers.registry import ConfiguredParser, build

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Inbox:
    """Takes batches."""

    def __init__(self) -> None:
        self.batches: list[Sequence[ParsedMetrics]] = []

    async def __call__(self, batch: Sequence[ParsedMetrics]) -> None:
        await asyncio.sleep(0)
        self.batches.append(batch)

    @property
    def ids(self) -> list[str]:
        return [value.account_id for batch in self.batches for value in batch]


class Scripted:
    """A parser that does what the test says, for each account."""

    settings: ClassVar[type[ParserSettings]] = ParserSettings

    def __init__(self, *script: Any) -> None:
        self.script = script
        self.asked: list[list[str]] = []
        self.closed = False
        self.waits = asyncio.Event()

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        self.asked.append([one.id for one in accounts])
        try:
            for one, step in zip(accounts, self.script, strict=False):
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, asyncio.Event):
                    self.waits.set()
                    await step.wait()
                elif isinstance(step, Unfetched):
                    yield step
                elif step == "gone":
                    yield Unfetched(one.id, "deleted", gone=True)
                elif step == "failed":
                    yield Unfetched(one.id, "no answer")
                elif step is not None:
                    yield ParsedMetrics(one.id, Metrics(followers=step), "scripted", NOW)
        finally:
            self.closed = True


def source(parser: Any, name: str = "scripted", every: timedelta | None = None, **table: Any) -> ConfiguredParser:
    return ConfiguredParser(name, parser, ParserSettings(source=name, **table), AskedAccounts(every), name)


def accounts(count: int) -> list[Account]:
    return [account("tiktok", n) for n in range(count)]


@pytest.fixture
def log() -> StringIO:
    stream = StringIO()
    logs.configure("json", "debug", stream)
    return stream


def events(log: StringIO, *names: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] in names]


async def test_one_line_per_parser_and_pass(log: StringIO) -> None:
    """Fetched, missing and failed are counted apart, in one line for each parser, and one failure stops no other."""
    inbox = Inbox()
    good, bad, bug = (
        Scripted(1, "gone", "failed", None),
        Scripted(5, ParserFailed("no key")),
        Scripted(7, KeyError("x")),
    )
    reports = await collect([source(good, "good"), source(bad, "bad"), source(bug, "bug")], accounts(4), inbox, NOW)
    counted = [(report.fetched, report.missing, report.failed, report.finished) for report in reports]
    assert counted == [(1, 2, 1, True), (1, 0, 3, False), (1, 0, 3, False)]
    assert sorted(inbox.ids) == ["tiktok-0"] * 3
    lines = {line["parser"]: line for line in events(log, "parser.finished", "parser.failed")}
    assert {name: line["event"] for name, line in lines.items()} == {
        "good": "parser.finished",
        "bad": "parser.failed",
        "bug": "parser.failed",
    }
    assert lines["bad"]["reason"] == "no key"
    assert "exception" in lines["bug"]


async def test_gone_accounts_rest(log: StringIO) -> None:
    """An account that is gone is reported once and asked again after 1, 2, 4, … 24 hours."""
    parser = Scripted("gone")
    asked_at = []
    one = source(parser)
    for hour in range(24 * 6):
        before = len(parser.asked)
        await collect([one], accounts(1), Inbox(), NOW + timedelta(hours=hour))
        asked_at += [hour] * (len(parser.asked) - before)
    assert asked_at == [0, 1, 3, 7, 15, 31, 55, 79, 103, 127]
    assert len(events(log, "parser.account_gone")) == 1


async def test_nobody_is_gone_where_everybody_is(log: StringIO) -> None:
    """404 for all accounts at once is a trouble of the table, reported once: none of them is taken for gone."""
    parser = Scripted(*["gone"] * 9)
    one = source(parser)
    (report,) = await collect([one], accounts(9), Inbox(), NOW)
    assert (report.missing, report.failed) == (0, 9)
    assert report.reason == ("the source has none of 9 accounts: deleted; correct what [parsers.scripted] asks for")
    assert events(log, "parser.account_gone") == []
    await collect([one], accounts(9), Inbox(), NOW + timedelta(minutes=30))
    assert len(parser.asked[1]) == 9


async def test_few_who_are_gone_are_gone() -> None:
    """One that has a value shows that the source works; so does one account too few to judge by."""
    (report,) = await collect([source(Scripted(*["gone"] * 9, 1))], accounts(10), Inbox(), NOW)
    assert (report.fetched, report.missing, report.failed) == (1, 9, 0)
    (report,) = await collect([source(Scripted(*["gone"] * 4))], accounts(4), Inbox(), NOW)
    assert (report.missing, report.failed) == (4, 0)


async def test_each_reason_is_told_once() -> None:
    """What is wrong with many accounts is said once, with the first of them and how many more there are."""
    reasons = ["private"] * 3 + ["(#10) permission"] * 2 + ["third", "fourth", "fifth"]
    script = [Unfetched(f"tiktok-{n}", reason) for n, reason in enumerate(reasons)]
    (report,) = await collect([source(Scripted(*script))], accounts(8), Inbox(), NOW)
    link = accounts(1)[0].link
    assert report.reason == (
        f"{link}: private (and 2 more accounts); {link}: (#10) permission (and 1 more account); {link}: third;"
        " 2 accounts for other reasons"
    )


async def test_a_schedule_of_its_own() -> None:
    """``every`` counts per account: a new one is asked at once, a failed one in the next pass, the others later."""
    parser = Scripted(1, "failed", 1)
    one = source(parser, every=timedelta(hours=6))
    for hours in (0, 0.5, 5.999):
        await collect([one], accounts(3 if hours else 2), Inbox(), NOW + timedelta(hours=hours))
    assert parser.asked == [["tiktok-0", "tiktok-1"], ["tiktok-2", "tiktok-1"], ["tiktok-0", "tiktok-1"]]


async def test_the_deadline_keeps_what_was_fetched_and_starves_nobody() -> None:
    """Cut off, a parser keeps its values, ends its work, and begins the next pass with those it did not reach."""
    parser = Scripted(1, 2, asyncio.Event())
    inbox = Inbox()
    one = source(parser, deadline=0.05)
    (report,) = await collect([one], accounts(4), inbox, NOW)
    assert (report.fetched, report.failed, report.finished) == (2, 2, False)
    assert "not done within" in report.reason
    assert inbox.ids == ["tiktok-0", "tiktok-1"]
    assert parser.closed
    await collect([one], accounts(4), inbox, NOW + timedelta(minutes=30))
    assert parser.asked[1] == ["tiktok-3", "tiktok-2", "tiktok-0", "tiktok-1"]


async def test_cancelled_it_stores_what_is_in_hand() -> None:
    """Cancelling a pass stores the values that are there, ends the parsers, and goes through."""
    parser = Scripted(1, 2, asyncio.Event())
    inbox = Inbox()
    task = asyncio.create_task(collect([source(parser)], accounts(3), inbox, NOW))
    await parser.waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inbox.ids == ["tiktok-0", "tiktok-1"]
    assert parser.closed


async def test_batches() -> None:
    """Values are stored a hundred at a time, while the parser goes on."""
    inbox = Inbox()
    await collect([source(Scripted(*range(250)))], accounts(250), inbox, NOW)
    assert [len(batch) for batch in inbox.batches] == [100, 100, 50]


async def test_storing_fails() -> None:
    """A database that takes nothing is reported as it is; nothing counts as fetched, the next pass asks again."""

    async def refuse(_batch: Sequence[ParsedMetrics]) -> None:
        raise DatabaseError("the disk is full")

    one = source(Scripted(1, 2))
    (report,) = await collect([one], accounts(2), refuse, NOW)
    assert (report.fetched, report.failed, report.reason) == (0, 2, "the disk is full")


@pytest.mark.parametrize("junk", [-1, 2**63, 1.5, True, "12"])
async def test_junk_of_a_parser_is_no_value(junk: object) -> None:
    """What is no count never reaches the inbox, no matter who wrote the parser."""
    inbox = Inbox()
    (report,) = await collect([source(Scripted(junk))], accounts(1), inbox, NOW)
    assert (report.failed, inbox.ids) == (1, [])


async def test_quota_holds_until_it_begins_anew() -> None:
    """After quotaExceeded the platform is not asked again before midnight in California, the others are."""
    refusal = Reply({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403)
    with FakePlatform(lambda _call: refusal) as away, FakePlatform(lambda _call: Reply(GOOD["facebook"][0])) as well:
        clock = [NOW]
        table = settings("youtube", away.url)
        from smart_sync.parsers.youtube import YouTube, YouTubeSettings

        assert isinstance(table, YouTubeSettings)
        youtube = ConfiguredParser("youtube", YouTube(table, lambda: clock[0]), table, AskedAccounts(), "youtube")
        (facebook,) = build({"facebook": settings("facebook", well.url)})
        for clock[0] in (NOW, NOW + timedelta(hours=19), NOW + timedelta(hours=20, minutes=1)):
            await collect([youtube, facebook], [account("youtube"), account("facebook")], Inbox(), clock[0])
    assert (len(away.calls), len(well.calls)) == (2, 3)


def good(call: Call) -> Reply:
    if call.path == "/channels":
        ids = call.query.get("id", "").split(",")
        items = [{"id": one, "statistics": {"viewCount": "7"}} for one in ids]
        return Reply({"kind": "youtube#channelListResponse", "items": items})
    if call.path == "/me/threads_insights":
        return Reply(GOOD["threads"][0])
    if call.path == "/user/info/":
        return Reply(GOOD["tiktok"][0])
    return Reply(GOOD["instagram" if "business" in call.query["fields"] else "facebook"][0])


async def test_a_thousand_accounts_on_five_platforms_keep_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 accounts: every account has its value, and in no window does a platform get more calls than it allows.

    The rates are the defaults, an hour or a minute scaled down to less than a second.
    """
    names = {
        "youtube": "youtube.com/channel/UC{:022d}",
        "instagram": "instagram.com/user{}",
        "facebook": "facebook.com/page{}",
        "threads": "threads.net/@user{}",
        "tiktok": "tiktok.com/@user{}",
    }
    window = {"youtube": 0.3, "instagram": 0.5, "facebook": 0.5, "threads": 0.3, "tiktok": 0.3}
    everybody = [account(kind, n, "https://" + link.format(n)) for kind, link in names.items() for n in range(200)]
    tokens = {"tokens": {f"user{n}": "canary-token" for n in range(200)}}
    servers = {kind: FakePlatform(good) for kind in names}
    defaults = {kind: settings(kind, "http://localhost") for kind in names}
    sources = []
    for kind, server in servers.items():
        server.__enter__()
        table: Any = settings(kind, server.url, **(tokens if "tokens" in OWN_KEYS[kind] else {}))
        rate = table.rate
        assert rate == defaults[kind].rate  # type: ignore[attr-defined]
        # 200 calls an hour become 40 in half a second, 600 a minute 60 in a third.
        scaled = type(rate)(rate.calls // (5 if rate.seconds > 60 else 10), window[kind])
        sources += build({kind: table.model_copy(update={"rate": scaled})})
    inbox = Inbox()
    try:
        await collect(sources, everybody, inbox, NOW)
    finally:
        for server in servers.values():
            server.__exit__(None, None, None)
    assert Counter(inbox.ids) == Counter(one.id for one in everybody)
    assert {kind: len(server.calls) for kind, server in servers.items()} == dict.fromkeys(names, 200) | {"youtube": 4}
    for one in sources:
        allowed = one.settings.rate.calls  # type: ignore[attr-defined]
        times = sorted(call.at for call in servers[one.name].calls)
        assert all(later - earlier >= window[one.name] for earlier, later in zip(times, times[allowed:], strict=False))


async def test_a_slow_platform_delays_only_itself() -> None:
    """While one platform does not answer, the values of another are stored."""
    with FakePlatform(lambda _call: Reply(hang=True)) as slow, FakePlatform(good) as fast:
        sources = build({"facebook": settings("facebook", slow.url), "instagram": settings("instagram", fast.url)})
        stored = asyncio.Event()

        async def sink(_batch: Sequence[ParsedMetrics]) -> None:
            stored.set()

        task = asyncio.create_task(collect(sources, [account("facebook"), account("instagram")], sink, NOW))
        await asyncio.wait_for(stored.wait(), 5)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_inspect_shows_mapped_and_raw() -> None:
    """One link through its parsers: values as they would be stored, the answer as it came, no secret in either."""

    def answer(call: Call) -> Reply:
        return Reply(GOOD["http_json"][0] | {"you_sent": call.headers["x-key"]})

    with FakePlatform(answer) as platform:
        sources = build(
            {"http_json": settings("http_json", platform.url), "facebook": settings("facebook", platform.url)}
        )
        (seen,) = await inspect(sources, account_of("https://www.tiktok.com/@charli"))
    (value,) = seen.fetched
    assert isinstance(value, ParsedMetrics)
    assert (value.account_id, value.metrics) == ("tiktok:@charli", Metrics(followers=12, likes=3))
    (exchange,) = seen.exchanges
    assert exchange.status == 200
    assert '"followers": 12' in exchange.body
    assert "canary" not in repr(seen)
    assert "/users/charli" in exchange.url
