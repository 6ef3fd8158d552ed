"""An open write transaction on an SQLite file."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import aiosqlite

from smart_sync.store.sqlite.sqlite_catalogue import SqliteDialect


class SqliteTransaction:
    """The statements of one open write transaction."""

    dialect = SqliteDialect()

    def __init__(
        self, connection: aiosqlite.Connection, told: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._told = told

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, seen from inside the transaction."""
        with self._told():
            return list(await self._connection.execute_fetchall(sql, parameters))

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; returns the number of rows it changed."""
        with self._told():
            cursor = await self._connection.execute(sql, parameters)
            try:
                return cursor.rowcount
            finally:
                await cursor.close()

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``rows``; returns the number of rows changed."""
        there = iter(rows)
        if (first := next(there, None)) is None:
            return 0  # most of what a pass may write of a project, which is not worth the way to SQLite's thread
        with self._told():
            cursor = await self._connection.executemany(sql, chain((first,), there))
            try:
                return max(cursor.rowcount, 0)
            finally:
                await cursor.close()

    @property
    def open(self) -> bool:
        """False once an error (a full disk, say) has ended the transaction on its own."""
        return self._connection.in_transaction
