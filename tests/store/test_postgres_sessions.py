"""What a database, a role or a pooler makes of the sessions that it gives us, and rows that are hidden from us."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psycopg
import pytest

from daemon_process import run_command
from fake_google import FakeGoogle
from pooler import pooler
from postgres_server import Server
from smart_sync.config.database_url import server
from smart_sync.core.model import Outcome
from smart_sync.errors import DatabaseUnusable
from smart_sync.store.engine import Down
from smart_sync.store.postgres import usable_server
from smart_sync.store.schema import open_database, open_existing
from standby_processes import Proxy, through
from world import PostgresWorld


def name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def configured(prepared: str) -> str:
    """A database whose owner has set what suits another program."""
    with psycopg.connect(prepared, autocommit=True) as admin:
        for setting in (
            "default_transaction_isolation = 'repeatable read'",
            "standard_conforming_strings = off",
            "idle_session_timeout = '1s'",
        ):
            admin.execute(f"ALTER DATABASE {name_of(prepared)} SET {setting}")
    return prepared


async def test_who_waits_for_its_turn_to_write_sees_what_was_written_before(configured: str) -> None:
    """Whatever the isolation of the database's transactions is: else an account would be created twice."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    where = server(configured)
    async with open_existing(where, read_only=False) as first, open_existing(where, read_only=False) as second:

        async def seen() -> list[object]:
            async with second.transaction() as transaction:
                return await transaction.fetch("SELECT name FROM projects")

        async with first.transaction() as transaction:
            task = asyncio.create_task(seen())
            while not await first.fetch(waiting):
                pass
            await transaction.execute("INSERT INTO projects (id, name) VALUES ('p', 'P')")
        assert await task == [("P",)]


async def test_the_sessions_settings_are_ours(configured: str) -> None:
    """Times are understood where strings have escapes, and no session is ended for being idle between two passes."""
    async with open_existing(server(configured), read_only=True) as database:
        assert await database.fetch("SELECT datetime('2026-03-09T12:00:00.000000')") == [("2026-03-09 12:00:00",)]
        assert await database.fetch("SELECT current_setting('idle_session_timeout')") == [("0",)]


#: What migrations of a web app do while the daemon runs.
MIGRATIONS = (
    "ALTER TABLE projects ADD COLUMN colour text",
    "ALTER TABLE project_social_accounts ALTER COLUMN username TYPE varchar(50)",
    "ALTER TABLE projects ALTER is_active DROP DEFAULT, ALTER is_active TYPE boolean USING is_active <> 0",
    "DROP VIEW account_growth; ALTER TABLE account_snapshots ALTER followers TYPE integer",
    "DROP VIEW account_growth; ALTER TABLE account_snapshots ALTER snapshot_time TYPE timestamptz USING now()",
    "DROP SCHEMA smart_sync CASCADE",
)


async def test_a_migration_of_the_web_app_stops_no_daemon(tmp_path: Path, google: FakeGoogle, prepared: str) -> None:
    """The next pass goes by the types that the columns have then, and our views are there again."""
    world = await PostgresWorld(tmp_path, google, prepared).create()
    world.add_project("P", ["a"])
    async with world.opened() as run:
        for value in range(1, 7):  # as often as psycopg sees a statement before it would prepare it
            world.sheet("P", a=[value] * 5)
            await run()
        for value, migration in enumerate(MIGRATIONS, 7):
            world.execute(migration)
            world.sheet("P", a=[value] * 5)
            (one,) = (await run()).results
            assert one.outcome is Outcome.SYNCED, (migration, one.error)
            assert world.execute("SELECT followers FROM account_growth") == [(value,)]


#: Policies, and whether they may hide rows from a user who is not the owner.
HIDDEN = {
    "": True,
    "CREATE POLICY a ON projects USING (name = 'P')": True,
    "CREATE POLICY a ON projects TO pg_monitor USING (true)": True,
    "CREATE POLICY a ON projects USING (true); CREATE POLICY b ON projects AS RESTRICTIVE USING (name = 'P')": True,
    "CREATE POLICY a ON projects USING (true)": False,
}


