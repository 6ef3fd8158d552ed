"""A web app's database as it may be: odd types, names of ours that are taken, constraints, meddling between passes."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon_process import PATIENCE, Daemon
from smart_sync.admin.checks import check
from smart_sync.aio.tasks import until_tick
from smart_sync.control.client import Client
from smart_sync.core.model import METRICS, Metrics, Outcome, ParsedMetrics, Trigger
from smart_sync.core.results import health
from smart_sync.core.results.health import HealthInputs
from smart_sync.core.results.results import ProjectResult
from smart_sync.errors import Busy, DatabaseUnusable, SmartSyncError
from smart_sync.service import claim
from smart_sync.store import parsed_values
from smart_sync.store.instance_lock import InstanceLock
from smart_sync.store.schema import open_database
from smart_sync.store.unread_projects import standing
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, World, link

NUMBERED = (
    "id INTEGER PRIMARY KEY, project_id INTEGER, platform TEXT, username TEXT, profile_link TEXT, is_active INTEGER"
)
COUNTS = ", ".join(f"{metric} INTEGER" for metric in METRICS)


def number_accounts(world: World, snapshots: str) -> None:
    """A web app that keeps its ids as numbers: one project, accounts 1 and 2; ``snapshots``: the type of theirs."""
    world.execute(
        "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT, google_sheet_name TEXT, is_active INTEGER)"
    )
    world.execute(f"CREATE TABLE project_social_accounts ({NUMBERED})")
    world.execute(
        f"CREATE TABLE account_snapshots (id TEXT PRIMARY KEY, account_id {snapshots}, {COUNTS}, snapshot_time TEXT)"
    )
    world.execute("INSERT INTO projects VALUES (7, 'P', NULL, 1)")
    for number, name in enumerate("ab", 1):
        world.execute(
            "INSERT INTO project_social_accounts VALUES (?, 7, 'tiktok', ?, ?, 1)", (number, name, link(name))
        )


@pytest.mark.parametrize("snapshots", ["INTEGER", "TEXT"])
async def test_ids_that_are_numbers_are_as_good_as_text(bare: World, snapshots: str) -> None:
    """With integer ids the inbox and the query count, and a day gets one snapshot."""
    number_accounts(bare, snapshots)
    bare.sections["parsed"] = {"query": "SELECT id AS account_id, 90 AS likes FROM project_social_accounts"}
    bare.sheet("P", a=[1] * 5, b=[2] * 5)
    await bare.sync()
    bare.execute("INSERT INTO parsed_metrics (account_id, views, parsed_at) VALUES (1, 50, '2026-03-10')")
    bare.sheet("P", a=[1] * 5, b=[3] * 5)
    result = await bare.sync_one()
    counts = result.counts
    assert (result.outcome, counts.changed, counts.snapshots, result.problems) == (Outcome.SYNCED, 2, 0, ())
    merged = bare.execute("SELECT account_id, followers, likes, views FROM account_metrics ORDER BY 1")
    assert merged == [("1", 1, 90, 50), ("2", 3, 90, 3)]
    assert bare.execute("SELECT count(*) FROM account_snapshots") == [(2,)]
    assert (await bare.sync_one()).outcome is Outcome.UNCHANGED


@pytest.mark.sqlite  # a server's columns have types
@pytest.mark.parametrize("kind", ["", "BLOB"])
async def test_ids_of_no_type_are_refused_with_their_column(bare: World, kind: str) -> None:
    """Numbers in a column without a type equal no text: the start and `check` name the column."""
    columns = "platform TEXT, username TEXT, profile_link TEXT, is_active INTEGER"
    bare.execute(f"CREATE TABLE project_social_accounts (id TEXT, project_id {kind}, {columns})")
    bare.execute("INSERT INTO project_social_accounts VALUES ('a', '1', 'tiktok', 'a', ?, 1)", (link("a"),))
    await bare.create()
    bare.execute("UPDATE project_social_accounts SET project_id = 1")
    with pytest.raises(
        DatabaseUnusable, match=r"project_social_accounts\.project_id holds numbers and has no type"
    ) as no:
        await bare.create()
    found = [finding.message for finding in (await check(bare.settings)).findings]
    assert [one for one in found if str(no.value) in one], found


@pytest.mark.sqlite  # its ids that number themselves; those of a server: test_postgres_refusals
async def test_snapshots_with_numbers_for_ids_are_mended_as_check_says(bare: World) -> None:
    """Beside our view of them; afterwards the daemon writes its own, and the web app still need not give an id."""
    numbered = f"account_id INTEGER, {', '.join(METRICS)}, snapshot_time)"
    bare.execute(f"CREATE TABLE account_snapshots (id INTEGER PRIMARY KEY, {numbered}")
    insert = "INSERT INTO account_snapshots (account_id, followers, snapshot_time) VALUES ('account-a', ?, ?)"
    async with open_database(bare.where):
        bare.add_project("P", ["a"])
    bare.execute(insert, (3, "2026-03-08 10:00:00"))
    bare.sheet("P", a=[5] * 5)
    assert (await bare.sync_one()).outcome is Outcome.FAILED
    (refused,) = [f.message for f in (await check(bare.settings)).findings if " refuses " in f.message]
    (id_column,) = re.findall(r"create it with (.*), copy them back", refused)
    for statement in (
        "CREATE TABLE away AS SELECT * FROM account_snapshots",
        "DROP TABLE account_snapshots",
        f"CREATE TABLE account_snapshots ({id_column}, {numbered}",
        "INSERT INTO account_snapshots SELECT * FROM away",
    ):
        bare.execute(statement)
    bare.execute(insert, (4, "2026-03-09 10:00:00"))
    assert (await bare.sync_one()).outcome is Outcome.SYNCED
    shown = bare.execute("SELECT followers, followers_delta FROM account_growth ORDER BY day")
    assert shown == [(3, None), (4, 1), (5, 1)]


async def test_is_active_may_be_text(bare: World) -> None:
    """An account whose is_active is the text '0' is inactive, one with '1' or nothing is active."""
    bare.execute(
        "CREATE TABLE project_social_accounts (id TEXT PRIMARY KEY, project_id TEXT, platform TEXT, username TEXT,"
        " profile_link TEXT, is_active TEXT)"
    )
    await bare.create()
    bare.add_project("P", ["a", "b", "c"])
    bare.execute("UPDATE project_social_accounts SET is_active = '0' WHERE id = 'account-a'")
    bare.execute("UPDATE project_social_accounts SET is_active = '1' WHERE id = 'account-b'")
    bare.sheet("P", a=[1] * 5, b=[2] * 5, c=[3] * 5)
    assert (await bare.sync_one()).counts.accounts == 2
    assert [bare.merged(name) for name in "abc"] == [None, (2,) * 5, (3,) * 5]


@pytest.mark.sqlite
def test_a_symbolic_link_is_no_second_database(tmp_path: Path) -> None:
    """Two instances on one file are told apart from two files, whatever links lead to it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "real.db").touch()
    (tmp_path / "data" / "linked.db").symlink_to(tmp_path / "real.db")
    with InstanceLock() as one, InstanceLock() as two:
        one.take(tmp_path / "real.db")
        with pytest.raises(Busy, match=r"real\.db\.smart-sync\.lock"):
            two.take(tmp_path / "data" / "linked.db")


