"""PostgreSQL as the store: the tables, the web app's own types, what is wrong with a server, and moving there."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daemon_process import run_command
from fake_google import FakeGoogle
from postgres_server import Server
from smart_sync.config.database_url import server
from smart_sync.core.model import METRICS
from smart_sync.errors import SmartSyncError
from smart_sync.store.engine import Busy, Database, Down, Refused, StoreError
from smart_sync.store.postgres.sqlite_to_postgres import move
from smart_sync.store.schema import open_database
from world import NOON, PostgresWorld, World, link

OWN = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


def told(error: pytest.ExceptionInfo[SmartSyncError]) -> str:
    return str(error.value)


async def test_the_tables_are_the_same_on_both_engines(tmp_path: Path, postgres: str) -> None:
    """The same SQL files make the same tables with the same columns in the same order."""
    path = tmp_path / "view_counter.db"
    async with open_database(path), open_database(server(postgres)):
        pass
    with closing(sqlite3.connect(path)) as file, psycopg.connect(postgres) as there:
        names = [row[0] for row in file.execute(OWN)]
        for table in names:
            here = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
            columns = there.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                (table,),
            )
            assert [row[0] for row in columns] == here, table
        assert len(names) > 30
        growth = there.execute("SELECT * FROM account_growth")
        view = file.execute("SELECT * FROM account_growth")
        assert [c.name for c in growth.description or ()] == [c[0] for c in view.description]


async def test_a_report_over_which_the_server_ends_is_no_report_of_two_states(prepared: str) -> None:
    """What reads a steady state goes on in no other one: a lost connection is an error, and the next block is right."""
    count = "SELECT count(*) FROM projects"
    async with open_database(server(prepared)) as database:
        async with database.steady():
            assert await database.fetch(count) == [(0,)]
            with psycopg.connect(prepared, autocommit=True) as admin:
                admin.execute("INSERT INTO projects (id, name) VALUES ('p', 'P')")
                assert await database.fetch(count) == await database.glance(count) == [(0,)]
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            for query in (database.fetch, database.glance, database.fetch):
                with pytest.raises(Down):
                    await query(count)
        async with database.steady():
            assert await database.fetch(count) == [(1,)]


async def test_a_user_who_is_called_as_the_schema_of_our_functions_is(postgres: str) -> None:
    """Then that schema stands first in the search_path, once it is made: the tables stay where they were."""
    url = server(f"{postgres}&options=-csearch_path%3Dsmart_sync,public")
    for _ in range(2):
        async with open_database(url) as database:
            assert await database.dialect.columns(database, "projects")
    with psycopg.connect(postgres) as there:
        found = there.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'account_metrics'").fetchall()
    assert found == [("public",)]


TYPES = """
CREATE TABLE projects (id {id} PRIMARY KEY, name varchar(80) NOT NULL, google_sheet_name text, start_date date,
  end_date date, kpi_views integer, is_active boolean NOT NULL DEFAULT true, is_finished boolean DEFAULT false,
  created_at {time} DEFAULT now());
CREATE TABLE project_social_accounts (id {id} PRIMARY KEY, project_id {id} REFERENCES projects, platform varchar(20),
  username text, profile_link text, topic text, telegram_user text, status text, added_at {time} DEFAULT now(),
  is_active boolean DEFAULT true, UNIQUE (project_id, profile_link));
CREATE TABLE account_snapshots (id uuid PRIMARY KEY, account_id {id} REFERENCES project_social_accounts,
  followers integer, likes integer, comments integer, videos integer, views integer, snapshot_time {time} NOT NULL,
  total_videos_fetched integer);
