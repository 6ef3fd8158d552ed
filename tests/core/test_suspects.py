"""Values that jump: written all the same, reported once, until a person or a day has settled them."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from smart_sync import logs
from smart_sync.core.merge.suspects import FLOOR, Doubts, MergedChange, Suspect, find_suspects, jumps
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics, Outcome
from world import World, link

NOTHING = [None] * 4
counts = st.integers(0, MAX_COUNT)
metrics = st.sampled_from(METRICS)
factors = st.floats(1.5, 1000)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while the test runs, as JSON."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    yield stream
    structlog.reset_defaults()


def logged(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]


@given(metrics, counts, counts, factors)
def test_small_numbers_and_beginnings_are_never_suspect(metric: str, old: int, new: int, factor: float) -> None:
    """Nothing jumps below the floor, from 0, or by standing still."""
    assert not jumps(metric, old % FLOOR, new % FLOOR, factor)
    assert not jumps(metric, 0, new, factor)
    assert not jumps(metric, old, old, factor)


@given(metrics, st.integers(1, 10**12), counts, counts, factors)
def test_a_larger_jump_is_a_jump_too(metric: str, old: int, new: int, more: int, factor: float) -> None:
    """Going up, whatever is above a jump is one; going down, whatever is below a jump is one."""
    if jumps(metric, old, new, factor):
        further = min(new + more, MAX_COUNT) if new > old else max(new - more, 0)
        assert jumps(metric, old, further, factor)


@given(metrics, st.integers(FLOOR, 10**15), st.integers(2, 1000))
def test_the_factor_is_where_a_rise_becomes_a_jump(metric: str, old: int, factor: int) -> None:
    """``factor`` times the old value is a jump, one less is none."""
    assert jumps(metric, old, old * factor, factor)
    assert not jumps(metric, old, old * factor - 1, factor)


def test_lifetime_metrics_may_not_fall_by_half_and_followers_not_to_a_tenth() -> None:
    """Views never go back by themselves; followers leave."""
    for metric in METRICS:
        assert jumps(metric, 10_000, 5_000, 10) == (metric != "followers")
        assert not jumps(metric, 10_000, 5_001, 10)
        assert jumps(metric, 10_000, 1_000, 10)
    assert not jumps("followers", 10_000, 1_001, 10)


@given(st.lists(counts, min_size=5, max_size=5), st.lists(counts, min_size=5, max_size=5), st.data())
def test_every_change_ends_the_suspects_it_touches_and_no_others(
    before: list[int], after: list[int], data: st.DataObject
) -> None:
    """What is open afterwards is what was not touched, and the new ones; a new one keeps the oldest value."""
    names = data.draw(st.sets(metrics))
    known = {("a", m): Suspect("a", "l", m, 7, getattr(Metrics(*before), m), "2026-01-01") for m in names}
    change = MergedChange("a", "l", Metrics(*before), ("sheet",) * 5, Metrics(*after))
    judged = find_suspects([change], Doubts("2026-01-02", 10, known), lambda _account_id, _metric: "")
    touched = {m for m, old, new in zip(METRICS, before, after, strict=True) if old != new}
    assert {key[1] for key in judged.ended} == touched & names
    assert {s.metric for s in judged.open if s not in judged.new} == names - touched
    assert {s.metric for s in judged.new} <= touched
    assert all(s.old == (7 if s.metric in names else before[METRICS.index(s.metric)]) for s in judged.new)


async def test_a_jump_is_written_and_reported_with_its_cell_until_corrected(world: World, log: io.StringIO) -> None:
    """A typo reaches SQLite, and result and log name it with its cell, the log once; correcting it is no jump."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[12_000, *NOTHING])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING])
    for outcome in (Outcome.SYNCED, Outcome.UNCHANGED):
        result = await world.sync_one()
        assert (world.merged("a"), result.outcome) == ((120_000, 0, 0, 0, 0), outcome)
        (told,) = result.answer()["suspects"]
        assert {key: told[key] for key in ("link", "metric", "old", "new", "place")} == {
            "link": link("a"), "metric": "followers", "old": 12_000, "new": 120_000, "place": "P!C2",
        }  # fmt: skip
    assert [line["place"] for line in logged(log, "value.suspected")] == ["P!C2"]
    world.sheet("P", a=[12_001, *NOTHING])
    result = await world.sync_one()
    assert (world.merged("a"), result.suspects) == ((12_001, 0, 0, 0, 0), ())
    assert world.execute("SELECT * FROM suspects") == []


