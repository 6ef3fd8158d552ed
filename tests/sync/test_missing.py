"""Unknown is never zero: rows that vanish, cells that empty, columns that break, accounts that leave."""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from smart_sync.admin.confirm import confirm
from smart_sync.core.days import stamp
from smart_sync.core.matching.doubtful_rows import Elsewhere, find_doubtful
from smart_sync.core.matching.missing import MAX_PAIRS, nearly
from smart_sync.core.matching.sheet_side import Sheet
from smart_sync.core.model import Metrics, Outcome, SheetRow, Trigger
from smart_sync.core.results.results import ProjectResult
from smart_sync.core.state import Absence
from smart_sync.store import absences
from smart_sync.store.engine import Database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from statements import watched
from world import HEADER, KEY, NOON, World, link

DAY = timedelta(days=1)
NAMES = ["abel", "bruno", "clara", "doris", "emil"]


def reasons(result: ProjectResult) -> list[str]:
    return [str(problem) for problem in result.problems]


def rows(world: World, project: str) -> list[list[Any]]:
    """The worksheet itself, to be edited in place."""
    found = world.google.spreadsheets[KEY].worksheets[project]
    assert isinstance(found, list)
    return found


@contextlib.contextmanager
def broken(world: World) -> Iterator[None]:
    """Google knows no such spreadsheet meanwhile."""
    for kind in ("batch", "values", "metadata"):
        world.google.fail(kind, times=1000, status=404)
    yield
    world.google.faults.clear()


async def begun(world: World, names: Sequence[str] = NAMES) -> None:
    """Project P with a row of 100s for each of ``names``, and a first pass."""
    world.add_project("P", names)
    world.sheet("P", **{name: [100, 200, 300, 400, 500] for name in names})
    await world.sync()


# A row is gone.


@pytest.mark.parametrize("emptied", ["", "  "])
async def test_an_account_whose_link_was_emptied_is_told_as_that(world: World, emptied: str) -> None:
    """Where the web app empties an account's link no row is gone: the account is named, and the command names it."""
    await begun(world)
    ((account,),) = world.execute("SELECT id FROM project_social_accounts WHERE username = 'clara'")
    world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = ?", (emptied, account))
    result = (await world.sync()).results[0]
    said = "\n".join(reasons(result))
    assert f"account {account} has no link in the database" in said
    assert "the row is gone" not in said
    assert f"smart-sync confirm {account}" in said
    assert "row of  stood" not in said


async def test_a_row_above_the_header_is_told_where_it_stands(world: World) -> None:
    """It is not gone, and nothing is to be restored: it is to be moved below the header."""
    await begun(world)
    worksheet = rows(world, "P")
    worksheet.insert(0, worksheet.pop(3))
    world.now += timedelta(hours=1)
    result = await world.sync_one()
    assert (world.merged("clara"), result.counts.carried) == ((100, 200, 300, 400, 500), 5)
    told = [problem for problem in result.problems if problem.code == "rows-gone"]
    assert [(one.row, one.value) for one in told] == [(1, link("clara"))]
    assert told[0].reason == (
        "the row stands above the header, in row 1; its last known values are used since 2026-03-10 13:00 UTC;"
        f" move it below that, or if it is meant: smart-sync confirm {link('clara')}"
    )


@pytest.mark.parametrize("strategy", ["max", "sheet", "parsed", "latest"])
async def test_the_values_of_a_row_that_is_gone_stand_in(world: World, strategy: str) -> None:
    """They are carried since the pass that missed the row, and the problem says what to do."""
    world.sections["merge"] = {"strategy": strategy}
    await begun(world)
    del rows(world, "P")[3]
    world.now += timedelta(hours=1)
    result = await world.sync_one()
    assert (result.outcome, result.counts.carried) == (Outcome.SYNCED, 5)
    assert (world.merged("clara"), world.winners("clara")) == ((100, 200, 300, 400, 500), ("carried",) * 5)
    (problem,) = reasons(result)
    assert problem.startswith("P!4: the row is gone; its last known values are used since 2026-03-10 13:00 UTC")
    assert f"smart-sync confirm {link('clara')}" in problem
    assert world.execute("SELECT followers_carried_since FROM account_metrics WHERE account_id = 'account-clara'") == [
        (stamp(world.now),)
    ]
    assert [row[1] for row in world.snapshots("clara")] == [100]


async def test_a_larger_parsed_value_still_wins_over_one_that_stands_in(world: World) -> None:
    """A value that stands in has a vote like any other."""
    await begun(world)
    world.parsed("clara", [150, 1, None, None, None])
    del rows(world, "P")[3]
    await world.sync()
    assert (world.merged("clara"), world.winners("clara")[:2]) == ((150, 200, 300, 400, 500), ("parsed", "carried"))


