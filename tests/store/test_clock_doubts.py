"""A clock that has jumped makes nothing old: nothing is deleted by it, and people are told."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_platforms import FakePlatform, Reply
from smart_sync.admin.checks.worksheets import check_last_pass
from smart_sync.core.days import stamp
from smart_sync.core.history.clock_jumps import FAR, GAP, SETTLED, PassTimes, counted_seconds, doubt
from smart_sync.store.clock_doubts import clock_doubt
from smart_sync.store.schema import open_database
from world import NOON, World

YEAR = timedelta(days=365)


@pytest.fixture
def rented() -> Iterator[dict[str, Any]]:
    """A parser whose values may be kept for 30 days; after its first answer it has none."""
    answers = iter([Reply({"n": 7})])
    with FakePlatform(lambda _call: next(answers, Reply({}, 403))) as platform:
        yield {
            "kind": "http_json",
            "platforms": ["tiktok"],
            "url": f"{platform.url}/{{username}}",
            "metrics": {"followers": "n"},
            "retention": "30d",
        }


def kept(world: World) -> dict[str, int]:
    """How many rows there are of what passes delete when it is old."""
    names = ("sync_runs", "sync_project_runs", "sheet_edits", "pins", "parsed_values")
    counts = {name: world.execute(f"SELECT count(*) FROM {name}")[0][0] for name in names}
    taken_back = world.execute("SELECT count(*) FROM forgotten_values")[0][0]
    return counts | {"parsed_values": counts["parsed_values"] - taken_back}


async def test_a_year_ahead_deletes_nothing(world: World, rented: dict[str, Any], log: StringIO) -> None:
    """History, edits, pins and values under retention stay, and no row has left, until the clock is right.

    A clock that goes on for days is believed: then they go.
    """
    world.add_project("P", ["a", "b"])
    world.sections["parsers"] = {"rented": rented}
    world.sheet("P", a=[1, 1, 1, 1, 10], b=[1] * 5)
    await world.sync()
    world.now += timedelta(hours=1)
    world.sheet("P", a=[1, 1, 1, 1, 500_000])
    world.execute(
        "INSERT INTO pins (account_id, metric, place, value, since, until)"
        " VALUES ('account-b', 'likes', 'command', 5, ?, '2026-06-01')",
        (stamp(world.now),),
    )
    await world.sync()
    before = kept(world)
    assert min(before.values()) >= 1, before
    world.now += YEAR
    await world.sync()
    now = kept(world)
    assert {name: now[name] for name in ("sheet_edits", "pins", "parsed_values")} == {
        name: before[name] for name in ("sheet_edits", "pins", "parsed_values")
    }
    assert now["sync_runs"] == before["sync_runs"] + 1
    assert world.execute("SELECT left_since FROM account_metrics WHERE account_id = 'account-b'") in ([], [(None,)])
    told = "there was no pass between 2026-03-10 13:00 UTC and 2027-03-10 13:00 UTC: if this machine's clock has jumped"
    assert told in log.getvalue()
    (finding,) = await check_last_pass(world.where, world.now)
    assert (finding.level, finding.code) == ("warning", "clock")
    assert told in finding.message
    for _ in range(4):
        world.now += timedelta(days=1)
        await world.sync()
    later = kept(world)
    assert (later["pins"], later["sheet_edits"], later["parsed_values"]) == (0, 0, 0)
    assert later["sync_runs"] == 5
    assert await check_last_pass(world.where, world.now) == []


async def test_a_clock_that_is_put_right_is_as_if_it_had_never_jumped(world: World) -> None:
    """After a pass of a year ahead the history is whole, and no doubt is left once that pass is gone."""
    world.add_project("P", ["a"])
    world.sections["history"] = {"keep": "30d"}
    for _ in range(6):
        await world.sync()
        world.now += timedelta(days=1)
    world.now += YEAR
    await world.sync()
    world.now -= YEAR
    async with open_database(world.where) as database:
        assert "which is to come" in await clock_doubt(database, world.now)
    await world.sync()
    assert world.execute("SELECT count(*), max(started_at) FROM sync_runs") == [(7, stamp(world.now))]
    async with open_database(world.where) as database:
        assert await clock_doubt(database, world.now) == ""


async def test_a_machine_that_is_off_at_times_is_believed(world: World) -> None:
    """A pass a week, or two weeks of holidays, are no jump."""
    world.add_project("P", ["a"])
    world.sections["history"] = {"keep": "10d"}
    for days in (7, 7, 14, 7, 7):
        await world.sync()
        world.now += timedelta(days=days)
        async with open_database(world.where) as database:
            assert await clock_doubt(database, world.now) == ""
    assert world.execute("SELECT count(*) FROM sync_runs") == [(2,)]


passes = st.lists(st.integers(-400 * 24, 400 * 24), max_size=12)


@given(passes)
def test_a_doubt_has_a_pass_on_the_other_side_of_a_gap(hours: list[int]) -> None:
    """Whatever passes are on record: a doubt means that one is to come, or that none was for longer than `GAP`."""
    now = NOON
    at = sorted(now + timedelta(hours=hour) for hour in hours)

    def last(several: list[datetime]) -> str | None:
        return stamp(several[-1]) if several else None

    young, old = now - SETTLED, now - SETTLED - GAP
    first = [one for one in at if young < one <= now + FAR]
    times = PassTimes(
        last([one for one in at if one < old]),
        any(old <= one <= young for one in at),
        stamp(first[0]) if first else None,
        last([one for one in at if one > now + FAR]),
    )
    gaps = [later - earlier for earlier, later in itertools.pairwise(at) if earlier <= now and later > young]
    assert bool(doubt(times)) == (any(one > now + FAR for one in at) or (bool(first) and max(gaps, default=GAP) > GAP))


def test_no_time_runs_over_a_gap() -> None:
    """The time for which a row may be gone runs in good reads, so not while the machine was off, nor backwards."""
    assert counted_seconds(NOON, NOON + timedelta(days=7)) == 7 * 86400
    assert counted_seconds(NOON, NOON + GAP + timedelta(seconds=1)) == 0
    assert counted_seconds(NOON, NOON - timedelta(seconds=1)) == 0
