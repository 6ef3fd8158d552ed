"""What a database is told, statement by statement, on either engine."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

from smart_sync.store.engine import Database
from smart_sync.store.sqlite.database import SqliteDatabase


@contextlib.asynccontextmanager
async def watched(database: Database, told: Callable[[str], None]) -> AsyncIterator[None]:
    """Inside, ``told`` gets each statement before it runs, perhaps in a thread."""
    if isinstance(database, SqliteDatabase):
        for connection in (database._reader, database._writer):
            await connection.set_trace_callback(told)
        yield
        return
    cursor = psycopg.AsyncRawCursor
    plain, plain_copy = cursor.execute, cursor.copy

    async def execute(self: Any, sql: Any, *rest: Any, **more: Any) -> Any:
        told(str(sql))
        return await plain(self, sql, *rest, **more)

    def copy(self: Any, sql: Any, *rest: Any, **more: Any) -> Any:
        told(str(sql))
        return plain_copy(self, sql, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "execute", execute)
        patch.setattr(cursor, "copy", copy)
        yield