INBOX = f"CREATE TABLE parsed_metrics (account_id {{}}, {COUNTS}{{}})"


@pytest.mark.parametrize("more", ["", ", parsed_at TEXT", ", source TEXT, parsed_at TEXT, mood TEXT DEFAULT 'fine'"])
async def test_an_inbox_that_the_web_app_has_made_is_adopted(bare: World, more: str) -> None:
    """A parsed_metrics with account_id and the metrics counts along with what parsers bring, whatever else it lacks."""
    bare.execute(INBOX.format("TEXT PRIMARY KEY", more))
    bare.execute("INSERT INTO parsed_metrics (account_id, views) VALUES ('account-a', 40)")
    await bare.create()
    bare.add_project("P", ["a"])
    bare.sheet("P", a=[1] * 5)
    await bare.sync()
    assert bare.merged("a") == (1, 1, 1, 1, 40)
    async with open_database(bare.where) as database:
        await parsed_values.put(database, [ParsedMetrics("account-a", Metrics(likes=30), "ours", bare.now)], bare.now)
    await bare.sync()
    assert bare.merged("a") == (1, 30, 1, 1, 40)


UNUSABLE = {
    INBOX.format("TEXT", ""): "CREATE UNIQUE INDEX",
    INBOX.format("TEXT PRIMARY KEY", "").replace(", likes INTEGER", ""): "has no column likes",
    "CREATE TABLE account_metrics (id TEXT)": "there is a table account_metrics",
    "CREATE TABLE Account_Growth (id TEXT)": "(?i)there is a table Account_Growth",
    "CREATE VIEW sync_runs AS SELECT 1 AS id": "there is a view sync_runs",
    "CREATE TABLE smart_sync_schema (id TEXT)": "has no column version",
    "CREATE TABLE projects (id TEXT)": "has no column google_sheet_name",
}


