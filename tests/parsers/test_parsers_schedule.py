"""Whom the parsers ask, and when: over days of passes, reloads, restarts and single passes, by a simulated clock."""

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fake_platforms import GOOD, Call, FakePlatform, Reply
from fake_platforms import settings as table_of
from smart_sync import logs
from smart_sync.config import ParserSettings
from smart_sync.config.settings import parser_class
from smart_sync.core.model import Account, Metrics, ParsedMetrics
from smart_sync.core.redaction import REDACTED
from smart_sync.parsers.api_client import ApiSettings
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.background_collector import Collector
from smart_sync.parsers.parser import Fetched, Unfetched
from smart_sync.parsers.registry import ConfiguredParser
from smart_sync.store import parser_records
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_database
from world import World

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SLACK = timedelta(seconds=60)
DAY = timedelta(days=1)


def quiet(event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Nobody is told."""


@dataclass
class Platform:
    """What a platform would do, and what it was asked."""

    #: Account → what becomes of it: "value", "fails", "gone", or (cost) so many requests for a value.
    accounts: dict[str, str | int]
    now: datetime = NOON
    asked: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    requests: list[datetime] = field(default_factory=list)


class Simulated:
    """A parser like one that another package brings: it takes each request from its budget."""

    settings: ClassVar[type[ParserSettings]] = ApiSettings

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def fetch(self, accounts: Sequence[Account], asking: Asking | None = None) -> AsyncIterator[Fetched]:
        allowance = asking.allowance if asking is not None else None
        for account in accounts:
            fate = self._platform.accounts[account.id]
            for _ in range(fate if isinstance(fate, int) else 1):
                if allowance is not None:
                    await allowance.take()
                self._platform.requests.append(self._platform.now)
            self._platform.asked[account.id].append(self._platform.now)
            if fate == "fails":
                yield Unfetched(account.id, "no answer")
            elif fate == "gone":
                yield Unfetched(account.id, "deleted", gone=True)
            else:
                yield ParsedMetrics(account.id, Metrics(followers=1), "simulated", self._platform.now)


class Life:
    """A daemon that is started, reloaded and stopped, and single passes, all on one database."""

    def __init__(self, path: Path, platform: Platform, every: timedelta | None, allowed: int | None) -> None:
        self._path = path
        self.platform = platform
        self._every = every
        self._table = ApiSettings(source="simulated", budget=allowed, deadline=600.0)
        self._running: tuple[AsyncExitStack, Collector] | None = None

    async def prepare(self) -> "Life":
        async with open_database(self._path) as database, database.transaction() as transaction:
            await transaction.execute("INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)")
            await transaction.execute_many(
                "INSERT INTO project_social_accounts (id, project_id, platform, profile_link) VALUES (?, 'p', ?, ?)",
                [(one, "tiktok", f"https://www.tiktok.com/@{one}") for one in self.platform.accounts],
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def __aenter__(self) -> "Life":
        return self

    async def daemon_pass(self) -> None:
        if self._running is None:
            stack = AsyncExitStack()
            database = await stack.enter_async_context(open_database(self._path))
            self._running = stack, await stack.enter_async_context(self._collector(database))
        await self._running[1].collect()

    async def stop(self) -> None:
        """Also the first half of a reload: the next pass has everything anew."""
        if self._running is not None:
            stack, _ = self._running
            self._running = None
            await stack.aclose()

    async def once(self) -> None:
        await self.stop()
        async with open_database(self._path) as database, self._collector(database) as collector:
            await collector.collect()

    def _collector(self, database: Database) -> Collector:
        source = ConfiguredParser(
            "simulated", Simulated(self.platform), self._table, AskedAccounts(self._every), "simulated"
        )
        return Collector([source], database, lambda: self.platform.now, None, quiet)


def most_in_a_day(requests: Sequence[datetime]) -> int:
    """The most requests in any 24 hours."""
    return max((sum(at <= other < at + DAY for other in requests) for at in requests), default=0)


FATES = st.sampled_from(["value", "value", "value", "fails", "gone"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["pass", "pass", "reload", "once"]), st.integers(1, 400)), min_size=5, max_size=60
)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(FATES, min_size=1, max_size=8),
    STEPS,
    st.sampled_from([None, timedelta(minutes=30), timedelta(hours=6), timedelta(days=1)]),
    st.none() | st.integers(1, 30),
)
async def test_nobody_is_asked_too_often(
    fates: list[str], steps: list[tuple[str, int]], every: timedelta | None, allowed: int | None
) -> None:
    """Over days of passes, reloads, restarts and `once` no account is asked more often than ``every``, one that fails
    or is gone ever more rarely, and in no 24 hours more is asked than the budget has."""
    platform = Platform({f"a{n}": fate for n, fate in enumerate(fates)})
    with tempfile.TemporaryDirectory() as folder:
        async with await Life(Path(folder) / "a.db", platform, every, allowed).prepare() as life:
            for step, minutes in steps:
                platform.now += timedelta(minutes=minutes)
                if step == "reload":
                    await life.stop()
                await (life.once() if step == "once" else life.daemon_pass())
    assert allowed is None or most_in_a_day(platform.requests) <= allowed
    everybody_is_gone = set(fates) == {"gone"} and len(fates) >= 5
    for account, times in platform.asked.items():
        fate = platform.accounts[account]
        waits = [later - earlier for earlier, later in pairwise(times)]
        for number, wait in enumerate(waits):
            least = every or timedelta(0)
            if fate == "fails" or everybody_is_gone:
                least = min(timedelta(minutes=15) * 2**number, least)
            elif fate == "gone":
                least = max(min(timedelta(hours=1) * 2**number, DAY), least)
            assert wait >= least - SLACK


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.sampled_from(["value", "value", 2, 3, 50, "fails"]), min_size=2, max_size=6),
    st.integers(4, 12),
    st.sampled_from([None, timedelta(hours=1), timedelta(hours=6)]),
)
async def test_a_small_budget_starves_nobody(fates: list[str | int], allowed: int, every: timedelta | None) -> None:
    """Whatever the others cost, even more than the budget has, everybody who can be had is had again and again."""
    platform = Platform({f"a{n}": fate for n, fate in enumerate(fates)})
    days = 2 * len(fates) + 3
    with tempfile.TemporaryDirectory() as folder:
        async with await Life(Path(folder) / "a.db", platform, every, allowed).prepare() as life:
            for number in range(days * 3):
                platform.now += timedelta(hours=8)
                await (life.once() if number % 5 == 0 else life.daemon_pass())
    assert most_in_a_day(platform.requests) <= allowed
    affordable = [one for one, fate in platform.accounts.items() if not isinstance(fate, int) or fate <= allowed]
    assert [one for one in affordable if len(platform.asked[one]) < 2] == []


def profile(call: Call) -> Reply:
    """A channel for each handle or id, and a profile for everybody else."""
    if call.path != "/channels":
        return Reply(GOOD["http_json"][0])
    ids = call.query.get("id") or f"UC{int(call.query['forHandle'].removeprefix('@name')):022d}"
    items = [{"id": one, "statistics": {"viewCount": "7"}} for one in ids.split(",")]
    return Reply({"kind": "youtube#channelListResponse", "items": items})


async def one_life(world: World, kind: str, url: str, passes: int = 1, **changes: Any) -> None:
    """From a start to a reload, or a single pass."""
    table = table_of(kind, url, **changes)
    every = timedelta(seconds=table.every) if table.every else None
    clock = lambda: world.now  # noqa: E731
    source = ConfiguredParser(kind, parser_class(kind)(table, clock), table, AskedAccounts(every), kind)
    async with open_database(world.where) as database, Collector([source], database, clock, None, quiet) as collector:
        for _ in range(passes):
            await collector.collect()


async def test_twenty_accounts_a_day_are_twenty_calls(world: World) -> None:
    """``every = "24h"`` is one call for each account: after a start, a reload and two single passes, too."""
    world.add_project("P", [f"name{n}" for n in range(20)])
    with FakePlatform(profile) as platform:
        for _ in range(4):
            await one_life(world, "http_json", platform.url, every="24h")
            world.now += timedelta(hours=1)
        assert len(platform.calls) == 20
        world.now += timedelta(hours=20)
        await one_life(world, "http_json", platform.url, every="24h")
    assert set(Counter(call.path for call in platform.calls).values()) == {2}


async def test_an_account_with_another_link_is_another_account(world: World) -> None:
    """Another identity is asked about at once; another spelling of the link changes nothing."""
    world.add_project("P", ["name"])
    with FakePlatform(profile) as platform:
        await one_life(world, "http_json", platform.url, every="24h")
        world.execute("UPDATE project_social_accounts SET profile_link = 'https://m.tiktok.com/@Name?lang=en'")
        await one_life(world, "http_json", platform.url, every="24h")
        world.execute("UPDATE project_social_accounts SET profile_link = 'https://www.tiktok.com/@other'")
        await one_life(world, "http_json", platform.url, every="24h")
    assert [call.path for call in platform.calls] == ["/users/name", "/users/other"]


async def test_a_pause_outlives_a_restart(world: World) -> None:
    """A monthly quota, or a day's, is not asked for again by the process that comes after."""
    world.add_project("P", ["name"])
    world.execute(
        "UPDATE project_social_accounts SET profile_link = 'https://www.youtube.com/@name1', platform = 'youtube'"
    )
    refusal = Reply({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403)
    with FakePlatform(lambda _call: refusal) as platform:
        for _ in range(3):
            await one_life(world, "youtube", platform.url)
        assert len(platform.calls) == 1
        async with open_database(world.where) as database:
            assert await parser_records.pauses(database, world.now) == {"youtube": "2026-03-11T07:00:00.000000"}
        world.now += timedelta(hours=19, minutes=1)
        await one_life(world, "youtube", platform.url)
    assert len(platform.calls) == 2


async def test_a_clock_that_was_ahead_keeps_no_parser_waiting(world: World) -> None:
    """Neither its pause, which is longer than any, nor the requests that it has made count for a year."""
    world.add_project("P", ["name"])
    world.execute(
        "UPDATE project_social_accounts SET profile_link = 'https://www.youtube.com/@name1', platform = 'youtube'"
    )
    refusal = Reply({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403)
    now = world.now
    with FakePlatform(lambda _call: refusal) as platform:
        for ahead in (True, False, False):
            world.now = now + timedelta(days=365 if ahead else 0)
            await one_life(world, "youtube", platform.url)
        assert len(platform.calls) == 2
    async with open_database(world.where) as database:
        assert await parser_records.pauses(database, now) == {"youtube": "2026-03-11T07:00:00.000000"}
        for at, left in ((now + timedelta(days=365), 9), (now, 0), (now + DAY, 9)):
            grant = await parser_records.reserve(database, "p", 9, 9, at, at + timedelta(minutes=9), f"b{at}")
            assert grant.requests == left
            await parser_records.settle(database, {f"b{at}": left}, at)


async def test_no_pause_is_longer_than_a_day(world: World) -> None:
    """Whatever a parser of another package says, it is asked again after 25 hours."""
    asked = AskedAccounts()
    asked.paused(NOON + 30 * DAY, "monthly", NOON)
    account = Account("a", "p", "tiktok", "a", "https://www.tiktok.com/@a")
    assert [bool(asked.due([account], NOON + timedelta(hours=hours))) for hours in (0, 24, 26)] == [False, False, True]


async def test_a_hundred_and_twenty_handles_are_three_calls(world: World) -> None:
    """A channel's id does not change: once looked up, fifty go into a call, whatever was restarted in between."""
    world.add_project("P", [f"name{n}" for n in range(120)])
    world.execute(
        "UPDATE project_social_accounts SET profile_link = 'https://youtube.com/@' || username, platform = 'youtube'"
    )
    with FakePlatform(profile) as platform:
        await one_life(world, "youtube", platform.url)
        assert len(platform.calls) == 120
        await one_life(world, "youtube", platform.url, passes=2)
        assert len(platform.calls) == 126
    stored = world.execute("SELECT count(*) FROM parsed_values WHERE metric = 'views' AND value = 7")
    assert stored == [(120,)]


async def test_what_a_step_took_outlives_a_restart(world: World) -> None:
    """A look-up that is paid for is made once, not once a start."""
    world.add_project("P", ["name"])
    steps = [{"url": "id?n={username}", "take": {"pk": "pk"}}, {"url": "clips?id={pk}", "metrics": {"views": "n"}}]
    with FakePlatform(lambda _call: Reply({"pk": "1", "n": 5})) as platform:
        for _ in range(3):
            await one_life(world, "http_json", platform.url, steps=steps, headers={}, query={})
    assert [call.path for call in platform.calls] == ["/id", "/clips", "/clips", "/clips"]


async def test_what_nothing_follows_from_is_not_written(world: World) -> None:
    """An account asked in each pass needs no row: only one that fails has one, also when it is well again."""
    world.add_project("P", ["name1", "name2"])
    is_well = False

    def answer(call: Call) -> Reply:
        return Reply(GOOD["http_json"][0]) if is_well or call.path.endswith("name1") else Reply({}, 403)

    with FakePlatform(answer) as platform:
        await one_life(world, "http_json", platform.url, passes=2)
        kept = "SELECT account_id, failures FROM parser_accounts"
        assert world.execute(kept) == [("account-name2", 2)]
        is_well = True
        await one_life(world, "http_json", platform.url)
        assert world.execute(kept) == [("account-name2", 0)]


async def test_single_passes_go_on_where_the_last_one_ended(world: World) -> None:
    """Of more accounts than the budget lets through, a single pass asks those that the one before did not come to."""
    world.add_project("P", [f"name{n}" for n in range(9)])
    with FakePlatform(profile) as platform:
        for _ in range(3):
            await one_life(world, "http_json", platform.url, budget="3/d")
            world.now += timedelta(days=1, minutes=11)
    assert sorted(call.path for call in platform.calls) == [f"/users/name{n}" for n in range(9)]


async def test_several_accounts_at_once_do_not_use_up_a_budget_for_nothing(world: World) -> None:
    """Of accounts that cost five requests each, ten a day are two accounts a day, however many are asked at once."""
    world.add_project("P", [f"name{n}" for n in range(8)])

    def answer(call: Call) -> Reply:
        page = int(call.query.get("page", "1"))
        return Reply({"n": 1, "next": page + 1 if page < 5 else None})

    step = {"url": "posts/{username}", "next": "next", "next_param": "page", "metrics": {"views": "sum([].n)"}}
    table: dict[str, Any] = {"steps": [step], "headers": {}, "query": {}, "concurrency": 4, "budget": "10/d"}
    stored = []
    with FakePlatform(answer) as platform:
        for _ in range(4):
            await one_life(world, "http_json", platform.url, **table)
            stored += world.execute("SELECT count(*) FROM parsed_values WHERE value = 5")
            world.now += timedelta(days=1, minutes=11)
    assert stored == [(2,), (4,), (6,), (8,)]
    assert len(platform.calls) == 40


async def test_a_budget_is_used_up_and_told(world: World) -> None:
    """The requests that the budget has are made, tries that failed count; the rest waits, and that is no failure."""
    world.add_project("P", [f"name{n}" for n in range(20)])
    heard: list[dict[str, Any]] = []

    def say(event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        heard.append({"event": event, **fields})

    with FakePlatform(profile) as platform:
        table = table_of("http_json", platform.url, budget="7/d")
        source = ConfiguredParser(
            "http_json", parser_class("http_json")(table, lambda: world.now), table, AskedAccounts(), "http_json"
        )
        async with open_database(world.where) as database:
            async with Collector([source], database, lambda: world.now, None, say) as collector:
                for _ in range(3):
                    await collector.collect()
                    world.now += timedelta(hours=1)
            assert await parser_records.requests_made(database, world.now) == {"http_json": 7}
        assert len(platform.calls) == 7
    assert [(one["event"], one["fetched"], one["failed"], one["left"]) for one in heard] == [
        ("parser.finished", 7, 0, 13),
        ("parser.finished", 0, 0, 20),
        ("parser.finished", 0, 0, 20),
    ]
    assert heard[0]["reason"].startswith(
        "the budget of 7 requests in 24 hours is used up; asks again at 2026-03-11 12:"
    )


_TAKER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from smart_sync.errors import ParserFailed
from smart_sync.parsers.budget import Allowance
from smart_sync.config.database_url import server
from smart_sync.store.schema import open_existing

async def main():
    where = server(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
    async with open_existing(where, read_only=False) as database:
        allowance = Allowance(database, "rented", 300, 60.0, lambda: datetime.now(UTC))
        taken = 0
        try:
            while True:
                await allowance.take()
                taken += 1
        except ParserFailed:
            await allowance.settle()
            print(taken)

asyncio.run(main())
"""


async def test_two_processes_share_a_budget(world: World) -> None:
    """The daemon and a person who tries a parser at the same time share one budget."""
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _TAKER, world.url or str(world.path), stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    taken = [int((await program.communicate())[0]) for program in programs]
    assert sum(taken) == 300


async def test_a_crash_costs_budget_and_never_gives_any(world: World) -> None:
    """What a process had taken when it was killed counts as made, for a day from when it could have been made last."""
    async with open_database(world.where) as database:
        until = NOON + timedelta(minutes=10)
        assert (await parser_records.reserve(database, "p", 60, 50, NOON, until, "a")).requests == 50
        assert (await parser_records.reserve(database, "p", 60, 50, NOON, until, "b")).requests == 10
        none = await parser_records.reserve(database, "p", 60, 50, until + DAY - SLACK, until, "c")
        assert (none.requests, none.free_at) == (0, until + DAY)
        assert (await parser_records.reserve(database, "p", 60, 50, until + DAY, until, "d")).requests == 50


async def test_a_stop_in_the_middle_is_kept(world: World) -> None:
    """A stop cuts a round off: whom it had asked is known to the next start, and who was under way is due again."""
    world.add_project("P", [f"name{n}" for n in range(9)])
    is_under_way = threading.Event()

    def answer(call: Call) -> Reply:
        if call.path.endswith("name8"):
            is_under_way.set()
            return Reply(hang=True)
        return Reply(GOOD["http_json"][0])

    with FakePlatform(answer) as platform:
        table = table_of("http_json", platform.url, every="24h", concurrency=1)
        source = ConfiguredParser(
            "h", parser_class("http_json")(table, lambda: world.now), table, AskedAccounts(DAY), "h"
        )
        async with (
            open_database(world.where) as database,
            Collector([source], database, lambda: world.now, 0.01, quiet) as collector,
        ):
            await collector.collect()
            await asyncio.to_thread(is_under_way.wait, 30)
        platform.answer = lambda _call: Reply(GOOD["http_json"][0])
        before = len(platform.calls)
        await one_life(world, "http_json", platform.url, every="24h")
        source_of = [call.path for call in platform.calls[before:]]
    assert world.execute("SELECT count(*) FROM parser_accounts WHERE parser = 'h' AND next_at IS NULL") == [(8,)]
    assert world.execute("SELECT account_id FROM parser_accounts WHERE parser = 'h' AND next_at IS NOT NULL") == [
        ("account-name8",)
    ]
    assert len(source_of) == 9, "another table has asked nobody yet"


async def test_a_job_that_was_cut_off_is_not_started_again_at_once(world: World) -> None:
    """A stop or a deadline in the middle of a paid job: its account rests 15 minutes, then twice as long."""
    world.add_project("P", ["name"])
    steps = [
        {"url": "jobs", "json": {"links": "{links}"}, "take": {"job": "id"}},
        {"url": "progress/{job}", "until": "ready", "wait": 0.05, "timeout": 50, "rows": "@", "key": "link"}
        | {"metrics": {"views": "n"}},
    ]
    starts: list[int] = []
    loop, under_way = asyncio.get_running_loop(), asyncio.Event()

    def answer(call: Call) -> Reply:
        if call.method == "GET":
            loop.call_soon_threadsafe(under_way.set)
        return Reply({"id": "1"})

    with FakePlatform(answer) as platform:
        for minutes in (0, 5, 11, 14, 16):
            world.now += timedelta(minutes=minutes)
            table = table_of("http_json", platform.url, steps=steps, batch=9, headers={}, query={}, deadline=60)
            if minutes == 16:
                table = table.model_copy(update={"deadline": 2.0})
            parser = parser_class("http_json")(table, lambda: world.now)
            source = ConfiguredParser("h", parser, table, AskedAccounts(), "h")
            under_way.clear()
            async with (
                open_database(world.where) as database,
                Collector([source], database, lambda: world.now, None, quiet) as collector,
            ):
                collecting = asyncio.create_task(collector.collect())
                stopped = asyncio.create_task(under_way.wait() if minutes != 16 else asyncio.Event().wait())
                await asyncio.wait({collecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
            await collecting
            starts.append(sum(call.method == "POST" for call in platform.calls))
    assert starts == [1, 1, 2, 2, 3]


async def test_a_secret_is_read_again_when_its_file_changes(world: World, tmp_path: Path) -> None:
    """A token that somebody renews is used in the next pass, without a reload; who had failed by the old one is due."""
    world.add_project("P", ["name"])
    key = tmp_path / "key"
    heard = []

    def say(event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        heard.append(event)

    def write(text: str) -> None:
        key.with_suffix(".new").write_text(text)
        key.with_suffix(".new").rename(key)

    def answer(call: Call) -> Reply:
        return Reply(GOOD["http_json"][0]) if call.headers["x-key"] == "canary-new" else Reply({}, 403)

    write("canary-old")
    with FakePlatform(answer) as platform:
        table = table_of("http_json", platform.url, every="24h", headers={"X-Key": f"file:{key}"})
        source = ConfiguredParser(
            "h", parser_class("http_json")(table, lambda: world.now), table, AskedAccounts(DAY), "h"
        )
        async with (
            open_database(world.where) as database,
            Collector([source], database, lambda: world.now, None, say) as collector,
        ):
            await collector.collect()
            for text in ("", "", "canary-new\n", "canary-new"):
                write(text)
                await collector.collect()
    assert [call.headers["x-key"] for call in platform.calls] == ["canary-old", "canary-new"]
    assert heard == ["parser.finished", *["secret.unreadable"] * 2, "parser.finished"]
    assert logs.redact("canary-new") == REDACTED
