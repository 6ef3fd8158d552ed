"""From 0.1.0: a database of its schema, with rows of its passes, is taken over; a copy of before stays next to it."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daemon_process import Daemon, run_command, weakened, write_config
from fake_google import FakeGoogle
from smart_sync.config.database_url import server
from smart_sync.errors import DatabaseError
from smart_sync.store import schema
from smart_sync.store.postgres.sqlite_to_postgres import move
from smart_sync.store.schema import MIGRATIONS, open_database
from smart_sync.store.sqlite import file_copy
from standby_processes import until, write_daemon, write_sheet
from world import HEADER, KEY, link

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_OLD = (Path(__file__).parents[1] / "support" / "schema_0_1_0.sql").read_text()
#: A day ago: passes are kept for a while.
_AT = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")
_CHANGED = ", ".join([f"'{_AT}'"] * 5)
#: What passes of 0.1.0 have left: two accounts, one read from the sheet, one known by its parsed values alone.
_ROWS = f"""
CREATE TABLE smart_sync_schema (version INTEGER NOT NULL);
INSERT INTO smart_sync_schema VALUES (1);
INSERT INTO projects (id, name, is_active, geo) VALUES ('p', 'Spring', 1, 'DE');
INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link, is_active)
    VALUES ('a', 'p', 'tiktok', 'a', '{link("a")}', 1), ('b', 'p', 'tiktok', 'b', '{link("b")}', 1);
INSERT INTO sheet_metrics VALUES ('a', 1000, 20, NULL, 4, 5000, '{_AT}', 'Spring', 2);
INSERT INTO parsed_metrics (account_id, followers, views, source, parsed_at)
    VALUES ('a', 900, 6000, 'tool', '{_AT}'), ('b', 70, 80, 'tool', '{_AT}');
INSERT INTO account_metrics VALUES
    ('a', 1000, 20, 0, 4, 6000, 'sheet', 'sheet', NULL, 'sheet', 'parsed', {_CHANGED}, '{_AT}'),
    ('b', 70, 0, 0, 0, 80, 'parsed', NULL, NULL, NULL, 'parsed', {_CHANGED}, '{_AT}');
INSERT INTO account_snapshots VALUES
    ('1', 'a', 1000, 20, 0, 4, 6000, '{_AT}'), ('2', 'b', 70, 0, 0, 0, 80, '{_AT}');
INSERT INTO worksheet_reads VALUES ('p', 'Spring', '{_AT}', 1, x'00');
INSERT INTO sync_runs (id, trigger, started_at, finished_at, projects, succeeded)
    VALUES ('r', 'timer', '{_AT}', '{_AT}', 1, 1);
INSERT INTO sync_project_runs (run_id, project_id, project_name, outcome, finished_at)
    VALUES ('r', 'p', 'Spring', 'synced', '{_AT}');
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO users VALUES (1, 'the web app''s own');
"""


def old_database(path: Path) -> Path:
    """A database of 0.1.0 beside the web app's own table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + _OLD + _ROWS)
    return path


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.backup"))


def assert_taken_over(folder: Path) -> None:
    """Every row of before counts as it did, the sheet's new number has arrived, and the copy is as it was."""
    path = folder / "view_counter.db"
    merged = "SELECT followers, likes, comments, videos, views, views_winner, comments_winner FROM account_metrics"
    assert rows(path, f"{merged} ORDER BY account_id") == [
        (1200, 20, 0, 4, 6000, "parsed", None),
        (70, 0, 0, 0, 80, "parsed", None),
    ]
    assert rows(path, "SELECT id, views FROM account_snapshots WHERE id IN ('1', '2')") == [("1", 6000), ("2", 80)]
    assert rows(path, "SELECT id FROM sync_runs WHERE id = 'r'") == [("r",)]
    assert rows(path, "SELECT geo FROM projects") == [("DE",)]
    assert rows(path, "SELECT name FROM users") == [("the web app's own",)]
    assert rows(path, "SELECT version FROM smart_sync_schema") == [(len(MIGRATIONS),)]
    (kept,) = backups(folder)
    assert kept.name.startswith("view_counter.schema-1.")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert rows(kept, "SELECT version FROM smart_sync_schema") == [(1,)]
    assert rows(kept, "SELECT followers FROM account_metrics WHERE account_id = 'a'") == [(1000,)]


@pytest.fixture
def config(tmp_path: Path, google: FakeGoogle) -> Path:
    """A configuration beside a database of 0.1.0, whose manager has typed a new number since."""
    google.add(KEY, {"Spring": [list(HEADER), ["@a", link("a"), 1200, 20, "", 4, 5000]]})
    old_database(tmp_path / "view_counter.db")
    return write_config(tmp_path, google=google, spreadsheet=KEY)


