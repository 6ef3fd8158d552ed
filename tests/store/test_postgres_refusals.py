"""What is wrong with a server, at each command: one line with the remedy, the documented exit code, nothing changed."""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from daemon_process import run_command
from postgres_server import absence, running
from world import link

#: Commands that write, with the exit code of what the administrator has to mend; and those that look.
WRITING = {"check": 1, "once": 2}
LOOKING = ("history", f"explain {link('a')}")


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _old_server(listener: socket.socket, met: list[float]) -> None:
    """PostgreSQL's protocol, as far as the first question: what a server of version 12.9 says."""
    columns = {
        "server_version_num": (23, b"120009"), "current_schema": (19, b"public"), "pg_is_in_recovery": (16, b"f"),
        "version": (25, b"PostgreSQL 12.9 on x86_64-pc-linux-gnu, compiled by gcc"), "pg_backend_pid": (23, b"1"),
        "server_encoding": (25, b"UTF8"),
    }  # fmt: skip
    described = struct.pack("!h", len(columns)) + b"".join(
        name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0) for name, (oid, _) in columns.items()
    )
    row = struct.pack("!h", len(columns)) + b"".join(struct.pack("!i", len(v)) + v for _, v in columns.values())
    ready = _message(b"Z", b"I")
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        met.append(time.monotonic())
        with client, suppress(OSError):
            client.recv(4096)  # the start-up message: no encryption is asked for
            client.sendall(_message(b"R", struct.pack("!i", 0)) + _message(b"S", b"client_encoding\0UTF8\0"))
            client.sendall(
                _message(b"S", b"server_version\x0012.9\0") + _message(b"K", struct.pack("!ii", 1, 1)) + ready
            )
            while asked := client.recv(4096):
                if asked.startswith(b"X"):
                    break
                parsed = b"" if asked.startswith(b"Q") else _message(b"1", b"") + _message(b"2", b"")
                answer = _message(b"T", described) + _message(b"D", row) + _message(b"C", b"SELECT 1\0")
                client.sendall(parsed + answer + ready)


