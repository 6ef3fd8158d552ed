"""A connection to PostgreSQL that is opened when it is needed, and anew when the server has ended it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smart_sync.config.database_url import Server
from smart_sync.errors import Busy as InstanceBusy
from smart_sync.errors import DatabaseUnusable
from smart_sync.store.engine import Busy, Down
from smart_sync.store.postgres.sqlstates import translated
from smart_sync.store.postgres.statements import numbered

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: Seconds for which a server that is not there is tried again, and between two tries.
RECONNECTING, PAUSE = 30.0, 0.25
#: Seconds for one try to connect; milliseconds that another session may hold what we want to write.
CONNECTING, LOCK_MS = 5, 2000
#: Seconds that the server may take to let go what the session of an instance that has just ended held.
LETTING_GO = 1.0
#: What `Busy` says of an instance that holds the database: it is not going to let it go.
CLAIMED = "claimed"
#: Rows that are made of an answer before the event loop goes on with something else.
CHUNK = 1000
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "client_min_messages": "error",
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


def demand_library() -> None:
    """Raise `DatabaseUnusable` where psycopg is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise DatabaseUnusable(
            f"[database] url needs psycopg ({error.name or 'libpq'} is missing);"
            " pip install 'smart-sync-daemon[postgres]'"
        ) from None


class Connection:
    """One connection, for one statement or transaction at a time: hold `turn` around each.

    ``settings`` are those of its session, beside `_SESSION`; ``claim`` is a statement that gives true where the new
    connection may be used.
    """

    def __init__(self, server: Server, settings: Mapping[str, str], *, patience: float, claim: str = "") -> None:
        self.turn = asyncio.Lock()
        self.patience = patience
        self._server = server
        self._settings = {**_SESSION, **settings}
        self._claim = claim
        self._connection: AsyncConnection[Any] | None = None

    async def open(self) -> "AsyncConnection[Any]":
        """The connection.  Raises `Down` while the server cannot be reached, `Busy` where the claim is another's."""
        if self._connection is not None and not self._connection.broken:
            return self._connection
        await self.close()
        connection = await connect(self._server, self._settings)
        try:
            await self._demand_claim(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return connection

    async def _demand_claim(self, connection: "AsyncConnection[Any]") -> None:
        ends = time.monotonic() + LETTING_GO
        while self._claim and not (await rows(connection, self._claim, ()))[0][0]:
            if time.monotonic() >= ends:
                held = "another instance holds the database; stop it, or ask it with: smart-sync sync"
                raise Busy(CLAIMED, InstanceBusy(f"{self._server.name}: {held}"))
            await asyncio.sleep(LETTING_GO / 20)

    async def close(self) -> None:
        """End it; the next use opens another one."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close()
            self._connection = None

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Inside, psycopg's errors become ours."""
        from psycopg import Error

        try:
            yield
        except Error as error:
            broken = self._connection is None or self._connection.broken
            raise translated(error, self._server.name, broken=broken) from error

    async def fetch(self, sql: str, parameters: Sequence[Any] = (), patience: float | None = None) -> list[Any]:
        """All rows of a query: asked again while the server is away, as long as a caller may wait for it."""
        ends = time.monotonic() + min(self.patience if patience is None else patience, RECONNECTING)
        while True:
            try:
                async with self.turn, self.told():
                    return await rows(await self.open(), numbered(sql), parameters)
            except (Down, Busy) as error:
                if isinstance(error.meaning, DatabaseUnusable) or time.monotonic() > ends:
                    raise
            await asyncio.sleep(PAUSE)


async def connect(server: Server, settings: Mapping[str, str]) -> "AsyncConnection[Any]":
    """A new connection whose session has the ``settings``.  Raises `StoreError`."""
    demand_library()
    import psycopg

    try:
        connection = await psycopg.AsyncConnection.connect(
            server.url.get_secret_value(),
            autocommit=True,
            connect_timeout=CONNECTING,
            application_name="smart-sync",
            tcp_user_timeout=15000,
            client_encoding="UTF8",
            cursor_factory=psycopg.AsyncRawCursor,
        )
    except psycopg.Error as error:
        raise translated(error, server.name, broken=True) from None
    try:
        adapt(connection)
        places = range(1, 2 * len(settings), 2)
        calls = ", ".join(f"set_config(${place}, ${place + 1}, false)" for place in places)
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
    """All rows of a query, made a part at a time."""
    cursor = await connection.execute(sql, parameters)
    if cursor.description is None:
        return []
    found: list[Any] = []
    while part := await cursor.fetchmany(CHUNK):
        found += part
        if len(part) == CHUNK:
            await asyncio.sleep(0)
    return found


def adapt(connection: Any) -> None:
    """Let values come and go as they do in SQLite: a truth value is 0 or 1, a number of any size int or float."""
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
