"""What platforms grant less of: less at once, later, not with this token, not in this version."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina

from fake_platforms import GOOD, Call, FakePlatform, Reply, account, drain, parser, settings, troubles, values
from smart_sync.config.settings import parser_class
from smart_sync.core.model import Metrics
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.collect import collect
from smart_sync.parsers.parser import Paused
from smart_sync.parsers.registry import ConfiguredParser, build

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


def graph(code: int, words: str = "said", status: int = 400, headers: dict[str, str] | None = None) -> Reply:
    return Reply({"error": {"message": words, "code": code}}, status, headers or {})


async def pause(kind: str, reply: Reply) -> timedelta:
    """For how long the parser leaves the platform alone."""
    with FakePlatform(lambda _call: reply) as platform:
        asked = parser_class(kind)(settings(kind, platform.url), lambda: NOW)
        _found, stop = await drain(asked, [account(kind)])
    assert isinstance(stop, Paused)
    return stop.until - NOW


async def test_meta_says_when_access_comes_back() -> None:
    """The minutes of ``X-Business-Use-Case-Usage`` are waited for; what no minutes are is no reason to wait."""
    usage = '{"17841": [{"type": "instagram", "call_count": 101, "estimated_time_to_regain_access": 47}], "2": []}'
    reply = graph(80002, headers={"X-Business-Use-Case-Usage": usage})
    assert await pause("instagram", reply) == timedelta(minutes=47)
    for junk in ("[]", "{", '{"1": 5}', '{"1": [{"estimated_time_to_regain_access": "soon"}]}'):
        reply = graph(80002, headers={"X-Business-Use-Case-Usage": junk})
        assert await pause("instagram", reply) == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("headers", "words", "minutes"),
    [
        ({"X-RateLimit-Requests-Remaining": "0", "X-RateLimit-Requests-Reset": "36000"}, "", 600),
        ({"X-RateLimit-Requests-Remaining": "900", "X-RateLimit-Requests-Reset": "36000"}, "", 5),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 1200)}, "", 20),
        ({}, "You have exceeded the MONTHLY quota for Requests on your current plan", 1440),
        ({"X-RateLimit-Reset": "9" * 400}, "", 1440),
    ],
)
async def test_a_seller_says_when_its_quota_begins_anew(headers: dict[str, str], words: str, minutes: int) -> None:
    """A quota that is used up is not asked about in every pass: until it begins anew, at most for a day."""
    assert await pause("http_json", Reply({"message": words}, 429, headers)) == timedelta(minutes=minutes)


async def test_one_throttled_token_rests_alone() -> None:
    """Of Threads a token that is throttled costs its own account an hour, and no other anything."""

    def answer(call: Call) -> Reply:
        is_one = call.headers["authorization"].endswith("one")
        return graph(4, status=403, headers={"Retry-After": "3600"}) if is_one else Reply(GOOD["threads"][0])

    tokens = {"one": "canary-token-one", "two": "canary-token-two"}
    accounts = [account("threads", n, f"https://www.threads.net/@{name}") for n, name in enumerate(tokens)]
    with FakePlatform(answer) as platform:
        (source,) = build({"threads": settings("threads", platform.url, tokens=tokens)})
        stored: list[str] = []

        async def sink(batch: Any) -> None:
            stored.extend(value.account_id for value in batch)

        for minutes in (0, 30, 61):
            await collect([source], accounts, sink, NOW + timedelta(minutes=minutes))
    assert stored == ["threads-1"] * 3


async def test_tiktok_without_its_videos() -> None:
    """A token without the scope video.list gives what user/info says; what lacks is named."""

    def answer(call: Call) -> Reply:
        if call.path == "/video/list/":
            return Reply({"data": {}, "error": {"code": "scope_not_authorized", "message": "video.list"}}, 401)
        return Reply(GOOD["tiktok"][0])

    with FakePlatform(answer) as platform:
        found, stop = await drain(parser("tiktok", platform.url, videos=20), [account("tiktok")])
    assert (stop, troubles(found)) == (None, [])
    (value,) = values(found)
    assert value.metrics == Metrics(followers=155000123, likes=99, videos=7)
    assert "comments, views: TikTok refuses" in value.flaw
    assert "video.list" in value.flaw


@pytest.mark.parametrize("kind", ["facebook", "instagram"])
@pytest.mark.parametrize("most", [12, 0])
async def test_less_at_once(kind: str, most: int) -> None:
    """Who asks Meta for too much asks for half, until it answers; remembers that; and says what the sums are of."""

    def answer(call: Call) -> Reply:
        limit = call.query["fields"].partition(".limit(")[2].partition(")")[0]
        if limit and int(limit) > most:
            return graph(1, "(#1) Please reduce the amount of data you're asking for, then retry your request", 500)
        return Reply(GOOD[kind][0])

    with FakePlatform(answer) as platform:
        asked = parser(kind, platform.url, videos=50)
        found, _ = await drain(asked, [account(kind)])
        first = len(platform.calls)
        again, _ = await drain(asked, [account(kind)])
    for (value,) in (values(found), values(again)):
        assert value.metrics.followers == GOOD[kind][1]
        assert value.flaw.startswith(f"Meta gives no more than {most} of the 50 latest videos")
    assert (first, len(platform.calls) - first) == (3 if most else 7, 1)


async def test_a_newer_version_is_told() -> None:
    """When Meta answers as a newer version than was asked for, that is said, with the day on which ours ends."""
    seen = {}
    for version in ("v23.0", "v26.0", "no version"):
        reply = Reply(GOOD["facebook"][0], headers={"facebook-api-version": version})
        with FakePlatform(lambda _call, reply=reply: reply) as platform:  # type: ignore[misc]
            table = settings("facebook", platform.url, api_url=f"{platform.url}/v23.0")
            source = ConfiguredParser("facebook", parser_class("facebook")(table), table, AskedAccounts(), "facebook")
            (report,) = await collect([source], [account("facebook")], _nowhere, NOW)
        seen[version] = (report.fetched, report.reason)
    assert seen["v23.0"] == seen["no version"] == (1, "")
    fetched, reason = seen["v26.0"]
    assert fetched == 1
    assert reason == (
        "Meta answers as v26.0: v23.0, which Meta serves until 8 October 2027, is not served here any more;"
        " see what is new, then set api_url"
    )


async def test_a_round_longer_than_its_rate_allows_is_no_failure() -> None:
    """More accounts than the rate lets through before the deadline: some now, the others in the next pass."""
    accounts = [account("facebook", n, f"https://www.facebook.com/name{n}") for n in range(9)]
    with FakePlatform(lambda _call: Reply(GOOD["facebook"][0])) as platform:
        (source,) = build({"facebook": settings("facebook", platform.url, rate="4/h", deadline=2.0, concurrency=2)})
        reports = await collect([source], accounts, _nowhere, NOW)
    (report,) = reports
    assert (report.fetched, report.failed, report.left, report.finished) == (4, 0, 5, True)
    assert report.reason == "the rate of 4/h lets no more through before the deadline"
    assert not report.is_bad


async def _nowhere(_batch: object) -> None:
    """Keeps nothing."""
