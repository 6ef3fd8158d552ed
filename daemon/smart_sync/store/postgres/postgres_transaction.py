"""An open write transaction of a PostgreSQL database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from smart_sync.store.postgres import statements
from smart_sync.store.postgres.catalogue import PostgresDialect
from smart_sync.store.postgres.server_connection import Connection, rows
from smart_sync.store.postgres.statements import LEAST, MOST, bulk, numbered, written_to

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class PostgresTransaction:
    """An open write transaction."""

    def __init__(
        self,
        dialect: PostgresDialect,
        writer: Connection,
        connection: "AsyncConnection[Any]",
        types: dict[str, list[str]],
    ) -> None:
        self.dialect = dialect
        self._writer, self._connection = writer, connection
        #: The types of the parameters of statements for many rows, which the server is asked for once.
        self._types = types

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, seen from inside the transaction."""
        async with self._writer.translated_errors():
            return await rows(self._connection, numbered(sql), parameters)

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows changed."""
        text, shared = self._own(sql)
        async with self._writer.translated_errors():
            cursor = await self._connection.execute(numbered(text), _untyped(parameters) if shared else parameters)
            return cursor.rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``rows``; return the number of rows changed."""
        text, shared = self._own(sql)
        statement, left = bulk(text), iter(rows)
        first = await asyncio.to_thread(list, islice(left, LEAST))
        async with self._writer.translated_errors():
            if statement is None or len(first) < LEAST:
                return await self._one_by_one(text, chain(first, left), shared)
            left = chain(first, left)
            if statement.copy:
                # A row that is there is the exception, and checked for one by one, adding costs three times as much.
                sent: list[Sequence[Any]] | None = [] if statement.sql else None
                copied = await statements.copy(self._connection, statement, left, sent)
                if copied is not None:
                    return copied
                left = chain(sent or (), left)
            if text not in self._types:
                self._types[text] = await statements.types_of(self._connection, text)
            return await statements.run(self._connection, statement, self._types[text], left)

    async def _one_by_one(self, sql: str, rows: Iterator[Sequence[Any]], shared: bool) -> int:
        changed = 0
        while some := await asyncio.to_thread(list, islice(rows, MOST)):
            cursor = self._connection.cursor()
            await cursor.executemany(numbered(sql), [_untyped(row) for row in some] if shared else some)
            changed += max(cursor.rowcount, 0)
        return changed

    @contextlib.asynccontextmanager
    async def copying(self, sql: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        """Run a COPY FROM STDIN inside; the yielded function sends it bytes."""
        async with self._writer.translated_errors(), self._connection.cursor().copy(sql) as copy:
            yield copy.write

    def _own(self, sql: str) -> tuple[str, bool]:
        return written_to(sql, self.dialect.schema)

    @property
    def open(self) -> bool:
        """False once the connection has been lost, and the transaction with it."""
        return not self._connection.broken


def _untyped(row: Sequence[Any]) -> list[Any]:
    """A row for the web app's table, whose columns decide the types of numbers, booleans among them."""
    return [str(int(value)) if isinstance(value, int) else value for value in row]