async def test_the_problem_names_the_row_that_looks_like_it(world: World) -> None:
    """One letter wrong in a link: the row is named, and nothing is lost."""
    await begun(world)
    rows(world, "P")[3][1] = link("c1ara")
    result = await world.sync_one()
    assert world.merged("clara") == (100, 200, 300, 400, 500)
    assert [f"row 4: {link('c1ara')} may be it" in reason for reason in reasons(result)] == [True]


@pytest.mark.parametrize("cell", ["#REF!", "Loading...", "", "two\nlines.com/@c"])
async def test_an_unreadable_link_is_an_accident_and_its_cell_is_named(world: World, cell: str) -> None:
    """The account whose row stood there keeps its values."""
    await begun(world)
    rows(world, "P")[3][1] = cell
    result = await world.sync_one()
    assert world.merged("clara") == (100, 200, 300, 400, 500)
    (problem,) = [reason for reason in reasons(result) if "smart-sync confirm" in reason]
    assert problem.startswith(f"P!B4: its link cell cannot be read, and the row of {link('clara')} stood here")


async def test_after_a_week_of_good_reads_the_sheet_has_no_vote(world: World) -> None:
    """Until then the values stand in; then the parsed value decides, and it is no problem any more."""
    await begun(world)
    world.parsed("clara", [1, None, None, None, None])
    del rows(world, "P")[3]
    await world.sync()
    world.now += 7 * DAY - timedelta(minutes=1)
    assert (await world.sync_one()).counts.carried == 5
    world.now += timedelta(minutes=1)
    result = await world.sync_one()
    assert (world.merged("clara"), world.winners("clara")[:2]) == ((1, 200, 300, 400, 500), ("parsed", "carried"))
    assert not [reason for reason in reasons(result) if "the row is gone" in reason]
    assert result.left == ()


async def test_the_time_of_outages_does_not_count(world: World) -> None:
    """Time runs only in good reads."""
    await begun(world)
    del rows(world, "P")[3]
    await world.sync()
    world.now += 3 * DAY
    await world.sync()
    with broken(world):
        world.now += 20 * DAY
        assert (await world.sync_one()).outcome is Outcome.DEGRADED
    world.now += DAY
    assert (await world.sync_one()).left == ()
    world.now += 4 * DAY - timedelta(minutes=1)
    assert (await world.sync_one()).left == ()
    world.now += timedelta(minutes=1)
    assert (await world.sync_one()).left == (link("clara"),)


async def test_how_long_is_configured(world: World) -> None:
    """[sheets] gone_after."""
    world.sections["sheets"] = world.sections["sheets"].model_copy(update={"gone_after": 3600.0})
    await begun(world)
    del rows(world, "P")[3]
    await world.sync()
    world.now += timedelta(hours=1)
    assert (await world.sync_one()).left == (link("clara"),)


# An account has left.


async def test_an_account_that_has_left_is_told_once_and_has_no_further_snapshots(world: World) -> None:
    """Its values stay as they were; a row that returns makes it one like any other, told."""
    await begun(world)
    del rows(world, "P")[3]
    await world.sync()
    world.now += 7 * DAY
    result = await world.sync_one()
    assert (result.left, reasons(result), result.unmatched_accounts) == ((link("clara"),), [], ())
    world.now += DAY
    result = await world.sync_one()
    assert (result.left, reasons(result), result.outcome) == ((), [], Outcome.SYNCED)
    assert (world.merged("clara"), len(world.snapshots("clara"))) == ((100, 200, 300, 400, 500), 1)
    assert world.execute("SELECT is_active, left_since IS NULL FROM account_metrics JOIN project_social_accounts"
                         " ON id = account_id WHERE id = 'account-clara'") == [(1, 0)]  # fmt: skip
    rows(world, "P").append(["", link("clara"), 101, 201, 301, 401, 501])
    result = await world.sync_one()
    assert (result.returned, world.winners("clara")) == ((link("clara"),), ("sheet",) * 5)
    assert world.execute("SELECT count(*) FROM account_metrics WHERE left_since IS NOT NULL") == [(0,)]