CREATE INDEX of_account ON account_snapshots (account_id, snapshot_time);
"""
PROJECT = "00000000-0000-4000-8000-00000000000{}"


@pytest.mark.parametrize("time", ["timestamp", "timestamptz"])
@pytest.mark.parametrize("kind", ["uuid", "text"])
async def test_the_types_of_the_web_app_are_its_own(
    tmp_path: Path, google: FakeGoogle, postgres: str, kind: str, time: str, log: StringIO
) -> None:
    """uuid or text, boolean, either timestamp, int4: a value beyond it costs that account's row alone, reported."""
    with psycopg.connect(postgres, autocommit=True) as app:
        app.execute(TYPES.format(id=kind, time=time))
        app.execute("INSERT INTO projects (id, name) VALUES (%s, 'P')", (PROJECT.format(1),))
        for number, name in enumerate("abc", 2):
            app.execute(
                "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
                " VALUES (%s, %s, 'tiktok', %s, %s)",
                (PROJECT.format(number), PROJECT.format(1), name, link(name)),
            )
        app.execute(
            "INSERT INTO account_snapshots (id, account_id, views, snapshot_time)"
            " VALUES (gen_random_uuid(), %s, 7, %s)",
            (PROJECT.format(2), "2026-03-09 12:00:00+00"),
        )
    world = await PostgresWorld(tmp_path, google, postgres).create()
    world.sheet("P", a=[1, 2, 3, 4, 5], b=[1, 2, 3, 4, 2**31], c=[1] * 5)
    result = await world.sync_one()
    assert result.counts.updated == 2
    assert 'value \\"2147483648\\" is out of range for type integer' in log.getvalue()
    assert "make the counts of account_snapshots BIGINT" in result.remedy
    with psycopg.connect(postgres) as app:
        rows = app.execute(
            "SELECT account_id::text, views, total_videos_fetched, snapshot_time FROM account_snapshots"
            " WHERE snapshot_time > '2026-03-10' ORDER BY 1"
        ).fetchall()
        assert [row[:3] for row in rows] == [(PROJECT.format(2), 5, 4), (PROJECT.format(4), 1, 1)]
        assert {row[3].replace(tzinfo=None) for row in rows} == {NOON.replace(tzinfo=None)}
        grown = app.execute(
            "SELECT day, views_delta FROM account_growth WHERE account_id = %s ORDER BY 1", (PROJECT.format(2),)
        )
        assert grown.fetchall() == [("2026-03-09", None), ("2026-03-10", -2)]
    again = await world.sync_one()
    assert (again.counts.changed, again.counts.snapshots) == (0, 0)


