"""Pins: a person's value wins over everything, until the mark goes, the pin is taken back, or its day has passed."""

import asyncio
import json
import os
import pwd
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from click import ClickException
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from daemon_process import Daemon, write_config
from smart_sync.admin import corrections as pins
from smart_sync.cli.commands.data import pin, snapshots
from smart_sync.cli.main import cli
from smart_sync.control.client import Client
from smart_sync.core.model import MAX_COUNT, METRICS, Outcome
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.core.worksheet.table import read_pinned
from smart_sync.errors import DatabaseError
from smart_sync.report.explain import explain
from smart_sync.store.pin_rows import NotPinned, PinRequest
from world import KEY, World, link

NOTHING = [None] * 4
HOW = ("en_US", "followers", 0)
NOT_PLAIN = Unreadable("not a count")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("950!", 950),
        ("1,950 !", 1950),
        (" 950！ ", 950),
        ("950❗", 950),
        ("950 ❗️", 950),
        ("1.2K!", 1200),
        ("0!", 0),
        ("950 followers!", 950),
    ],
)
def test_a_mark_at_the_end_of_a_cell_pins_its_number(cell: str, value: int) -> None:
    """The mark may stand behind whatever is a count by itself."""
    with pytest.raises(Unreadable):
        read_count(cell, *HOW)
    assert read_pinned(cell, HOW, NOT_PLAIN) == (value, None)


@pytest.mark.parametrize(
    "cell", ["!", "-!", "#REF!", "#ССЫЛКА!", "950!!", "!950", "9!50", "hi!", "❗950", "950❗❗", "12%!", "950", 9.5]
)
def test_what_is_no_number_with_a_mark_is_not_pinned(cell: Any) -> None:
    """Errors of the spreadsheet, two marks, a mark elsewhere or without a number are what they were: unreadable."""
    count, trouble = read_pinned(cell, HOW, NOT_PLAIN)
    assert count is None
    assert trouble is not None


@given(st.integers(0, MAX_COUNT) | st.text(max_size=12))
def test_a_pinned_cell_says_what_it_would_say_without_the_mark(told: object) -> None:
    """The mark changes who wins, never the number; and whatever the cell holds, reading it ends."""
    text = str(told)
    try:
        plain = read_count(text, *HOW)
    except Unreadable:
        plain = None
    count, trouble = read_pinned(f"{text}!", HOW, NOT_PLAIN)
    assert (count is None) == (trouble is not None)
    if plain is not None:
        assert count == plain


def winner(world: World, account: str = "a") -> tuple[int, str | None]:
    """The merged followers, and who won."""
    merged = world.merged(account)
    assert merged is not None
    return merged[0], world.winners(account)[0]


async def explained(world: World) -> dict[str, Any]:
    answer = await explain(world.settings, link("a"), METRICS, world.now)
    return dict(answer["accounts"][0]["metrics"]["followers"])


async def test_a_marked_cell_wins_over_a_larger_parsed_value_until_the_mark_goes(world: World) -> None:
    """A manager's 950! stands against a parser's 1,000, and is shown as what it is."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[950, *NOTHING])
    world.parsed("a", [1000, *NOTHING])
    await world.sync()
    assert winner(world) == (1000, "parsed")
    world.sheet("P", a=["950!", *NOTHING])
    began = world.now
    await world.sync()
    assert winner(world) == (950, "pinned")
    world.now += timedelta(days=1)
    world.parsed("a", [1001, *NOTHING])
    await world.sync()
    assert winner(world) == (950, "pinned")
    (told,) = (await explained(world))["pins"]
    assert (told["value"], told["by"], told["place"], told["since"][:10]) == (950, "P!2", "cell", str(began.date()))
    world.sheet("P", a=[950, *NOTHING])
    await world.sync()
    assert winner(world) == (1001, "parsed")
    assert world.execute("SELECT * FROM pins") == []


async def test_a_pinned_cell_stands_in_as_any_sheet_value_does(world: World) -> None:
    """Through an outage, in a cell that cannot be read and in a vanished row the pin stays; when emptied it is gone."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=["950!", *NOTHING], b=[1, *NOTHING])
    world.parsed("a", [1000, *NOTHING])
    await world.sync()
    worksheets = world.google.spreadsheets["k" * 44].worksheets
    kept = worksheets.pop("P")
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    assert winner(world) == (950, "carried")
    worksheets["P"] = kept
    for row in (["#REF!", *NOTHING], None):
        world.sheet("P", **({"a": row} if row else {}), b=[1, *NOTHING])
        await world.sync()
        assert winner(world) == (950, "carried")
    world.sheet("P", a=["950!", *NOTHING], b=[1, *NOTHING])
    await world.sync()
    assert winner(world) == (950, "pinned")
    world.sheet("P", a=[None, *NOTHING], b=[1, *NOTHING])
    await world.sync()
    assert winner(world) == (1000, "parsed")


