"""What the sheet said before: every edit that a pass finds, and what becomes of it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from daemon_process import run_command
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS
from smart_sync.report.explain import explain
from smart_sync.store.schema import open_database
from smart_sync.store.sheet_edits import prune
from world import World, link

_EDITS = "SELECT account_id, metric, old, new, worksheet, cell FROM sheet_edits ORDER BY seq"


def edited(world: World, values: list[Any]) -> None:
    """Let the only row of worksheet P have these values."""
    world.sheet("P", a=values)


@pytest.fixture
async def imported(world: World) -> World:
    """An account whose row has been read once."""
    world.add_project("P", ["a"])
    edited(world, [12_480, 5, None, None, 9])
    await world.sync()
    return world


async def test_a_first_import_writes_no_edit(imported: World) -> None:
    """Neither the first read of an account nor a pass that finds the same writes one."""
    await imported.sync()
    assert imported.execute(_EDITS) == []


async def test_there_and_back_leaves_a_trace(imported: World) -> None:
    """12,480, 950, 12,480 are two edits with their cell, and explain tells them, newest first."""
    for followers in (950, 12_480):
        imported.now += timedelta(minutes=5)
        edited(imported, [followers, 5, None, None, 9])
        await imported.sync()
    assert imported.execute(_EDITS) == [
        ("account-a", "followers", 12_480, 950, "P", "C2"),
        ("account-a", "followers", 950, 12_480, "P", "C2"),
    ]
    (account,) = (await explain(imported.settings, link("a"), METRICS, imported.now))["accounts"]
    assert [(edit["old"], edit["new"], edit["cell"]) for edit in account["edits"]] == [
        (950, 12_480, "C2"), (12_480, 950, "C2"),
    ]  # fmt: skip
    assert account["edits"][0]["read_at"] == imported.now.replace(tzinfo=None).isoformat(timespec="microseconds")
    (account,) = (await explain(imported.settings, link("a"), ["views"], imported.now))["accounts"]
    assert account["edits"] == []


async def test_an_emptied_cell_and_a_new_one_are_edits(imported: World) -> None:
    """NULL stands where the cell says no number, before or after."""
    edited(imported, [12_480, None, 7, None, 9])
    await imported.sync()
    assert imported.execute(_EDITS) == [
        ("account-a", "likes", 5, None, "P", "D2"),
        ("account-a", "comments", None, 7, "P", "E2"),
    ]


async def test_an_hour_has_at_most_four_edits(imported: World) -> None:
    """The fifth and later ones update the last, of that metric and hour alone; the next hour has its own."""
    imported.now = imported.now.replace(minute=0)
    for count in range(10, 17):
        imported.now += timedelta(minutes=5)
        edited(imported, [12_480, count if count < 12 else 6, None, None, count])
        await imported.sync()
    views = "SELECT old, new FROM sheet_edits WHERE metric = 'views' ORDER BY seq"
    assert imported.execute(views) == [(9, 10), (10, 11), (11, 12), (12, 16)]
    likes = "SELECT old, new FROM sheet_edits WHERE metric = 'likes' ORDER BY seq"
    assert imported.execute(likes) == [(5, 10), (10, 11), (11, 6)]
    imported.now += timedelta(hours=1)
    edited(imported, [12_480, 6, None, None, 20])
    await imported.sync()
    assert imported.execute(views)[-2:] == [(12, 16), (16, 20)]


async def test_edits_are_kept_as_long_as_the_history(imported: World) -> None:
    """What is older than [history] keep goes with the passes."""
    imported.sections["history"] = {"keep": "2d"}
    edited(imported, [1, 5, None, None, 9])
    await imported.sync()
    imported.now += timedelta(days=1)
    edited(imported, [2, 5, None, None, 9])
    await imported.sync()
    imported.now += timedelta(days=1, hours=1)
    await imported.sync()
    assert [row[2:4] for row in imported.execute(_EDITS)] == [(1, 2)]


async def test_edits_of_a_clock_that_was_ahead_hold_up_none(imported: World) -> None:
    """Those that a clock has read in a year to come stay, and what is older than [history] keep goes nevertheless."""
    imported.sections["history"] = {"keep": "2d"}
    edited(imported, [1, 5, None, None, 9])
    await imported.sync()
    imported.execute("UPDATE sheet_edits SET read_at = '2099-01-01T00:00:00.000000'")
    edited(imported, [2, 5, None, None, 9])
    await imported.sync()
    imported.now += timedelta(days=3)
    async with open_database(imported.settings.database.where) as database:
        await prune(database, stamp(imported.now - timedelta(days=2)), stamp(imported.now), batch=1)
    assert [row[2:4] for row in imported.execute(_EDITS)] == [(12_480, 1)]


async def test_passes_of_a_clock_that_was_ahead_are_not_the_last_ones_for_long(imported: World) -> None:
    """They go once most passes on record are before them; what a clock that is behind finds ahead stays."""
    imported.now += timedelta(days=365)
    await imported.sync()
    imported.now -= timedelta(days=365)
    for _ in range(3):
        imported.now += timedelta(hours=1)
        await imported.sync()
    assert imported.execute("SELECT max(started_at) FROM sync_runs") == [(stamp(imported.now),)]
    assert imported.execute("SELECT max(finished_at) FROM sync_project_runs") == [(stamp(imported.now),)]
    (count,) = imported.execute("SELECT count(*) FROM sync_runs")
    imported.now -= timedelta(days=10)
    await imported.sync()
    assert imported.execute("SELECT count(*) - 1 FROM sync_runs") == [count]


async def test_what_a_clock_that_was_ahead_has_begun_begins_now(imported: World) -> None:
    """Growth counts from the pass that writes the value again, not from a year to come; a suspect is told for a day."""
    imported.now += timedelta(days=365)
    edited(imported, [5, 5, 7, None, 90])
    await imported.sync()
    imported.execute(
        "INSERT INTO suspects (account_id, metric, old, new, since) VALUES ('account-a', 'likes', 9, 5, ?)",
        (stamp(imported.now),),
    )
    imported.now -= timedelta(days=365)
    for comments, hours in ((8, 1), (9, 25)):
        imported.now += timedelta(hours=hours)
        edited(imported, [5, 5, comments, None, 90])
        await imported.sync()
    assert imported.execute("SELECT count(*) FROM suspects WHERE old = 9") == [(0,)]
    known = "SELECT count(*) FROM account_metrics WHERE comments_known_since > ?"
    assert imported.execute(known, (stamp(imported.now),)) == [(0,)]


async def test_what_is_not_written_is_no_edit(imported: World) -> None:
    """A dry run, and an account whose rows cannot be written, leave none; the others of the project have theirs."""
    imported.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " VALUES ('account-b', 'project-P', 'tiktok', 'b', ?)",
        (link("b"),),
    )
    imported.sheet("P", a=[1, 5, None, None, 9], b=[1] * 5)
    await imported.sync()
    imported.execute("DELETE FROM sheet_edits")
    imported.sheet("P", a=[2, 5, None, None, 9], b=[2, 1, 1, 1, 1])
    await imported.sync(dry_run=True)
    assert imported.execute(_EDITS) == []
    with imported.refused("b"):
        await imported.sync()
        assert imported.execute(_EDITS) == [("account-a", "followers", 1, 2, "P", "C2")]
    await imported.sync()
    assert imported.execute(_EDITS)[1:] == [("account-b", "followers", 1, 2, "P", "C3")]


async def test_the_screen_shows_edits(imported: World) -> None:
    """explain prints each edit with its cell; --json has the same; one older than the days asked for is in neither."""
    edited(imported, [950, 5, None, None, None])
    await imported.sync()
    asked = ["explain", link("a"), "--config", str(imported.config())]
    told, told_of_a_week = (
        json.loads(run_command(*asked, "--json", *past).stdout)["accounts"][0]["edits"] for past in (["--all"], [])
    )
    assert {(edit["metric"], edit["old"], edit["new"], edit["worksheet"], edit["cell"]) for edit in told} == {
        ("followers", 12_480, 950, "P", "C2"), ("views", 9, None, "P", "G2"),
    }  # fmt: skip
    assert told_of_a_week == []
    _, _, table = run_command(*asked, "--all").stdout.partition("\nedited, seen at ")
    seen = imported.now.strftime("%Y-%m-%d %H:%M").split()
    assert [line.split() for line in table.split("\n\n")[0].splitlines()[1:]] == [
        [*seen, "C2", "followers", "12,480", "950"],
        [*seen, "G2", "views", "9", "–"],
    ]
    assert "edited, seen at" not in run_command(*asked).stdout
