"""One SQLite file: one connection for serialised write transactions, and two for reading.

Another process may hold the file at any time.  Nothing here waits inside SQLite for longer than
`BUSY_TIMEOUT`; the waiting is done by asyncio, so the event loop never stands still.
"""

import asyncio
import contextlib
import itertools
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiosqlite
import stamina

from smart_sync.core.merge.day_snapshot import OwnSnapshots
from smart_sync.core.model import METRICS
from smart_sync.errors import DatabaseReplaced
from smart_sync.logs import emit
from smart_sync.store.engine import LONG_WAIT
from smart_sync.store.sqlite import hidden_snapshots
from smart_sync.store.sqlite.driver import connect, is_busy, rows_of, time_limit, translated_errors, uri
from smart_sync.store.sqlite.sqlite_catalogue import SqliteDialect
from smart_sync.store.sqlite.sqlite_transaction import SqliteTransaction

#: Seconds inside SQLite; `interrupt()` does not break a busy wait, so it must be short.
BUSY_TIMEOUT = 0.1
#: Seconds that a statement is tried again while another process holds the file.
PATIENCE = 120.0
#: The same for small answers, for which a client waits.
GLANCE_PATIENCE = 2.0
#: Of pages, for each connection, taken as needed: with SQLite's own 2 MiB a pass reads and spills the same pages
#: again and again (measured: a third of the system time of a pass over 40,000 accounts).
CACHE_KIB = 64 * 1024


