"""Copies all rows of an SQLite file into a server's empty database: one snapshot, one transaction."""

import asyncio
import sqlite3
import uuid
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smart_sync.config.database_url import Server
from smart_sync.core.foreign_text import storable
from smart_sync.core.model import METRICS
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.logs import printable
from smart_sync.store import schema
from smart_sync.store.engine import Refused, StoreError
from smart_sync.store.postgres.catalogue import ADOPTED, quoted
from smart_sync.store.postgres.lease import held
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.postgres_transaction import PostgresTransaction
from smart_sync.store.postgres.statements import encoded
from smart_sync.store.sqlite.driver import connect, explain_reading
from smart_sync.store.sqlite.scratch_copy import tables

#: Odd values that are named one by one.
NAMED = 20
#: Rows that are sent at once.
CHUNK = 10_000
#: What is said of a merged value, where there is one.
_SAID = ("winner", "known_since", "carried_since")
#: The types of whole numbers, and how many bits of a value each holds.
_BITS = {"bigint": 63, "integer": 31, "smallint": 15}
#: The types that hold a text whatever it says.
_TEXTS = ("text", "character varying", "character")
#: What the server's transaction makes by itself.
_MADE = {"clock_changes", "clock_zone", "database_made"}


@dataclass(slots=True)
class Moved:
    """The result: rows by table, tables left out, and values that no numeric column can hold."""

    rows: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    odd: int = 0
    odd_values: list[str] = field(default_factory=list)

    def note(self, table: str, key: object, column: str, value: object, became: str) -> None:
        """Count an invalid value, and name it if there are few."""
        self.odd += 1
        if len(self.odd_values) < NAMED:
            place = f"{table} {printable(str(key), 60)}: {column}"
            self.odd_values.append(f"{place} is {printable(repr(value), 60)}, {became}")


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    nullable: bool

    @property
    def is_count(self) -> bool:
        return self.kind in _BITS


async def move(source: Path, target: Server) -> Moved:
    """Copy the database at ``source`` to ``target``, which must hold no rows; ``source`` is not changed.

    Where the web app has made its tables there, they stay as it has made them, and their columns of its own types.
    Counts of rows and sums of numbers are compared before anything is committed.  Raises `SmartSyncError`.
    """
    if not await asyncio.to_thread(source.is_file):
        raise DatabaseError(
            f"{source}: there is no such file; name the SQLite database to copy from", trouble="database-missing"
        )
    try:
        with closing(connect(source, any_thread=True)) as file:
            file.text_factory = _text
            await asyncio.to_thread(_begin, file, source)
            async with (
                held(target) as lease,
                PostgresDatabase(target, lease=lease) as server,
                server.transaction() as transaction,
            ):
                given = {table for table in ADOPTED if await transaction.dialect.columns(transaction, table)}
                await schema.prepare(transaction, server, None)
                return await _copy(file, transaction, server, given)
    except sqlite3.Error as error:
        raise explain_reading(error, source) from None
    except StoreError as error:
        raise error.meaning from None


def _begin(file: sqlite3.Connection, source: Path) -> None:
    file.isolation_level = None
    file.execute("BEGIN")
    existing = tables(file)
    rows = file.execute("SELECT version FROM smart_sync_schema").fetchall() if "smart_sync_schema" in existing else []
    if not rows or rows[0][0] != len(schema.MIGRATIONS):
        raise DatabaseError(
            f"{source}: its tables are not those of this version; bring them up to date: smart-sync once",
            trouble="database-version",
        )


