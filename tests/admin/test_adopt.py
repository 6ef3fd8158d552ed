"""``smart-sync adopt``: a web app's database is looked at, and gets a configuration or the reasons why not.

What needs a ``world`` runs on both engines; the others are about a file.  What is said of a server's own types, rights
and constraints is in test_postgres_refusals.
"""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import smart_sync
from daemon_process import run_command
from smart_sync import config
from smart_sync.admin.checks import check
from world import KEY, World

#: As the guide's web app makes its tables.
GUIDE = """
CREATE TABLE projects (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, google_sheet_name TEXT NOT NULL, start_date TEXT, end_date TEXT,
    target_views INTEGER, geo TEXT, kpi_views INTEGER, created_at TEXT, is_active INTEGER DEFAULT 1,
    is_finished INTEGER DEFAULT 0, allowed_platforms TEXT, last_admin_update TEXT);
CREATE TABLE project_social_accounts (
    id TEXT PRIMARY KEY, project_id TEXT REFERENCES projects (id), platform TEXT, username TEXT, profile_link TEXT,
    status TEXT, topic TEXT, telegram_user TEXT, added_at TEXT, is_active INTEGER DEFAULT 1,
    UNIQUE (project_id, profile_link));
CREATE TABLE account_snapshots (
    id TEXT PRIMARY KEY, account_id TEXT REFERENCES project_social_accounts (id), followers INTEGER, likes INTEGER,
    comments INTEGER, videos INTEGER, views INTEGER, total_videos_fetched INTEGER, snapshot_time TEXT);
INSERT INTO projects (id, name, google_sheet_name) VALUES ('p', 'Spring', 'Metrics 2026');
INSERT INTO project_social_accounts (id, project_id, platform, profile_link)
    VALUES ('a', 'p', 'tiktok', 'https://www.tiktok.com/@a');
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The database of the guide's web app."""
    path = tmp_path / "app" / "view_counter.db"
    path.parent.mkdir()
    execute(path, GUIDE)
    return path


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def snapshot(path: Path, moment: datetime, followers: int = 9500) -> None:
    execute(
        path,
        "INSERT INTO account_snapshots (id, account_id, followers, snapshot_time)"
        f" VALUES ('{moment}', 'a', {followers}, '{moment:%Y-%m-%d %H:%M:%S}')",
    )


