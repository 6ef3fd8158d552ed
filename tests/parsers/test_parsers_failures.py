"""Each parser against each way a platform can fail: one table."""

import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import stamina

from fake_platforms import GOOD, Call, FakePlatform, Reply, account, drain, parser, recorded, troubles, values
from smart_sync.core.model import Metrics
from smart_sync.errors import ParserFailed
from smart_sync.parsers.parser import Paused

KINDS = tuple(GOOD)
#: Platforms whose tokens are each account's own: a refusal concerns that account only.
OWN_TOKENS = {"threads", "tiktok"}


@pytest.fixture
def at_once() -> Iterator[None]:
    """Three tries, without the waits between them."""
    with stamina.set_testing(True, attempts=3):
        yield


def nonsense(value: Any) -> Any:
    """The same answer with every count replaced by something that is none."""
    if isinstance(value, dict):
        return {key: nonsense(item) for key, item in value.items()}
    if isinstance(value, list):
        return [nonsense(item) for item in value]
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return True
    return value


def extended(value: Any) -> Any:
    """The same answer with fields that nobody knows yet."""
    if isinstance(value, dict):
        return {key: extended(item) for key, item in value.items()} | {"new_field": {"x": [1]}}
    return [extended(item) for item in value] if isinstance(value, list) else value


def stopped(*words: str) -> str:
    return "stopped:" + "|".join(words)


def one_account(kind: str, words: str) -> str:
    return f"failed:{words}" if kind in OWN_TOKENS else stopped(words)


def throttled(kind: str) -> str:
    """A Threads token that is throttled says nothing of the others."""
    return "failed:429" if kind == "threads" else "paused:429"