async def test_the_command_pins_without_the_sheet_until_its_day_has_passed(world: World) -> None:
    """It wins over sheet and parser, through its last day and no longer; that is reported once."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[990, *NOTHING])
    world.parsed("a", [1000, *NOTHING])
    await world.sync()
    asked = PinRequest(link("a"), "followers", 950, world.now.date() + timedelta(days=1), "as agreed")
    answer = await pins.pin(world.settings, asked, world.now)
    assert answer["pinned"][0]["why"] == "as agreed"
    assert (await explained(world))["next"] == 950
    for _ in range(2):
        assert (await world.sync_one()).problems == ()
        assert winner(world) == (950, "pinned")
        world.now += timedelta(days=1)
    first = await world.sync_one(dry_run=True)
    # A pass that is cut off before its end has told nobody.
    world.execute("ALTER TABLE sync_project_runs RENAME TO away")
    with pytest.raises(DatabaseError):
        await world.sync()
    world.execute("ALTER TABLE away RENAME TO sync_project_runs")
    second = await world.sync_one()
    assert winner(world) == (1000, "parsed")
    assert "past its date" in str(second.problems[0])
    assert second.problems == first.problems == second.new_problems
    assert (await world.sync_one()).problems == ()
    assert (await pins.list_pins(world.settings))["pins"] == []


async def test_unpinning_leaves_no_trace(world: World) -> None:
    """The two sides decide again; where neither has a value there is none, and never the pinned one."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[None, *NOTHING])
    await world.sync()
    await pins.pin(world.settings, PinRequest(link("a"), "followers", 950), world.now)
    await world.sync()
    assert winner(world) == (950, "pinned")
    await pins.unpin(world.settings, link("a"), None)
    await world.sync()
    assert winner(world) == (0, None)
    with pytest.raises(NotPinned, match="nothing was pinned"):
        await pins.unpin(world.settings, link("a"), "followers")


async def test_under_latest_both_sides_are_looked_at_anew_when_a_pin_goes(world: World) -> None:
    """The pinned value is not taken for what the last change had decided."""
    world.sections["merge"] = {"strategy": "latest"}
    world.add_project("P", ["a"])
    world.sheet("P", a=[900, *NOTHING])
    world.parsed("a", [1000, *NOTHING])
    await world.sync()
    await pins.pin(world.settings, PinRequest(link("a"), "followers", 950), world.now)
    await world.sync()
    await pins.unpin(world.settings, link("a"), "followers")
    await world.sync()
    assert winner(world) == (900, "sheet")


async def test_a_pin_far_from_what_is_said_now_is_told_once(world: World) -> None:
    """At 20 % it is a problem with its cell, which names no moving number, and so is reported once."""
    world.add_project("P", ["a"])
    world.sheet("P", a=["950!", *NOTHING])
    world.parsed("a", [1187, *NOTHING])
    assert (await world.sync_one()).problems == ()
    world.parsed("a", [1188, *NOTHING])
    result = await world.sync_one()
    (told,) = result.new_problems
    assert "20 % or more off what the parser says" in told.reason
    assert (told.worksheet, told.row, told.column) == ("P", 2, "C")
    world.parsed("a", [5000, *NOTHING])
    again = await world.sync_one()
    assert again.problems == result.problems
    assert again.new_problems == ()


async def test_of_a_mark_and_the_command_the_command_counts_and_that_is_told(world: World) -> None:
    """Two pins of one number are a mistake somebody should know of."""
    world.add_project("P", ["a"])
    world.sheet("P", a=["950!", *NOTHING])
    await world.sync()
    await pins.pin(world.settings, PinRequest(link("a"), "followers", 940), world.now)
    result = await world.sync_one()
    assert winner(world) == (940, "pinned")
    assert "a mark in its cell too" in str(result.problems[0])


async def test_a_pin_is_no_suspect_jump(world: World) -> None:
    """What a person pins is meant, and where a pin ends the number goes back."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100_000, *NOTHING])
    await world.sync()
    for cell in ("950!", 100_000):
        world.sheet("P", a=[cell, *NOTHING])
        assert (await world.sync_one()).suspects == ()


async def test_of_two_rows_of_an_account_the_pinned_one_counts(world: World) -> None:
    """Without a mark the larger value would."""
    world.add_project("P", ["a"])
    rows: Sequence[Any] = (["@a", link("a"), "950!", *NOTHING], ["@a", link("a"), 2000, *NOTHING])
    worksheet = world.google.spreadsheets["k" * 44].worksheets["P"]
    worksheet.extend(map(list, rows))
    await world.sync()
    assert winner(world) == (950, "pinned")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (PinRequest("@nobody", "followers", 1), "no account matches"),
        (PinRequest(link("a"), "fame", 1), "no metric"),
        (PinRequest(link("a"), "likes"), "has no likes yet"),
        (PinRequest(link("a"), "likes", 1, date(2026, 3, 9)), "is over"),
        (PinRequest(link("a"), "likes", 1, why="two\nlines"), "one line"),
        (PinRequest("@a", "likes", 1), "several accounts"),
    ],
)
async def test_what_cannot_be_pinned_is_said_in_one_line(world: World, asked: PinRequest, why: str) -> None:
    """Nobody, nothing, the past, or one of several: nothing is written."""
    world.add_project("P", ["a"])
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " VALUES ('other', 'project-P', 'youtube', 'a', 'https://www.youtube.com/@a')"
    )
    await world.sync()
    with pytest.raises(NotPinned, match=why):
        await pins.pin(world.settings, asked, world.now)
    assert world.execute("SELECT * FROM pins") == []


@pytest.mark.sqlite
async def test_what_somebody_has_spoilt_in_the_table_is_no_pin(world: World) -> None:
    """Text for a number or an unknown metric does not stop a pass."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[990, *NOTHING])
    for metric, value in (("followers", "many"), ("fame", 5), ("likes", -1)):
        world.execute(
            "INSERT INTO pins (account_id, metric, place, value, since) VALUES ('account-a', ?, 'command', ?, '')",
            (metric, value),
        )
    await world.sync()
    assert winner(world) == (990, "sheet")