@contextmanager
def old_server(met: list[float] | None = None) -> Iterator[str]:
    """A server of version 12.9; gives the URL of a database of it.  ``met``: gets the time of each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_old_server, args=(listener, [] if met is None else met), daemon=True)
        thread.start()
        yield f"postgresql://app@127.0.0.1:{listener.getsockname()[1]}/app?sslmode=disable&gssencmode=disable"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def configured(folder: Path, url: str) -> str:
    (folder / "sheets").mkdir(exist_ok=True)
    config = folder / "config.toml"
    config.write_text(f'[database]\nurl = "{url}"\n[sheets]\nsource = "csv"\ndirectory = "sheets"\n')
    return str(config)


def refused(config: str, command: str, code: int, *parts: str) -> None:
    """One line that says so, or a line of several where it is `check`."""
    ended = run_command(*command.split(), "--config", config)
    shown = ended.stdout + ended.stderr
    assert ended.returncode == code, (command, shown)
    assert all(part in shown for part in parts), (command, shown)
    assert "Traceback" not in shown
    assert command == "check" or len(ended.stderr.splitlines()) == 1, shown


def test_a_server_that_is_too_old(tmp_path: Path) -> None:
    """Below version 13: which one it is, and which is needed."""
    with old_server() as url:
        config = configured(tmp_path, url)
        for command, code in WRITING.items():
            refused(config, command, code, "PostgreSQL 12.9 is too old; PostgreSQL 13 or newer is needed")


def test_a_database_that_is_read_only(tmp_path: Path, prepared: str) -> None:
    """As a replica is: the primary is to be named; whoever only looks is answered."""
    name = prepared.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(prepared, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    config = configured(tmp_path, prepared)
    for command, code in WRITING.items():
        refused(config, command, code, "read-only", "name the primary server")
    assert run_command("history", "--config", config).returncode == 0


@pytest.mark.skipif("SOAK_REPLICA" not in os.environ, reason="a replica takes seconds: make soak")
def test_a_replica(tmp_path: Path) -> None:
    """A real one, in recovery: the primary is to be named; whoever only looks is answered."""
    with running() as primary:
        if primary is None:
            pytest.skip(absence())
        with primary.database() as url, primary.replica() as replica:
            name = url.partition("?")[0].rpartition("/")[2]
            (tmp_path / "primary").mkdir()
            there = configured(tmp_path / "primary", url)
            assert run_command("once", "--config", there).returncode in (0, 4)
            config = configured(tmp_path, replica.url(name))
            for command, code in WRITING.items():
                refused(config, command, code, "a read-only replica; name the primary server")
            primary.caught_up(replica)
            assert run_command("history", "--config", config).returncode == 0
    sys.stdout.write(f"replica: tried {len(WRITING) + 1}, broken 0\n")


def test_a_schema_of_the_future_is_told_by_those_who_only_look(tmp_path: Path, prepared: str) -> None:
    """It is this program that is to be upgraded: a pass would be refused too."""
    with psycopg.connect(prepared, autocommit=True) as there:
        there.execute("UPDATE smart_sync_schema SET version = 999")
    config = configured(tmp_path, prepared)
    for command, code in (WRITING | dict.fromkeys(LOOKING, 2)).items():
        refused(config, command, code, "written by a newer Smart Sync (schema 999", "upgrade it")


def test_a_database_in_which_no_pass_has_been(tmp_path: Path, postgres: str) -> None:
    """The command that makes the tables; nothing is made by looking."""
    config = configured(tmp_path, postgres)
    for command in LOOKING:
        refused(config, command, 1, "no pass has been here yet", "smart-sync once")
    with psycopg.connect(postgres) as there:
        assert there.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_what_a_table_of_the_web_apps_demands_is_told_in_its_words(tmp_path: Path, postgres: str) -> None:
    """`check` and `adopt`: ids that are numbers, a column that must be given, one that is missing, a unique index."""
    with psycopg.connect(postgres, autocommit=True) as app:
        app.execute(DEMANDING)
    config = configured(tmp_path, postgres)
    Path(config).write_text(Path(config).read_text() + '[sync]\ncreate_missing = "projects"\n')
    before = contents(postgres)
    shown = run_command("check", "--config", config).stdout
    assert "ALTER TABLE account_snapshots ALTER COLUMN id" in shown
    assert "[sync.defaults.projects] owner = …" in shown
    assert "ALTER TABLE project_social_accounts ADD COLUMN added_at" in shown
    assert "ALTER TABLE account_snapshots DROP CONSTRAINT one_a_day" in shown
    assert "with_our_id" not in shown
    adopted = run_command(
        "adopt", "env:DATABASE_URL", "-o", str(tmp_path / "new.toml"), environment={"DATABASE_URL": postgres}
    )
    assert adopted.returncode == 1, adopted.stderr
    for part in ("ids are bigint", "ids are uuid", "trigger audit on account_snapshots", "DROP CONSTRAINT one_a_day",
                 "no UNIQUE (project_id, profile_link)", "h ahead of the"):  # fmt: skip
        assert part in adopted.stdout
    assert not (tmp_path / "new.toml").exists()
    assert contents(postgres) == before


def test_what_tomorrows_snapshot_needs_is_told_today(tmp_path: Path, prepared: str) -> None:
    """A column that must be given, added after the first pass of the day: the day's snapshots are there already."""
    config = configured(tmp_path, prepared)
    Path(config).write_text(Path(config).read_text() + '[sync]\ncreate_missing = "projects"\n')
    (tmp_path / "sheets" / "P.csv").write_text(f"Link,Views\n{link('a')},5\n")
    assert run_command("once", "--config", config).returncode == 0
    with psycopg.connect(prepared, autocommit=True) as app:
        app.execute("ALTER TABLE account_snapshots ADD COLUMN region text NOT NULL DEFAULT ''")
        app.execute("ALTER TABLE account_snapshots ALTER COLUMN region DROP DEFAULT")
    refused(config, "check", 1, "table account_snapshots refuses snapshots", "give region a default")
    with psycopg.connect(prepared, autocommit=True) as app:
        app.execute("ALTER TABLE account_snapshots DROP COLUMN region")
        app.execute(DOUBLING)
    refused(config, "check", 1, "table account_snapshots refuses snapshots", "writes other values than it is given")
    with psycopg.connect(prepared) as app:
        assert app.execute("SELECT count(*) FROM account_snapshots").fetchone() == (1,)


DOUBLING = """
CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.views := 2 * new.views; RETURN new; END';
CREATE TRIGGER twice BEFORE INSERT OR UPDATE ON account_snapshots FOR EACH ROW EXECUTE FUNCTION twice();
"""
DEMANDING = """
CREATE TABLE projects (id text PRIMARY KEY, name text NOT NULL, google_sheet_name text, created_at timestamptz,
  is_active boolean DEFAULT true, owner integer NOT NULL);
CREATE TABLE project_social_accounts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id text
  REFERENCES projects, platform varchar(10), username text, profile_link text, is_active boolean DEFAULT true);
CREATE TABLE account_snapshots (id bigserial PRIMARY KEY, account_id uuid REFERENCES project_social_accounts,
  followers integer, likes integer, comments integer, videos integer, views integer, snapshot_time timestamp,
  CONSTRAINT one_a_day UNIQUE (account_id, snapshot_time));
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER audit BEFORE INSERT ON account_snapshots FOR EACH ROW EXECUTE FUNCTION f();
CREATE UNIQUE INDEX with_our_id ON account_snapshots (id, snapshot_time);
INSERT INTO projects (id, name, owner) VALUES ('1', 'P', 1);
INSERT INTO project_social_accounts (project_id, platform, username, profile_link)
  VALUES ('1', 'tiktok', 'a', 'https://www.tiktok.com/@a');
INSERT INTO account_snapshots (account_id, views, snapshot_time)
  SELECT id, 5, (now() AT TIME ZONE 'UTC') + interval '27 hours' FROM project_social_accounts;
"""


def contents(url: str) -> list[tuple[object, ...]]:
    """What there is in a database: relations, functions and schemas, and how many rows the web app's tables have."""
    with psycopg.connect(url) as there:
        found = there.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " UNION ALL SELECT nspname FROM pg_namespace ORDER BY 1"
        ).fetchall()
        return [*found, *there.execute("SELECT count(*) FROM account_snapshots").fetchall()]
