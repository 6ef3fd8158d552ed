"""New rows in tables that demand more than a worksheet says: ``[sync.defaults]``, and the defaults of our tables."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from daemon_process import Daemon, run_command
from smart_sync import config
from smart_sync.admin.checks import check
from smart_sync.admin.confirm import confirm
from smart_sync.control.client import Client
from smart_sync.core.model import Outcome, Trigger
from smart_sync.errors import ConfigError
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import HEADER, KEY, World, link

#: A web app that demands a value of every column.
DEMANDING = """
CREATE TABLE projects (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, google_sheet_name TEXT NOT NULL, start_date TEXT NOT NULL,
    end_date TEXT NOT NULL, target_views INTEGER NOT NULL, geo TEXT, kpi_views INTEGER NOT NULL DEFAULT 1000,
    created_at TEXT, is_active INTEGER DEFAULT 1, is_finished INTEGER DEFAULT 0, allowed_platforms TEXT,
    last_admin_update TEXT, owner INTEGER NOT NULL CHECK (owner > 0));
CREATE TABLE project_social_accounts (
    id TEXT PRIMARY KEY, project_id TEXT REFERENCES projects (id), platform TEXT, username TEXT, profile_link TEXT,
    status TEXT NOT NULL, topic TEXT NOT NULL, telegram_user TEXT DEFAULT 'nobody', added_at TEXT,
    is_active INTEGER DEFAULT 1, UNIQUE (project_id, profile_link));
"""
DEFAULTS = """
[sync]
create_missing = "projects"
[sync.defaults.projects]
google_sheet_name = "Metrics 2026"
start_date = 2026-01-01
end_date = "2026-12-31"
target_views = 0
owner = 7
[sync.defaults.accounts]
status = "NEW"
topic = "none"
"""


@pytest.fixture
def app(bare: World) -> World:
    """The demanding web app's database, and a worksheet of which it has nothing yet."""
    world = bare
    world.script(DEMANDING)
    world.google.add(KEY, {"Spring": [[*HEADER, "Topic"], ["@a", link("a"), 1, 2, 3, 4, 5, "", "Dance"]]})
    world.google.spreadsheets[KEY].worksheets["Spring"].append(["@b", link("b"), 1, 2, 3, 4, 5])
    return world


def configured(world: World, text: str = DEFAULTS) -> Path:
    return world.config(text)


def test_a_demanding_table_gets_the_values_of_the_configuration(app: World) -> None:
    """New rows have the configured values, a cell goes before one, and what is not configured is the column's own."""
    path = configured(app)
    before = run_command("check", "--config", str(path))
    assert (before.returncode, "will become a project" in before.stdout) == (0, True), before.stdout
    assert run_command("once", "--config", str(path)).returncode == 0
    assert app.execute(
        "SELECT name, google_sheet_name, start_date, end_date, target_views, kpi_views, owner, geo FROM projects"
    ) == [("Spring", "Metrics 2026", "2026-01-01", "2026-12-31", 0, 1000, 7, None)]
    assert app.execute("SELECT status, topic, telegram_user FROM project_social_accounts ORDER BY username") == [
        ("NEW", "Dance", "nobody"),
        ("NEW", "none", "nobody"),
    ]


@pytest.mark.parametrize("table", ["projects", "accounts"])
def test_what_is_demanded_and_not_said_is_named(app: World, table: str) -> None:
    """`check` says which value is missing and how to say it; a pass invents none."""
    text = DEFAULTS.replace('status = "NEW"\n' if table == "accounts" else "owner = 7\n", "")
    path = configured(app, text)
    column = "status" if table == "accounts" else "owner"
    ended = run_command("check", "--config", str(path))
    assert ended.returncode == 1
    assert f"say its value: [sync.defaults.{table}] {column} = …" in ended.stdout
    run_command("once", "--config", str(path))
    assert app.execute("SELECT count(*) FROM project_social_accounts") == [(0,)]