async def test_a_parsed_jump_has_no_cell(world: World) -> None:
    """Only what the sheet said has a place in the sheet."""
    world.add_project("P", ["a"])
    world.parsed("a", [5_000, *NOTHING])
    await world.sync()
    world.parsed("a", [50_000_000, *NOTHING])
    assert [suspect.place for suspect in (await world.sync_one()).suspects] == [""]


async def test_what_has_stood_for_a_day_is_believed(world: World) -> None:
    """After a day the value is reported no more, changed or not."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[12_000, *NOTHING])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING])
    await world.sync()
    world.now += timedelta(hours=23, minutes=59)
    assert len((await world.sync_one()).suspects) == 1
    world.now += timedelta(minutes=2)
    assert (await world.sync_one()).suspects == ()
    assert world.execute("SELECT * FROM suspects") == []


async def test_a_new_account_has_no_history_to_jump_against(world: World) -> None:
    """The first value is never suspect, nor the first of a metric that nobody had given."""
    world.add_project("P", ["a"])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING])
    assert (await world.sync_one()).suspects == ()


async def test_the_factor_is_configured(world: World) -> None:
    """[merge] suspect decides how much is too much."""
    world.add_project("P", ["a"])
    world.sections["merge"] = {"suspect": 1000}
    world.sheet("P", a=[12_000, *NOTHING])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING])
    assert (await world.sync_one()).suspects == ()


async def test_a_dry_run_shows_the_jump_it_would_make(world: World) -> None:
    """A dry run's result names the suspect, SQLite does not."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[12_000, *NOTHING])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING])
    assert len((await world.sync_one(dry_run=True)).suspects) == 1
    assert world.execute("SELECT * FROM suspects") == []


async def test_an_account_that_could_not_be_written_is_not_suspect(world: World) -> None:
    """What was rolled back has not jumped; the next good pass reports it."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[12_000, *NOTHING], b=[12_000, *NOTHING])
    await world.sync()
    world.sheet("P", a=[120_000, *NOTHING], b=[120_000, *NOTHING])
    with world.refused("a"):
        assert [suspect.account_id for suspect in (await world.sync_one()).suspects] == ["account-b"]
    assert {suspect.account_id for suspect in (await world.sync_one()).suspects} == {"account-a", "account-b"}


async def test_a_conflict_is_in_result_log_and_database(world: World, log: io.StringIO) -> None:
    """`latest`: when both sides have changed the sheet wins, and what was not taken is on record with the cell."""
    world.add_project("P", ["a"])
    world.sections["merge"] = {"strategy": "latest"}
    world.sheet("P", a=[100, *NOTHING])
    world.parsed("a", [120, *NOTHING])
    await world.sync()
    world.sheet("P", a=[90, *NOTHING])
    world.parsed("a", [130, *NOTHING])
    (told,) = (await world.sync_one()).answer()["conflicts"]
    assert {key: told[key] for key in ("metric", "sheet", "parsed", "place")} == {
        "metric": "followers", "sheet": 90, "parsed": 130, "place": "P!C2",
    }  # fmt: skip
    assert [(line["sheet"], line["parsed"]) for line in logged(log, "value.conflicted")] == [(90, 130)]
    assert world.execute("SELECT account_id, metric, sheet, parsed FROM conflicts") == [
        ("account-a", "followers", 90, 130)
    ]
    assert (await world.sync_one()).conflicts == ()
