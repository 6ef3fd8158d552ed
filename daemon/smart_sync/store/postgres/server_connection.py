"""A connection to PostgreSQL, opened on demand and again after the server has ended it.

It is no pool.  Each `Connection` has its own settings, one user at a time and its own queue, so that no small answer
and no sign of life waits for a pass's reads: there is nothing to share.  psycopg_pool 3.3.3 would take the place of
`open`, `close` and ``turn``: 793 lines of code became 808 with a pool of one connection for each, 804 with one pool for
all five (whose sessions may write where ours only read).  Tests can be made to pass with it, but:

- It connects in a task of its own, and does not tell the client that waits why it cannot.  "No such database" was a
  `PoolTimeout` after all of the 5 s that the client had, though ``reconnect_failed`` was called after 8 ms: that call
  has no way to the clients that wait.  Nor are they served by a later try, once it has given up: the server was back
  after 2.6 s, the client waited for all of its 6 s.  A ``connection_class`` can return a closed connection that carries
  the error; but in place of each lost one the pool then opens another that nobody asked for, also without the lease.
- That task swallows cancellation: a program cancelled while the pool connects to a server that answers nothing does
  not end (killed after 20 s).  Before Python 3.12 ``getconn`` swallows it as well, in the moment in which a connection
  is handed over: a loop such as the lease's would go on for ever.
- It cannot break connecting off: with a dead line, closing took 4.5 s, or left the tasks behind (here 0 s).  Nor does
  it reach the connections in use: `cut` and `answered` are the same code with it.
- Processor time for a small query 78 → 94 µs, for a statement that commits 72 → 88 µs, for a transaction 470 → 503 µs.

A pool would do that fails the waiting clients with the error of connecting, and can be closed without waiting for it.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from smart_sync.config.database_url import Server
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.store.engine import Busy, Down, Lost, Refused, StoreError
from smart_sync.store.postgres.bounded_connection import bounded_connection, shut
from smart_sync.store.postgres.refused_connection import code_of
from smart_sync.store.postgres.sqlstates import translated
from smart_sync.store.postgres.statements import numbered

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: Seconds for which a server that is not there is tried again.
RECONNECTING = 30.0
PAUSE = 0.25  # seconds between two tries
CONNECTING = 5  # seconds for one try
#: Milliseconds that another session may hold what we want to write.
LOCK_MS = 2000
_SERVER: Final = "database-server"
#: Rows that are made of an answer before the event loop goes on with something else.
CHUNK = 1000
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "client_min_messages": "error",
    "standard_conforming_strings": "on",
    # Whoever waits for its turn to write sees what the one before has written.
    "default_transaction_isolation": "read committed",
    "lock_timeout": str(LOCK_MS),
    "idle_in_transaction_session_timeout": "600000",
    "statement_timeout": "600000",
    # Of a client whose line went dead the server need not keep the locks for two hours.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # The tables are in memory, nearly always; and compiling costs more than these queries take.
    "random_page_cost": "1.1",
    "jit": "off",
    # A plan for any list is one for a short list.
    "plan_cache_mode": "force_custom_plan",
}
#: Limits that not every version has; those above take their place.
_UNLIMITED = (
    "(SELECT count(set_config(name, '0', false)) FROM pg_settings"
    " WHERE name IN ('idle_session_timeout', 'transaction_timeout'))"
)
#: What is committed is on the disk, whatever the server's default is; what waits for a replica too stays as it is.
_DURABLE = (
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, false)"
)


def require_library() -> None:
    """Raise `DatabaseUnusable` if psycopg is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        missing, remedy = error.name or "libpq", "pip install 'smart-sync-daemon[postgres]'"
        message = f"[database] url needs psycopg ({missing} is missing); {remedy}"
        raise DatabaseUnusable(message, trouble=_SERVER) from None