def adopt(path: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON it prints, and what stands on standard error."""
    ended = run_command("adopt", str(path), "-o", str(path.parent / "config.toml"), "--json", *more)
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {}, ended.stderr


def said(answer: dict[str, Any], level: str) -> str:
    return "\n".join(found["message"] for found in answer["findings"] if found["level"] == level)


def test_the_guides_file_is_adopted(app: Path) -> None:
    """What is there is told, the configuration is written and valid, and no byte of the file has changed."""
    before = hashlib.sha256(app.read_bytes()).digest()
    code, answer, _ = adopt(app)
    assert (code, answer["success"]) == (0, True)
    settings = config.load(Path(answer["written"]))
    assert (settings.database.path, settings.sheets.spreadsheet) == (app, "Metrics 2026")
    assert settings.sync.create_missing == "none"
    assert "table projects: 1 row, ids are text" in said(answer, "ok")
    assert "journal mode delete" in said(answer, "warning")
    assert said(answer, "error") == ""
    assert hashlib.sha256(app.read_bytes()).digest() == before
    assert {entry.name for entry in app.parent.iterdir()} == {"view_counter.db", "config.toml"}


def test_for_people_it_is_a_list_and_the_next_command(app: Path) -> None:
    """Without --json each finding is a line, and the last names what to do next."""
    output = app.parent / "own.toml"
    ended = run_command("adopt", str(app), "-o", str(output))
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == f"{output} is written; next: smart-sync check --config {output}"


NUMBERED = (
    "DROP TABLE account_snapshots; CREATE TABLE account_snapshots (id INTEGER PRIMARY KEY, account_id TEXT,"
    " followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER, snapshot_time TEXT)"
)
CLASHES = {
    "a view of our name": ("CREATE VIEW account_growth AS SELECT 1", "account_growth"),
    "numbers for ids of snapshots": (NUMBERED, "ids are numbers"),
    "a missing column": ("ALTER TABLE projects DROP COLUMN is_active", "no column is_active"),
}


@pytest.mark.parametrize("clash", CLASHES)
def test_what_clashes_is_told_and_nothing_is_written(app: Path, clash: str) -> None:
    """What Smart Sync could not work with ends with exit code 1, its reason, and no configuration."""
    script, words = CLASHES[clash]
    execute(app, script)
    code, answer, _ = adopt(app)
    assert (code, answer["success"], answer["written"]) == (1, False, None)
    assert words in said(answer, "error")
    assert not (app.parent / "config.toml").exists()


DOUBLE_LINKS = (
    "DROP TABLE project_social_accounts; CREATE TABLE project_social_accounts (id TEXT PRIMARY KEY, project_id,"
    " platform, username, profile_link, status, topic, telegram_user, added_at, is_active)"
)
WARNINGS = {
    "a trigger": (
        "CREATE TRIGGER seen AFTER INSERT ON account_snapshots BEGIN UPDATE projects SET geo = geo; END",
        "trigger seen on account_snapshots",
    ),
    "stamps with a zone": (
        "INSERT INTO account_snapshots (id, account_id, snapshot_time) VALUES ('s', 'a', '2025-03-10T12:00:00+03:00')",
        "snapshots bear a zone (the newest: 2025-03-10T12:00:00+03:00)",
    ),
    "stamps that are none": (
        "INSERT INTO account_snapshots (id, account_id, snapshot_time) VALUES ('s', 'a', 'yesterday')",
        "1 snapshot whose snapshot_time is no text in ISO 8601",
    ),
    "links that need not be unique": (DOUBLE_LINKS, "no UNIQUE (project_id, profile_link)"),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_matters_is_a_warning(app: Path, case: str) -> None:
    """What works, but has consequences, is told and does not keep the configuration from being written."""
    script, words = WARNINGS[case]
    execute(app, script)
    code, answer, _ = adopt(app)
    assert code == 0
    assert words in said(answer, "warning")


def test_tables_that_refer_to_the_shared_ones_are_told(app: Path) -> None:
    """Each column with a foreign key to a shared table is named, and what Smart Sync does about it."""
    told = said(adopt(app)[1], "ok")
    assert "account_snapshots.account_id, project_social_accounts.project_id refer to these tables" in told


def test_ids_that_are_numbers_are_told(tmp_path: Path) -> None:
    """Projects and accounts may be numbered; it is said, and no clash while the web app makes their rows."""
    path = tmp_path / "view_counter.db"
    numbered = GUIDE.replace("projects (\n    id TEXT", "projects (\n    id INTEGER")
    numbered = numbered.replace("accounts (\n    id TEXT", "accounts (\n    id INTEGER")
    execute(path, numbered.replace("('p', 'Spring'", "(1, 'Spring'").replace("('a', 'p'", "(7, 1"))
    code, answer, _ = adopt(path)
    assert code == 0
    assert "table projects: 1 row, ids are integer" in said(answer, "ok")
    assert "table project_social_accounts: 1 row, ids are integer" in said(answer, "ok")


@pytest.mark.parametrize("name", ["backend/smart_sync.py", "backend/smart_sync/__init__.py", "smart_sync.py"])
def test_a_module_of_the_apps_with_our_name(app: Path, name: str) -> None:
    """What the web app would import in place of ours is named, be it a module or a package; ours is not."""
    module = app.parent / name
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text("")
    _, answer, _ = adopt(app)
    assert str(module) in said(answer, "warning")


def test_our_own_package_is_not_in_its_own_way(tmp_path: Path) -> None:
    """A database beside an editable installation of Smart Sync finds nobody else's module."""
    ours = Path(smart_sync.__file__).parents[1]
    (tmp_path / "daemon").symlink_to(ours)
    execute(tmp_path / "view_counter.db", GUIDE)
    assert "is named smart_sync" not in said(adopt(tmp_path / "view_counter.db")[1], "warning")


def test_another_program_that_still_writes(app: Path) -> None:
    """Snapshots of yesterday tell that another sync is running; those of last year do not."""
    snapshot(app, datetime.now(UTC) - timedelta(days=400))
    assert "another program" not in said(adopt(app)[1], "warning")
    (app.parent / "config.toml").unlink()
    snapshot(app, datetime.now(UTC) - timedelta(hours=20))
    assert "another program has written snapshots lately" in said(adopt(app)[1], "warning")


def test_stamps_of_another_zone(app: Path) -> None:
    """A snapshot later than the file's last change was dated by another clock than UTC, so many hours ahead."""
    snapshot(app, datetime.now(UTC) + timedelta(hours=3))
    assert "is 3 h ahead of the file's last change" in said(adopt(app)[1], "warning")


#: Rows without a number of their own.
UNNUMBERED = (
    "CREATE TABLE account_snapshots (id TEXT PRIMARY KEY, account_id TEXT, followers INTEGER, likes INTEGER,"
    " comments INTEGER, videos INTEGER, views INTEGER, snapshot_time TEXT) WITHOUT ROWID"
)


async def synced(world: World, **sections: Any) -> None:
    """Let a pass bring the database to 900, five minutes ago."""
    world.sections |= sections
    world.add_project("P", ["a"])
    world.sheet("P", a=[900] * 5)
    world.now = datetime.now(UTC) - timedelta(minutes=5)
    await world.sync()


def theirs(world: World, before: timedelta) -> None:
    """A snapshot of the web app's own sync, of so long ago."""
    world.execute(
        "INSERT INTO account_snapshots (id, account_id, followers, likes, comments, videos, views, snapshot_time)"
        f" VALUES ('theirs', 'account-a', 9500, 900, 900, 900, 900, '{datetime.now(UTC) - before:%Y-%m-%d %H:%M:%S}')"
    )


def adopted(world: World) -> tuple[int, dict[str, Any]]:
    """Exit code of ``adopt`` for a world's database, and the JSON it prints."""
    more = ("-o", str(world.folder / "new.toml"), "--json", "--spreadsheet", KEY)
    where = "env:DATABASE_URL" if world.url else str(world.path)
    ended = run_command("adopt", where, *more, environment={"DATABASE_URL": world.url} if world.url else {})
    return ended.returncode, json.loads(ended.stdout)


async def test_two_masters_are_a_clash(world: World) -> None:
    """Where the newest snapshot is another program's and differs from the merged value, both numbers are named."""
    await synced(world)
    theirs(world, timedelta(minutes=1))
    _demand_clash(world)


def _demand_clash(world: World) -> None:
    code, answer = adopted(world)
    assert code == 1
    told = said(answer, "error")
    assert "followers of account account-a: 9500 there at " in told
    assert ", 900 merged; screens show its values until the next pass; switch the web app's own sync off" in told


@pytest.mark.sqlite
async def test_two_masters_are_a_clash_where_rows_have_no_number(bare: World) -> None:
    """The same in a table WITHOUT ROWID, whose rows have no order of their own."""
    bare.execute(UNNUMBERED)
    await synced(await bare.create())
    theirs(bare, timedelta(minutes=1))
    _demand_clash(bare)


async def test_two_masters_whose_rows_are_covered_are_told(world: World) -> None:
    """Between two passes the screens showed the other program's values: adopt and check say so while ours are shown."""
    await synced(world)
    theirs(world, timedelta(minutes=2))
    world.now = datetime.now(UTC)
    await world.sync()
    assert world.snapshots("a")[-1][1] == 900
    code, answer = adopted(world)
    assert code == 0
    assert "screens have shown its values in between" in said(answer, "warning")
    found = (await check(world.settings)).findings
    assert [one.level for one in found if "two programs write snapshots" in one.message] == ["warning"]
    if not world.url:  # on a server such a query is refused
        query = "SELECT account_id, views FROM account_snapshots"
        world.sections["parsed"] = {"query": query}
        assert not [one for one in (await check(world.settings)).findings if "two programs" in one.message]


@pytest.mark.parametrize("before", [timedelta(minutes=10), timedelta(days=3)])
async def test_what_was_written_before_the_first_pass_is_no_second_master(world: World, before: timedelta) -> None:
    """Rows of the web app's own sync from before Smart Sync came may differ: nobody writes them any more."""
    await synced(world)
    theirs(world, before)
    code, answer = adopted(world)
    assert (code, "two programs" in json.dumps(answer)) == (0, False)


async def test_our_own_row_of_the_morning_is_no_second_master(world: World) -> None:
    """Under ``on_existing = "skip"`` our snapshot of the day differs from later values, and is still ours."""
    await synced(world, snapshots={"on_existing": "skip"})
    world.sheet("P", a=[1000] * 5)
    await world.sync()
    assert world.snapshots("a")[-1][1] == 900
    code, answer = adopted(world)
    assert (code, "two programs" in json.dumps(answer)) == (0, False)


def test_without_a_spreadsheet_it_asks_for_one(app: Path) -> None:
    """If no project names a spreadsheet and none is given nothing is written, and the option is named."""
    execute(app, "UPDATE projects SET google_sheet_name = ''")
    code, answer, errors = adopt(app)
    assert (code, answer["written"]) == (2, None)
    assert "--spreadsheet" in errors
    assert adopt(app, "--spreadsheet", KEY)[0] == 0


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be one" * 100])
def test_what_is_no_database(tmp_path: Path, content: bytes | None) -> None:
    """A missing or foreign file is one line on standard error; an empty one will get its tables."""
    path = tmp_path / "view_counter.db"
    if content is not None:
        path.write_bytes(content)
    code, answer, errors = adopt(path, "--spreadsheet", KEY)
    assert "Traceback" not in errors
    if content == b"":
        assert code == 0
        assert "missing; it will be created" in said(answer, "ok")
    else:
        assert code != 0
        assert str(path) in errors


def test_a_configuration_that_is_there_is_left_alone(app: Path) -> None:
    """An existing file at the place of the configuration is never overwritten."""
    (app.parent / "config.toml").write_text("mine")
    code, _, errors = adopt(app)
    assert code == 2
    assert "exists already" in errors
    assert (app.parent / "config.toml").read_text() == "mine"
