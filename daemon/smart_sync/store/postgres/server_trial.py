"""Tries opening a server's database and writing to it, in a transaction that is rolled back.

And a copy, in an SQLite file, of what a pass reads: `check` runs its dry pass there.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from smart_sync.config import SyncSettings
from smart_sync.config.database_url import Server
from smart_sync.core.days import stamp
from smart_sync.core.state import as_text
from smart_sync.errors import SmartSyncError
from smart_sync.store import schema
from smart_sync.store.engine import Reader, StoreError, Transaction
from smart_sync.store.postgres.catalogue import ADOPTED, READ_AS
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.usable_server import require_sessions
from smart_sync.store.sqlite.driver import connect
from smart_sync.store.sqlite.scratch_copy import COPIED, UNREAD
from smart_sync.store.write_probe import refusals

#: Seconds that a check waits for a daemon that writes.
_PATIENCE = 5.0
#: Days of snapshots that it looks at.
_DAYS = 35
#: Of the numbers that SQLite can hold.
_BITS = 63


class _RolledBackError(Exception):
    """The trial is complete; ends its transaction."""


@dataclass(slots=True)
class Rehearsal:
    """A line for each table that refuses new rows, and the unique indexes that can refuse our snapshots.

    Of these each has the statement that takes it away.
    """

    refused: list[str] = field(default_factory=list)
    unique: list[tuple[str, str]] = field(default_factory=list)
    #: How many snapshots have a time that cannot be read, and what one of them says.
    unread: tuple[int, str] = (0, "")


#: One with our id in it refuses none of our rows: a partitioned table's has the time beside it.
_UNIQUE = """
SELECT c.relname, EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass(?) AND i.indisunique AND NOT EXISTS (
    SELECT 1 FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'id'
    AND a.attnum = ANY ((CAST(i.indkey AS int2[]))[0 : i.indnkeyatts - 1]))
ORDER BY 1
"""


async def rehearse(server: Server, copy: Path, sync: SyncSettings, now: datetime) -> Rehearsal:
    """Fill ``copy``, an empty database of this version, and try to write to the server's.

    Raises `SmartSyncError` for what would keep a pass from opening the database.
    """
    result = Rehearsal()
    try:
        async with PostgresDatabase(server, patience=_PATIENCE) as database:
            await require_sessions(server)
            if ready := await schema.is_current(database) and await database.dialect.is_adopted(database):
                async with database.steady():
                    account_id = await _copy(database, copy, now)
            with contextlib.suppress(_RolledBackError):
                async with database.transaction() as transaction:
                    await schema.prepare(transaction, database, None)
                    if not ready:
                        account_id = await _copy(transaction, copy, now)
                    within: Any = _SavepointDatabase(transaction)
                    result.refused = await refusals(within, account_id, sync, now)
                    ((count, example),) = await transaction.fetch(UNREAD)
                    result.unread = int(count), as_text(example)
                    table = f"{database.dialect.schema}.account_snapshots"
                    for name, is_constraint in await transaction.fetch(_UNIQUE, (table,)):
                        drop = "ALTER TABLE account_snapshots DROP CONSTRAINT" if is_constraint else "DROP INDEX"
                        result.unique.append((str(name), f"{drop} {name}"))
                    raise _RolledBackError
    except StoreError as error:
        raise error.meaning from None
    return result


class _SavepointDatabase:
    """A database whose transactions are savepoints of an open one, each rolled back at its end."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.dialect, self.fetch = transaction.dialect, transaction.fetch

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A savepoint that is rolled back at its end."""
        await self._transaction.execute("SAVEPOINT rehearsal")
        try:
            yield self._transaction
        finally:
            await self._transaction.execute("ROLLBACK TO rehearsal")


async def _copy(source: Reader, copy: Path, now: datetime) -> str | None:
    """Copy the rows that a pass reads, and the snapshots of the last weeks; return the id of an account, if any."""
    since = stamp(now - timedelta(days=_DAYS))
    account: str | None = None
    for table in COPIED:
        existing = await source.dialect.columns(source, table)
        wanted = await asyncio.to_thread(_columns, copy, table)
        columns = [name for name in wanted if name in existing and (name in READ_AS or table not in ADOPTED)]
        if columns:
            names = ", ".join(f'"{name}"' for name in columns)
            recent = " WHERE snapshot_time >= ?" if table == "account_snapshots" else ""
            rows = await source.fetch(f"SELECT {names} FROM {table}{recent}", (since,) if recent else ())
            await asyncio.to_thread(_insert, copy, table, names, rows)
            if table == "project_social_accounts" and rows:
                account = str(rows[0][columns.index("id")])
    return account


def _columns(copy: Path, table: str) -> list[str]:
    with closing(connect(copy, "rwc")) as target:
        return [row[1] for row in target.execute(f"PRAGMA table_info({table})")]


def _insert(copy: Path, table: str, names: str, rows: Sequence[Any]) -> None:
    if not rows:
        return
    marks = ", ".join("?" * len(rows[0]))
    plain = ([_plain(value) for value in row] for row in rows)
    with closing(connect(copy, "rwc")) as target, target:
        target.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", plain)


def _plain(value: object) -> object:
    """A value as SQLite can hold it: times as ours are written, of other types (uuid, jsonb, arrays …) their text."""
    if isinstance(value, datetime):
        return stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    is_large = isinstance(value, int) and value.bit_length() > _BITS
    return value if value is None or (isinstance(value, str | int | float | bytes) and not is_large) else str(value)


async def copy_query(server: Server, query: str, copy: Path) -> str:
    """Store ``query``'s result in a table of ``copy``; return the query that reads it there.

    Raises `SmartSyncError` for what is no SELECT of this database, or takes too long.
    """
    try:
        async with PostgresDatabase(server, patience=_PATIENCE, read_only=True) as database:
            whole = f"SELECT * FROM (\n{query}\n) q"
            columns = [name for name, _ in await database.columns(f"{whole} LIMIT 0")]
            if "account_id" in columns and await database.dialect.columns(database, "project_social_accounts"):
                # What a pass reads: without an end it would fill the memory here, not the server's.
                whole += " WHERE CAST(q.account_id AS TEXT) IN (SELECT CAST(id AS TEXT) FROM project_social_accounts)"
            else:
                whole += " LIMIT 0"
            names = ", ".join('"{}"'.format(name.replace('"', "")) for name in columns)
            rows = await database.ask(whole)
    except StoreError as error:
        raise SmartSyncError(str(error)) from None
    await asyncio.to_thread(_keep, copy, names, rows)
    return "SELECT * FROM parsed_by_query"


def _keep(copy: Path, names: str, rows: Sequence[Any]) -> None:
    with closing(connect(copy, "rwc")) as target, target:
        target.execute(f"CREATE TABLE parsed_by_query ({names})")
    _insert(copy, "parsed_by_query", names, rows)
