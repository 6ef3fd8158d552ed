"""`smart-sync growth`: right with gaps and duplicates, per account, project and platform."""

import json
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon_process import run_command
from smart_sync.admin.history import growth
from smart_sync.core.history.growth import (
    BARS,
    GAP,
    Growth,
    History,
    average,
    change,
    combined,
    condensed,
    last_known,
    movers,
    period,
    sparkline,
)
from smart_sync.core.model import MAX_COUNT
from smart_sync.store.requested_project import UnknownProject
from world import NOON, World

values = st.lists(st.none() | st.integers(0, MAX_COUNT), max_size=40)


@given(values)
def test_a_sparkline_has_a_sign_per_value_and_keeps_their_order(several: list[int | None]) -> None:
    """Gaps are seen; a larger value never has a lower bar; the extremes have the extreme bars."""
    line = sparkline(several)
    assert [sign == GAP for sign in line] == [value is None for value in several]
    known = sorted((value, BARS.index(sign)) for value, sign in zip(several, line, strict=True) if value is not None)
    bars = [bar for _, bar in known]
    assert bars == sorted(bars)
    if known and known[0][0] != known[-1][0]:
        assert (bars[0], bars[-1]) == (0, len(BARS) - 1)


@given(values, st.integers(1, 50))
def test_a_long_series_is_condensed_to_what_fits(several: list[int | None], width: int) -> None:
    """At most ``width`` values, none of them invented, the last known one kept; a short series stays as it is."""
    short = condensed(several, width)
    assert len(short) <= width
    assert set(short) <= {*several, None}
    assert last_known(short) == last_known(several)
    assert len(several) > width or list(short) == several


def history(several: list[int | None], *ends: int) -> History:
    """One metric, a snapshot for each value, whether it is known or not."""
    deltas = [None if None in (one, two) else two - one for one, two in pairwise([None, *several])]  # type: ignore[operator]
    days = range(len(several))
    return History(days, [(value,) for value in several], [(delta,) for delta in deltas], dict.fromkeys(ends, HERE))


HERE = frozenset([0])


@given(values, st.integers(1, 50))
def test_growth_is_the_newest_value_less_the_last_one_that_is_old_enough(several: list[int | None], days: int) -> None:
    """Where there is none that old, less the first known; gaps neither invent growth nor hide it."""
    known = [(day, value) for day, value in enumerate(several) if value is not None]
    as_of = len(several) - 1
    found = change(history(several), 0, as_of, days)
    older = [one for one in known if one[0] <= as_of - days]
    start = older[-1] if older else known[0] if known else None
    if start is None or start == known[-1]:
        assert found is None
        return
    assert found is not None
    assert (found.amount, found.since) == (known[-1][1] - start[1], start[0])
    assert found.exact == (start[0] == as_of - days)


@given(st.lists(st.integers(0, 99), min_size=2, max_size=20), st.sets(st.integers(1, 19)))
def test_what_ends_a_carried_stretch_is_left_out_of_averages_and_movers(several: list[int], ends: set[int]) -> None:
    """What moved is that of the other days; the mean also leaves out those before on which the number stood still."""
    whole = history([*several], *ends)
    last = len(several) - 1
    others = [two - one for day, (one, two) in enumerate(pairwise(several), 1) if day not in ends]
    found = change(whole, 0, last, last)
    assert found is not None
    assert (found.amount, found.moved) == (several[-1] - several[0], sum(others))
    assert found.ends == tuple(sorted(day for day in ends if day <= last))
    steps = [two - one for one, two in pairwise(several)]
    seen = [end for end in ends if end <= last]
    still = {end - back for end in seen for back in range(1, end) if not any(steps[end - 1 - back : end - 1])}
    counted = [step for day, step in enumerate(steps, 1) if day not in ends | still]
    assert average(whole, 0, 0, last) == (sum(counted) / len(counted) if counted else None)