WRONG: dict[str, tuple[str, str]] = {
    "the port": ("postgresql://postgres:s3cretpw@127.0.0.1:1/x", "cannot be reached"),
    "the database": ("{nowhere}", "has no such database; create it with createdb"),
    "the user": ("{stranger}", "refuses the user or the password"),
    "the rights": ("{guest}", "a right is missing"),
    "an option": ("{nowhere}&nonsense=1", 'invalid URI query parameter: "nonsense"; correct [database] url'),
    "a number": ("postgresql://postgres:s3cretpw@127.0.0.1:99999999/x", "invalid port number"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_server_is_one_line(
    tmp_path: Path, postgres_server: Server | None, postgres: str, wrong: str
) -> None:
    """At the start and in `check`: what is wrong, what to do, no password, nothing changed."""
    assert postgres_server is not None
    name = postgres.partition("/")[2].partition("/")[2].partition("?")[0].rpartition("/")[2]
    with postgres_server.connect(name) as admin:
        guest = f"guest_{name}"
        admin.execute(f"CREATE ROLE {guest} LOGIN")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    url, line = WRONG[wrong]
    url = url.format(
        nowhere=postgres_server.url("nowhere", password="s3cretpw"),
        stranger=postgres_server.url(name, "stranger", "s3cretpw"),
        guest=postgres_server.url(name, guest, "s3cretpw"),
    )
    (tmp_path / "sheets").mkdir()
    config = tmp_path / "config.toml"
    config.write_text(f'[database]\nurl = "{url}"\n[sheets]\nsource = "csv"\ndirectory = "sheets"\n')
    for command in ("once", "check"):
        ended = run_command(command, "--config", str(config))
        shown = ended.stdout + ended.stderr
        assert ended.returncode in (1, 2), shown
        assert line in shown
        assert "s3cretpw" not in shown
        assert "Traceback" not in shown
    with postgres_server.connect(name) as admin:
        assert admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        admin.execute(f"DROP ROLE {guest}")


async def test_a_schema_of_the_future_is_refused_untouched(postgres: str) -> None:
    """What a newer version has written is none of ours."""
    async with open_database(server(postgres)):
        pass
    with psycopg.connect(postgres, autocommit=True) as there:
        there.execute("UPDATE smart_sync_schema SET version = 999")
        there.execute("UPDATE smart_sync_leases SET expires_at = '2026-01-01' WHERE kind = 'commit'")
        before = there.execute("SELECT * FROM smart_sync_leases ORDER BY resource").fetchall()
        with pytest.raises(SmartSyncError, match="written by a newer Smart Sync"):
            async with open_database(server(postgres)):
                pass
        assert there.execute("SELECT * FROM smart_sync_leases ORDER BY resource").fetchall() == before


async def test_moving_keeps_every_row_and_tells_odd_values(tmp_path: Path, google: FakeGoogle, postgres: str) -> None:
    """Counts and sums are the same; what no count is is told, and its row kept; a pass goes on as if nothing was."""
    world = await World(tmp_path, google).create()
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1, 2, 3, 4, 5], b=[5] * 5)
    await world.sync()
    world.execute("UPDATE account_snapshots SET likes = '12 000' WHERE account_id = 'account-b'")
    world.execute("ALTER TABLE projects ADD COLUMN mood TEXT DEFAULT 'good'")
    before = world.path.read_bytes()
    moved = await move(world.path, server(postgres))
    assert world.path.read_bytes() == before
    assert (moved.rows["account_snapshots"], moved.odd) == (2, 1)
    assert "likes is '12 000'" in moved.odd_values[0]
    there = PostgresWorld(tmp_path, google, postgres)
    names = ", ".join(METRICS)
    same = f"SELECT account_id, {names}, followers_known_since FROM account_metrics ORDER BY 1"
    assert there.execute(same) == world.execute(same)
    assert there.execute("SELECT mood FROM projects") == [("good",)]
    result = await there.sync_one()
    assert (result.counts.changed, result.counts.snapshots) == (0, 0)
    with pytest.raises(SmartSyncError, match="has rows already; name an empty database"):
        await move(world.path, server(postgres))