def test_an_unknown_column_is_one_line_wherever_it_is_met(app: World) -> None:
    """check, once, the start and a reload name the column that the table does not have, and the one that was meant."""
    path = configured(app, DEFAULTS.replace("start_date", "start_day"))
    told = "sync.defaults.projects.start_day: the table projects has no column start_day; did you mean start_date?"
    for command, code in (("check", 1), ("once", 2), ("run", 2)):
        ended = run_command(command, "--config", str(path))
        assert ended.returncode == code
        assert told in (ended.stdout if command == "check" else ended.stderr)
        assert "Traceback" not in ended.stderr
    assert app.execute("SELECT count(*) FROM projects") == [(0,)]
    wrong = path.read_text()
    configured(app)
    with Daemon(path) as daemon:
        path.write_text(wrong)
        status, answer = asyncio.run(Client(daemon.socket, timeout=30).request("POST", "/api/admin/reload"))
        assert (status, told in answer["error"]) == (422, True)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('[sync.defaults.projects]\nname = "X"', "sync.defaults.projects: name: filled by Smart Sync itself"),
        ('[sync.defaults.accounts]\nPlatform = "x"', "sync.defaults.accounts: Platform: filled by Smart Sync itself"),
        ("[sync.defaults.projects]\ngeo = [1]", "sync.defaults.projects.geo: expected what a column holds"),
        ("[sync.defaults.projects]\ntarget_views = nan", "expected what a column holds"),
        (f"[sync.defaults.projects]\ntarget_views = {2**63}", "expected what a column holds"),
        (
            "[sync.defaults.project]\ngeo = 1",
            "sync.defaults.project: no such key; did you mean sync.defaults.projects?",
        ),
    ],
)
def test_mistakes_of_the_configuration_are_named(tmp_path: Path, lines: str, complaint: str) -> None:
    """What cannot be a value of a column, or is filled anyway, is refused with its key."""
    path = tmp_path / "config.toml"
    path.write_text(f'[sheets]\ndirectory = "sheets"\n{lines}\n')
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert complaint in str(caught.value)


async def test_readers_can_compute_with_every_column_of_a_table_of_ours(bare: World) -> None:
    """In tables that Smart Sync made, what no worksheet says is a value of the right kind, and not NULL."""
    world = bare
    world.sections["sync"] = {"create_missing": "projects"}
    world.sheet("Spring", a=[1] * 5)
    await world.sync()
    project, account = (
        dict(zip(columns, rows[0], strict=True))
        for columns, rows in map(world.table, ("projects", "project_social_accounts"))
    )
    assert [name for name, value in project.items() if value is None] == ["last_admin_update"]
    assert [name for name, value in account.items() if value is None] == []
    assert project["start_date"] < "2005" < "2090" < project["end_date"]
    assert project["target_views"] == project["kpi_views"] == 0
    assert json.loads(project["allowed_platforms"])["tiktok"] is True


async def test_a_check_before_there_is_a_file_knows_the_columns(bare: World) -> None:
    """Where the file is still to be made the defaults are held against the tables that will be made."""
    world = bare
    defaults = {"geo": "DE", "region": "DE"}
    world.sections["sync"] = {"create_missing": "projects", "defaults": {"projects": defaults}}
    world.sheet("Spring", a=[1] * 5)
    wrong = [one.message for one in (await check(world.settings)).findings if one.level == "error"]
    assert ["projects has no column region" in one for one in wrong] == [True]
    with pytest.raises(ConfigError, match="no column region"):
        await world.sync()
    del defaults["region"]
    assert (await check(world.settings)).exit_code == 0
    await world.sync()
    assert world.execute("SELECT geo FROM projects") == [("DE",)]


def test_projects_that_cannot_be_created_are_red(app: World) -> None:
    """Where none could be, the pass ends with exit code 4 and the reason, and healthz is 503 with it."""
    text = '[sync]\ncreate_missing = "projects"\n'
    path = configured(app, text)
    ended = run_command("once", "--config", str(path))
    assert (ended.returncode, "Spring: could not be created: " in ended.stdout) == (4, True), ended.stdout
    with Daemon(configured(app, text + "[schedule]\nrun_on_start = false\n")) as daemon:
        assert run_command("sync", "--config", str(path)).returncode == 4
        status, answer = asyncio.run(Client(daemon.socket, timeout=60).request("GET", "/healthz"))
    assert (status, "no project could be created, Spring because: " in answer["error"]) == (503, True)