async def _copy(
    file: sqlite3.Connection, transaction: PostgresTransaction, server: PostgresDatabase, given: Collection[str]
) -> Moved:
    """Copy all tables; the ``given`` ones are the web app's."""
    moved = Moved()
    names = await asyncio.to_thread(lambda: [r[0] for r in file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")])  # fmt: skip
    # Those first that others of the web app's may refer to.
    for table in [*(one for one in ADOPTED if one in names), *(one for one in names if one not in ADOPTED)]:
        if not await transaction.dialect.columns(transaction, table):
            moved.left.append(table)
            continue
        if table == "smart_sync_schema":
            continue
        if table in _MADE:
            await transaction.execute(f"DELETE FROM {table}")
        elif await transaction.fetch(f"SELECT 1 FROM {table} LIMIT 1"):
            raise DatabaseUnusable(
                f"{server.name}: table {table} has rows already; name an empty database", trouble="database-missing"
            )
        try:
            await _copy_table(file, transaction, table, moved, is_given=table in given)
        except Refused as error:
            # Such as two rows that SQLite tells apart, a text and bytes, or a rule that the file's table has not.
            reason = str(error).removesuffix(".")
            other = ", or let the web app make the table so that it can hold it" if table in given else ""
            raise DatabaseError(
                f"table {table}: {reason}; correct that row in the file{other}; nothing is kept",
                trouble="database-columns",
            ) from None
    return moved


async def _copy_table(
    file: sqlite3.Connection, transaction: PostgresTransaction, table: str, moved: Moved, *, is_given: bool
) -> None:
    declared = await asyncio.to_thread(lambda: file.execute(f"PRAGMA table_info({table})").fetchall())
    existing = await transaction.dialect.columns(transaction, table)
    for _, name, kind, *_ in declared:
        if name not in existing and is_given:
            moved.left.append(f"{table}.{name}")
        elif name not in existing:  # a column of the web app's own
            number = "BIGINT" if "INT" in kind.upper() else "TEXT"
            await transaction.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {number}")
    columns = [_Column(*row) for row in await transaction.dialect.types(transaction, table) if row[0] in
               {column[1] for column in declared}]  # fmt: skip
    names = ", ".join(quoted(column.name) for column in columns)
    cursor = await asyncio.to_thread(file.execute, f"SELECT {names} FROM {table}")
    count, sums = 0, [0] * len(columns)
    # Not the view through which we read the web app's types.
    into = f"{transaction.dialect.schema}.{table}" if is_given else table
    async with transaction.copying(f"COPY {into} ({names}) FROM STDIN") as send:
        while rows := await asyncio.to_thread(cursor.fetchmany, CHUNK):
            sound = await asyncio.to_thread(_storable_rows, table, columns, rows, moved)
            count += len(sound)
            for place, column in enumerate(columns):
                if column.is_count:
                    sums[place] += sum(row[place] or 0 for row in sound)
            await send(await asyncio.to_thread(encoded, sound))
    await _compare(transaction, table, columns, count, sums)
    moved.rows[table] = count


def _storable_rows(table: str, columns: Sequence[_Column], rows: Sequence[Any], moved: Moved) -> list[list[Any]]:
    """``rows`` as their columns can hold them: an invalid value is reported, and its row kept."""
    sound = [
        [_value(table, row[0], column, value, moved) for column, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    if table == "account_metrics":
        _reset_merged(columns, rows, sound)
    return sound


def _reset_merged(columns: Sequence[_Column], rows: Sequence[Any], sound: list[list[Any]]) -> None:
    """Remove an invalid merged value: it has no winner, is not 0, and the next pass decides."""
    places = {column.name: place for place, column in enumerate(columns)}
    for metric in METRICS:
        columns_with_value = [places[name] for ending in _SAID if (name := f"{metric}_{ending}") in places]
        for row, kept in zip(rows, sound, strict=True):
            if row[places[metric]] != kept[places[metric]]:
                for place in columns_with_value:
                    kept[place] = None


def _value(table: str, key: object, column: _Column, value: Any, moved: Moved) -> Any:
    if value is None:
        if column.nullable:
            return value
        # SQLite takes rows without the text that is their primary key.
        made = str(uuid.uuid4()) if column.name == "id" else "" if column.kind in _TEXTS else 0
        moved.note(table, key, column.name, value, f"which cannot be missing: it is {made or 'empty'} now")
        return made
    if column.is_count:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, int) and -(2 ** _BITS[column.kind]) <= whole < 2 ** _BITS[column.kind]:
            return whole
        what = "too large" if isinstance(whole, int) else "no count"
        moved.note(table, key, column.name, value, f"{what}: it is {'NULL' if column.nullable else '0'} now")
        return None if column.nullable else 0
    if column.kind == "double precision":
        if isinstance(value, int | float):
            return float(value)
        moved.note(table, key, column.name, value, "no number: it is 0 now")
        return None if column.nullable else 0.0
    if value == "" and column.nullable and column.kind not in (*_TEXTS, "bytea"):
        return None  # no date, say
    if column.kind == "bytea":
        return value if isinstance(value, bytes) else str(value).encode()
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if storable(text) != text or (isinstance(value, bytes) and "\ufffd" in text):
        moved.note(table, key, column.name, text, "it has lost what is no character")
    return storable(text)


def _text(raw: bytes) -> str | bytes:
    """Text of the file; invalid text stays bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


async def _compare(
    transaction: PostgresTransaction, table: str, columns: Sequence[_Column], count: int, sums: Sequence[int]
) -> None:
    expressions = ["count(*)"] + [f"sum({quoted(c.name)})" for c in columns if c.is_count]
    (arrived,) = await transaction.fetch(f"SELECT {', '.join(expressions)} FROM {table}")
    sent = [count] + [one for one, column in zip(sums, columns, strict=True) if column.is_count]
    if [value or 0 for value in arrived] != sent:
        raise DatabaseError(
            f"table {table}: what arrived is not what was sent ({arrived} of {sent}); nothing is kept",
            trouble="database-columns",
        )
    for column in columns:
        if column.name == "seq":
            await transaction.fetch(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), coalesce(max(seq), 0) + 1, false)"
                f" FROM {table}"
            )