async def test_one_that_smart_sync_created_becomes_inactive_until_its_row_returns(world: World) -> None:
    """The others' active accounts are not ours to deactivate."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P", ["abel"])
    world.sheet("P", abel=[1] * 5, bruno=[2] * 5, clara=[3] * 5)
    await world.sync()
    world.sheet("P", clara=[3] * 5)
    world.sections["sheets"] = world.sections["sheets"].model_copy(update={"max_vanished": 1.0})
    await world.sync()
    world.now += 7 * DAY
    assert set((await world.sync_one()).left) == {link("abel"), link("bruno")}
    active = "SELECT profile_link FROM project_social_accounts WHERE is_active = 1 ORDER BY 1"
    assert world.execute(active) == [(link("abel"),), (link("clara"),)]
    world.sheet("P", bruno=[5] * 5, clara=[3] * 5)
    result = await world.sync_one()
    assert (result.returned, result.counts.new_accounts) == ((link("bruno"),), 0)
    assert world.execute(active) == [(link("abel"),), (link("bruno"),), (link("clara"),)]
    assert world.execute("SELECT count(*) FROM account_metrics WHERE followers = 5") == [(1,)]


# Cells.


async def test_an_unreadable_cell_is_stood_in_for(world: World) -> None:
    """#REF! is no value and no 0; one that had been emptied has none to stand in."""
    await begun(world)
    rows(world, "P")[3][2] = ""
    world.parsed("clara", [7, None, None, None, None])
    await world.sync()
    rows(world, "P")[3][2:4] = ["#REF!", "#REF!"]
    await world.sync()
    assert (world.merged("clara"), world.winners("clara")[:2]) == ((7, 200, 300, 400, 500), ("parsed", "carried"))


@pytest.mark.parametrize("cell", ["", "-", "n/a", None])
async def test_an_emptied_cell_leaves_it_to_the_parser(world: World, cell: Any) -> None:
    """The manager withdraws the value, the parsed one decides; where there is none, the last merged is carried."""
    await begun(world)
    world.parsed("clara", [7, None, None, None, None])
    rows(world, "P")[3][2:4] = [cell, cell]
    result = await world.sync_one()
    assert result.outcome is Outcome.SYNCED
    assert (world.merged("clara"), world.winners("clara")[:2]) == ((7, 200, 300, 400, 500), ("parsed", "carried"))
    (problem,) = reasons(result)
    assert problem.startswith("P!D4: likes: neither the worksheet nor a parser has a value any more; the last one, 200")
    assert f"smart-sync confirm {link('clara')} --metric likes" in problem
    assert reasons(await world.sync_one()) == [problem]


async def test_a_typed_zero_is_a_value(world: World) -> None:
    """0 is what it says, and has a vote."""
    await begun(world)
    rows(world, "P")[3][2] = 0
    result = await world.sync_one()
    assert (world.merged("clara"), world.winners("clara")[0], reasons(result)) == ((0, 200, 300, 400, 500), "sheet", [])


# Accidents of a worksheet.


async def test_too_many_rows_gone_at_once_stand_in_without_a_time_limit(world: World) -> None:
    """The project is degraded until they are back; the rest of the worksheet is read."""
    await begun(world)
    kept = [list(row) for row in rows(world, "P")]
    del rows(world, "P")[1:4]
    rows(world, "P")[1][2] = 999
    world.now += DAY
    result = await world.sync_one()
    assert (result.outcome, result.worksheet_read) == (Outcome.DEGRADED, True)
    assert "3 rows of worksheet 'P' are gone at once" in result.error
    assert "smart-sync confirm P" in result.remedy
    assert (world.merged("doris"), world.merged("abel")) == ((999, 200, 300, 400, 500), (100, 200, 300, 400, 500))
    world.now += 30 * DAY
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    rows(world, "P")[1:1] = kept[1:3]
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    rows(world, "P")[3:3] = kept[3:4]
    assert (await world.sync_one()).outcome is Outcome.SYNCED
    assert world.execute("SELECT count(*) FROM sheet_metrics WHERE gone_since IS NOT NULL") == [(0,)]


async def test_fewer_than_three_rows_are_no_accident_of_the_worksheet(world: World) -> None:
    """Both of two rows may go: they stand in for a week, and nothing is degraded."""
    await begun(world, ["abel", "bruno"])
    world.sheet("P")
    result = await world.sync_one()
    assert (result.outcome, len(reasons(result)), result.counts.carried) == (Outcome.SYNCED, 2, 10)