def test_a_first_start_that_cannot_read_the_spreadsheet_is_red(bare: World) -> None:
    """As long as no project could be created for it, exit codes, healthz and the answer say why; then all is well."""
    world = bare
    world.sheet("Spring", a=[1] * 5)
    world.google.spreadsheets[KEY].shared = False
    why = "may not read"
    path = configured(world, '[sync]\ncreate_missing = "projects"\n')
    ended = run_command("once", "--config", str(path))
    assert (ended.returncode, why in ended.stdout, "as Viewer" in ended.stdout) == (4, True, True), ended.stdout
    with Daemon(path) as daemon:
        assert run_command("sync", "--config", str(path)).returncode == 4
        status, answer = asyncio.run(Client(daemon.socket, timeout=60).request("GET", "/healthz"))
        assert (status, why in answer["error"]) == (503, True)
        world.google.spreadsheets[KEY].shared = True
        assert run_command("sync", "--config", str(path)).returncode == 0
        assert asyncio.run(Client(daemon.socket, timeout=60).request("GET", "/healthz"))[0] == 200


async def test_a_project_that_is_wanted_no_more_is_refused_no_more(app: World) -> None:
    """Its reason goes when its worksheet does, and stays while Google cannot be asked."""
    app.sections["sync"] = {"create_missing": "projects"}
    async with opened(app.settings, Reporter(), clock=lambda: app.now) as resources:
        sync, told = SyncPass(resources), list[list[str]]()
        for change in ("nothing", "one", "outage", "gone"):
            if change == "outage":
                app.google.fail("metadata", times=1000, status=404)
            if change == "gone":
                app.google.faults.clear()
                del app.google.spreadsheets[KEY].worksheets["Spring"]
            await sync.run(PassRequest(Trigger.TIMER, frozenset(["x"]) if change == "one" else None))
            told.append(list(resources.announce.refused_projects))
    assert told == [["Spring"], ["Spring"], ["Spring"], []]


async def _read_two_projects(world: World, **sync: int) -> None:
    """Projects P with the accounts a, b, c and Q with d, each with its row, after a pass that creates accounts."""
    world.sections["sync"] = {"create_missing": "accounts", **sync}
    world.add_project("P", ["a", "b", "c"])
    world.add_project("Q", ["d"])
    world.sheet("P", a=[1] * 5, b=[2] * 5, c=[3] * 5)
    world.sheet("Q", d=[4] * 5)
    await world.sync()


async def test_an_account_that_is_in_two_worksheets_of_one_answer_is_created_at_once(world: World) -> None:
    """A row for an account of another project, which has its row there in the same pass, waits for no further read."""
    await _read_two_projects(world)
    world.now += timedelta(minutes=30)
    world.sheet("Q", d=[4] * 5, a=[7, 8, 9, 10, 11])
    results = {one.project.name: one for one in (await world.sync()).results}
    assert (results["Q"].counts.new_accounts, results["Q"].problems) == (1, ())


