"""A PostgreSQL server for tests: one for all workers of a run, in a temporary folder, on a socket; a database for each
test.

initdb refuses to be run by root: then another user runs it.  Where there can be no server, `started` gives None, and
the tests are skipped for the reason that `absence` gives.
"""

import asyncio
import contextlib
import fcntl
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from postgres_sessions import KEPT
from smart_sync.config import database_url
from smart_sync.store.schema import open_database

#: Users that may run a server where we are root.
USERS = ("postgres", "nobody")
OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"


@dataclass(frozen=True)
class Server:
    """A running server: `folder` holds its data and its socket."""

    folder: Path
    programs: Path
    user: str
    #: Databases that were given back, as new.
    spare: "list[tuple[str, Fresh]]" = field(default_factory=list)

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        who = f"{user}:{password}@" if password else f"{user}@"
        return f"postgresql://{who}/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url(database), autocommit=True)

    @contextlib.contextmanager
    def database(self, template: str = "template1", more: str = "") -> Iterator[str]:
        """A new database, with ``more`` options; gives its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        try:
            yield self.url(name)
        finally:
            with self.connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def prepared(self) -> Iterator[str]:
        """A database with the tables that Smart Sync makes, as it makes them; gives its URL.

        It is emptied for the next one who asks, which takes a tenth of the time of another one; where somebody has
        changed a table, a view or a setting, it is dropped.
        """
        if self.spare:
            name, fresh = self.spare.pop()
        else:
            name = self._copied()
            with self.connect(name) as connection:
                fresh = Fresh.of(connection)
        try:
            yield self.url(name)
        finally:
            with self.connect(name) as connection:
                is_fresh = fresh.restored(connection, KEPT.processes(self.url(name)))
            if is_fresh:
                self.spare.append((name, fresh))
            else:
                KEPT.close(self.url(name))
                with self.connect() as connection:
                    connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _copied(self) -> str:
        """The name of a new database with the tables, which are made once for all tests of a run."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with _locked(self.folder / "prepared.lock"), self.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'prepared'").fetchall():
                connection.execute("DROP DATABASE IF EXISTS making")
                connection.execute("CREATE DATABASE making")
                asyncio.run(_make_tables(self.url("making")))
                connection.execute("ALTER DATABASE making RENAME TO prepared")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE prepared")
        return name

    @contextlib.contextmanager
    def replica(self) -> Iterator["Server"]:
        """A read-only copy of the whole server that follows it."""
        folder = Path(tempfile.mkdtemp(prefix="smart-sync-pg-"))
        shutil.chown(folder, self.user)
        folder.chmod(0o755)
        copy = Server(folder, self.programs, self.user)
        data = str(folder / "data")
        _run(self.user, str(self.programs / "pg_basebackup"), "-h", str(self.folder), "-U", "postgres", "-D", data,
             "-R", "-c", "fast", "--no-sync")  # fmt: skip
        copy.start()
        try:
            yield copy
        finally:
            end(copy)

    def caught_up(self, replica: "Server") -> None:
        """Wait until ``replica`` has all that has been written here."""
        with self.connect() as here, replica.connect() as there:
            (at,) = here.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
            for _ in range(200):
                if there.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (at,)).fetchone() == (True,):
                    return
                time.sleep(0.05)
        raise AssertionError("the replica does not follow")

    def control(self, *arguments: str) -> None:
        """pg_ctl."""
        _run(self.user, str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *arguments)

    def start(self, options: str = OPTIONS) -> None:
        self.control("-o", f"{options} -k {self.folder}", "-l", str(self.folder / "log"), "start")

    def start_again(self) -> None:
        """After a kill: the children of the old one have to notice first."""
        for _ in range(100):
            with contextlib.suppress(subprocess.CalledProcessError):
                return self.start("-c listen_addresses=''")
            time.sleep(0.1)
        raise AssertionError("the server does not start again")

    def stop(self, mode: str = "immediate") -> None:
        self.control("-m", mode, "stop")