#: Failure → (the reply, what must come of it).  "failed": this account, this time; "gone": asked ever more rarely;
#: "stopped": the parser goes no further; "paused": nor does it come back soon; "value": as if nothing were wrong.
FAILURES: dict[str, Callable[[str], tuple[Reply, str]]] = {
    "401": lambda kind: (Reply({"error": {}}, 401), "failed:401" if kind == "tiktok" else one_account(kind, "401")),
    "402": lambda _kind: (Reply({"message": "out of credits"}, 402), stopped("out of credits")),
    "403 without a reason": lambda _kind: (Reply({}, 403), "failed:403"),
    "404": lambda kind: (Reply({}, 404), "gone:404"),
    "429": lambda kind: (Reply({}, 429), throttled(kind)),
    "429 with Retry-After beyond the deadline": lambda kind: (Reply({}, 429, {"Retry-After": "7200"}), throttled(kind)),
    "500": lambda kind: (Reply({}, 500), "failed:500"),
    "503 with a page": lambda kind: (Reply(b"<html>", 503), "failed:503"),
    "redirect": lambda kind: (Reply({}, 302, {"Location": "http://127.0.0.1:9/"}), stopped("redirects")),
    "timeout": lambda kind: (Reply(hang=True), "failed:no answer within"),
    "truncated": lambda kind: (Reply(GOOD[kind][0], truncate=True), "failed:cannot be reached"),
    "empty": lambda kind: (Reply(b""), "failed:empty"),
    "not JSON": lambda kind: (Reply(b"<html>hello"), "failed:not JSON"),
    "too large": lambda kind: (Reply(b" " * (5 * 2**20)), "failed:larger than"),
    "deep": lambda kind: (Reply(b"[" * 100_000), "failed:not JSON"),
    "null": lambda kind: (Reply(None), "failed:not JSON"),
    "a list": lambda kind: (Reply([]), "failed:"),
    "a number": lambda kind: (Reply(5), "failed:"),
    "an empty object": lambda kind: (Reply({}), "failed:"),
    "wrong types": lambda kind: (Reply(nonsense(GOOD[kind][0])), "failed:none of the metrics"),
    "extra fields": lambda kind: (Reply(extended(GOOD[kind][0])), "value"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("at_once")
async def test_each_failure(kind: str, failure: str) -> None:
    """Whatever is answered is a value, no value with a reason, or the parser's failure: never 0, never a bug."""
    reply, expected = FAILURES[failure](kind)
    with FakePlatform(lambda _call: reply) as platform:
        asked = parser(kind, platform.url, timeout=0.1 if reply.hang else 10)
        found, stop = await drain(asked, [account(kind)])
    outcome, _, words = expected.partition(":")
    if outcome == "value":
        assert [value.metrics.followers for value in values(found)] == [GOOD[kind][1]]
    elif outcome in {"failed", "gone"}:
        assert stop is None
        assert [(trouble.gone, words in trouble.reason) for trouble in troubles(found)] == [(outcome == "gone", True)]
    else:
        assert not found
        assert isinstance(stop, Paused if outcome == "paused" else ParserFailed)
        assert words in str(stop)
    assert len(platform.calls) <= 3


def graph(code: int, subcode: int = 0, status: int = 400, words: str = "said") -> Reply:
    return Reply({"error": {"message": f"(#{code}) {words}", "code": code, "error_subcode": subcode}}, status)


def google(status: int, reason: str) -> Reply:
    return Reply({"error": {"code": status, "message": "said", "errors": [{"reason": reason}]}}, status)


def tiktok(code: str, status: int = 200) -> Reply:
    return Reply({"data": {}, "error": {"code": code, "message": "said", "log_id": "x"}}, status)


REASONS: list[tuple[str, str, Reply, str]] = [
    ("youtube", "quotaExceeded", google(403, "quotaExceeded"), "paused:quota of the day"),
    ("youtube", "rateLimitExceeded", google(403, "rateLimitExceeded"), "paused:too many calls"),
    ("youtube", "accessNotConfigured", google(403, "accessNotConfigured"), "stopped:enable the YouTube Data API"),
    ("youtube", "recorded keyInvalid", Reply(recorded("youtube/error_response.json"), 400), "stopped:youtube] key"),
    ("instagram", "token", graph(190, status=401), "stopped:renew the token of [parsers.instagram]"),
    ("instagram", "permission", graph(10, status=403), "failed:(#10) said (10)"),
    ("instagram", "blocked app", graph(200, words="API access blocked."), "stopped:refuses the app"),
    ("instagram", "blocked user", graph(368), "stopped:refuses the app"),
    ("instagram", "no such user", graph(110), "gone:does not show it"),
    ("instagram", "throttled", graph(4, status=403), "paused:too many calls"),
    ("instagram", "passing", graph(2, status=500), "failed:Meta answers"),
    ("facebook", "recorded permission", Reply(recorded("facebook/error.json"), 400), "failed:Public Content Access"),
    ("facebook", "a page that moved", graph(21), "gone:does not show it"),
    ("youtube", "channelForbidden", google(403, "channelForbidden"), "failed:403"),
    ("facebook", "cannot be loaded", graph(100, 33), "gone:does not show it"),
    ("facebook", "no such alias", graph(803, status=404), "gone:does not show it"),
    ("facebook", "business quota", graph(80001, status=400), "paused:too many calls"),
    ("threads", "token", graph(190, status=401), "failed:renew the token of [parsers.threads]"),
    (
        "tiktok",
        "200 with a bad token",
        tiktok("access_token_invalid"),
        "failed:token in [parsers.tiktok]",
    ),
    (
        "tiktok",
        "401 with a bad token",
        tiktok("access_token_invalid", 401),
        "failed:token in [parsers.tiktok]",
    ),
    ("tiktok", "200 throttled", tiktok("rate_limit_exceeded"), "paused:too many calls"),
    ("tiktok", "200 passing", tiktok("internal_error"), "failed:internal_error"),
    ("tiktok", "200 with an unknown error", tiktok("invalid_params"), "failed:TikTok refuses"),
]


@pytest.mark.parametrize(("kind", "name", "reply", "expected"), REASONS, ids=[f"{r[0]}-{r[1]}" for r in REASONS])
@pytest.mark.usefixtures("at_once")
async def test_reasons(kind: str, name: str, reply: Reply, expected: str) -> None:
    """A platform's own words decide who must act: the administrator, nobody, or the one who keeps the links."""
    with FakePlatform(lambda _call: reply) as platform:
        found, stop = await drain(parser(kind, platform.url), [account(kind)])
    outcome, _, words = expected.partition(":")
    if outcome in {"failed", "gone"}:
        assert [(trouble.gone, words in trouble.reason) for trouble in troubles(found)] == [(outcome == "gone", True)]
    else:
        assert isinstance(stop, ParserFailed)
        assert isinstance(stop, Paused) == (outcome == "paused")
        assert words in str(stop)


@pytest.mark.parametrize("kind", KINDS)
async def test_retry_after_is_honoured(kind: str) -> None:
    """A platform that asks for a second gets a second, and then the same call again."""
    replies = iter([Reply({}, 429, {"Retry-After": "1"}), Reply(GOOD[kind][0])])
    with FakePlatform(lambda _call: next(replies)) as platform:
        found, stop = await drain(parser(kind, platform.url), [account(kind)])
    assert stop is None
    assert [value.metrics.followers for value in values(found)] == [GOOD[kind][1]]
    assert 1.0 <= platform.calls[1].at - platform.calls[0].at < 3.0


@pytest.mark.usefixtures("at_once")
async def test_a_platform_that_is_away_is_not_asked_a_thousand_times() -> None:
    """After a dozen calls in a row without an answer the parser stops."""
    accounts = [account("instagram", n, f"https://www.instagram.com/user{n}") for n in range(1000)]
    with FakePlatform(lambda _call: Reply({}, 500)) as platform:
        _found, stop = await drain(parser("instagram", platform.url), accounts)
    assert stop is not None
    assert "times in a row" in str(stop)
    assert len(platform.calls) < 40


async def test_what_came_before_a_failure_is_kept() -> None:
    """The values of the accounts before the refused one are given, then the failure."""

    def answer(call: Call) -> Reply:
        good = "(user0)" in call.query["fields"]
        return Reply(GOOD["instagram"][0]) if good else graph(190, status=401)

    accounts = [account("instagram", n, f"https://www.instagram.com/user{n}") for n in range(9)]
    with FakePlatform(answer) as platform:
        found, stop = await drain(parser("instagram", platform.url, concurrency=1), accounts)
    assert [(value.account_id, value.metrics) for value in values(found)] == [
        ("instagram-0", Metrics(followers=64976, videos=436))
    ]
    assert stop is not None


async def test_nobody_answers() -> None:
    """A refused connection says so, without an address."""
    with FakePlatform(lambda _call: Reply()) as platform:
        url = platform.url
    started = time.monotonic()
    with stamina.set_testing(True, attempts=2):
        found, _stop = await drain(parser("facebook", url), [account("facebook")])
    assert [trouble.reason for trouble in troubles(found)] == ["cannot be reached: Connection refused"]
    assert time.monotonic() - started < 5


class Crowd(NamedTuple):
    """A hundred accounts of one parser, and ten ways to refuse one of them."""

    kind: str
    link: str
    #: The number of the account that a call is about, or of each.
    asked: Callable[[Call], list[int]]
    good: Callable[[list[int]], Any]
    ways: list[Reply]
    table: Mapping[str, Any] = MappingProxyType({})


def number(text: str) -> int:
    return int(text.rpartition("name")[2].partition(")")[0])


def channels(numbers: list[int]) -> dict[str, Any]:
    items = [{"id": f"UC{n:022d}", "statistics": {"viewCount": "7"}} for n in numbers]
    return {"kind": "youtube#channelListResponse", "items": items}


META = [
    *(graph(10, status=403), graph(21), graph(100), graph(100, 33), graph(200, status=403), graph(803, status=404)),
    *(graph(110), Reply({}, 403), Reply({}, 404), Reply(b"<html>", 503)),
]
YOUTUBE = [
    *(google(403, "channelForbidden"), google(403, "forbidden"), google(400, "invalidParameter"), google(404, "gone")),
    *(Reply({}, 403), Reply({}, 404), Reply({}, 410), Reply(b"<html>", 503), Reply([]), Reply({}, 451)),
]
SELLER = [
    *(Reply({"message": "private"}, status) for status in (400, 403, 404, 410, 422, 451, 500)),
    *(Reply(b"<html>"), Reply({"data": {}}), Reply({"error": "private"})),
]
TOKENS = {"tokens": {f"name{n}": f"canary-token-name{n}" for n in range(100)}}
BATCH = {
    "batch": 50,
    "steps": [
        {
            "url": "users",
            "json": {"names": "{usernames}"},
            "rows": "data",
            "key": "name",
            "failed": "error",
            "metrics": {"followers": "n"},
        }
    ],
}


def by_token(call: Call) -> list[int]:
    return [number(call.headers["authorization"])]


CROWDS = {
    "youtube by handle": Crowd(
        "youtube", "https://youtube.com/@name{}", lambda c: [number(c.query["forHandle"])], channels, YOUTUBE
    ),
    "youtube by id": Crowd(
        "youtube",
        "https://youtube.com/channel/UC{:022d}",
        lambda c: [int(one[2:]) for one in c.query["id"].split(",")],
        channels,
        YOUTUBE,
    ),
    "instagram": Crowd(
        "instagram",
        "https://instagram.com/name{}",
        lambda c: [number(c.query["fields"].partition("{")[0])],
        lambda _numbers: GOOD["instagram"][0],
        META,
    ),
    "facebook": Crowd(
        "facebook",
        "https://facebook.com/name{}",
        lambda c: [number(c.path)],
        lambda _numbers: GOOD["facebook"][0],
        META,
    ),
    "threads": Crowd(
        "threads",
        "https://threads.net/@name{}",
        by_token,
        lambda _numbers: GOOD["threads"][0],
        [graph(190, status=401), graph(102, status=401), *META[2:]],
        TOKENS,
    ),
    "tiktok": Crowd(
        "tiktok",
        "https://tiktok.com/@name{}",
        by_token,
        lambda _numbers: GOOD["tiktok"][0],
        [
            *(tiktok("access_token_invalid"), tiktok("access_token_invalid", 401), tiktok("scope_not_authorized")),
            *(tiktok("invalid_params"), tiktok("internal_error"), tiktok("", 400), Reply({}, 403), Reply({}, 404)),
            *(Reply(b"<html>", 503), Reply([])),
        ],
        TOKENS,
    ),
    "http_json": Crowd(
        "http_json",
        "https://tiktok.com/@name{}",
        lambda c: [number(c.path)],
        lambda _numbers: GOOD["http_json"][0],
        SELLER,
        {"failed": "error"},
    ),
    "http_json by batches": Crowd(
        "http_json",
        "https://tiktok.com/@name{}",
        lambda c: [number(name) for name in c.body["names"]],
        lambda numbers: {"data": [{"name": f"name{n}", "n": 5} for n in numbers]},
        [Reply({"message": "private"}, status) for status in (400, 404, 422, 400, 404, 422, 400, 404, 422, 400)],
        BATCH,
    ),
}


@pytest.mark.parametrize("start", [0, 45])
@pytest.mark.parametrize("crowd", CROWDS.values(), ids=CROWDS)
@pytest.mark.usefixtures("at_once")
async def test_what_concerns_one_account_costs_no_other(crowd: Crowd, start: int) -> None:
    """A hundred accounts, ten of which, one after the other, are refused in ten ways: the other ninety have values."""
    refused = dict(zip(range(start, start + 10), crowd.ways, strict=True))

    def answer(call: Call) -> Reply:
        numbers = crowd.asked(call)
        return next((refused[n] for n in numbers if n in refused), Reply(crowd.good(numbers)))

    accounts = [account(crowd.kind, n, crowd.link.format(n)) for n in range(100)]
    with FakePlatform(answer) as platform:
        found, stop = await drain(parser(crowd.kind, platform.url, **crowd.table), accounts)
    assert stop is None
    assert {value.account_id for value in values(found)} == {
        f"{crowd.kind}-{n}" for n in range(100) if n not in refused
    }
    assert {trouble.account_id for trouble in troubles(found)} == {f"{crowd.kind}-{n}" for n in refused}


@pytest.mark.usefixtures("at_once")
async def test_many_refusals_in_a_row_are_one_trouble() -> None:
    """A permission that the token lacks for every account is not asked for a thousand times, and reported once."""
    accounts = [account("facebook", n, f"https://facebook.com/name{n}") for n in range(1000)]
    with FakePlatform(lambda _call: graph(10, status=403, words="get the permission")) as platform:
        found, stop = await drain(parser("facebook", platform.url, concurrency=1), accounts)
    assert len(platform.calls) < 40
    assert len(troubles(found)) < 40
    assert str(stop) == (
        "Meta refuses: (#10) get the permission (10), 25 times in a row; if that holds for every account, correct"
        " [parsers.facebook] or what its credentials may do"
    )


async def test_a_job_that_may_have_been_started_is_not_started_again() -> None:
    """A batch whose POST was answered, however oddly, or has no answer is not made for its halves; one that was
    refused for whom it names is."""
    accounts = [account("http_json", n, f"https://tiktok.com/@name{n}") for n in range(8)]
    odd: tuple[object, ...] = (
        b"<html>",
        b"",
        {},
        [],
        {"data": {}},
        {"data": [{"id": None}]},
        {"data": [{"name": "else"}]},
        {"error": "no"},
    )
    several = [*((Reply(body), 1) for body in odd), (Reply({"status": "building", "data": []}, 202), 1)]
    several += [(Reply({"message": "no"}, status), 1) for status in (502, 402, 403, 409, 410, 429, 451)]
    several += [(Reply({"message": "no"}, status), 15) for status in (400, 404, 422)]
    for reply, calls in several:
        with FakePlatform(lambda _call, reply=reply: reply) as platform:  # type: ignore[misc]
            found, _ = await drain(parser("http_json", platform.url, **BATCH), accounts)
        assert len(platform.calls) == calls
        assert not values(found)
        assert not any(trouble.gone for trouble in troubles(found)) or reply.status == 404
