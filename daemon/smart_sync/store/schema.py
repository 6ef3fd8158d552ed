"""Opens a database: adopts the web app's tables, creates missing ones, migrates ours."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smart_sync.clock import utc_now
from smart_sync.config.database_url import Location
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.logs import emit
from smart_sync.store import clock_changes, growth_rows
from smart_sync.store.engine import Database, Reader, StoreError, Transaction, newer_version, table_gone
from smart_sync.store.sqlite import file_copy
from smart_sync.store.sqlite.database import SqliteDatabase
from smart_sync.store.sqlite.sqlite_catalogue import is_new, prepare_file

if TYPE_CHECKING:
    from smart_sync.store.postgres.lease import Lease

#: The columns we cannot do without in a table that the web app made.
REQUIRED = {
    "projects": {"id", "name", "google_sheet_name", "is_active"},
    "project_social_accounts": {"id", "project_id", "platform", "username", "profile_link", "is_active"},
    "account_snapshots": {"id", "account_id", "followers", "likes", "comments", "videos", "views", "snapshot_time"},
}
#: The inbox may be the web app's too: it upserts into it, and need not know of the columns that say more.
INBOX = {"account_id", *METRICS}
_INBOX_DEFAULTS = {"source": "''", "parsed_at": "NULL", "precision": "'exact'"}
MIGRATIONS = (
    *("001_initial.sql", "002_webhooks.sql", "003_conflicts.sql", "004_days.sql"),
    *("005_missing_values.sql", "006_snapshots.sql", "007_alarms.sql", "008_votes.sql", "009_parsers.sql"),
    *(
        "010_campaign.sql",
        "011_trust.sql",
        "012_people.sql",
        "013_columns.sql",
        "014_counted.sql",
        "015_quota.sql",
        "016_fan_out.sql",
        "017_requests.sql",
        "018_told.sql",
        "019_edits.sql",
    ),
)

#: How the view began that the first version of the schema made; the fourth makes it anew.
_FIRST_GROWTH, _GROWTH_SINCE = "CREATE VIEW account_growth AS\nWITH last_of_day AS (", 4


@contextlib.asynccontextmanager
async def open_database(
    where: Location,
    timezone: str | None = None,
    *,
    patience: float | None = None,
    lease: "Lease | None" = None,
    waiting: float = 0.0,
    keep_old: bool = True,
) -> AsyncIterator[Database]:
    """The database at ``where``, checked, adopted and migrated.

    A file with tables of an earlier version is copied before (`file_copy.keep_before_upgrade`) if ``keep_old``; of a
    server's database there is no copy: pg_dump makes one.

    Its days are from now on those of ``timezone``; None: of the zone that it was last opened with.
    On a server under ``lease``, or under one of its own: `Busy` is raised if another instance has it for more than
    ``waiting`` seconds.

    A file that is not there is created, in WAL mode; an existing one keeps its journal mode.
    Raises `DatabaseUnusable` for what cannot be worked with.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            database = await stack.enter_async_context(_engine(where, patience, lease, waiting))
            if isinstance(database, SqliteDatabase):
                await prepare_file(database)
            before = await version(database)
            is_old = 0 < before < len(MIGRATIONS)
            kept = None
            if is_old and keep_old and isinstance(where, Path):
                kept = await asyncio.to_thread(file_copy.keep_before_upgrade, where, before, utc_now())
            async with database.transaction() as transaction:
                await prepare(transaction, database, timezone)
            if is_old and keep_old:
                backup = None if kept is None else str(kept)
                emit("database.upgraded", path=database.name, before=before, now=len(MIGRATIONS), backup=backup)
        except StoreError as error:
            raise error.meaning from None
        yield database