@pytest.mark.sqlite
async def test_the_commands_pin_list_and_take_back(world: World) -> None:
    """What a person types works, in words and as JSON."""
    world.add_project("P", ["a"])
    await world.sync()
    config = world.folder / "config.toml"
    config.write_text(f'[database]\npath = "{world.path}"\n[sheets]\nsource = "csv"\ndirectory = "{world.folder}"\n')

    async def run(*arguments: str) -> str:
        command = [*arguments, "--config", str(config)]
        done = await asyncio.to_thread(CliRunner().invoke, cli, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    assert "followers pinned to 950" in await run(
        "pin", link("a"), "followers", "950", "--until", tomorrow, "--why", "agreed"
    )
    listed = await run("pins")
    assert "950" in listed
    assert f"until {tomorrow}: agreed" in listed
    (told,) = json.loads(await run("pins", "--json"))["pins"]
    assert (told["metric"], told["value"], told["project_name"], told["place"]) == ("followers", 950, "P", "command")
    assert "1 pin taken back" in await run("unpin", "@a")
    assert "nothing is pinned" in await run("pins")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("-3", "a count is never negative"),
        ("-12480", "a count is never negative"),
        ("many", "'many' is not a count"),
        ("1.5", "'1.5' is not a whole number"),
        ("12,480", "'12,480' can be read in more than one way"),
        ("12.480", "'12.480' can be read in more than one way"),
        ("-", "'-' is no number"),
        ("9" * 20, "is too large"),
    ],
)
def test_a_value_that_is_no_count_is_answered_by_what_one_is(typed: str, why: str) -> None:
    """One line in plain words: what was typed, and what a value may be; a wrong option is still called one."""
    done = CliRunner().invoke(cli, ["pin", "@cat", "views", typed], standalone_mode=False)
    assert isinstance(done.exception, ClickException)
    told = done.exception.format_message()
    assert why in told
    assert told.endswith("type a whole number from 0 up, without separators: 12480")
    with pytest.raises(ClickException, match="No such option '--wy'"):
        cli.main(["pin", "@cat", "views", "5", "--wy", "x"], standalone_mode=False)


@pytest.mark.parametrize(
    ("typed", "count"),
    [("12480", 12480), ("12 480", 12480), ("12'480", 12480), ("1,234,567", 1234567), ("12K", 12000), ("0", 0)],
)
def test_a_value_is_typed_as_in_a_cell_where_it_means_one_number(typed: str, count: int) -> None:
    """What is read alike in every country is taken, in ``pin`` and in ``snapshots repair``."""
    pinned = pin.make_context("pin", ["@cat", "views", typed])
    repaired = snapshots.commands["repair"].make_context("repair", ["@cat", "2026-03-09", "--views", typed])
    assert (pinned.params["value"], repaired.params["views"]) == (count, count)


@pytest.mark.sqlite
async def test_the_control_channel_pins(world: World) -> None:
    """POST, GET and DELETE do what the commands do, in the name of the user at the other end."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[990, *NOTHING])
    config = write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)
    with Daemon(config) as daemon:
        client = Client(daemon.socket, timeout=30)
        await client.request("POST", "/api/admin/smart_sync")
        where = f"/api/admin/pin?account={quote(link('a'))}&metric=followers"
        answers = [
            await client.request(*asked)
            for asked in (
                ("POST", f"{where}&value=950&why=agreed"),
                ("POST", "/api/admin/smart_sync"),
                ("GET", "/api/admin/pin"),
                ("DELETE", where),
                ("DELETE", where),
                ("POST", f"{where}&value=many"),
                ("POST", f"{where}&until=soon"),
                ("POST", "/api/admin/pin?account=%40nobody&metric=views&value=1"),
            )
        ]
    assert [status for status, _ in answers] == [200, 200, 200, 200, 400, 400, 400, 404]
    assert winner(world) == (950, "pinned")
    (told,) = answers[2][1]["pins"]
    assert (told["value"], told["why"], told["by"]) == (950, "agreed", pwd.getpwuid(os.getuid()).pw_name)
