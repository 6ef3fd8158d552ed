"""A small world to run passes in: a fake Google, a web app's database, and managers who edit cells."""

import atexit
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from daemon_process import write_config
from fake_google import FakeGoogle
from postgres_sessions import KEPT
from smart_sync.config import Settings
from smart_sync.config.database_url import Location, server
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS, Trigger
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.store.postgres.server_connection import adapt
from smart_sync.store.postgres.statements import numbered
from smart_sync.store.schema import open_database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass

KEY = "k" * 44
HEADER = ["@Username", "Link", "Followers", "Likes", "Comments", "Videos", "Views", "Status"]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

Values = Sequence[Any]


def link(name: str) -> str:
    return f"https://www.tiktok.com/@{name}"


#: The bytes of the file that Smart Sync creates.
_created: list[bytes] = []


class World:
    """Projects and accounts are inserted as the web app would do it, before or between passes."""

    def __init__(self, folder: Path, google: FakeGoogle) -> None:
        self.folder = folder
        self.google = google
        self.path = folder / "view_counter.db"
        self.google.add(KEY, {})
        #: Of a database on a server.
        self.url = ""
        self.now = NOON
        self.sections: dict[str, Any] = {"sheets": google.settings(folder, KEY)}

    @property
    def settings(self) -> Settings:
        return Settings(**{"database": self.database, **self.sections})

    @property
    def where(self) -> Location:
        """For what takes no configuration."""
        return self.path

    @property
    def address(self) -> str:
        """For whoever is given a path or a URL."""
        return self.url or str(self.path)

    async def create(self) -> "World":
        """The file and the tables as Smart Sync creates them: made once in each process, and copied from then on.

        A file that is there already is taken over as it is.
        """
        if _created and not self.path.exists():
            self.path.write_bytes(_created[0])
            return self
        is_new = not self.path.exists()
        async with open_database(self.path):
            pass
        if is_new:
            _created.append(self.path.read_bytes())
        return self

    def connect(self) -> sqlite3.Connection:
        """A connection of the web app's; what it commits is not waited for until it is on the disk."""
        connection = sqlite3.connect(self.path, timeout=30)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    @property
    def database(self) -> dict[str, Any]:
        """The section of the configuration."""
        return {"path": self.path}

    def config(self, text: str = "") -> Path:
        """A configuration file for this database and spreadsheet; ``text`` is added as it is."""
        return write_config(self.folder, text, google=self.google, spreadsheet=KEY, url=self.url)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement of the web app's, committed."""
        with closing(self.connect()) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def script(self, sql: str) -> None:
        """Several statements of the web app's."""
        with closing(self.connect()) as connection:
            connection.executescript(sql)

    def drop(self, table: str) -> None:
        """Drop a table, whatever views there are upon it."""
        self.execute(f"DROP TABLE {table}")

    def tables(self) -> list[str]:
        """The names of all tables there are."""
        rows = self.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return sorted(row[0] for row in rows)

    def table(self, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns of a table or view, and its rows."""
        with closing(self.connect()) as connection:
            cursor = connection.execute(f"SELECT * FROM {name}")
            return [column[0] for column in cursor.description], cursor.fetchall()

    @contextlib.contextmanager
    def refusing(self, write: str, table: str, rows: str, reason: str = "no") -> Iterator[None]:
        """Inside, the web app refuses to INSERT into, or to UPDATE, those ``rows`` of a table (an expression)."""
        name = f"refuse_{table}"
        self.execute(
            f"CREATE TRIGGER {name} BEFORE {write} ON {table} WHEN {rows} BEGIN SELECT RAISE(ABORT, '{reason}'); END"
        )
        yield
        self.execute(f"DROP TRIGGER {name}")

    def refused(self, account: str) -> contextlib.AbstractContextManager[None]:
        """Inside, the merged values of an account cannot be updated."""
        return self.refusing("UPDATE", "account_metrics", f"NEW.account_id = 'account-{account}'")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside, the web app holds what a pass writes: it can be read and not be written."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def add_project(self, name: str, accounts: Sequence[str] = (), project_id: str = "") -> str:
        """A project with one account per name, and a worksheet with the header alone."""
        project_id = project_id or f"project-{name}"
        self.execute("INSERT INTO projects (id, name, is_active) VALUES (?, ?, 1)", (project_id, name))
        for account in accounts:
            self.execute(
                "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
                " VALUES (?, ?, 'tiktok', ?, ?)",
                (f"account-{account}", project_id, account, link(account)),
            )
        self.sheet(name)
        return project_id

    def sheet(self, worksheet: str, **rows: Values) -> None:
        """Replace the content of a worksheet: ``name=[followers, likes, comments, videos, views]``."""
        typed = [[f"@{name}", link(name), *values] for name, values in rows.items()]
        self.google.spreadsheets[KEY].worksheets[worksheet] = [list(HEADER), *typed]

    def parsed(self, account: str, values: Values, **columns: Any) -> None:
        """Put values into the inbox, as a script would: parsed now, by the clock of this world."""
        columns = {"parsed_at": stamp(self.now)} | columns
        names = ["account_id", *METRICS, *(f'"{name}"' for name in columns)]
        row = [f"account-{account}", *values, *columns.values()]
        marks = ", ".join("?" * len(row))
        put = (
            f"INSERT INTO parsed_metrics ({', '.join(names)}) VALUES ({marks}) ON CONFLICT (account_id) DO UPDATE SET "
        )
        self.execute(put + ", ".join(f"{name} = excluded.{name}" for name in names[1:]), row)

    def merged(self, account: str) -> tuple[int, ...] | None:
        """The merged values of an account."""
        names = ", ".join(METRICS)
        rows = self.execute(f"SELECT {names} FROM account_metrics WHERE account_id = ?", (f"account-{account}",))
        return rows[0] if rows else None

    def winners(self, account: str) -> tuple[str | None, ...]:
        """Who won, metric by metric."""
        names = ", ".join(f"{metric}_winner" for metric in METRICS)
        return self.execute(f"SELECT {names} FROM account_metrics WHERE account_id = ?", (f"account-{account}",))[0]

    def snapshots(self, account: str | None = None) -> list[tuple[Any, ...]]:
        """All snapshots, oldest first: time, then the metrics."""
        names = ", ".join(METRICS)
        return self.execute(
            f"SELECT snapshot_time, {names} FROM account_snapshots WHERE CAST(?1 AS TEXT) IS NULL OR account_id = ?1"
            " ORDER BY snapshot_time, id",
            (f"account-{account}" if account else None,),
        )

    async def sync(self, *project_ids: str, dry_run: bool = False) -> PassResult:
        """One pass."""
        ids = frozenset(project_ids) or None
        async with opened(self.settings, Reporter(), clock=lambda: self.now) as resources:
            return await SyncPass(resources).run(PassRequest(Trigger.CLI, ids, dry_run=dry_run))

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Callable[[], Awaitable[PassResult]]]:
        """Passes by one program that lives on; what comes out runs one."""
        async with opened(self.settings, Reporter(), clock=lambda: self.now) as resources:
            sync = SyncPass(resources)
            yield lambda: sync.run(PassRequest(Trigger.CLI))

    async def sync_one(self, dry_run: bool = False) -> ProjectResult:
        """One pass over the only project there is."""
        (result,) = (await self.sync(dry_run=dry_run)).results
        return result


#: The web app's connection to the last database on a server: making one takes longer than a statement.
_sessions: "dict[str, psycopg.Connection[Any]]" = {}


@atexit.register
def _end_sessions() -> None:
    for _, session in list(_sessions.items()):
        session.close()
    _sessions.clear()


def on_server(url: str, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of one statement in the words that both engines take, committed."""
    cursor = _on_server(url, numbered(sql), parameters)
    return cursor.fetchall() if cursor.description else []


def _on_server(url: str, sql: str, parameters: Sequence[Any] = ()) -> "psycopg.Cursor[Any]":
    """One statement, committed; on another connection where the server has ended that of before."""
    if url in _sessions:
        try:
            return _sessions[url].execute(sql, parameters)
        except psycopg.OperationalError:
            if not _sessions[url].broken:
                raise
    _end_sessions()
    _sessions[url] = session = psycopg.connect(
        url, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=None
    )
    KEPT.beside[url] = session.info.backend_pid
    adapt(session)
    session.execute("SET search_path = public, smart_sync; SET TimeZone = 'UTC'")
    return session.execute(sql, parameters)


class PostgresWorld(World):
    """The same on a PostgreSQL server; ``url`` is of a database of its own."""

    def __init__(self, folder: Path, google: FakeGoogle, url: str) -> None:
        super().__init__(folder, google)
        self.url = url

    async def create(self) -> World:
        """Let Smart Sync create the tables."""
        async with open_database(self.settings.database.where):
            return self

    @property
    def database(self) -> dict[str, Any]:
        return {"url": self.url}

    @property
    def where(self) -> Location:
        return server(self.url)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement of the web app's in the words that both engines take, committed."""
        return on_server(self.url, sql, parameters)

    def script(self, sql: str) -> None:
        _on_server(self.url, sql)

    def drop(self, table: str) -> None:
        self.execute(f"DROP TABLE public.{table} CASCADE")

    def tables(self) -> list[str]:
        return sorted(row[0] for row in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))

    def table(self, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        cursor = _on_server(self.url, f"SELECT * FROM {name}")
        return [column.name for column in cursor.description or ()], cursor.fetchall()

    @contextlib.contextmanager
    def refusing(self, write: str, table: str, rows: str, reason: str = "no") -> Iterator[None]:
        self.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{reason}' USING ERRCODE = 'check_violation'; END $$"
        )
        self.execute(
            f"CREATE TRIGGER refuse BEFORE {write} ON public.{table} FOR EACH ROW WHEN ({rows})"
            " EXECUTE FUNCTION refuse()"
        )
        yield
        self.execute(f"DROP TRIGGER refuse ON public.{table}")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with psycopg.connect(self.url) as other:
            other.execute("LOCK TABLE account_metrics IN EXCLUSIVE MODE")
            yield
            other.rollback()