def test_carried_days_are_no_days_without_growth() -> None:
    """Two carried days and the day that makes up for them leave the mean of the other four as it is."""
    carried = history([23_000, 23_000, 23_000, 26_000, 26_500, 27_000, 27_100, 28_000], 3)
    assert average(carried, 0, 0, 7) == 500
    assert average(history([5, 5, 5, 9], 3), 0, 0, 3) is None


def test_a_day_that_ends_a_carried_stretch_may_follow_a_gap() -> None:
    """Its growth is against the last value before the gap."""
    found = change(history([10, 20, None, 500, 510], 3), 0, 4, 4)
    assert found is not None
    assert (found.amount, found.moved) == (500, 20)


changes = st.builds(Growth, st.integers(-99, 99), st.integers(0, 99), st.integers(0, 9), st.booleans())


@given(st.lists(st.none() | changes, max_size=6))
def test_changes_are_added_up(several: list[Growth | None]) -> None:
    """What cannot be compared adds nothing; where nothing can be, there is no sum, which is not 0."""
    found = combined(several, 5)
    known = [one for one in several if one is not None]
    assert (found is None) == (not known)
    if found is not None:
        assert (found.amount, found.accounts) == (sum(one.amount for one in known), len(known))
        assert found.exact == all(one.exact for one in known)


@given(st.dictionaries(st.text(max_size=3), st.none() | changes, max_size=9), st.integers(0, 9))
def test_nobody_outside_has_moved_more_than_a_mover(several: dict[str, Growth | None], count: int) -> None:
    """The biggest, up or down, and none that stood still."""
    moved = {name: found.moved for name, found in several.items() if found is not None}
    names = movers(several, count)
    least = min((abs(moved[name]) for name in names), default=0)
    others = [abs(amount) for name, amount in moved.items() if amount and name not in names]
    assert all(moved[name] for name in names)
    assert not others or (len(names) == count and max(others) <= least) or count == 0


def test_a_period_begins_with_the_day_to_grow_from() -> None:
    """Two days of growth need three days of values, also across the end of February."""
    assert period(date(2028, 3, 1), 2) == ("2028-02-28", "2028-02-29", "2028-03-01")


def snapshot(world: World, account: str, time: str, views: int | None) -> None:
    world.execute(
        "INSERT INTO account_snapshots (id, account_id, views, snapshot_time) VALUES (?, ?, ?, ?)",
        (uuid.uuid4().hex, f"account-{account}", views, time),
    )


@pytest.fixture
def grown(world: World) -> World:
    """a: a gap and a doubled day; b: falls; c: one day alone; d: of another project; all up to 10 March."""
    world.add_project("P", ["a", "b", "c"])
    world.add_project("Q", ["d"])
    world.execute("UPDATE project_social_accounts SET platform = 'youtube' WHERE id = 'account-b'")
    for day, number in ((6, 100), (7, 150), (10, 400)):
        snapshot(world, "a", f"2026-03-{day:02}T08:00:00", number)
    snapshot(world, "a", "2026-03-10 23:00:00", 500)
    snapshot(world, "b", "2026-03-09", 1000)
    snapshot(world, "b", "2026-03-10", 100)
    snapshot(world, "c", "2026-03-10", 7)
    snapshot(world, "c", "whenever", 10**9)
    snapshot(world, "d", "2026-02-01", 1)
    snapshot(world, "d", "2026-03-09", 10)
    snapshot(world, "d", "2026-03-10", 11)
    return world


async def test_growth_is_right_with_gaps_and_duplicates(grown: World) -> None:
    """Of a doubled day the last snapshot counts, a gap is a gap, and growth is from the last value old enough."""
    answer = await growth(grown.where, None, "views", 4, NOON)
    found: dict[str, Any] = {entry["username"]: entry for entry in answer["accounts"]}
    assert found["a"]["values"] == [100, 150, None, None, 500]
    assert {name: entry["growth"] for name, entry in found.items()} == {"a": 400, "b": -900, "c": None, "d": 10}
    since = {name: (entry["since"], entry["exact"]) for name, entry in found.items()}
    assert since == {
        "a": ("2026-03-06", True),
        "b": ("2026-03-09", False),
        "c": (None, False),
        "d": ("2026-02-01", False),
    }
    assert [(p["name"], p["last"], p["growth"], p["accounts"]) for p in answer["projects"]] == [
        ("P", 607, -500, 3),
        ("Q", 11, 10, 1),
    ]
    assert [(p["name"], p["growth"]) for p in answer["platforms"]] == [("tiktok", 410), ("youtube", -900)]
    assert [entry["username"] for entry in answer["movers"]] == ["b", "a", "d"]