@pytest.mark.parametrize("cell", ["", 0, "#REF!", None])
async def test_a_column_that_breaks_at_once_stands_in_cell_by_cell(world: World, cell: Any) -> None:
    """IFERROR(…; 0) over a whole column is an accident: each cell stands in until it holds a value above 0 again."""
    await begun(world)
    for row in rows(world, "P")[1:]:
        row[3] = cell
    result = await world.sync_one()
    assert (result.outcome, result.worksheet_read) == (Outcome.DEGRADED, True)
    assert "smart-sync confirm P --metric likes" in result.remedy
    assert [world.merged(name) for name in NAMES] == [(100, 200, 300, 400, 500)] * 5
    rows(world, "P")[1][3] = 201
    world.now += 10 * DAY
    result = await world.sync_one()
    assert result.outcome is Outcome.DEGRADED
    assert [(world.merged(name) or ())[1] for name in NAMES] == [201, 200, 200, 200, 200]
    for row in rows(world, "P")[2:]:
        row[3] = 202
    assert (await world.sync_one()).outcome is Outcome.SYNCED
    assert [(world.merged(name) or ())[1] for name in NAMES] == [201, 202, 202, 202, 202]


async def test_an_emptied_cell_of_the_only_account_is_no_accident(world: World) -> None:
    """Two accounts are no column."""
    await begun(world, ["abel", "bruno"])
    for row in rows(world, "P")[1:]:
        row[3] = 0
    result = await world.sync_one()
    assert (result.outcome, (world.merged("abel") or ())[1]) == (Outcome.SYNCED, 0)


async def test_a_column_without_its_header_is_an_accident(world: World) -> None:
    """A renamed header degrades the project as an emptied column does."""
    await begun(world)
    rows(world, "P")[0][3] = "Remarks"
    result = await world.sync_one()
    assert (result.outcome, result.counts.carried) == (Outcome.DEGRADED, 5)
    assert "smart-sync confirm P --metric likes" in result.remedy
    rows(world, "P")[0][3] = HEADER[3]
    assert (await world.sync_one()).outcome is Outcome.SYNCED


async def test_an_account_moved_to_another_project_does_not_degrade_it(world: World) -> None:
    """Its values come along; nobody is created for the row it left behind."""
    world.sections["sync"] = {"create_missing": "accounts"}
    await begun(world)
    world.add_project("Q")
    await world.sync()
    for name in NAMES[:3]:
        world.execute(f"UPDATE project_social_accounts SET project_id = 'project-Q' WHERE id = 'account-{name}'")
    result = await world.sync()
    assert Outcome.DEGRADED not in [one.outcome for one in result.results]
    assert [one.counts.new_accounts for one in result.results] == [0, 0]
    assert [world.merged(name) for name in NAMES] == [(100, 200, 300, 400, 500)] * 5
    told = [reason for one in result.results for reason in reasons(one)]
    for name in NAMES[:3]:
        assert len([reason for reason in told if link(name) in reason]) == 2, told


async def test_rows_gone_at_once_do_not_degrade_the_project_their_accounts_move_to(world: World) -> None:
    """The accident stays with the worksheet it happened to."""
    world.add_project("Q")
    await begun(world)
    world.sheet("P", abel=[100, 200, 300, 400, 500])
    assert Outcome.DEGRADED in [one.outcome for one in (await world.sync()).results]
    world.execute("UPDATE project_social_accounts SET project_id = 'project-Q' WHERE id != 'account-abel'")
    result = await world.sync()
    assert Outcome.DEGRADED not in [one.outcome for one in result.results]