def test_by_once(tmp_path: Path, config: Path) -> None:
    """`once` of this version takes it over, and its log says where the copy is."""
    ended = run_command("once", "--json", "--config", str(config))
    assert ended.returncode == 0, ended.stderr
    assert_taken_over(tmp_path)
    logged = [json.loads(line) for line in ended.stderr.splitlines() if "database.upgraded" in line]
    (kept,) = backups(tmp_path)
    assert [(one["before"], one["now"], one["backup"]) for one in logged] == [(1, len(MIGRATIONS), str(kept))]
    again = run_command("once", "--config", str(config))
    assert "database.upgraded" not in again.stderr
    assert backups(tmp_path) == [kept]


def test_by_the_daemon(tmp_path: Path, config: Path) -> None:
    """The daemon's start takes it over; history and explain then know what was before."""
    with Daemon(config):
        assert run_command("sync", "--config", str(config)).returncode == 0
        assert_taken_over(tmp_path)
        told = json.loads(run_command("explain", link("a"), "--json", "--config", str(config)).stdout)
        assert told["success"] is True
        assert "Spring" in run_command("growth", "Spring", "--config", str(config)).stdout


async def test_by_a_daemon_that_stood_by(tmp_path: Path, postgres: str) -> None:
    """On a server one of the next version stands by, takes over and upgrades; the old one then says what to do."""
    async with open_database(old_database(tmp_path / "view_counter.db")):
        pass
    await move(tmp_path / "view_counter.db", server(postgres))
    write_sheet(tmp_path / "sheets", "Spring", 0, 0)
    following = tmp_path / "following.sql"
    following.write_text("CREATE TABLE of_the_next_version (id TEXT NOT NULL PRIMARY KEY);\n")
    next_version = (
        f"import smart_sync.store.schema as schema\nschema.MIGRATIONS = (*schema.MIGRATIONS, {str(following)!r})\n"
    )
    one, two = (write_daemon(tmp_path, name, postgres, tmp_path / "sheets") for name in ("one", "two"))
    with Daemon(one) as old, Daemon(two, weakened(tmp_path, next_version)) as new:
        until(lambda: new.events("standby.began"))
        old.process.terminate()
        (line,) = until(lambda: new.events("database.upgraded"))
        assert (line["before"], line["now"], "backup" in line) == (len(MIGRATIONS), len(MIGRATIONS) + 1, False)
        until(lambda: new.events("sync.finished"))
        with psycopg.connect(postgres) as connection:
            kept = connection.execute("SELECT followers, views FROM account_metrics ORDER BY account_id").fetchall()
            made = connection.execute("SELECT count(*) FROM of_the_next_version").fetchall()
        assert (kept, made) == ([(1000, 6000), (70, 80)], [(0,)])
    told = until(lambda: ran if (ran := run_command("once", "--config", str(one))).returncode != 75 else None)
    assert told.returncode == 2
    assert "written by a newer Smart Sync" in told.stderr


def test_check_says_what_will_be_done(tmp_path: Path, config: Path) -> None:
    """Before the first pass `check` tells of the upgrade and its copy, and makes neither."""
    ended = run_command("check", "--config", str(config))
    assert "its tables are of an earlier version (schema 1)" in " ".join(ended.stdout.split())
    assert backups(tmp_path) == []
    assert rows(tmp_path / "view_counter.db", "SELECT version FROM smart_sync_schema") == [(1,)]


def test_a_bounded_number_of_copies_is_kept(tmp_path: Path) -> None:
    """The newest three stay, whatever else lies in the folder."""
    path = old_database(tmp_path / "view_counter.db")
    other = tmp_path / "other.schema-1.20200101T000000Z.backup"
    other.touch()
    made = [file_copy.keep_before_upgrade(path, 1, NOW + timedelta(days=day)) for day in range(5)]
    assert backups(tmp_path) == [other, *made[-file_copy.KEPT :]]


async def test_without_a_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy cannot be written, the database stays what it was, and the reason is told in one line."""
    path = old_database(tmp_path / "view_counter.db")
    monkeypatch.setattr("os.link", refuse)
    with pytest.raises(DatabaseError, match=r"schema 1\), and there can be no copy of it before .*No space left"):
        async with open_database(path):
            pass
    assert rows(path, "SELECT version FROM smart_sync_schema") == [(1,)]
    assert backups(tmp_path) == []


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migrations are one transaction: what ends in the middle leaves version 1, and the next start goes on."""
    path = old_database(tmp_path / "view_counter.db")
    with monkeypatch.context() as broken:
        broken.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:-1], "shared.sql"))
        with pytest.raises(DatabaseError, match="there is a table projects"):
            async with open_database(path):
                pass
    assert rows(path, "SELECT version FROM smart_sync_schema") == [(1,)]
    async with open_database(path) as database:
        assert await schema.is_current(database)


async def test_a_new_file_and_a_web_apps_own_make_no_copy(tmp_path: Path) -> None:
    """There is nothing to go back to where Smart Sync has no table yet: it only adds its own."""
    for path in (tmp_path / "new.db", tmp_path / "app.db"):
        if path.name == "app.db":
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(_OLD.partition("-- Our own tables")[0])
        async with open_database(path):
            pass
    assert backups(tmp_path) == []