async def test_rows_that_arrived_otherwise_are_not_kept(
    tmp_path: Path, google: FakeGoogle, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a sum differs nothing is committed."""
    from smart_sync.store.postgres import sqlite_to_postgres, statements

    world = await World(tmp_path, google).create()
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    plain = statements.encoded
    monkeypatch.setattr(sqlite_to_postgres, "encoded", lambda rows: plain(rows).replace(b"\t1\t1\t1", b"\t1\t2\t1"))
    with pytest.raises(SmartSyncError, match="what arrived is not what was sent"):
        await move(world.path, server(postgres))
    with psycopg.connect(postgres) as there:
        assert there.execute("SELECT to_regclass('projects')").fetchone() == (None,)


async def killed_in_a_pass(world: World, at: int, do: Any) -> None:
    """Run a pass, and ``do`` something to the server when it has sent so many statements for writing."""
    from smart_sync.store.postgres import postgres_transaction as store

    left = [at]
    plain = store.PostgresTransaction.execute_many

    async def counted(self: Any, sql: str, rows: Any) -> int:
        left[0] -= 1
        if not left[0]:
            await asyncio.to_thread(do)
        return await plain(self, sql, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.PostgresTransaction, "execute_many", counted)
        with suppress(SmartSyncError):
            await world.sync()


@pytest.mark.parametrize("at", [2, 5, 8])
async def test_a_connection_that_is_ended_in_mid_write_leaves_nothing_half(
    tmp_path: Path, google: FakeGoogle, postgres: str, postgres_server: Server | None, at: int
) -> None:
    """A terminated backend: a project is as it was or as it is, and the same pass or the next one makes up for it."""
    assert postgres_server is not None
    world = await PostgresWorld(tmp_path, google, postgres).create()
    world.add_project("P", [f"n{number}" for number in range(30)])
    world.sheet("P", **{f"n{number}": [number] * 5 for number in range(30)})

    def end() -> None:
        with postgres_server.connect() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'smart-sync%%' AND datname = (SELECT split_part(%s, '/', 4))",
                (postgres.partition("?")[0],),
            )

    await killed_in_a_pass(world, at, end)
    count = world.execute("SELECT count(*), coalesce(sum(views), 0) FROM account_metrics")
    assert count in ([(0, 0)], [(30, sum(range(30)))])
    assert world.execute("SELECT count(*) FROM account_snapshots")[0][0] == count[0][0]
    await world.sync()
    assert world.execute("SELECT count(*), sum(views) FROM account_metrics") == [(30, sum(range(30)))]
    assert world.execute("SELECT count(*) FROM account_snapshots") == [(30,)]


#: SQLSTATE → whether others would fail too, and what the administrator is told.
STATES: dict[str, tuple[type[StoreError], str]] = {
    "40001": (Busy, "another session has held"),
    "40P01": (Busy, "another session has held"),
    "55P03": (Busy, "another session has held"),
    "53100": (Down, "the server's disk is full"),
    "53200": (Down, "its server is short of something (told)"),
    "53300": (Down, "has no connection left"),
    "42501": (Down, "a right is missing (told)"),
    "25006": (Down, "read-only, as a replica is"),
    "XX001": (Down, "damaged data (told)"),
    "XX002": (Down, "REINDEX DATABASE"),
    "58030": (Down, "its server's disk refused (told)"),
    "57P01": (Down, "its server is shutting down or starting"),
    "22003": (Refused, "told"),
    "23505": (Refused, "told"),
    "P0001": (Refused, "told"),
}


async def raised(database: Database, state: str) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(f"DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = '{state}'; END $$")


async def test_what_the_server_raises_is_what_it_means(prepared: str) -> None:
    """A lock is waited for, one row is refused by itself, and what would refuse every row is told with its remedy."""
    async with open_database(server(prepared)) as database:
        for state, (kind, meaning) in STATES.items():
            with pytest.raises(StoreError) as failed:
                await raised(database, state)
            assert (state, type(failed.value)) == (state, kind)
            assert meaning in str(failed.value.meaning), state


#: What a machine lacks → how it is taken away from a process of root's, and what is said.
LACKING = {
    "PostgreSQL": ("bwrap --dev-bind / / --tmpfs /usr/lib/postgresql", "PostgreSQL is not installed: make packages"),
    "another user": ("setpriv --bounding-set=-setuid,-setgid", "this root may not become the user"),
    "a name": ("setpriv --reuid=54321 --regid=54321 --clear-groups", "by a user without a name"),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_where_there_can_be_no_server_the_tests_say_why(postgres_server: Server | None, lacking: str) -> None:
    """In one sentence, by which those that need one are skipped; they neither fail nor pass."""
    command, reason = LACKING[lacking]
    tool, *arguments = command.split()
    if os.geteuid() != 0 or postgres_server is None or shutil.which(tool) is None:
        pytest.skip(f"needs root, PostgreSQL and {tool}, to take it away")
    code = "import sys; sys.path += sys.argv[1:]; from postgres_server import absence; print(absence())"
    said = subprocess.run(
        [tool, *arguments, sys.executable, "-c", code, *sys.path], capture_output=True, text=True, check=False, cwd="/"
    )
    if tool == "bwrap" and said.returncode and "namespace" in said.stderr:
        pytest.skip("no namespaces can be made here")
    assert (said.stdout.count("\n"), reason in said.stdout) == (1, True), said.stdout + said.stderr
