"""An open write transaction of an SQLite file."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import aiosqlite

from smart_sync.store.sqlite.driver import rows_of
from smart_sync.store.sqlite.sqlite_catalogue import SqliteDialect


class SqliteTransaction:
    """An open write transaction."""

    dialect = SqliteDialect()

    def __init__(
        self, connection: aiosqlite.Connection, translated_errors: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._translated_errors = translated_errors

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, seen from inside the transaction."""
        with self._translated_errors():
            return await rows_of(self._connection, sql, parameters)

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows changed."""
        with self._translated_errors():
            cursor = await self._connection.execute(sql, parameters)
            try:
                return cursor.rowcount
            finally:
                await cursor.close()

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``rows``; return the number of rows changed."""
        remaining = iter(rows)
        if (first := next(remaining, None)) is None:
            return 0  # most of what a pass may write of a project, which is not worth the way to SQLite's thread
        with self._translated_errors():
            cursor = await self._connection.executemany(sql, chain((first,), remaining))
            try:
                return max(cursor.rowcount, 0)
            finally:
                await cursor.close()

    @property
    def open(self) -> bool:
        """False once an error (a full disk, say) has ended the transaction on its own."""
        return self._connection.in_transaction
