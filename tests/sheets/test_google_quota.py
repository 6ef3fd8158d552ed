"""Google's quota and the pure planning of batches."""

import asyncio
import heapq
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from gspread.utils import absolute_range_name
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smart_sync.aio.rate_limit import RateLimit
from smart_sync.sheets.google_errors import retry_after
from smart_sync.sheets.requests import MAX_ANSWER_BYTES, UNKNOWN_BYTES, next_batch
from smart_sync.sheets.responses import parse_values, title_of
from smart_sync.sheets.spreadsheet_names import differ_by_case

# The clock of a busy machine says nothing about these properties.
PATIENT = settings(deadline=None)
titles = st.text(min_size=1, max_size=100)


class ClockedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self.now = max(self.now, heapq.nsmallest(1, loop._scheduled)[0].when())
        super()._run_once()  # type: ignore[misc]  # not in the stubs


def most_in_a_minute(calls: list[float]) -> int:
    return max(sum(start <= other < start + 60 for other in calls) for start in calls)


@PATIENT
@given(
    limit=st.integers(1, 7),
    wishes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 90)), min_size=1, max_size=40),
)
def test_no_minute_has_more_calls_than_allowed(limit: int, wishes: list[tuple[int, int]]) -> None:
    """However long requests take, no window of 60 s sees more of them arrive than the limit."""
    arrived: list[float] = []

    async def call(quota: RateLimit, at: int, takes: int) -> None:
        await asyncio.sleep(at)
        async with quota.slot():
            # It may arrive at Google at any time while it is under way.
            await asyncio.sleep(takes / 2)
            arrived.append(asyncio.get_running_loop().time())
            await asyncio.sleep(takes / 2)

    async def main() -> None:
        quota = RateLimit(limit)
        await asyncio.gather(*(call(quota, at, takes) for at, takes in wishes))

    with asyncio.Runner(loop_factory=ClockedLoop) as runner:
        runner.run(main())
    assert len(arrived) == len(wishes)
    assert most_in_a_minute(arrived) <= limit


def test_a_burst_does_not_wait() -> None:
    """As many calls as the quota allows go at once, and no more than that in any minute."""

    async def starts(quota: RateLimit) -> list[float]:
        async def one() -> float:
            async with quota.slot():
                return asyncio.get_running_loop().time()

        return await asyncio.gather(*(one() for _ in range(130)))

    with asyncio.Runner(loop_factory=ClockedLoop) as runner:
        ours = runner.run(starts(RateLimit(60)))
    assert [ours.count(when) for when in sorted(set(ours))] == [60, 60, 10]
    assert most_in_a_minute(ours) == 60


@PATIENT
@given(
    wanted=st.lists(titles, unique=True, max_size=80),
    sizes=st.dictionaries(titles, st.integers(0, 3 * MAX_ANSWER_BYTES)),
)
@example(wanted=[f"Project {number:07}" for number in range(150)], sizes={})
def test_batches_hold_every_title_once_within_the_limits(wanted: list[str], sizes: dict[str, int]) -> None:
    """Batches follow the order asked for, lose nothing, and pass the limit only with a single worksheet."""
    rest, read = wanted, []
    while rest:
        batch = next_batch(rest, sizes)
        assert batch
        assert len(batch) == 1 or sum(sizes.get(title, UNKNOWN_BYTES) for title in batch) <= MAX_ANSWER_BYTES
        read += batch
        rest = rest[len(batch) :]
    assert read == wanted


@PATIENT
@given(title=titles)
def test_a_title_survives_the_range(title: str) -> None:
    """What Google answers about a range names the worksheet that was asked for."""
    assert title_of(absolute_range_name(title)) == title
    assert title_of(absolute_range_name(title, "A1:Z1000")) == title


@pytest.mark.parametrize(
    ("range_name", "title"),
    [
        ("Sheet1!A1:D4", "Sheet1"),
        ("'D3'!A1:D4", "D3"),
        ("'it''s'!A1", "it's"),
        ("a!b!A1:B2", "a!b"),
        ("Sheet1", "Sheet1"),
    ],
)
def test_ranges_as_google_writes_them(range_name: str, title: str) -> None:
    """Quoted and bare titles are both understood."""
    assert title_of(range_name) == title


def test_only_case_makes_titles_differ_by_case() -> None:
    """Equal titles, and different ones, do not."""
    assert differ_by_case("Alpha", "ALPHA")
    assert not differ_by_case("Alpha", "Alpha")
    assert not differ_by_case("Alpha", "Beta")


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"valueRanges": {}}, {"valueRanges": []}, {"valueRanges": [3]}, {"valueRanges": [{}]},
     {"valueRanges": [{"range": "A", "values": {}}]}, {"valueRanges": [{"range": "A", "values": [3]}]}],
)  # fmt: skip
def test_an_answer_must_hold_what_was_asked(body: object) -> None:
    """JSON of another shape is no answer: it is tried again."""
    with pytest.raises(requests.exceptions.InvalidJSONError):
        parse_values(json.dumps(body).encode(), 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("Thu, 01 Jan 2026 00:01:00 GMT", 60), ("Wed, 31 Dec 2025 00:00:00 GMT", 0), ("soon", None), ("", None),
     ("٣", None), ("-5", None)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(said: str, seconds: float | None) -> None:
    """Both forms of the header are understood; nonsense is none."""
    response = requests.Response()
    response.headers["Retry-After"] = said
    assert retry_after(requests.HTTPError(response=response), datetime(2026, 1, 1, tzinfo=UTC)) == seconds
    assert retry_after(ValueError(), datetime(2026, 1, 1, tzinfo=UTC)) is None