#: Whatever is altered in a database of ours has a row here that is new, or is gone.
_CATALOGUE = """
SELECT md5(string_agg(one, ' ' ORDER BY one)) FROM (
  SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_class WHERE oid >= 16384
  UNION ALL SELECT concat_ws('.', tableoid, attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid >= 16384
  UNION ALL SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_attrdef
  UNION ALL SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_constraint
  UNION ALL SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_namespace
  UNION ALL SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws('.', tableoid, oid, xmin) FROM pg_trigger
  UNION ALL SELECT concat_ws('.', tableoid, setconfig, xmin) FROM pg_db_role_setting
    WHERE setdatabase IN (SELECT oid FROM pg_database WHERE datname = current_database())) AS found (one)
"""
_ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (%s)"
)


@dataclass(frozen=True)
class Fresh:
    """What a new database is like: its catalogue, and the rows of its tables."""

    catalogue: object
    rows: dict[str, list[tuple[object, ...]]]
    sequences: list[str]

    @classmethod
    def of(cls, connection: "psycopg.Connection[tuple[object, ...]]") -> "Fresh":
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        sequences = connection.execute("SELECT sequencename FROM pg_sequences").fetchall()
        return cls(
            connection.execute(_CATALOGUE).fetchall(),
            {str(table): connection.execute(f"SELECT * FROM {table}").fetchall() for (table,) in tables},
            [str(sequence) for (sequence,) in sequences],
        )

    def restored(self, connection: "psycopg.Connection[tuple[object, ...]]", kept: list[int]) -> bool:
        """Let a database be so again, and nobody but the processes ``kept`` be connected to it.

        False where that is not possible.
        """
        while connection.execute(_ENDED, (kept,)).fetchall():
            time.sleep(0.005)
        if connection.execute(_CATALOGUE).fetchall() != self.catalogue:
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            connection.execute("; ".join(f"DELETE FROM {table}" for table in self.rows))
            for table, rows in self.rows.items():
                for row in rows:
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)
            for sequence in self.sequences:
                connection.execute("SELECT setval(%s::regclass, 1, false)", (f"public.{sequence}",))
        return True


async def _make_tables(url: str) -> None:
    async with open_database(database_url.server(url)):
        pass


def programs() -> Path | None:
    """Where the newest PostgreSQL of this machine is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def running() -> Iterator[Server | None]:
    """A server of one's own; None where there can be none."""
    server = started()
    try:
        yield server
    finally:
        if server is not None:
            end(server)


def started() -> Server | None:
    there, user = programs(), _user()
    if there is None or user is None or absence():
        return None
    folder = Path(tempfile.mkdtemp(prefix="smart-sync-pg-"))
    shutil.chown(folder, user)
    folder.chmod(0o755)
    _run(user, str(there / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync",
         "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip
    server = Server(folder, there, user)
    server.start()
    return server


def end(server: Server) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@functools.cache
def absence() -> str:
    """Why there can be no server here, in one sentence; "" if there can be one."""
    if programs() is None:
        return "PostgreSQL is not installed: make packages, as root"
    if (user := _user()) is None:
        if os.geteuid() == 0:
            return f"PostgreSQL cannot be started by root, and there is no user {' or '.join(USERS)}"
        return "PostgreSQL cannot be started by a user without a name"
    try:
        _run(user, "true")
    except (OSError, subprocess.CalledProcessError):
        return f"PostgreSQL cannot be started by root, and this root may not become the user {user}"
    return ""


def _user() -> str | None:
    """Whose server it is; None where there is nobody."""
    if os.geteuid() != 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(os.geteuid()).pw_name
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((user for user in USERS if user in known), None)


def _run(user: str, *command: str) -> None:
    as_other = ["setpriv", f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*as_other, *command], check=True, capture_output=True, timeout=120, cwd="/")


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Server | None]:
    """One server for all workers of a run, whose common folder this is: the first starts it, the last stops it."""
    lock, users, place = folder / "postgres.lock", folder / "postgres.users", folder / "postgres.at"
    with _locked(lock):
        if not place.exists():
            server = started()
            place.write_text("" if server is None else f"{server.folder}\n{server.programs}\n{server.user}")
        users.write_text(str(int(users.read_text() if users.exists() else 0) + 1))
        told = place.read_text().split("\n")
    server = Server(Path(told[0]), Path(told[1]), told[2]) if len(told) == 3 else None
    try:
        yield server
    finally:
        with _locked(lock):
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if not left and server is not None:
                place.unlink()
                end(server)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