@contextlib.asynccontextmanager
async def _engine(
    where: Location, patience: float | None, lease: "Lease | None", waiting: float
) -> AsyncIterator[Database]:
    limit: dict[str, Any] = {} if patience is None else {"patience": patience}
    if isinstance(where, Path):
        created = is_new(where)
        async with SqliteDatabase(where, **limit) as file:
            file.created = created
            yield file
    else:
        from smart_sync.store.postgres.lease import held
        from smart_sync.store.postgres.postgres_database import PostgresDatabase

        async with (
            contextlib.nullcontext(lease) if lease else held(where, waiting, len(MIGRATIONS)) as leader,
            PostgresDatabase(where, lease=leader, **limit) as server,
        ):
            server.created = not await server.dialect.columns(server, "projects")
            yield server


@contextlib.asynccontextmanager
async def open_existing(
    where: Location, *, read_only: bool, patience: float | None = None, checked: bool = True
) -> AsyncIterator[Database]:
    """The database at ``where`` as it is: nothing is created, adopted or migrated.

    Another instance may be at work on it.  Raises `DatabaseError` if no pass of this version has left one; whatever
    there is will do unless ``checked``.
    """
    limit: dict[str, Any] = {} if patience is None else {"patience": patience}
    try:
        if isinstance(where, Path):
            if not await asyncio.to_thread(where.is_file):
                raise DatabaseError(
                    f"{where}: there is no database yet; the first pass makes it: smart-sync once",
                    trouble="database-missing",
                )
            opened: Any = SqliteDatabase(where, read_only=read_only, **limit)
        else:
            from smart_sync.store.postgres.postgres_database import PostgresDatabase

            opened = PostgresDatabase(where, read_only=read_only, **limit)
        async with opened as database:
            if checked:
                await _check_version(database)
            yield database
    except StoreError as error:
        raise error.meaning from None


async def version(source: Reader) -> int:
    """The schema version of our tables; 0: there are none."""
    columns = await source.dialect.columns(source, "smart_sync_schema")
    rows = await source.fetch("SELECT version FROM smart_sync_schema") if "version" in columns else []
    return int(rows[0][0]) if rows else 0


async def is_current(database: Database) -> bool:
    """Whether the tables have this version's schema."""
    return await version(database) == len(MIGRATIONS)


async def _check_version(database: Database) -> None:
    schema_version = await version(database)
    if not schema_version:
        raise DatabaseError(
            f"{database.name}: no pass has been here yet; the first one makes what is missing: smart-sync once",
            trouble="database-missing",
        )
    if schema_version > len(MIGRATIONS):
        raise newer_version(database.name, schema_version, len(MIGRATIONS))
    if schema_version < len(MIGRATIONS):
        raise DatabaseError(
            f"{database.name}: its tables are not those of this version; a pass brings them up to date:"
            " smart-sync once",
            trouble="database-version",
        )


async def prepare(transaction: Transaction, database: Database, timezone: str | None) -> None:
    """Adopt the web app's tables, create missing ones, migrate ours."""
    dialect = transaction.dialect
    await dialect.prepare(transaction)
    await _adopt(transaction, database.name, known=bool(await version(transaction)))
    await dialect.adopt(transaction)
    await migrate(transaction, database.name)
    await dialect.adopt(transaction)
    await _show_inbox(transaction, database.name)
    await dialect.show(transaction, "account_growth", growth_rows.VIEW)
    if timezone is not None:
        await clock_changes.set_clocks(transaction, timezone)
    if database.created:
        await transaction.execute("INSERT INTO database_made VALUES (?)", (stamp(utc_now()),))


async def _adopt(transaction: Transaction, name: str, *, known: bool) -> None:
    """Create missing shared tables; refuse existing ones that lack a required column.

    Where we have been before (``known``) none is made: an empty one would hide that the rows are gone, and be in the
    way of who brings them back.
    """
    missing = [table for table in REQUIRED if not await transaction.dialect.columns(transaction, table)]
    if missing and known:
        raise DatabaseUnusable(f"{name}: {table_gone(missing[0])}", trouble="database-columns")
    for statement in _statements("shared.sql"):
        made_for = re.search(r"CREATE TABLE (\w+)| ON (\w+)", statement)
        if made_for and (made_for[1] or made_for[2]) in missing:
            await transaction.execute(transaction.dialect.making(statement, fresh=True))
    for table, required in REQUIRED.items():
        await _require(transaction, name, table, required)