async def test_a_copy_of_a_worksheet_makes_no_accounts_until_it_is_confirmed(world: World) -> None:
    """However many passes see both, whatever the other one is called, though the numbers go apart; nobody is twice."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    sheets["Copy of P"] = [[*row] for row in rows(world, "P")]
    for number in range(4):
        rows(world, "P")[1][2] = 101 + number
        world.now += timedelta(hours=1)
        copy = next(one for one in (await world.sync()).results if one.project.name == "Copy of P")
        assert copy.counts.new_accounts == 0
        assert (copy.outcome, copy.code) == (Outcome.DEGRADED, "no-account")
        assert copy.error == (
            f"worksheet 'Copy of P' looks like a copy of project P's: no account is created for {len(NAMES)} rows of it"
        )
        assert copy.remedy == "delete the copy, or if both are meant: smart-sync confirm 'Copy of P'"
        (told,) = {problem.reason for problem in copy.problems}
        assert len(copy.problems) == len(NAMES)
        assert told == (
            "no account is created for this row: project P has this account; with the same numbers, so this worksheet"
            " looks like a copy; delete the copy, or if both are meant: smart-sync confirm 'Copy of P'"
        )
    for row in rows(world, "P")[1:]:
        row[2] += 50
    await world.sync()
    sheets["Spring"] = sheets.pop("P")
    world.execute("UPDATE projects SET name = 'Spring' WHERE name = 'P'")
    copy = next(one for one in (await world.sync()).results if one.project.name == "Copy of P")
    assert (copy.counts.new_accounts, "a copy of project Spring's" in copy.error) == (0, True)
    await confirm(world.settings, "Copy of P", None, world.now)
    copy = next(one for one in (await world.sync()).results if one.project.name == "Copy of P")
    assert (copy.counts.accounts, reasons(copy), copy.outcome) == (len(NAMES), [], Outcome.SYNCED)


async def test_a_renamed_worksheet_is_no_copy(world: World) -> None:
    """Nobody is told to delete the only worksheet that has the numbers: it gets its name back, or is meant."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    world.add_project("P 2026")
    sheets["P 2026"] = sheets.pop("P")
    for number in range(3):
        sheets["P 2026"][1][2] = 101 + number
        world.now += timedelta(hours=1)
        told = {one.project.name: one for one in (await world.sync()).results}
        assert (told["P"].error, told["P"].code) == ('worksheet "P" is not in the spreadsheet', "sheet-missing")
        assert told["P"].remedy.startswith("rename the worksheet or the project; all others belong to projects;")
        renamed = told["P 2026"]
        assert (renamed.outcome, renamed.code, renamed.counts.new_accounts) == (Outcome.DEGRADED, "sheet-missing", 0)
        assert renamed.error == (
            f"worksheet 'P 2026' looks like project P's, renamed: no account is created for {len(NAMES)} rows of it"
        )
        remedy = "name it 'P' again, or if it is another project: smart-sync confirm 'P 2026'"
        assert renamed.remedy == remedy
        (reason,) = {problem.reason for problem in renamed.problems}
        assert reason == (
            "no account is created for this row: project P has this account; with the same numbers, and its worksheet"
            f" is gone, so this one looks like it, renamed; {remedy}"
        )
    sheets["P"] = sheets.pop("P 2026")
    told = {one.project.name: one for one in (await world.sync()).results}
    assert (told["P"].outcome, world.merged(NAMES[0])) == (Outcome.SYNCED, (103, 200, 300, 400, 500))
    assert told["P 2026"].counts.new_accounts == 0


def names_of_projects(world: World) -> set[str]:
    return {row[0] for row in world.execute("SELECT name FROM projects")}


async def test_no_project_is_created_for_a_renamed_worksheet(world: World) -> None:
    """Whatever is typed there meanwhile: its own project says where its accounts are; named back, nothing is left."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    sheets["P 2026"] = sheets.pop("P")
    for number in range(3):
        for row in sheets["P 2026"][1:]:
            row[2] += number
        world.now += timedelta(hours=1)
        before = await world.sync(dry_run=True)
        result = await world.sync()
        (told,) = result.results
        assert (told.outcome, told.error) == (Outcome.DEGRADED, 'worksheet "P" is not in the spreadsheet')
        assert told.remedy == (
            'worksheet "P 2026" has its accounts; name it "P" again, or rename the project;'
            " if it is meant: smart-sync confirm P"
        )
        assert [(one.error, one.remedy) for one in before.results] == [(told.error, told.remedy)]
        assert (before.new_projects, result.new_projects, names_of_projects(world)) == ((), (), {"P"})
    sheets["P"] = sheets.pop("P 2026")
    (told,) = (await world.sync()).results
    assert (told.outcome, world.merged(NAMES[0])) == (Outcome.SYNCED, (103, 200, 300, 400, 500))


async def test_a_renamed_worksheet_is_its_projects_again_when_that_is_renamed_too(world: World) -> None:
    """One project, with its accounts and history, and no second one beside it."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    sheets["P 2026"] = sheets.pop("P")
    await world.sync()
    world.execute("UPDATE projects SET name = 'P 2026'")
    (told,) = (await world.sync()).results
    assert (told.project.name, told.outcome, told.counts.accounts) == ("P 2026", Outcome.SYNCED, len(NAMES))


