"""An open write transaction of a PostgreSQL database."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from smart_sync.store.postgres import statements
from smart_sync.store.postgres.catalogue import PostgresDialect
from smart_sync.store.postgres.server_connection import Connection, rows
from smart_sync.store.postgres.statements import bulk, numbered, written_to

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
        statement, changed = bulk(text), 0
        async with self._writer.translated_errors(), statements.parts(rows, statement) as parts:
            async for part in parts:
                if statement is not None and len(part.rows) >= statements.LEAST:
                    if statement.sql and text not in self._types:
                        self._types[text] = await statements.types_of(self._connection, text)
                    changed += await statements.run(self._connection, statement, self._types.get(text, ()), part)
                else:
                    cursor = self._connection.cursor()
                    given = [_untyped(row) for row in part.rows] if shared else part.rows
                    await cursor.executemany(numbered(text), given)
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