async def test_rows_that_are_hidden_from_us_are_told(prepared: str) -> None:
    """A project that row-level security hides would be left out of every pass, without a word."""
    role = f"limited_{name_of(prepared)}"
    limited = server(prepared.replace("postgres@", f"{role}@"))
    with psycopg.connect(prepared, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN; ALTER TABLE projects ENABLE ROW LEVEL SECURITY")
        try:
            for policies, hides in HIDDEN.items():
                admin.execute(policies)
                with pytest.raises(DatabaseUnusable, match="hide rows of projects") if hides else nullcontext():
                    await usable_server.schema_of(limited)
                admin.execute("DROP POLICY IF EXISTS a ON projects; DROP POLICY IF EXISTS b ON projects")
            assert await usable_server.schema_of(server(prepared)) == "public"  # the owner sees all
        finally:
            admin.execute(f"DROP ROLE {role}")


def test_a_pooler_in_transaction_mode_is_refused_and_left_as_it_was(
    tmp_path: Path, postgres_server: Server | None, prepared: str
) -> None:
    """Its sessions are the web app's too: read-only in one of ours, they would refuse the web app's writes."""
    assert postgres_server is not None
    with pooler(postgres_server, prepared, "transaction") as url:
        config = write(tmp_path, url)
        for command, code in {"check": 1, "once": 2}.items():
            ended = run_command(command, "--config", config)
            shown = ended.stdout + ended.stderr
            assert ended.returncode == code, shown
            assert "a pooler in transaction mode is before its server; name the server itself" in shown
        settings = "SELECT current_setting('default_transaction_read_only'), current_setting('lock_timeout')"
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as app:
            assert app.execute(settings).fetchone() == ("off", "0")


async def test_a_pooler_in_session_mode_needs_sessions_enough(
    postgres_server: Server | None, prepared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With enough of them it is as if there were none; with too few nobody waits for the pooler to give up."""
    assert postgres_server is not None
    with pooler(postgres_server, prepared, "session") as url:
        async with open_database(server(url)) as database:
            assert await database.fetch("SELECT count(*) FROM projects") == [(0,)]
    monkeypatch.setattr(usable_server, "CONNECTING", 0.2)
    with pooler(postgres_server, prepared, "session", size=1) as url:
        with pytest.raises(Down) as raised:
            await usable_server.schema_of(server(url))
        assert "the pooler before it, has no connection left; raise" in str(raised.value.meaning)


async def test_an_encoding_without_every_sign_is_refused(postgres_server: Server | None) -> None:
    """A tick or a Cyrillic word in one cell would end every pass."""
    assert postgres_server is not None
    latin = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    with (
        postgres_server.database("template0", latin) as url,
        pytest.raises(DatabaseUnusable, match="encoding is LATIN1"),
    ):
        await usable_server.schema_of(server(url))


async def test_while_no_server_is_the_primary_it_is_waited_for(prepared: str) -> None:
    """In a fail-over all of the servers of the address are replicas for some seconds: nothing is to be corrected."""
    with psycopg.connect(prepared, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name_of(prepared)} SET default_transaction_read_only = on")
        with pytest.raises(Down) as raised:
            await usable_server.schema_of(server(f"{prepared}&target_session_attrs=read-write"))
        assert "none of its servers takes writes now" in str(raised.value.meaning)
        assert not isinstance(raised.value.meaning, DatabaseUnusable)


def test_a_role_with_few_connections_is_told_by_check(tmp_path: Path, prepared: str) -> None:
    """A pass would fail in the middle where the last one is missing."""
    role = f"few_{name_of(prepared)}"
    with psycopg.connect(prepared, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 4; ALTER SCHEMA public OWNER TO {role}")
        try:
            ended = run_command("check", "--config", write(tmp_path, prepared.replace("postgres@", f"{role}@")))
        finally:
            admin.execute(f"ALTER SCHEMA public OWNER TO pg_database_owner; DROP ROLE {role}")
    assert ended.returncode == 1
    assert "has no connection left; raise max_connections" in ended.stdout


async def test_a_session_that_ends_while_the_server_is_looked_at_is_an_error_of_ours(
    postgres_server: Server | None, prepared: str
) -> None:
    """The first statement's answer is lost: that the server is away, no traceback."""
    assert postgres_server is not None
    proxy = Proxy(postgres_server.folder)
    try:
        proxy.lost_after = b"pg_is_in_recovery"
        with pytest.raises(Down):
            await usable_server.schema_of(server(through(prepared, proxy)))
    finally:
        proxy.close()


@contextmanager
def refusing(code: str, words: str) -> Iterator[str]:
    """A server that refuses every connection; gives the URL of a database of it."""

    def serve() -> None:
        fields = f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode()
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    client.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield f"postgresql://app:s3cret@127.0.0.1:{port}/app?sslmode=disable&gssencmode=disable"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


REFUSED = {
    "28P01": ("пользователь «app» не прошёл проверку подлинности", "refuses the user or the password"),
    "3D000": ("база данных «app» не существует", "has no such database"),
    "53300": ("извините, уже слишком много клиентов", "has no connection left"),
    "57P03": ("система баз данных запускается", "is shutting down or starting"),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_refusal_is_understood_in_whatever_language(code: str) -> None:
    """The server's words are those of its own language; what is to be done is in the code."""
    words, meaning = REFUSED[code]
    with refusing(code, words) as url, pytest.raises(Down) as raised:
        await usable_server.schema_of(server(url))
    assert meaning in str(raised.value.meaning)
    assert isinstance(raised.value.meaning, DatabaseUnusable) is (code in ("28P01", "3D000"))


def write(folder: Path, url: str) -> str:
    (folder / "sheets").mkdir()
    config = folder / "config.toml"
    config.write_text(f'[database]\nurl = "{url}"\n[sheets]\nsource = "csv"\ndirectory = "sheets"\n')
    return str(config)
