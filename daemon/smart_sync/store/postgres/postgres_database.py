"""A PostgreSQL database: one connection for serialised write transactions, and others for reading."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from smart_sync.aio.rate_limit import Limit
from smart_sync.config.database_url import Server
from smart_sync.core.model import METRICS
from smart_sync.errors import DatabaseError
from smart_sync.logs import emit
from smart_sync.store.engine import LONG_WAIT, Busy, Down, Lost, Refused, StoreError
from smart_sync.store.postgres.catalogue import PostgresDialect, quoted, read_as
from smart_sync.store.postgres.fencing import HAS_TABLES, MARK, TURN, Fence
from smart_sync.store.postgres.obstacles import obstacle
from smart_sync.store.postgres.postgres_transaction import PostgresTransaction
from smart_sync.store.postgres.quota_slots import SharedLimit
from smart_sync.store.postgres.server_connection import (
    CONNECTING,
    PAUSE,
    RECONNECTING,
    Connection,
    is_permanent,
    rows,
)
from smart_sync.store.postgres.statements import numbered
from smart_sync.store.postgres.usable_server import schema_of

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: Seconds that a transaction waits for another one of ours, or for the server.
PATIENCE = 120.0
#: Seconds for a small answer, for which a client waits.
GLANCE_PATIENCE = 2.0
#: Seconds for a configured query.
MAX_ASKING = 60.0
#: What the web app's tables demand at the end of a transaction (each foreign key that Django makes) is asked of each
#: row at once: what is refused only by COMMIT would be all of it.
_BEGIN = "BEGIN; SET CONSTRAINTS ALL IMMEDIATE"
#: Milliseconds after which a session is ended whose process has been halted in the middle of writing.
IDLE_MS = 15_000


class PostgresDatabase:
    """The database at ``server``; use as ``async with``.  Statements raise `StoreError`.

    ``lease``: of what is done by one process at a time, passes say; nothing is written once it is lost.
    """

    def __init__(
        self, server: Server, *, patience: float = PATIENCE, read_only: bool = False, lease: Fence | None = None
    ) -> None:
        self.server, self.name = server, server.name
        self.created = False
        self._patience, self._read_only, self._lease = patience, read_only, lease
        self._waits_since: float | None = None
        #: The connection whose transaction all queries are part of.
        self._steady: AsyncConnection[Any] | None = None
        #: The name under which our transactions leave marks.
        self._marks_of = f"commit:{uuid.uuid4().hex}"
        #: The mark that the last one has left.
        self._mark = 0
        #: The types of the parameters of statements for many rows.
        self._types: dict[str, list[str]] = {}

    async def __aenter__(self) -> Self:
        self.dialect = PostgresDialect(await schema_of(self.server, read_only=self._read_only))
        path = {"search_path": self.dialect.path}
        looking = path | {"default_transaction_read_only": "on"}
        writing = path | {"idle_in_transaction_session_timeout": str(IDLE_MS)}
        if self._lease is not None:
            writing |= self._lease.session(self.dialect.schema)
        self._writer = Connection(self.server, looking if self._read_only else writing, patience=self._patience)
        self._reader = Connection(self.server, looking, patience=self._patience)
        self._glancer = Connection(self.server, looking, patience=GLANCE_PATIENCE)
        # A configured query means what it means in psql: its tables are the web app's own, not our views of them.
        asking = looking | {"search_path": f"{self.dialect.schema}, {self.dialect.helpers}"}
        asking |= {"statement_timeout": str(round(MAX_ASKING * 1000))}
        self._asker = Connection(self.server, asking, patience=self._patience, limit=MAX_ASKING)
        self._slots = Connection(self.server, path, patience=self._patience)
        #: Of each quota one, so that its rows are made once and one of this process looks at a time.
        self._limits: dict[tuple[str, int, float], SharedLimit] = {}
        if self._lease is not None:
            self._lease.ends.append(self._cut)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lease is not None:
            self._lease.ends.remove(self._cut)
        for connection in self._connections:
            await connection.close()

    @property
    def _connections(self) -> tuple[Connection, ...]:
        return self._writer, self._reader, self._glancer, self._asker, self._slots

    def _cut(self, error: StoreError) -> None:
        """Stop all waiting for the server when the lease is lost: it may not answer any more."""
        for connection in self._connections:
            connection.cut(error)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, from the last committed state."""
        if self._steady is None:
            return await self._reader.fetch(sql, parameters)
        # On no other connection where this one is lost: it would see another state.
        async with self._reader.turn, self._reader.translated_errors():
            return await rows(self._steady, numbered(sql), parameters)

    async def glance(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for small results: never queued behind a pass's large reads."""
        return await (self._glancer if self._steady is None else self).fetch(sql, parameters)

    @contextlib.asynccontextmanager
    async def steady(self) -> AsyncIterator[None]:
        """Inside, all queries see the same committed state. For programs that only read and end.

        They raise `Down` once the connection is lost.
        """
        await self.fetch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._steady = await self._reader.open()
        try:
            yield
        finally:
            self._steady = None
            with contextlib.suppress(StoreError):  # it ends with its connection as well
                await self._reader.fetch("COMMIT", patience=0.0)

    async def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for a configured query: read-only, at most `MAX_ASKING` seconds."""
        _demand_no_snapshots(sql, self.name)
        return await self._asker.fetch(sql, parameters)

    async def columns(self, sql: str) -> list[tuple[str, str]]:
        """The column names of `ask` with this query, which is prepared and thereby checked.

        Each with the SQL that reads it as a column of that name in our tables is read.
        """
        _demand_no_snapshots(sql, self.name)
        async with self._asker.turn, self._asker.translated_errors():
            connection = await self._asker.open()
            # Prepared, it is one statement and nothing else.
            cursor = await connection.execute(numbered(sql), prepare=True)
            types, helpers = connection.adapters.types, self.dialect.helpers
            described = [(column.name, types.get(column.type_code)) for column in cursor.description or ()]
            # A count is left as it is: what is no number is to be reported.
            return [
                (name, quoted(name) if name in METRICS else read_as(name, kind.regtype if kind else "", helpers))
                for name, kind in described
            ]

    async def check_in_place(self) -> None:
        """Raise `NotLeading` if another instance has taken over; a connection always leads to one database."""
        if self._lease is not None:
            try:
                self._lease.require_held()
            except Lost as error:
                raise error.meaning from None

    async def check_access(self) -> None:
        """Raise `Refused` if a policy hides rows of the web app's, such as one that has come while the daemon runs."""
        if hidden := await obstacle(self.fetch, self.dialect.schema):
            raise Refused(hidden, DatabaseError(f"{self.name}: {hidden}", trouble="database-rights"))

    def locked_seconds(self) -> float:
        """How long another session has been blocking our writes, in seconds; 0 while it is too short to report."""
        waited = 0.0 if self._waits_since is None else time.monotonic() - self._waits_since
        return waited if waited >= LONG_WAIT else 0.0

    async def at_once(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of a statement that commits by itself and does not wait for write transactions."""
        return await self._slots.fetch(sql, parameters)

    async def at_once_if_held(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`at_once` for the lease's holder. Raises `Lost` if another has it."""
        check = None if self._lease is None else self._lease.check
        return await self._slots.fetch(sql, parameters, check=check)

    def limit(self, name: str, calls: int, seconds: float) -> Limit:
        """The limit of the quota ``name``, shared by all processes on this database."""
        return self._limits.setdefault((name, calls, seconds), SharedLimit(self._slots, name, calls, seconds))

    async def rest(self) -> None:
        """Forget the types of parameters, which a migration may change; what a pass has read the server keeps."""
        self._types.clear()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator["PostgresTransaction"]:
        """A write transaction: committed as a whole, or rolled back whatever ends the block."""
        async with self._writer.turn:
            connection, mark = await self._begin()
            try:
                async with self._writer.translated_errors():
                    yield PostgresTransaction(self.dialect, self._writer, connection, self._types)
                await self._commit(connection, mark)
            except BaseException:
                await self._roll_back(connection)
                raise

    async def _begin(self) -> "tuple[AsyncConnection[Any], int]":
        """Begin a transaction after any other of ours; return its connection and the mark it leaves, 0 if none."""
        began = time.monotonic()
        timer = asyncio.get_running_loop().call_later(LONG_WAIT, self._tell_of_wait)
        self._waits_since = began
        try:
            while True:
                try:
                    return await self._try_to_begin()
                except (Busy, Down) as error:
                    limit = self._patience if isinstance(error, Busy) else min(self._patience, RECONNECTING)
                    if is_permanent(error) or time.monotonic() - began > limit:
                        raise
                await asyncio.sleep(PAUSE)
        finally:
            self._waits_since = None
            timer.cancel()

    async def _try_to_begin(self) -> "tuple[AsyncConnection[Any], int]":
        async with self._writer.translated_errors():
            connection = await self._writer.open()
            try:
                await connection.execute(_BEGIN)
                if self._lease is not None:
                    # Before anything is waited for: who has lost it holds nothing up.
                    await self._lease.check(connection)
                ((has_tables,),) = await rows(connection, HAS_TABLES, ())
                if has_tables:
                    self._mark += 1
                    await connection.execute(numbered(TURN), (self._marks_of, self._mark))
            except BaseException:
                await self._roll_back(connection)
                raise
        return connection, self._mark if has_tables else 0

    def _tell_of_wait(self) -> None:
        emit("database.locked", path=self.name, seconds=LONG_WAIT)

    async def _commit(self, connection: "AsyncConnection[Any]", mark: int) -> None:
        if self._lease is not None:
            self._lease.require_held()
        try:
            async with self._writer.translated_errors():
                if (await connection.execute("COMMIT")).statusmessage != "COMMIT":
                    raise Refused(
                        "rolled back",
                        DatabaseError(f"{self.name}: the transaction had failed", trouble="database-server"),
                    )
        except Down:
            # The server may have committed before the line broke: then the mark is there, and all else.
            if not mark or not await self._was_committed(mark):
                raise

    async def _was_committed(self, mark: int) -> bool:
        ends = time.monotonic() + RECONNECTING + CONNECTING
        while time.monotonic() < ends:
            if self._lease is not None:
                self._lease.require_held()
            with contextlib.suppress(StoreError):
                return bool((await self._slots.fetch(MARK, (self._marks_of,), patience=0.0))[0][0] == mark)
            await asyncio.sleep(PAUSE)
        return False

    async def _roll_back(self, connection: "AsyncConnection[Any]") -> None:
        """End the transaction without its rows. If cancelled meanwhile, by ending the connection.

        It never leaves a statement behind: libpq would crash if the connection were closed under it.
        """
        rollback = asyncio.create_task(connection.execute("ROLLBACK"), name="store:rollback")
        cancelled = None
        while not rollback.done():
            try:
                await asyncio.wait({rollback})
            except asyncio.CancelledError as error:
                cancelled = error
                self._writer.cut()
        if rollback.cancelled() or rollback.exception() is not None:
            await self._writer.close()
        if cancelled is not None:
            raise cancelled


def _demand_no_snapshots(sql: str, name: str) -> None:
    """Refuse a query on snapshots: MAX would read our own back, which only SQLite can hide from a query."""
    if "account_snapshots" in sql.lower():
        message = "a query that reads account_snapshots is supported with SQLite only; give a table of your own"
        raise Refused(message, DatabaseError(f"{name}: {message}"))