async def _require(transaction: Transaction, name: str, table: str, required: set[str]) -> None:
    lacking = sorted(required - set(await transaction.dialect.columns(transaction, table)))
    if lacking:
        raise DatabaseUnusable(
            f"{name}: table {table} has no column {', '.join(lacking)}; is this the web app's database?",
            trouble="database-columns",
        )


async def migrate(transaction: Transaction, name: str) -> None:
    """Bring the tables to the newest version. Raises `DatabaseUnusable`, also for one of a newer program."""
    create = "CREATE TABLE IF NOT EXISTS smart_sync_schema (version INTEGER NOT NULL)"
    await transaction.execute(transaction.dialect.making(create, fresh=True))
    await _require(transaction, name, "smart_sync_schema", {"version"})
    rows = await transaction.fetch("SELECT version FROM smart_sync_schema")
    version = rows[0][0] if rows else 0
    if version > len(MIGRATIONS):
        raise newer_version(name, version, len(MIGRATIONS))
    if 0 < version < _GROWTH_SINCE:
        existing = await transaction.dialect.made(transaction, "account_growth")
        if existing is not None and existing[2].startswith(_FIRST_GROWTH):
            await transaction.execute("DROP VIEW account_growth")
    for file in MIGRATIONS[version:]:
        for statement in _statements(file):
            native = transaction.dialect.making(statement, fresh=not version)
            if native and not await _is_adopted(transaction, name, statement):
                await transaction.execute(native)
    if not rows:
        await transaction.execute("INSERT INTO smart_sync_schema VALUES (?)", (len(MIGRATIONS),))
    elif version < len(MIGRATIONS):
        await transaction.execute("UPDATE smart_sync_schema SET version = ?", (len(MIGRATIONS),))


async def _is_adopted(transaction: Transaction, name: str, statement: str) -> bool:
    """Whether the web app has created the table of ``statement``; refuses anything else with its name."""
    wanted = re.search(r"^CREATE (?:TABLE|VIEW|INDEX) (\w+)", statement, re.MULTILINE)
    made = await transaction.dialect.made(transaction, wanted[1]) if wanted else None
    if made is None:
        return False
    kind, table, _ = made
    if (kind, table) != ("table", "parsed_metrics"):
        raise DatabaseUnusable(
            f"{name}: there is a {kind} {table} that Smart Sync has not made; rename it", trouble="database-columns"
        )
    await _require(transaction, name, table, INBOX)
    if not await transaction.dialect.is_unique(transaction, table, "account_id"):
        raise DatabaseUnusable(
            f"{name}: table {table} has no unique account_id, so nothing can be upserted into it;"
            f" CREATE UNIQUE INDEX {table}_account ON {table} (account_id)",
            trouble="database-columns",
        )
    return True


async def _show_inbox(transaction: Transaction, name: str) -> None:
    """Create the view ``parsed_inbox``: the inbox with all columns, which others' tables may lack."""
    await _require(transaction, name, "parsed_metrics", INBOX)
    existing = await transaction.dialect.columns(transaction, "parsed_metrics")
    more = (f'"{name}"' if name in existing else f'{value} AS "{name}"' for name, value in _INBOX_DEFAULTS.items())
    view = f"CREATE VIEW parsed_inbox AS SELECT account_id, {', '.join((*METRICS, *more))} FROM parsed_metrics"
    await transaction.dialect.show(transaction, "parsed_inbox", view)


def shared_tables() -> str:
    """The SQL that creates the tables shared with the web app."""
    return _sql("shared.sql")


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text()


def _statements(name: str) -> Iterator[str]:
    """The statements of one of our SQL files.  (`executescript` would commit the open transaction.)"""
    pending = ""
    for line in _sql(name).splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