async def test_a_dry_run_in_rounds_says_of_rows_for_accounts_of_others_what_the_pass_does(world: World) -> None:
    """What an earlier round has found in their worksheets is known, though it is written nowhere."""
    await _read_two_projects(world, concurrency=1)
    world.now += timedelta(minutes=30)
    world.sheet("Q", d=[4] * 5, a=[7, 8, 9, 10, 11])
    found = [(await world.sync(dry_run=dry_run)).results for dry_run in (True, False)]
    foreseen, done = ({one.project.name: (one.counts, one.problems) for one in results} for results in found)
    assert foreseen == done
    assert done["Q"][0].new_accounts == 1


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_rows_of_accounts_whose_worksheet_is_given_up_become_accounts_at_once(
    world: World, concurrency: int
) -> None:
    """A person has confirmed that it is gone: nobody misses its rows, in any round."""
    world.sections["sync"] = {"create_missing": "accounts", "concurrency": concurrency}
    world.add_project("P", ["a", "b"])
    world.add_project("Q", ["d"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    world.sheet("Q", d=[4] * 5)
    await world.sync()
    del world.google.spreadsheets[KEY].worksheets["P"]
    world.now += timedelta(minutes=30)
    await world.sync()
    await confirm(world.settings, "P", None, world.now)
    world.now += timedelta(minutes=30)
    world.sheet("Q", d=[4] * 5, a=[7, 8, 9, 10, 11], b=[70, 80, 90, 100, 110])
    found = [(await world.sync(dry_run=dry_run)).results for dry_run in (True, False)]
    foreseen, done = ({one.project.name: (one.counts, one.problems) for one in results} for results in found)
    assert foreseen == done
    assert (done["Q"][0].new_accounts, done["Q"][1]) == (2, ())


async def test_a_dry_run_in_rounds_knows_that_a_worksheet_was_renamed(world: World) -> None:
    """That it is gone an earlier round has found: the one with its rows is no copy, which somebody might delete."""
    world.sections["sync"] = {"create_missing": "accounts", "concurrency": 1}
    world.add_project("P", ["a", "b", "c"])
    world.add_project("Q", ["d"])
    rows = {"a": [1] * 5, "b": [2] * 5, "c": [3] * 5}
    world.sheet("P", **rows)
    world.sheet("Q", d=[4] * 5)
    await world.sync()
    world.now += timedelta(minutes=30)
    world.sheet("Q", **rows)
    del world.google.spreadsheets[KEY].worksheets["P"]
    found = [(await world.sync(dry_run=dry_run)).results for dry_run in (True, False)]
    foreseen, done = ({one.project.name: (one.error, one.problems) for one in results} for results in found)
    assert foreseen == done
    assert "renamed" in str(done["Q"][0])


async def test_a_row_that_goes_to_the_next_worksheet_of_one_answer_is_named_as_missing(world: World) -> None:
    """Its account misses it where it was: that is said at once, not that the worksheet has yet to be read."""
    await _read_two_projects(world)
    world.sheet("P", b=[2] * 5, c=[3] * 5)
    world.sheet("Q", d=[4] * 5, a=[1] * 5)
    for _ in range(2):
        world.now += timedelta(minutes=30)
        results = {one.project.name: one for one in (await world.sync()).results}
        (problem,) = results["Q"].problems
        assert f"it may be the row of {link('a')} that project P misses" in problem.reason


@pytest.mark.parametrize(
    ("change", "there", "elsewhere"),
    [(f"profile_link = '{link('y')}'", ["y"], []), ("project_id = 'project-Q'", [], ["x"])],
)
async def test_a_row_whose_account_was_given_away_gets_another_one(
    world: World, change: str, there: list[str], elsewhere: list[str]
) -> None:
    """The account that was created for it before, whose link or project the web app has changed, bears its id."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.add_project("Q", ["q"])
    world.sheet("P", x=[1] * 5)
    await world.sync()
    world.execute(f"UPDATE project_social_accounts SET {change} WHERE profile_link = '{link('x')}'")
    made = []
    for now_there, dry_run in ((there, False), ([*there, "x"], False), ([*there, "x"], True), ([*there, "x"], False)):
        world.sheet("P", **dict.fromkeys(now_there, [1] * 5))
        world.sheet("Q", **dict.fromkeys(["q", *elsewhere], [2] * 5))
        world.now += timedelta(minutes=30)
        results = (await world.sync(dry_run=dry_run)).results
        made.append(sum(one.counts.new_accounts for one in results))
    assert made[1:] in ([1, 0, 0], [0, 1, 1])
    rows = "SELECT count(*) FROM project_social_accounts WHERE project_id = 'project-P' AND profile_link = ?"
    assert world.execute(rows, (link("x"),)) == [(1,)]
    assert not [one.error for one in results if one.error]


UNIQUE = "CREATE UNIQUE INDEX one ON project_social_accounts (profile_link)"
IGNORED = """
CREATE TRIGGER one BEFORE INSERT ON project_social_accounts WHEN NEW.username = 'a' BEGIN SELECT RAISE(IGNORE); END"""


async def test_an_account_that_a_unique_index_leaves_out_is_reported_as_refused(world: World) -> None:
    """Its project is degraded in each pass, with what the database says and the row; the other rows become accounts."""
    await _leave_out(world, UNIQUE, "profile_link")


@pytest.mark.sqlite  # its own word for it
async def test_an_account_that_a_trigger_leaves_out_is_reported_as_refused(world: World) -> None:
    """The same, where the database says nothing at all."""
    await _leave_out(world, IGNORED, "a rule of the table ignores the row")


async def _leave_out(world: World, statement: str, why: str) -> None:
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P", ["a"])
    world.add_project("Q", ["d"])
    world.execute(statement)
    world.sheet("P", a=[1] * 5)
    world.sheet("Q", d=[4] * 5, a=[7, 8, 9, 10, 11], e=[5] * 5)
    for new in (1, 0):
        found = {one.project.name: one for one in (await world.sync()).results}["Q"]
        assert (found.outcome, found.counts.new_accounts) == (Outcome.DEGRADED, new)
        assert found.error.startswith("the database refuses to create 1 account: ")
        assert why in found.error
        assert [(one.row, one.value) for one in found.problems] == [(3, link("a"))]
        world.now += timedelta(minutes=30)


async def test_a_project_that_a_rule_leaves_out_is_reported_as_refused(app: World) -> None:
    """A default that must be unique is good for one project; the second one is refused with the database's reason."""
    app.execute("CREATE UNIQUE INDEX one ON projects (owner)")
    app.google.spreadsheets[KEY].worksheets["Summer"] = [[*HEADER], ["@c", link("c"), 1, 2, 3, 4, 5]]
    settings = config.load(configured(app))
    async with opened(settings, Reporter(), clock=lambda: app.now) as resources:
        result = await SyncPass(resources).run(PassRequest(Trigger.TIMER))
        refused = resources.announce.refused_projects
    assert result.new_projects == ("Spring",)
    assert [(name, "owner" in reason) for name, reason in refused.items()] == [("Summer", True)]


async def test_an_account_that_the_web_app_has_deleted_goes_on_where_it_ended(world: World) -> None:
    """A row asks for it again: the same profile with the same id; a dry run tells what the pass then does."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.sheet("P", a=[100_000, 200, 300, 400, 500], b=[1] * 5)
    await world.sync()
    ((account_id,),) = world.execute("SELECT id FROM project_social_accounts WHERE profile_link = ?", (link("a"),))
    world.execute("DELETE FROM project_social_accounts WHERE profile_link = ?", (link("a"),))
    world.now += timedelta(hours=1)
    world.sheet("P", a=[10_000_000, None, "#REF!", 400, 500], b=[1] * 5)
    (coming,), (told,) = (await world.sync(dry_run=True)).results, (await world.sync()).results
    assert [(one.link, one.metric, one.new) for one in told.suspects] == [(link("a"), "followers", 10_000_000)]
    for what in ("outcome", "counts", "problems", "suspects", "coverage"):
        assert getattr(coming, what) == getattr(told, what), what
    merged = world.execute(
        "SELECT followers, likes, likes_winner, comments FROM account_metrics WHERE account_id = ?", (account_id,)
    )
    assert merged == [(10_000_000, 200, "carried", 300)]


async def test_an_account_of_another_platform_is_the_web_apps_to_insert(world: World) -> None:
    """None is created for its row, which is reported; one that is there gets the row's numbers, and nothing is said."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    world.google.spreadsheets[KEY].worksheets["P"] = [HEADER, ["nova", "https://vk.com/nova", 1, 2, 3, 4, 5]]
    result = await world.sync_one()
    assert [(one.place, one.code) for one in result.problems] == [("P!B2", "link-unreadable")]
    assert "Smart Sync knows" in result.problems[0].reason
    assert world.execute("SELECT count(*) FROM project_social_accounts") == [(0,)]
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, profile_link)"
        " VALUES ('account-nova', 'project-P', 'vk', 'https://vk.com/nova')"
    )
    assert (await world.sync_one()).problems == ()
    assert world.merged("nova") == (1, 2, 3, 4, 5)