async def test_what_is_typed_into_a_new_worksheet_is_a_project_of_its_own(world: World) -> None:
    """While another project misses its worksheet too: one with other accounts, and any once that is accepted."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    copied = sheets.pop("P")
    world.sheet("Q", **{f"other{number}": [1, 2, 3, 4, 5] for number in range(3)}, **{NAMES[0]: [1, 2, 3, 4, 5]})
    result = await world.sync()
    assert (result.new_projects, names_of_projects(world)) == (("Q",), {"P", "Q"})
    await confirm(world.settings, "P", None, world.now)
    sheets["R"] = copied
    told = {one.project.name: one for one in (await world.sync()).results}
    assert (told["R"].outcome, told["R"].counts.new_accounts) == (Outcome.SYNCED, len(NAMES))


async def test_two_projects_may_have_an_account_each(world: World) -> None:
    """Two rows that are alike make no copy of a worksheet; seen in both, one after the other, they are accounts."""
    world.sections["sync"] = {"create_missing": "projects"}
    await begun(world)
    sheets = world.google.spreadsheets[KEY].worksheets
    sheets["Q"] = [[*row] for row in rows(world, "P")[:3]]
    for _ in range(3):
        world.now += timedelta(hours=1)
        result = await world.sync()
    assert [one.counts.accounts for one in result.results] == [len(NAMES), 2]
    assert Outcome.DEGRADED not in [one.outcome for one in result.results]


async def test_a_held_cell_is_held_while_its_column_has_no_name(world: World) -> None:
    """It stands in until it holds a value above 0 again, also when the header was renamed for one pass."""
    await begun(world)
    for row in rows(world, "P")[1:]:
        row[6] = 0
    await world.sync()
    for row in rows(world, "P")[1:-1]:
        row[6] = 500
    await world.sync()
    for title in ("Remarks", "Views"):
        rows(world, "P")[0][6] = title
        result = await world.sync_one()
        assert result.outcome is Outcome.DEGRADED
        assert world.merged("emil") == (100, 200, 300, 400, 500)


async def test_a_column_is_lost_by_rows_that_are_there(world: World) -> None:
    """An account whose row is gone has no column to lose."""
    await begun(world)
    world.sheet("P", abel=[100, 200, 300, 400, None])
    world.google.spreadsheets[KEY].worksheets["P"][0][6] = "Remarks"
    world.execute("UPDATE sheet_metrics SET views = NULL WHERE account_id = 'account-abel'")
    told = reasons(await world.sync_one())
    assert [reason for reason in told if "column for views" in reason] == []


# No account is created for what may be a missing one's row.


@pytest.mark.parametrize("first", ["A", "P"])
async def test_a_name_with_its_platform_is_as_doubtful_as_its_link(world: World, first: str) -> None:
    """A row cut from one worksheet and pasted as ``TikTok | @name`` into another, and a mistyped name."""
    world.sections["sync"] = {"create_missing": "accounts"}
    other = "P" if first == "A" else "A"
    for project, names in ((first, ["plaza", "paul"]), (other, ["zoe"])):
        world.add_project(project)
        world.google.spreadsheets[KEY].worksheets[project] = [
            ["Platform", "Link", "Views"], *(["TikTok", f"@{name}", 7] for name in names)
        ]  # fmt: skip
    await world.sync()
    rows(world, other).append(rows(world, first).pop(1))
    for _ in range(3):
        result = await world.sync()
        assert result.counts.new_accounts == 0
        world.now += timedelta(minutes=30)
    rows(world, other).pop()
    rows(world, first)[1:1] = [["TikTok", "@another", 1], ["TikTok", "@third", 1]]
    rows(world, first).append(["TikTok", "@p1aza", 7])
    await world.sync()
    assert world.execute("SELECT count(*) FROM project_social_accounts WHERE profile_link LIKE '%p1aza'") == [(0,)]


async def test_a_wrong_link_that_is_corrected_late_leaves_no_second_account(world: World) -> None:
    """The account that was created when the row had been missing for too long leaves when the link is right again."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.sheet("P", abel=[1] * 5, plaza=[2] * 5)
    await world.sync()
    rows(world, "P")[2][1] = link("p1aza")
    for _ in range(9):
        world.now += DAY
        await world.sync()
    active = "SELECT profile_link FROM project_social_accounts WHERE is_active = 1 ORDER BY 1"
    assert world.execute(active) == [(link("abel"),), (link("p1aza"),)]
    rows(world, "P")[2][1] = link("plaza")
    result = await world.sync_one()
    assert (world.execute(active), result.left) == ([(link("abel"),), (link("plaza"),)], (link("p1aza"),))


async def test_a_mistyped_link_creates_nobody(world: World) -> None:
    """plaza → p1aza → plaza: reported, and afterwards all is as before."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.sheet("P", abel=[1] * 5, plaza=[2] * 5)
    await world.sync()
    rows(world, "P")[2][1] = link("p1aza")
    for _ in range(3):
        result = await world.sync_one()
        assert result.counts.new_accounts == 0
        (told,) = [reason for reason in reasons(result) if "no account is created" in reason]
        assert told.startswith("P!B3: ")
        assert f"smart-sync confirm {link('p1aza')}" in told
        world.now += DAY
    rows(world, "P")[2][1] = link("plaza")
    result = await world.sync_one()
    assert (reasons(result), world.execute("SELECT count(*) FROM project_social_accounts")) == ([], [(2,)])
    assert world.execute("SELECT count(*) FROM doubtful_rows") == [(0,)]


async def test_a_renamed_handle_creates_nobody_wherever_its_row_is_moved_to(world: World) -> None:
    """It stands where the missing account's row stood, though rows were added above in the same pass and later."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.sheet("P", **{name: [1] * 5 for name in NAMES})
    await world.sync()
    rows(world, "P")[3][1] = link("something_else_entirely")
    rows(world, "P").insert(1, ["", link("completely_new"), *[9] * 5])
    assert (await world.sync_one()).counts.new_accounts == 1
    rows(world, "P").insert(1, ["", link("another_new_one"), *[9] * 5])
    assert (await world.sync_one()).counts.new_accounts == 1
    assert world.execute(
        "SELECT count(*) FROM project_social_accounts WHERE profile_link LIKE '%entirely'"
    ) == [(0,)]  # fmt: skip