class Connection:
    """One connection for one statement or transaction at a time: hold `turn` around each.

    ``settings`` are those of its session, beside `_SESSION`; ``limit``: seconds after which they cut a statement off.
    """

    def __init__(self, server: Server, settings: Mapping[str, str], *, patience: float, limit: float = 0) -> None:
        self.turn = asyncio.Lock()
        self.patience = patience
        self._server, self._limit = server, limit
        self._settings = {**_SESSION, **settings}
        self._connection: AsyncConnection[Any] | None = None
        #: Why there shall be no connection any more.
        self._over: StoreError | None = None

    async def open(self) -> "AsyncConnection[Any]":
        """The open connection. Raises `Down` while the server cannot be reached."""
        self._demand()
        if self._connection is not None and not self._connection.broken:
            return self._connection
        await self.close()
        self._connection = await connect(self._server, self._settings)
        try:
            self._demand()
        except StoreError:  # it was over meanwhile
            await self.close()
            raise
        return self._connection

    def _demand(self) -> None:
        if self._over is not None:
            raise self._over

    def cut(self, error: StoreError | None = None) -> bool:
        """Close it without waiting for the server, which may not answer: waiting statements raise `Down`.

        With ``error`` for good: `open` raises that.  False if there was none.
        """
        self._over = self._over or error
        if self._connection is None or self._connection.closed:
            return False
        shut(self._connection)
        return True

    async def answered(self, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
        """The result of ``work`` on this connection; `Down` if the server does not answer within so many seconds."""
        task = asyncio.create_task(work, name="store:answer")
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=PAUSE)
            raise
        finally:
            answered = task.done()
            # Cancelled, it would wait for the server once more.
            if not answered and not self.cut():
                task.cancel()
            await asyncio.wait({task})
            failed = None if task.cancelled() else task.exception()
        if not answered:
            told = f"{self._server.name}: its server does not answer; what it waits for is in its pg_stat_activity"
            raise Down("no answer", DatabaseError(told, trouble=_SERVER))
        if failed is not None:
            raise failed
        return task.result()

    async def close(self) -> None:
        """Close it; the next use opens another one."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close()
            self._connection = None

    @contextlib.asynccontextmanager
    async def translated_errors(self) -> AsyncIterator[None]:
        """Inside, psycopg's errors become `engine`'s."""
        from psycopg import Error

        try:
            yield
        except Error as error:
            if self._over is not None:
                raise self._over from error
            broken = self._connection is None or self._connection.broken
            raise translated(error, self._server.name, broken=broken, limit=self._limit) from error
        except UnicodeEncodeError as error:
            message = f"half of a pair of code points ({error.object[error.start]!a}) is no text"
            raise Refused(message, DatabaseError(f"{self._server.name}: {message}")) from error

    async def fetch(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        patience: float | None = None,
        check: "Callable[[AsyncConnection[Any]], Awaitable[None]] | None" = None,
    ) -> list[Any]:
        """All rows of a query, repeated while the server is away, as long as the caller may wait.

        ``check`` is called before, in the same transaction.
        """
        ends = time.monotonic() + min(self.patience if patience is None else patience, RECONNECTING)
        while True:
            try:
                async with self.turn, self.translated_errors():
                    connection = await self.open()
                    if check is None:
                        return await rows(connection, numbered(sql), parameters)
                    async with connection.transaction():
                        await check(connection)
                        return await rows(connection, numbered(sql), parameters)
            except (Down, Busy) as error:
                if is_permanent(error) or time.monotonic() > ends:
                    raise
            await asyncio.sleep(PAUSE)


def is_permanent(error: StoreError) -> bool:
    """Whether a retry would fail in the same way."""
    return isinstance(error, Lost) or isinstance(error.meaning, DatabaseUnusable)


async def connect(server: Server, settings: Mapping[str, str]) -> "AsyncConnection[Any]":
    """A new connection whose session has the ``settings``.  Raises `StoreError`."""
    require_library()
    import psycopg

    try:
        connection = await bounded_connection(settings.get("statement_timeout", "")).connect(
            server.url.get_secret_value(),
            autocommit=True,
            connect_timeout=CONNECTING,
            application_name="smart-sync",
            tcp_user_timeout=15000,
            client_encoding="UTF8",
            # A prepared statement is refused for ever once the web app's migration has changed the type of a column.
            prepare_threshold=sys.maxsize,
            cursor_factory=psycopg.AsyncRawCursor,
        )
    except psycopg.Error as error:
        code = await code_of(server.url.get_secret_value(), str(error), CONNECTING)
        raise translated(error, server.name, broken=True, code=code) from None
    try:
        adapt(connection)
        places = range(1, 2 * len(settings), 2)
        calls = ", ".join([_DURABLE, _UNLIMITED, *(f"set_config(${place}, ${place + 1}, false)" for place in places)])
        if settings:
            await connection.execute(f"SELECT {calls}", [text for pair in settings.items() for text in pair])
    except psycopg.Error as error:
        await connection.close()
        raise translated(error, server.name, broken=connection.broken) from None
    except BaseException:
        await connection.close()
        raise
    return connection


async def rows(connection: "AsyncConnection[Any]", sql: str, parameters: Sequence[Any]) -> list[Any]:
    """All rows of a query, converted in chunks."""
    cursor = await connection.execute(sql, parameters)
    if cursor.description is None:
        return []
    all_rows: list[Any] = []
    while part := await cursor.fetchmany(CHUNK):
        all_rows += part
        if len(part) == CHUNK:
            await asyncio.sleep(0)
    return all_rows


def adapt(connection: Any) -> None:
    """Convert values as SQLite does: booleans are 0 or 1, numbers of any size int or float."""
    from psycopg.adapt import Dumper, Loader
    from psycopg.types.numeric import Int8Dumper

    class Truth(Loader):
        def load(self, data: Any) -> int:
            return int(bytes(data) == b"t")

    class Number(Loader):
        def load(self, data: Any) -> int | float:
            text = bytes(data).decode()
            return int(text) if text.lstrip("-").isdigit() else float(text)

    class FromBool(Dumper):
        oid = 20  # a number, as our columns are

        def dump(self, obj: Any) -> bytes:
            return b"1" if obj else b"0"

    adapters = connection.adapters
    adapters.register_loader("bool", Truth)
    adapters.register_loader("numeric", Number)
    adapters.register_dumper(bool, FromBool)
    adapters.register_dumper(int, Int8Dumper)
