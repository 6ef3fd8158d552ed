"""`check --drill`: one accident of each kind in a copy, and who would be notified of it."""

from typing import Any

from smart_sync.admin import checks
from smart_sync.admin.checks.drill import KINDS
from world import World

ROWS = {
    "a": [51_234, 812_345, 9_876, 345, 7_654_321],
    "b": [8_123, 99_456, 1_234, 120, 1_456_789],
    "c": [23_456, 345_678, 4_321, 77, 3_210_987],
}


async def drilled(world: World, **sections: Any) -> dict[str, tuple[str, str]]:
    """Kind → level and what is said of it."""
    world.sections |= sections
    report = await checks.check(world.settings, lambda: world.now, offline=True, drilled=True)
    said = [one for one in report.findings if one.message.startswith("drill: ")]
    return {one.message.split(": ")[1]: (one.level, one.message) for one in said}


async def test_each_accident_is_planted_and_its_alarm_named(world: World) -> None:
    """Whatever the accident, some event tells of it; the log alone is not enough, and the database stays as it was."""
    world.add_project("P", list(ROWS))
    world.sheet("P", **ROWS)
    await world.sync()
    before = world.execute("SELECT * FROM account_metrics") + world.execute("SELECT * FROM suspects")
    found = await drilled(world)
    assert found.keys() == {*KINDS, "the worksheet deleted"}
    silent = [kind for kind, (_, said) in found.items() if "no alarm" in said]
    assert silent == []
    assert {level for level, _ in found.values()} == {"warning"}
    assert "value.suspected" in found["the neighbour's number"][1]
    assert "project.degraded" in found["a column emptied"][1]
    assert "worksheet.problem_found" in found["#REF! in a value's cell"][1]
    assert "healthz 503 when it has lasted for 6 h" in found["the worksheet deleted"][1]
    assert world.execute("SELECT * FROM account_metrics") + world.execute("SELECT * FROM suspects") == before


async def test_who_listens_is_named(world: World) -> None:
    """A webhook that lists the event is told, one that does not is not."""
    world.add_project("P", list(ROWS))
    world.sheet("P", **ROWS)
    await world.sync()
    hook = {"url": "https://hooks.example.com/x", "format": "plain"}
    other = {**hook, "url": "https://hooks.example.com/y"}
    webhooks = [{**hook, "events": ["value.suspected"]}, {**other, "events": ["project.degraded"]}]
    found = await drilled(world, webhooks=webhooks)
    assert found["two rows swapped"][0] == "ok"
    assert "→ log, webhook 1;" in found["two rows swapped"][1]
    assert "→ log, webhook 2" in found["the worksheet deleted"][1]


async def test_without_a_worksheet_there_is_nothing_to_try(world: World) -> None:
    """Said in one line, not left out."""
    world.add_project("P", ["a"])
    await world.sync()
    assert list(await drilled(world)) == ["no worksheet with two rows and a number of 1,000 has been read yet"]


async def test_check_lists_pins_and_says_why_latest_suits_a_gauge(world: World) -> None:
    """What a person has pinned, and by whom; a gauge under another strategy needs no hint."""
    world.add_project("P", ["a"])
    world.sheet("P", a=["950!", 1, 1, 1, 1])
    await world.sync()
    said = [one.message for one in (await checks.check(world.settings, lambda: world.now, offline=True)).findings]
    assert [line for line in said if "followers pinned to 950 since 2026-03-10 by P!2" in line]
    assert [line for line in said if 'followers = "latest"' in line]
    world.sections["merge"] = {"kinds": {"followers": "counter"}}
    said = [one.message for one in (await checks.check(world.settings, lambda: world.now, offline=True)).findings]
    assert not [line for line in said if '"latest"' in line]