async def test_a_row_cut_and_pasted_into_another_worksheet_creates_nobody(world: World) -> None:
    """Whichever worksheet is looked at first."""
    world.sections["sync"] = {"create_missing": "accounts"}
    for project, names in (("A", ["abel"]), ("P", ["plaza", "other"]), ("Z", ["zoe"])):
        world.add_project(project)
        world.sheet(project, **{name: [7] * 5 for name in names})
    await world.sync()
    for project in ("A", "Z"):
        pasted = rows(world, "P").pop(1)
        rows(world, project).append(pasted)
        for _ in range(3):
            result = await world.sync()
            assert result.counts.new_accounts == 0
            world.now += timedelta(minutes=30)
        rows(world, "P").insert(1, rows(world, project).pop())
        await world.sync()
        assert world.execute("SELECT count(*) FROM project_social_accounts") == [(4,)]


async def test_an_account_in_two_worksheets_is_created_for_both(world: World) -> None:
    """One link in two projects is allowed: once the other worksheet was read again, the second account is made."""
    world.sections["sync"] = {"create_missing": "accounts"}
    for project in ("P", "Q"):
        world.add_project(project)
        world.sheet(project, both=[7] * 5)
    assert (await world.sync()).counts.new_accounts == 2
    rows(world, "Q").append(["", link("third"), *[7] * 5])
    await world.sync()
    rows(world, "P").append(["", link("third"), *[7] * 5])
    for _ in range(3):
        world.now += timedelta(minutes=30)
        await world.sync()
    assert world.execute("SELECT count(*) FROM project_social_accounts WHERE profile_link LIKE '%third'") == [(2,)]


def _moved_away(count: int) -> list[Elsewhere]:
    """Accounts that were moved to another project, and whose rows stood in this project's worksheet, far below."""
    names = [sha256(bytes([n])).hexdigest()[:20] for n in range(count)]
    return [Elsewhere(name, link(name), "tiktok", "A", True, "", 10_000 + n) for n, name in enumerate(names)]


def _strangers(*names: str) -> Sheet:
    return Sheet(unmatched=tuple(SheetRow(n, link(name), Metrics(1)) for n, name in enumerate(names, 2)))


def test_a_renamed_row_of_an_account_that_was_moved_away_creates_nobody_however_many_were() -> None:
    """The link of each of them is compared."""
    moved = _moved_away(150)
    (doubt,) = find_doubtful(_strangers("entirely_different", f"{moved[-1].account_id}_"), moved, {})
    assert (doubt.row.row, doubt.account_id) == (3, moved[-1].account_id)