class SqliteDatabase:
    """The file at ``path``; use as ``async with``.  Statements raise `StoreError`."""

    dialect = SqliteDialect()

    def __init__(self, path: Path, *, patience: float = PATIENCE, read_only: bool = False) -> None:
        self.path, self.name = path, str(path)
        self._read_only = read_only
        self._patience = patience
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._asker: aiosqlite.Connection | None = None
        self._stack = contextlib.AsyncExitStack()
        #: Whether `schema.open_database` made the file, because there was none.
        self.created = False
        #: Since when (monotonic) which statement has waited for another process, by its number.
        self._waits: dict[int, float] = {}
        self._numbers = itertools.count()
        self._told_of_wait = False

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._translated_errors())
            self._writer = await self._connect(stack)
            self._reader = await self._connect(stack)
            self._glancer = await self._connect(stack)
            for connection in (self._reader, self._glancer):
                # What is asked for may come from the configuration: it can look, and nothing else.
                await connection.execute_fetchall("PRAGMA query_only = ON")
            self._identity = await asyncio.to_thread(_identity, self.path)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._asker = None

    def _translated_errors(self) -> contextlib.AbstractContextManager[None]:
        return translated_errors(self.path, read_only=self._read_only)

    async def _connect(self, stack: contextlib.AsyncExitStack) -> aiosqlite.Connection:
        mode: Literal["ro", "rwc"] = "ro" if self._read_only else "rwc"

        def connector() -> sqlite3.Connection:
            return connect(self.path, mode, timeout=BUSY_TIMEOUT, any_thread=True, own_transactions=True)

        connection = await stack.enter_async_context(aiosqlite.Connection(connector, iter_chunk_size=1000))
        # Not while connecting: where the file is damaged, aiosqlite would leave its thread behind.
        await connection.execute_fetchall(f"PRAGMA cache_size = -{CACHE_KIB}")
        return connection

    async def take_snapshots_from(self, original: Path) -> None:
        """Make `fetch` see the snapshots of ``original``, which is only read, instead of those of this file.

        For a copy without them: there may be millions, of which little is asked for.
        """
        columns = ", ".join(("id", "account_id", *METRICS, "snapshot_time"))
        async with self._reading:
            with self._translated_errors():
                await self._reader.execute_fetchall("ATTACH ? AS original", (uri(original, "ro"),))
                # A view would be made of a table that is not there, too, and hide the one here.
                wanted = f"SELECT {columns} FROM original.account_snapshots"
                await self._reader.execute_fetchall(f"{wanted} LIMIT 0")
                await self._reader.execute_fetchall("PRAGMA query_only = OFF")
                await self._reader.execute_fetchall(f"CREATE TEMP VIEW account_snapshots AS {wanted}")
                await self._reader.execute_fetchall("PRAGMA query_only = ON")

    async def check_in_place(self) -> None:
        """Raise `DatabaseReplaced` if the path no longer leads to the open file, whose rows nobody would see."""
        now = await asyncio.to_thread(_identity, self.path)
        if now != self._identity:
            happened = "replaced" if now else "removed"
            raise DatabaseReplaced(
                f"{self.path}: the file was {happened} while it was open; stop the daemon before restoring a backup"
            )

    async def check_access(self) -> None:
        """Nothing: whoever can read a file reads all of it."""

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, from the last committed state; not blocked by our own writes (with WAL)."""
        async with self._reading:
            return await self._fetched(self._reader, sql, parameters)

    @contextlib.asynccontextmanager
    async def steady(self) -> AsyncIterator[None]:
        """Inside, all queries see the same committed state. For programs that only read and end."""
        glancer, self._glancer = self._glancer, self._reader
        await self.fetch("BEGIN")
        try:
            yield
        finally:
            self._glancer = glancer
            await self.fetch("COMMIT")

    async def glance(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for small results: never queued behind a pass's large reads."""
        return await self._fetched(self._glancer, sql, parameters, min(self._patience, GLANCE_PATIENCE))

    async def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for a configured query: without our own snapshots (see `others`), at most `MAX_ASKING` s."""
        plain = not hidden_snapshots.concerns(sql)
        async with self._reading if plain else self._asking:
            connection = self._reader if plain else await self._without_ours()
            with self._translated_errors():
                async with time_limit(connection, self.path):
                    return await self._fetched(connection, sql, parameters)

    async def columns(self, sql: str) -> list[tuple[str, str]]:
        """The column names of `ask` with this query, which is prepared and thereby checked, each with its SQL."""
        async with self._asking:
            connection = await self._without_ours() if hidden_snapshots.concerns(sql) else self._reader
            with self._translated_errors():
                async with connection.execute(sql) as cursor:
                    return [(column[0], f'"{column[0]}"') for column in cursor.description or ()]

    async def _without_ours(self) -> aiosqlite.Connection:
        """A read-only connection that hides our snapshots, including the newest ones."""
        if self._asker is None:
            with self._translated_errors():
                asker = await self._connect(self._stack)
            await asker.create_function(hidden_snapshots.FUNCTION, hidden_snapshots.ARGUMENTS, OwnSnapshots())
            for statement in hidden_snapshots.HIDE:
                await self._fetched(asker, statement)
            self._asker = asker
        await self._fetched(self._asker, "PRAGMA query_only = OFF")
        for statement in hidden_snapshots.notes(await self._fetched(self._asker, hidden_snapshots.UNNUMBERED)):
            await self._fetched(self._asker, statement)
        await self._fetched(self._asker, "PRAGMA query_only = ON")
        return self._asker

    async def _fetched(
        self, connection: aiosqlite.Connection, sql: str, parameters: Sequence[Any] = (), patience: float | None = None
    ) -> list[Any]:
        """All rows, retried while the file is busy."""
        timeout = self._patience if patience is None else patience
        with self._translated_errors():
            try:  # at first by itself: what is nearly always enough must not pay for setting up the tries
                return await rows_of(connection, sql, parameters)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            with self._waiting():
                async for attempt in stamina.retry_context(
                    on=is_busy, attempts=None, timeout=timeout, wait_initial=0.02, wait_max=0.5, wait_jitter=0.05
                ):
                    with attempt:
                        return await rows_of(connection, sql, parameters)
        raise AssertionError("unreachable")

    def locked_seconds(self) -> float:
        """How long another process has locked the file, in seconds; 0 while it is too short to report."""
        waited = time.monotonic() - min(self._waits.values(), default=math.inf)
        return waited if waited >= LONG_WAIT else 0.0

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Inside, a statement is retried while the file is busy; a long wait is logged once."""
        key = next(self._numbers)
        self._waits[key] = time.monotonic()
        timer = asyncio.get_running_loop().call_later(LONG_WAIT, self._tell_of_wait)
        try:
            yield
        finally:
            timer.cancel()
            del self._waits[key]
            self._told_of_wait = self._told_of_wait and bool(self._waits)

    def _tell_of_wait(self) -> None:
        if not self._told_of_wait:
            self._told_of_wait = True
            emit("database.locked", path=str(self.path), seconds=LONG_WAIT)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        """A write transaction: committed as a whole, or rolled back whatever ends the block."""
        async with self._writing:
            try:
                await self._fetched(self._writer, "BEGIN IMMEDIATE")
                yield SqliteTransaction(self._writer, self._translated_errors)
                await self._fetched(self._writer, "COMMIT")
            except BaseException:
                # Queued behind whatever the connection's thread still runs, and harmless where an error
                # (a full disk) has ended the transaction already.
                await asyncio.shield(self._writer.rollback())
                raise

    async def execute(self, sql: str) -> None:
        """Run one statement by itself on the writing connection, outside a transaction (pragmas)."""
        async with self._writing:
            await self._fetched(self._writer, sql)

    async def rest(self) -> None:
        """Release the pages that a pass has cached, which would grow to the whole file (`CACHE_KIB`)."""
        for turn, connection in ((self._writing, self._writer), (self._reading, self._reader)):
            async with turn:
                with self._translated_errors():
                    await connection.execute_fetchall("PRAGMA shrink_memory")

    def limit(self, name: str, calls: int, seconds: float) -> None:
        """None: only one process uses the file, and keeps the limits itself."""


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at ``path``."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