@pytest.mark.parametrize("statement", UNUSABLE)
async def test_a_name_of_ours_that_is_taken_is_told_with_its_remedy(bare: World, statement: str) -> None:
    """What cannot be adopted is refused by the start and by `check` in the same words, and left as it is."""
    bare.execute(statement)
    before = bare.tables()
    with pytest.raises(DatabaseUnusable, match=UNUSABLE[statement]) as refused:
        await bare.create()
    findings = (await check(bare.settings)).findings
    assert str(refused.value) in [finding.message for finding in findings if finding.level == "error"]
    assert [name for name in bare.tables() if name != "smart_sync_leases"] == before


async def test_check_sees_a_view_as_a_pass_does(bare: World) -> None:
    """A view called projects is the list of projects, for a pass and for `check`."""
    bare.execute("CREATE TABLE campaigns (id TEXT PRIMARY KEY, name TEXT, google_sheet_name TEXT, is_active INTEGER)")
    bare.execute("INSERT INTO campaigns VALUES ('p', 'P', NULL, 1)")
    bare.execute("CREATE VIEW projects AS SELECT * FROM campaigns")
    bare.sheet("P")
    assert (await bare.sync_one()).project.name == "P"
    assert any(finding.message.startswith("P: 0 of 0") for finding in (await check(bare.settings)).findings)


@pytest.mark.sqlite  # its functions of JSON
async def test_a_query_that_fails_costs_its_values_alone(world: World) -> None:
    """A `[parsed] query` that fails in a pass is a problem; the sheet and the inbox count all the same."""
    world.add_project("P", ["a"])
    world.execute("CREATE TABLE told (id TEXT, likes)")
    world.sections["parsed"] = {"query": "SELECT id AS account_id, json_extract(likes, '$') AS likes FROM told"}
    world.sheet("P", a=[1] * 5)
    world.parsed("a", [None, None, None, None, 9])
    world.execute("INSERT INTO told VALUES ('account-a', '5')")
    await world.sync()
    assert world.merged("a") == (1, 5, 1, 1, 9)
    world.execute("UPDATE told SET likes = 'no JSON'")
    result = await world.sync_one()
    assert (result.outcome, world.merged("a")) == (Outcome.SYNCED, (1, 1, 1, 1, 9))
    assert [problem.worksheet for problem in result.problems] == ["parsed.query"]


