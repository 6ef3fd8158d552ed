"""`smart-sync confirm`: a person says that it is meant, and the next pass goes by exactly that."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.sync.test_missing import NAMES, begun, reasons, rows

from daemon_process import run_command
from smart_sync.admin.confirm import NothingToConfirm, confirm
from smart_sync.core.model import Outcome, Trigger
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, World, link


async def confirmed(world: World, what: str, metric: str | None = None) -> list[Any]:
    return list((await confirm(world.settings, what, metric, world.now))["findings"])


async def nothing(world: World, what: str, metric: str | None = None) -> None:
    with pytest.raises(NothingToConfirm):
        await confirm(world.settings, what, metric, world.now)


async def test_a_row_that_is_gone_on_purpose(world: World) -> None:
    """The sheet has no vote from the next pass on: the parsed value decides, an account without one has left."""
    await begun(world)
    world.parsed("clara", [5, None, None, None, None])
    del rows(world, "P")[3:5]
    await world.sync()
    for name in ("clara", "doris"):
        (told,) = await confirmed(world, link(name))
        assert (told["kind"], told["link"]) == ("gone", link(name))
    result = await world.sync_one()
    assert (world.merged("clara"), result.left) == ((5, 200, 300, 400, 500), (link("doris"),))
    await nothing(world, link("doris"))
    assert {told["metric"] for told in await confirmed(world, link("clara"))} == {
        "likes",
        "comments",
        "videos",
        "views",
    }
    await world.sync()
    assert (world.merged("clara"), world.winners("clara")) == ((5, 0, 0, 0, 0), ("parsed", None, None, None, None))


async def test_an_emptied_cell_that_is_meant(world: World) -> None:
    """The value leaves no trace in the merge: there is none any more; nothing else is confirmed with it."""
    await begun(world)
    rows(world, "P")[3][3:5] = ["", ""]
    await world.sync()
    await nothing(world, link("clara"), "views")
    assert [told["kind"] for told in await confirmed(world, link("clara"), "likes")] == ["emptied"]
    result = await world.sync_one()
    assert world.winners("clara") == ("sheet", None, "carried", "sheet", "sheet")
    assert ["likes" in reason for reason in reasons(result)] == [False]
    assert world.execute("SELECT likes_known_since FROM account_metrics WHERE account_id = 'account-clara'") == [
        (None,)
    ]


@pytest.mark.parametrize("cell", ["", 0])
async def test_a_column_that_is_emptied_on_purpose(world: World, cell: Any) -> None:
    """The project is degraded until then, and what its cells say now is what they say."""
    await begun(world)
    for row in rows(world, "P")[1:]:
        row[3] = cell
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    await nothing(world, "P", "views")
    assert {told["kind"] for told in await confirmed(world, "P", "likes")} == {"column"}
    result = await world.sync_one()
    assert (result.outcome is Outcome.DEGRADED, reasons(result)) == (False, [])
    winner = None if cell == "" else "sheet"
    assert (world.merged("clara"), world.winners("clara")[1]) == ((100, 0, 300, 400, 500), winner)


async def test_a_column_that_is_removed_on_purpose(world: World) -> None:
    """As one that is emptied; a column that comes back is read."""
    await begun(world)
    for row in rows(world, "P"):
        del row[3]
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    assert len(await confirmed(world, "P", "likes")) == len(NAMES)
    result = await world.sync_one()
    assert (result.outcome, result.counts.changed, reasons(result)) == (Outcome.SYNCED, len(NAMES), [])
    assert (world.merged("clara"), world.winners("clara")[1]) == ((100, 0, 300, 400, 500), None)


async def test_a_parsed_value_counts_at_once_where_a_column_is_removed(world: World) -> None:
    """What a person has confirmed changes no merged value before the next pass, which takes the parsed one."""
    await begun(world)
    world.parsed("clara", [None, 80, None, None, None])
    for row in rows(world, "P"):
        del row[3]
    await world.sync()
    known = "SELECT likes, likes_winner, likes_known_since FROM account_metrics WHERE account_id = 'account-clara'"
    ((_, _, since),) = world.execute(known)
    await confirmed(world, "P", "likes")
    assert world.merged("clara") == (100, 200, 300, 400, 500)
    world.now += timedelta(minutes=30)
    await world.sync()
    assert world.execute(known) == [(80, "parsed", since)]


async def test_only_what_is_confirmed_is_written(world: World) -> None:
    """A value that a pass has read meanwhile stays."""
    await begun(world)
    for row in rows(world, "P"):
        del row[3]
    await world.sync()
    world.execute("UPDATE sheet_metrics SET followers = 777 WHERE account_id = 'account-clara'")
    await confirmed(world, "P", "likes")
    query = "SELECT followers, likes FROM sheet_metrics WHERE account_id = 'account-clara'"
    assert world.execute(query) == [(777, None)]


async def test_rows_that_are_gone_at_once_on_purpose(world: World) -> None:
    """All of them, and no others."""
    await begun(world)
    world.sheet("P", clara=[1] * 5)
    await world.sync()
    assert [told["kind"] for told in await confirmed(world, "P")] == ["gone"] * 4
    result = await world.sync_one()
    assert (result.outcome, len(result.left)) == (Outcome.SYNCED, 4)


@pytest.mark.parametrize("how", ["missing", "empty", "header"])
async def test_a_project_without_a_worksheet(world: World, how: str) -> None:
    """No sheet values as long as it stays so; another trouble is one again; the worksheet is read when it is back."""
    await begun(world)
    world.parsed("clara", [5] * 5)
    worksheets = world.google.spreadsheets[KEY].worksheets
    kept = rows(world, "P")
    broken: Any = {"missing": None, "empty": [], "header": [["a", "b"]]}[how]
    worksheets.pop("P") if broken is None else worksheets.update({"P": broken})
    result = await world.sync_one()
    assert (result.outcome, world.merged("clara")) == (Outcome.DEGRADED, (100, 200, 300, 400, 500))
    assert "if it is meant: smart-sync confirm P" in result.remedy
    assert [told["kind"] for told in await confirmed(world, "P")] == ["worksheet"]
    result = await world.sync_one()
    assert (result.outcome, world.merged("clara")) == (Outcome.SYNCED, (5,) * 5)
    assert len(result.left) == 4
    worksheets["P"] = [["x"]] if how == "empty" else []
    assert (await world.sync_one()).outcome is Outcome.DEGRADED
    worksheets["P"] = kept
    assert (await world.sync_one()).outcome is Outcome.SYNCED
    assert (world.merged("clara"), world.winners("abel")) == ((100, 200, 300, 400, 500), ("sheet",) * 5)


async def test_an_account_that_was_doubtful_is_created(world: World) -> None:
    """By its link or its name; a rename needs both words: the new account, and that the old one is gone."""
    world.sections["sync"] = {"create_missing": "accounts"}
    await begun(world)
    rows(world, "P")[3][1] = link("klara")
    await world.sync()
    assert [told["kind"] for told in await confirmed(world, "@klara")] == ["doubtful"]
    await nothing(world, "@klara")
    assert len(await confirmed(world, link("clara"))) == 1
    result = await world.sync_one()
    assert (result.left, reasons(result), result.counts.accounts) == ((link("clara"),), [], 6)
    assert world.execute("SELECT followers FROM account_metrics JOIN project_social_accounts ON id = account_id"
                         " WHERE profile_link LIKE '%klara'") == [(100,)]  # fmt: skip


async def test_whatever_a_project_has_is_confirmed_with_it(world: World) -> None:
    """Rows gone, cells emptied, suspects, doubtful rows."""
    world.sections["sync"] = {"create_missing": "accounts"}
    await begun(world)
    found = rows(world, "P")
    found[1][2:4] = [1_000_000, ""]
    found[3][1] = link("klara")
    await world.sync()
    kinds = sorted(told["kind"] for told in await confirmed(world, "P"))
    assert kinds == ["doubtful", "emptied", "gone", "suspect"]


async def test_a_daemon_that_lives_on_goes_by_it(world: World) -> None:
    """What it remembers from pass to pass does not hide what a person has confirmed."""
    await begun(world)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)
        for row in rows(world, "P")[1:]:
            row[3] = 0
        del rows(world, "P")[5]
        for _ in range(3):
            (result,) = (await sync.run(PassRequest(Trigger.TIMER))).results
            assert result.outcome is Outcome.DEGRADED
        await confirmed(world, "P")
        (result,) = (await sync.run(PassRequest(Trigger.TIMER))).results
        assert (result.outcome, result.left) == (Outcome.SYNCED, (link("emil"),))
        (result,) = (await sync.run(PassRequest(Trigger.TIMER))).results
        assert result.outcome is Outcome.UNCHANGED


async def test_a_daemon_that_lives_on_notices_that_the_time_is_over(world: World) -> None:
    """Nothing but time has changed."""
    await begun(world)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)
        del rows(world, "P")[5]
        await sync.run(PassRequest(Trigger.TIMER))
        await sync.run(PassRequest(Trigger.TIMER))
        told: list[str] = []
        for hours in (167, 1, 1):
            world.now += timedelta(hours=hours)
            for _ in range(2):
                told += (await sync.run(PassRequest(Trigger.TIMER))).results[0].left
    assert told == [link("emil")]


async def test_the_command_says_what_it_has_done_and_fails_where_there_was_nothing(world: World) -> None:
    """Exit code 1 if nothing was to be confirmed; --json lists it."""
    await begun(world)
    del rows(world, "P")[3]
    await world.sync()
    config = world.config()
    done = run_command("confirm", "--json", link("clara"), "--config", str(config))
    assert (done.returncode, [told["kind"] for told in json.loads(done.stdout)["findings"]]) == (0, ["gone"])
    again = run_command("confirm", link("clara"), "--config", str(config))
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (1, "", 1)
    assert "found nothing about" in again.stderr
    nobody = run_command("confirm", "nobody", "--config", str(config))
    assert (nobody.returncode, "no account or project matches" in nobody.stderr) == (1, True)
