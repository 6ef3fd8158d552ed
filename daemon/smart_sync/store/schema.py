"""Opening the file: adopt what the web app made, create what is missing, bring our own tables up to date."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path

from smart_sync.core.model import METRICS
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.store import clock_changes, growth_rows
from smart_sync.store.database import Database, Transaction
from smart_sync.store.driver import describe, describe_reading, judge, sqlite

#: The columns we cannot do without in a table that the web app made.
REQUIRED = {
    "projects": {"id", "name", "google_sheet_name", "is_active"},
    "project_social_accounts": {"id", "project_id", "platform", "username", "profile_link", "is_active"},
    "account_snapshots": {"id", "account_id", "followers", "likes", "comments", "videos", "views", "snapshot_time"},
}
#: The inbox may be the web app's too: it upserts into it, and need not know of the columns that say more.
INBOX = {"account_id", *METRICS}
_INBOX_DEFAULTS = {"source": "''", "parsed_at": "NULL", "precision": "'exact'"}
_KEYS = """
SELECT 1 FROM pragma_table_info(?1) WHERE name = 'account_id' AND pk = 1
   AND (SELECT max(pk) FROM pragma_table_info(?1)) = 1
UNION ALL
SELECT 1 FROM pragma_index_list(?1) i WHERE i."unique" AND NOT i.partial
   AND (SELECT group_concat(name) FROM pragma_index_info(i.name)) = 'account_id'
"""
MIGRATIONS = (
    *("001_initial.sql", "002_webhooks.sql", "003_conflicts.sql", "004_days.sql"),
    *("005_missing_values.sql", "006_snapshots.sql", "007_alarms.sql", "008_votes.sql", "009_parsers.sql"),
    "010_columns.sql",
)


@contextlib.asynccontextmanager
async def open_database(
    path: Path, timezone: str | None = None, *, patience: float | None = None
) -> AsyncIterator[Database]:
    """The database at ``path``, checked, adopted and migrated.

    Its days are from now on those of ``timezone``; None: of the zone that it was last opened with.

    A file that is not there is created, in WAL mode; an existing one keeps its journal mode.
    Raises `DatabaseUnusable` for a file that cannot be worked with.
    """
    created = _is_new(path)
    async with contextlib.AsyncExitStack() as stack:
        try:
            database = Database(path) if patience is None else Database(path, patience=patience)
            await stack.enter_async_context(database)
            await _prepare(database, timezone, created=created)
            database.created = created
        except sqlite.Error as error:
            raise describe(error, path) from None
        yield database


@contextlib.asynccontextmanager
async def open_existing(path: Path, *, read_only: bool) -> AsyncIterator[Database]:
    """The database at ``path`` as a pass has left it: nothing is created, adopted or migrated.

    Another instance may be at work on it.  Raises `DatabaseError` if no pass of this version has left one.
    """
    if not await asyncio.to_thread(path.is_file):
        raise DatabaseError(f"{path}: there is no database yet; the first pass makes it: smart-sync once")
    try:
        async with Database(path, read_only=read_only) as database:
            await _check_version(database)
            yield database
    except sqlite.Error as error:
        raise (describe_reading if read_only else describe)(error, path) from None


async def _check_version(database: Database) -> None:
    tables = await database.fetch("SELECT 1 FROM sqlite_master WHERE name = 'smart_sync_schema'")
    rows = await database.fetch("SELECT version FROM smart_sync_schema") if tables else []
    if not rows or rows[0][0] != len(MIGRATIONS):
        raise DatabaseError(
            f"{database.path}: its tables are not those of this version; a pass brings them up to date: smart-sync once"
        )


def _is_new(path: Path) -> bool:
    """Whether the file is still to be created (its folder is made here), or is empty."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(f"{path.parent}: cannot be created: {error.strerror}; check [database] path") from None
    if path.exists() and not path.is_file():
        raise DatabaseUnusable(f"{path}: not a file; check [database] path")
    return not path.exists() or path.stat().st_size == 0


async def _prepare(database: Database, timezone: str | None, *, created: bool) -> None:
    if created:
        await database.execute("PRAGMA journal_mode = WAL")
    else:
        await _check_intact(database)
    # FULL: what a pass has acknowledged survives a power cut.
    await database.execute("PRAGMA synchronous = FULL")
    async with database.transaction() as transaction:
        await _adopt(transaction, database.path)
        await _migrate(transaction, database.path)
        await _show_inbox(transaction, database.path)
        await _show(transaction, "account_growth", growth_rows.VIEW)
        if timezone is not None:
            await clock_changes.set_clocks(transaction, timezone)
        if created:
            await transaction.execute("INSERT INTO database_made VALUES (strftime('%Y-%m-%dT%H:%M:%f000', 'now'))")