def test_of_too_many_to_compare_every_new_row_may_be_one() -> None:
    """No account is created on a guess, and the time that it takes is bounded."""
    strangers = _strangers(*(f"entirely_different{n}" for n in range(MAX_PAIRS // 100 + 1)))
    assert not find_doubtful(strangers, _moved_away(90), {})
    found = find_doubtful(strangers, _moved_away(100), {})
    assert len(found) == len(strangers.unmatched)


async def test_a_row_that_can_become_no_account_costs_no_look_at_other_projects(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video's link in each worksheet would otherwise cost each project a look at the accounts of all of them."""
    asked: list[Collection[str]] = []
    plain = absences.other_accounts

    async def other_accounts(
        database: Database, done: Collection[str], missing: Mapping[str, Mapping[str, Absence]], lost: Collection[str]
    ) -> absences.OtherAccounts:
        asked.append(done)
        return await plain(database, done, missing, lost)

    monkeypatch.setattr(absences, "other_accounts", other_accounts)
    world.sections["sync"] = {"create_missing": "accounts"}
    await begun(world)
    rows(world, "P").append(["", "https://www.tiktok.com/@zz/video/7123456789012345678", *[1] * 5])
    assert (len((await world.sync_one()).unmatched_rows), asked) == (1, [])
    rows(world, "P").append(["", link("zoe"), *[1] * 5])
    assert ((await world.sync_one()).counts.new_accounts, len(asked)) == (1, 1)


@pytest.mark.sqlite
async def test_one_spoilt_value_does_not_take_the_others_along(world: World) -> None:
    """The web app has written text into a merged value: the others stand in still, and it is named once."""
    await begun(world, ["abel"])
    world.sheet("P", abel=[None] * 5)
    await world.sync()
    assert world.winners("abel") == ("carried",) * 5
    world.execute("UPDATE account_metrics SET views = 'many'")
    result = await world.sync_one()
    assert (world.merged("abel"), world.winners("abel")) == ((100, 200, 300, 400, 0), (*["carried"] * 4, None))
    assert any("the merged views" in reason for reason in reasons(result))
    assert not any("the merged views" in reason for reason in reasons(await world.sync_one()))
    world.execute("UPDATE account_metrics SET likes = 'many'")
    world.sheet("P", abel=[None, 6, None, None, None])
    assert not (await world.sync_one()).failed_accounts
    assert (world.merged("abel"), world.winners("abel")[1]) == ((100, 6, 300, 400, 0), "sheet")


@pytest.mark.sqlite
@pytest.mark.parametrize("strategy", ["max", "sheet", "parsed", "latest"])
async def test_a_row_that_is_spoilt_whole_is_decided_anew(world: World, strategy: str) -> None:
    """By whatever has a vote; what has none is gone, and the pass goes on."""
    world.sections["merge"] = {"strategy": strategy}
    await begun(world, ["abel", "bruno"])
    world.execute("UPDATE account_metrics SET (followers, likes, comments, videos, views) = ('a', -1, 'b', x'00', 1.5)")
    world.sheet("P", abel=[100, 200, 300, 400, 500], bruno=[None] * 5)
    result = await world.sync_one()
    assert sum("a program has written" in reason for reason in reasons(result)) == 2
    assert world.merged("abel") == (100, 200, 300, 400, 500)
    assert (world.merged("bruno"), world.winners("bruno")) == ((0,) * 5, (None,) * 5)


def test_nearly_is_a_slip_of_the_hand() -> None:
    """A sign in three, on the same platform."""
    assert nearly("tiktok:@plaza", "tiktok:@p1aza")
    assert nearly("tiktok:@plaza", "tiktok:@plazaa")
    assert not nearly("tiktok:@plaza", "youtube:@p1aza")
    assert not nearly("tiktok:@a", "tiktok:@b")
    assert not nearly("tiktok:@plaza", "tiktok:@market")
    assert not nearly("https://example.com/a", "ftp://example.com/a")


async def test_an_account_that_is_deleted_in_the_middle_of_a_pass_leaves_nothing(world: World) -> None:
    """It gets no snapshot and no values, and the others get theirs."""
    world.add_project("P", NAMES)
    world.sheet("P", **{name: [1] * 5 for name in NAMES})
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync, loop = SyncPass(resources), asyncio.get_running_loop()

        def delete(sql: str) -> None:
            if "SELECT a.id, a.platform" in sql:
                loop.call_soon_threadsafe(deleted.set)

        deleted = asyncio.Event()
        async with watched(resources.database, delete):
            syncing = asyncio.create_task(sync.run(PassRequest(Trigger.CLI)))
            await deleted.wait()
            world.execute("DELETE FROM project_social_accounts WHERE id = 'account-clara'")
            await syncing
    for table in ("account_metrics", "account_snapshots", "sheet_metrics"):
        ids = {row[0] for row in world.execute(f"SELECT account_id FROM {table}")}
        assert ids in ({f"account-{name}" for name in NAMES if name != "clara"}, set()), table
    assert (await world.sync_one()).counts.accounts == 4


@pytest.mark.parametrize(("zone", "marked"), [("UTC", False), ("Asia/Tokyo", True)])
async def test_only_a_stretch_that_outlasts_a_day_marks_its_end(world: World, zone: str, marked: bool) -> None:
    """What was carried for an hour is marked if midnight of `[schedule] timezone` lay within, and only the metric."""
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": zone}
    for hours, views in ((2, 10), (2.5, "#REF!"), (3, "#REF!"), (3.5, 12), (4, 13)):  # 15 UTC is midnight in Tokyo
        world.now = NOON + timedelta(hours=hours)
        world.sheet("P", a=[1, 2, 3, 4, views])
        await world.sync()
    rows = world.execute(
        "SELECT ends_carried FROM account_growth WHERE account_id = 'account-a' ORDER BY day DESC LIMIT 1"
    )
    assert rows == [("views" if marked else None,)]
    assert world.execute("SELECT count(*) FROM carried_stretches") == [(int(marked),)]