async def test_days_that_are_carried_now_are_no_days_without_growth(world: World) -> None:
    """A worksheet that cannot be read since the 9th says nothing of that day and the next: 50 a day, not 25."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    world.execute("DELETE FROM account_snapshots")
    for day, number in ((6, 100), (7, 150), (8, 200), (9, 200), (10, 200)):
        snapshot(world, "a", f"2026-03-{day:02}T08:00:00", number)
    world.execute("UPDATE account_metrics SET views_known_since = '2026-03-01T08:00:00.000000'")
    for winner, mean in (("sheet", 25), ("carried", 50)):
        world.execute(
            f"UPDATE account_metrics SET views_winner = '{winner}', views_carried_since = '2026-03-09T08:00:00.000000'"
        )
        (entry,) = (await growth(world.where, None, "views", 4, NOON))["accounts"]
        assert (entry["growth"], entry["average"]) == (100, mean)


async def test_one_project_alone(grown: World) -> None:
    """By id or name; an unknown one is refused, with the one that may be meant."""
    for name in ("Q", "project-Q"):
        answer = await growth(grown.where, name, "views", 4, NOON)
        assert [entry["username"] for entry in answer["accounts"]] == ["d"]
    for name, remedy in (("nobody", "see smart-sync status"), ("q", 'did you mean "Q"?')):
        with pytest.raises(UnknownProject, match=re.escape(remedy)):
            await growth(grown.where, name, "views", 4, NOON)


async def test_the_order_is_what_was_asked_for(grown: World) -> None:
    """By growth, percent, value or name, what is not known last; the first of each project, totals of all."""
    # b falls less than it stands high; of c nothing is known that it could have grown from.
    grown.execute("UPDATE account_snapshots SET views = 9000 WHERE account_id = 'account-b' AND views = 100")
    grown.execute("UPDATE account_snapshots SET views = 9500 WHERE account_id = 'account-b' AND views = 1000")
    expected = {"growth": "abc", "percent": "abc", "value": "bac", "name": "abc"}
    for sort, names in expected.items():
        answer = await growth(grown.where, "P", "views", 4, NOON, sort=sort)
        assert "".join(entry["username"] for entry in answer["accounts"]) == names, sort
    by_value = await growth(grown.where, None, "views", 4, NOON, sort="value", top=1)
    assert [entry["username"] for entry in by_value["accounts"]] == ["b", "d"]
    assert [total["accounts"] for total in by_value["projects"]] == [3, 1]


def test_the_command_draws_a_line_per_account(grown: World) -> None:
    """A sparkline for people, JSON for programs; the days up to today, whatever today is."""
    for days, number in ((1, 600), (0, 700)):
        snapshot(grown, "a", (datetime.now(UTC) - timedelta(days=days)).isoformat(), number)
    config = grown.config()
    shown = run_command("growth", "--days", "5", "--config", str(config))
    as_json = run_command("growth", "P", "--metric", "likes", "--json", "--config", str(config))
    assert (shown.returncode, as_json.returncode) == (0, 0), shown.stderr
    (row,) = [line.split() for line in shown.stdout.splitlines() if "+40.0%" in line]
    # Past midnight since the snapshots were made, there is none of today.
    assert (row[0], row[-1]) in (("a", "····▁█"), ("a", "···▁█·"))
    assert row[3:5] == ["+200", "+40.0%"]
    assert row[5:-1] in (["10", "Mar"], ["2026-03-10"])
    assert "account  platform" in shown.stdout
    assert "project P: 807 (+200, +100.0 a day), 3 accounts, 1 of them compared" in shown.stdout
    assert json.loads(as_json.stdout)["metric"] == "likes"