async def _check_intact(database: Database) -> None:
    verdict = (await database.fetch("PRAGMA quick_check(1)"))[0][0]
    if trouble := judge(verdict, database.path):
        raise trouble


async def _adopt(transaction: Transaction, path: Path) -> None:
    """Create the shared tables that are missing; refuse those that lack a column we need."""
    missing = [table for table in REQUIRED if not await _columns(transaction, table)]
    for statement in _statements("shared.sql"):
        made_for = re.search(r"CREATE TABLE (\w+)| ON (\w+)", statement)
        if made_for and (made_for[1] or made_for[2]) in missing:
            await transaction.execute(statement)
    for table, required in REQUIRED.items():
        await _require(transaction, path, table, required)


async def _require(transaction: Transaction, path: Path, table: str, required: set[str]) -> None:
    lacking = sorted(required - await _columns(transaction, table))
    if lacking:
        raise DatabaseUnusable(
            f"{path}: table {table} has no column {', '.join(lacking)}; is this the web app's database?"
        )


async def _migrate(transaction: Transaction, path: Path) -> None:
    await transaction.execute("CREATE TABLE IF NOT EXISTS smart_sync_schema (version INTEGER NOT NULL)")
    await _require(transaction, path, "smart_sync_schema", {"version"})
    rows = await transaction.fetch("SELECT version FROM smart_sync_schema")
    version = rows[0][0] if rows else 0
    if version > len(MIGRATIONS):
        raise DatabaseUnusable(
            f"{path}: written by a newer Smart Sync (schema {version}, this one knows {len(MIGRATIONS)}); upgrade it"
        )
    for name in MIGRATIONS[version:]:
        for statement in _statements(name):
            if not await _is_adopted(transaction, path, statement):
                await transaction.execute(statement)
    if version < len(MIGRATIONS):
        await transaction.execute("DELETE FROM smart_sync_schema")
        await transaction.execute("INSERT INTO smart_sync_schema VALUES (?)", (len(MIGRATIONS),))


async def _is_adopted(transaction: Transaction, path: Path, statement: str) -> bool:
    """Whether the web app has made what ``statement`` would make; refuses whatever else has that name."""
    made = re.search(r"^CREATE (TABLE|VIEW|INDEX) (\w+)", statement, re.MULTILINE)
    rows = made and await transaction.fetch(
        "SELECT type, name FROM sqlite_master WHERE name = ? COLLATE NOCASE", (made[2],)
    )
    if not rows:
        return False
    kind, name = rows[0]
    if (kind, name) != ("table", "parsed_metrics"):
        raise DatabaseUnusable(f"{path}: there is a {kind} {name} that Smart Sync has not made; rename it")
    await _require(transaction, path, name, INBOX)
    if not await transaction.fetch(_KEYS, (name,)):
        raise DatabaseUnusable(
            f"{path}: table {name} has no unique account_id, so nothing can be upserted into it;"
            f" CREATE UNIQUE INDEX {name}_account ON {name} (account_id)"
        )
    return True


async def _show_inbox(transaction: Transaction, path: Path) -> None:
    """The view ``parsed_inbox``: the inbox with all columns, also of a table that others have made."""
    await _require(transaction, path, "parsed_metrics", INBOX)
    there = await _columns(transaction, "parsed_metrics")
    more = (f'"{name}"' if name in there else f'{value} AS "{name}"' for name, value in _INBOX_DEFAULTS.items())
    view = f"CREATE VIEW parsed_inbox AS SELECT account_id, {', '.join((*METRICS, *more))} FROM parsed_metrics"
    await _show(transaction, "parsed_inbox", view)


async def _show(transaction: Transaction, name: str, view: str) -> None:
    """Let the view ``name`` be as the statement ``view`` makes it."""
    rows = await transaction.fetch("SELECT type, sql FROM sqlite_master WHERE name = ?", (name,))
    if rows == [("view", view)]:
        return
    await transaction.execute(f"DROP VIEW IF EXISTS {name}")
    await transaction.execute(view)


async def _columns(transaction: Transaction, table: str) -> set[str]:
    return {row[0] for row in await transaction.fetch("SELECT name FROM pragma_table_info(?)", (table,))}


def shared_tables() -> str:
    """The SQL that makes the tables which are shared with the web app."""
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