async def test_an_older_value_never_replaces_a_newer_one(world: World) -> None:
    """What a parser learned before the inbox's row was written does not count any more."""
    world.add_project("P", ["a"])
    world.parsed("a", [10, None, None, None, None], parsed_at="2026-03-10 12:00:00")
    for minutes, followers in ((-1, 1), (1, 20)):
        at = world.now + timedelta(minutes=minutes)
        async with open_database(world.where) as database:
            await parsed_values.put(database, [ParsedMetrics("account-a", Metrics(followers), "ours", at)], at)
        await world.sync()
        assert world.merged("a") == (10 if minutes < 0 else 20, 0, 0, 0, 0)
        assert world.execute("SELECT followers FROM parsed_metrics") == [(10,)]


PROJECTS = (
    "CREATE TABLE projects (id TEXT PRIMARY KEY, name {}, google_sheet_name TEXT, is_active INTEGER, created_at TEXT)"
)
ACCOUNTS = (
    "CREATE TABLE project_social_accounts (id TEXT PRIMARY KEY, project_id TEXT, platform {}, username TEXT,"
    " profile_link TEXT, is_active INTEGER, added_at TEXT)"
)


@pytest.mark.parametrize("table", ["projects", "project_social_accounts"])
async def test_what_cannot_be_created_costs_nothing_else(
    bare: World, table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A column that new projects or accounts would need is reported once a pass, and the projects there are go on."""
    bare.execute(PROJECTS.format("TEXT"))
    bare.execute(ACCOUNTS.format("TEXT"))
    await bare.create()
    bare.add_project("P", ["a"])
    bare.sections["sync"] = {"create_missing": "projects"}
    bare.sheet("P", a=[1] * 5, stranger=[2] * 5)
    bare.sheet("Q")
    with bare.refusing("INSERT", table, "NEW.is_active = 1", "client_id is needed"):
        told = await events(bare)
    assert bare.merged("a") == (1,) * 5
    refused = "projects.refused" if table == "projects" else "accounts.refused"
    found = await check(bare.settings)
    assert [e["reason"] for e in told if e["event"] == refused] == ["client_id is needed"]
    if table == "projects":
        return
    (degraded,) = [e for e in told if e["event"] == "project.degraded"]
    assert degraded["reason"] == "the database refuses to create 1 account: client_id is needed"
    said = [one for one in found.findings if "refuses to create" in one.message]
    assert [(one.level, one.code, one.message.startswith("P: the last pass, ")) for one in said] == [
        ("error", "database-columns", True)
    ]
    bare.now += timedelta(minutes=30)
    assert Outcome.DEGRADED not in {one.outcome for one in (await bare.sync()).results}
    assert not any("the last pass" in one.message for one in (await check(bare.settings)).findings)


async def test_what_is_refused_is_told_by_its_link_and_costs_no_other_row(bare: World) -> None:
    """Of the new rows of a worksheet those that SQLite takes become accounts; each other is told, once."""
    bare.execute(ACCOUNTS.format("TEXT CHECK (platform = 'tiktok')"))
    bare.execute(PROJECTS.format("TEXT CHECK (name != 'Bad')"))
    bare.sections["sync"] = {"create_missing": "projects"}
    bare.sheet("Bad")
    strange = [["", f"https://www.youtube.com/@{name}", 3] for name in ("c", "d")]
    bare.sheet("P", a=[1] * 5, b=[2] * 5)
    bare.google.spreadsheets[KEY].worksheets["P"][2:2] = strange
    announce = Reporter()
    with announce.follow() as told:
        async with opened(bare.settings, announce, clock=lambda: bare.now) as resources:
            for dry_run in (True, False, False):
                result = await SyncPass(resources).run(PassRequest(Trigger.CLI, dry_run=dry_run))
        events = [told.get_nowait() for _ in range(told.qsize())]
    assert bare.execute("SELECT username FROM project_social_accounts ORDER BY username") == [("a",), ("b",)]
    assert [e.get("link") for e in events if e["event"] == "accounts.refused"] == [row[1] for row in strange]
    assert [e.get("project") for e in events if e["event"] == "projects.refused"] == ["Bad"]
    (found,) = result.results
    assert [row.link for row in found.unmatched_rows] == [row[1] for row in strange]
    assert found.outcome is Outcome.DEGRADED
    assert found.error.startswith("the database refuses to create 2 accounts: ")
    assert [(one.row, one.value) for one in found.problems] == [(3, strange[0][1]), (4, strange[1][1])]


async def test_a_dry_run_counts_what_would_be_created(world: World) -> None:
    """Rows that would become accounts, worksheets that would become projects: told apart from those that are there."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5, b=[2] * 5, c=[3] * 5)
    world.sheet("Q", d=[4] * 5)
    world.sections["sync"] = {"create_missing": "projects"}
    found = [finding.message for finding in (await check(world.settings)).findings if finding.level == "ok"]
    assert "P: 1 of 1 account is in the worksheet; 2 rows will become accounts" in found
    assert "worksheet 'Q' will become a project" in found
    for dry_run in (True, False):
        told = (await world.sync(dry_run=dry_run)).answer()
        assert told["new_projects"] == ["Q"]
        assert [result["new_accounts"] for result in told["results"]] == [2, 1]
    told = (await world.sync()).answer()
    assert (told["new_projects"], [result["new_accounts"] for result in told["results"]]) == ([], [0, 0])


async def test_a_project_that_was_renamed_is_not_created_again(world: World) -> None:
    """projects.created tells of those that were really created."""
    world.sections["sync"] = {"create_missing": "projects"}
    world.sheet("Old")
    assert [e["projects"] for e in await events(world) if e["event"] == "projects.created"] == [["Old"]]
    world.execute("UPDATE projects SET name = 'New'")
    assert not [e for e in await events(world) if e["event"] == "projects.created"]


async def events(world: World) -> list[dict[str, Any]]:
    """What one pass tells."""
    announce = Reporter()
    with announce.follow() as told:
        async with opened(world.settings, announce, clock=lambda: world.now) as resources:
            await SyncPass(resources).run(PassRequest(Trigger.CLI))
        return [told.get_nowait() for _ in range(told.qsize())]


async def test_a_project_of_which_nothing_can_be_written_has_failed(world: World) -> None:
    """Where every account is refused; its code and remedy are of that, whatever else the worksheet lacks."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    with world.refusing("INSERT", "account_snapshots", "true", "no more"):
        result = await world.sync_one()
    assert (result.outcome, result.answer()["success"]) == (Outcome.FAILED, False)
    assert "no more" in result.error
    assert (result.code, result.remedy) == (
        "database-columns",
        "look at the triggers, rules and column types of the web app's tables",
    )
    await world.sync()
    world.google.spreadsheets[KEY].worksheets["P"] = []
    with world.refusing("INSERT", "account_snapshots", "true", "no more"):
        world.now += timedelta(days=1)
        result = await world.sync_one()
    assert (result.outcome, result.code) == (Outcome.FAILED, "database-columns")


class Living:
    """Passes of one daemon: what it has in memory stays."""

    def __init__(self, world: World, resources: Resources) -> None:
        self.world = world
        self.sync = SyncPass(resources)

    async def run(self) -> ProjectResult:
        """One pass over the only project there is."""
        (result,) = (await self.sync.run(PassRequest(Trigger.TIMER))).results
        return result

    async def settle(self) -> None:
        """Passes until one finds all as the one before has left it, which must be the second."""
        await self.run()
        result = await self.run()
        assert result.outcome is Outcome.UNCHANGED


@pytest.fixture
async def living(world: World) -> AsyncIterator[Living]:
    """A daemon over one project with two accounts, the first of them with parsed values."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    world.parsed("a", [9, None, None, None, None])
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        yield Living(world, resources)


MEDDLING = {
    "a merged value": "UPDATE account_metrics SET likes = 77 WHERE account_id = 'account-a'",
    "a winner": "UPDATE account_metrics SET likes_winner = 'parsed'",
    "the merged values of an account": "DELETE FROM account_metrics WHERE account_id = 'account-b'",
    "the sheet values": "DELETE FROM sheet_metrics",
    "a sheet value": "UPDATE sheet_metrics SET likes = 5",
    "the day's snapshots": "DELETE FROM account_snapshots",
    "one snapshot": "DELETE FROM account_snapshots WHERE account_id = 'account-b'",
}


@pytest.mark.parametrize("what", MEDDLING)
async def test_what_another_writer_spoils_is_put_right_by_the_next_pass(living: Living, what: str) -> None:
    """A pass that finds nothing new still finds what is missing or changed of its own, and then rests again."""
    await living.settle()
    tables = ("account_metrics", "sheet_metrics", "account_snapshots")
    columns = ", ".join(("account_id", *METRICS))
    queries = [f"SELECT {columns} FROM {table} ORDER BY 1" for table in tables]
    queries.append("SELECT account_id, likes_winner FROM account_metrics ORDER BY 1")
    before = [living.world.execute(query) for query in queries]
    living.world.execute(MEDDLING[what])
    assert [living.world.execute(query) for query in queries] != before
    await living.run()
    assert [living.world.execute(query) for query in queries] == before
    await living.settle()


async def test_what_a_parser_of_ours_has_put_in_is_merged_by_the_next_pass(world: World) -> None:
    """Values that this very process has put into the inbox after a pass are in the next one."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        living = Living(world, resources)
        await living.settle()
        await parsed_values.put(
            resources.database, [ParsedMetrics("account-a", Metrics(9), "ours", world.now)], world.now
        )
        await living.run()
    assert world.merged("a") == (9, 1, 1, 1, 1)


async def test_what_another_process_writes_during_a_pass_is_merged_by_the_next_one(world: World) -> None:
    """What comes between a decision and the end of its pass does not pass for what was decided from."""

    class Late(Reporter):
        def project_done(self, result: ProjectResult, *, dry_run: bool = False) -> None:
            super().project_done(result, dry_run=dry_run)
            world.parsed("a", [9] * 5)

    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    async with opened(world.settings, Late(), clock=lambda: world.now) as resources:
        living = Living(world, resources)
        await living.run()
        assert world.merged("a") == (1,) * 5
        await living.run()
        assert world.merged("a") == (9,) * 5


async def test_an_account_that_failed_is_tried_again_though_nothing_has_changed(living: Living) -> None:
    """The pass after one that could not write everything writes the rest."""
    with living.world.refusing("INSERT", "account_metrics", "NEW.account_id = 'account-b'", "not b"):
        assert (await living.run()).failed_accounts == {"account-b": "not b"}
        assert (await living.run()).failed_accounts == {"account-b": "not b"}
    await living.run()
    assert living.world.merged("b") == (2,) * 5


@pytest.mark.sqlite  # a server's database has one leader at a time
async def test_another_configuration_decides_anew(world: World, living: Living) -> None:
    """A reload with other merge rules merges the same numbers by them, in its first pass."""
    await living.settle()
    world.sections["merge"] = {"strategy": "sheet"}
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        await Living(world, resources).run()
    assert world.merged("a") == (1,) * 5


def test_healthz_says_that_no_pass_was_good_for_two_intervals(world: World) -> None:
    """A daemon whose passes fail answers 503 once two intervals have gone by, and says why."""
    with Daemon(world.config('[schedule]\nevery = "1s"\n')) as daemon:
        world.execute("ALTER TABLE projects RENAME TO campaigns")
        deadline = time.monotonic() + PATIENCE
        client = Client(daemon.socket, timeout=PATIENCE)
        while (answer := asyncio.run(client.request("GET", "/healthz")))[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
    assert (answer[0], answer[1]["healthy"]) == (503, False)
    assert "projects" in answer[1]["error"]


def test_a_lock_that_somebody_has_removed_is_taken_again(tmp_path: Path) -> None:
    """Others see it again; who finds that another instance works there is told so, and still holds its own."""
    database = tmp_path / "x.db"
    lock = tmp_path / "x.db.smart-sync.lock"
    with InstanceLock(daemon=True) as one, InstanceLock() as two:
        one.take(database)
        one.renew()
        lock.unlink()
        one.renew()
        with pytest.raises(Busy):
            two.take(database)
        lock.unlink()
        two.take(database)
        with pytest.raises(Busy):
            one.renew()


async def test_looks_wake_an_idle_daemon_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that are due every ten seconds are made at the same moment, whenever they began, and none is late."""
    loop, now = asyncio.get_running_loop(), 1003.5
    monkeypatch.setattr(loop, "time", lambda: now)

    async def woken() -> list[asyncio.Task[None]]:
        for _ in range(3):
            await asyncio.sleep(0)
        return [one for one in looks if one.done()]

    looks = [asyncio.create_task(until_tick(10))]
    await woken()
    now = 1008.0
    looks.append(asyncio.create_task(until_tick(10)))
    assert await woken() == []
    now = 1009.999
    assert await woken() == []
    now = 1010.0
    assert await woken() == looks
    looks = [asyncio.create_task(until_tick(10))]
    await woken()
    now = 1020.0
    assert await woken() == looks


async def test_a_daemon_that_is_not_alone_any_more_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim on the database says so soon after the lock was removed and another one has begun."""
    monkeypatch.setattr(claim, "LOOK_SECONDS", 0.01)
    database = tmp_path / "x.db"
    async with claim.Claim() as held:
        await held.take(database)
        staying = asyncio.create_task(held.stay())
        await asyncio.sleep(0.05)
        assert not staying.done()
        with InstanceLock() as other:
            staying.cancel()
            await asyncio.wait({staying})
            (tmp_path / "x.db.smart-sync.lock").unlink()
            other.take(database)
            with pytest.raises(Busy, match=f"pid {os.getpid()}"):
                await held.stay()


@pytest.mark.parametrize("table", ["projects", "project_social_accounts", "account_snapshots"])
async def test_a_table_that_is_gone_is_not_made_anew(world: World, table: str) -> None:
    """A pass and `check` say which one is gone; nothing is in the way of bringing it back, and then all goes on."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    world.execute(f"ALTER TABLE {table} RENAME TO away")
    with pytest.raises(DatabaseUnusable, match=f"the table {table} is gone; restore it"):
        await world.sync()
    said = [one.message for one in (await check(world.settings)).findings if one.level == "error"]
    assert any(f"the table {table} is gone; restore it" in one for one in said), said
    world.execute(f"ALTER TABLE away RENAME TO {table}")
    world.sheet("P", a=[2] * 5)
    await world.sync()
    assert (world.merged("a"), len(world.snapshots("a"))) == ((2,) * 5, 1)


async def test_a_table_that_goes_under_an_open_database_is_named(world: World) -> None:
    """A daemon's pass says which table is gone and what to do, and goes on once it is back."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    async with world.opened() as run:
        await run()
        world.execute("ALTER TABLE projects RENAME TO away")
        with pytest.raises(SmartSyncError, match="the table projects is gone; restore it"):
            await run()
        world.execute("ALTER TABLE away RENAME TO projects")
        assert (await run()).count(Outcome.UNCHANGED) == 1


async def test_a_flag_of_a_project_that_is_no_flag_is_told(world: World) -> None:
    """A project is never left out in silence: where it is the only one the pass is red, else there is a warning."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    world.execute("UPDATE projects SET is_active = 2")
    told = "is_active is neither 1 nor 0, so not synced: 'P'; correct it in the table projects"
    assert (await world.sync()).no_projects_reason == told
    world.add_project("Q", ["b"])
    world.sheet("Q", b=[1] * 5)
    result = await world.sync()
    assert (result.no_projects_reason, len(result.results)) == ("", 1)
    async with open_database(world.where) as database:
        stands = await standing(database)
    facts = HealthInputs(projects=stands.projects, active=len(stands.active), unclear=stands.unclear)
    assert (health.reasons(facts), health.warnings(facts)) == ([], [told])
