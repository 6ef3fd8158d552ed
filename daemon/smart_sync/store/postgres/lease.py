"""The leader's lease in one instance: taken when free, renewed while held, given back at the end."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config.database_url import Server
from smart_sync.errors import Busy, DatabaseUnusable, SmartSyncError
from smart_sync.store.engine import Refused, StoreError, newer_version
from smart_sync.store.postgres.catalogue import PostgresDialect
from smart_sync.store.postgres.fencing import (
    ADD,
    CHANNEL,
    CHECK,
    CLEAN,
    END_HALTED,
    END_SESSION,
    GIVE_BACK,
    LEADER,
    LOOK,
    MAKE,
    RENEW,
    TABLE,
    TAKE,
    Watched,
    lost,
    session_name,
)
from smart_sync.store.postgres.server_connection import Connection, rows
from smart_sync.store.postgres.statements import numbered
from smart_sync.store.postgres.usable_server import schema_of

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: The kinds of holders: one that keeps it, and one that ends with its pass.
DAEMON, PASS = "daemon", "pass"
#: Seconds between two looks of one that waits, where nothing is heard through NOTIFY.
POLL = 2.0
STARTING = 15.0  # seconds that the server may take to answer at the start
#: Seconds for which another process of ours may be halted in the middle of a statement.
HALTED = 30.0
_PAUSE = 0.1  # seconds between two tries where one has failed
#: Parts of the time that a lease lasts: between two renewals, for one try, and left when writing ends.
_BETWEEN, _TRY, _MARGIN = 1 / 5, 1 / 4, 1 / 10


@contextlib.asynccontextmanager
async def held(server: Server, waiting: float = 0.0, newest: int | None = None) -> AsyncIterator["Lease"]:
    """The leader's lease for one pass, renewed until the block ends; ``newest`` as `Lease` has it.

    Raises `Busy` if another instance has it for more than ``waiting`` seconds, or a daemon, which will not let it go.
    """
    lease = Lease(server, PASS, newest)
    try:
        await lease.acquire(waiting)
        async with BackgroundTasks({"lease": lease.run}):
            yield lease
    finally:
        await lease.give_back()


class Lease:
    """The leader's lease, as one instance knows it: `run` renews it while it is held, and takes it when it is free.

    ``kind`` is `DAEMON` or `PASS`; ``newest``: the version of the tables beyond which this one cannot lead.
    """

    def __init__(self, server: Server, kind: str, newest: int | None = None) -> None:
        self.server = server
        self.holder = f"{socket.gethostname()}:{os.getpid()}"  # how this instance is called
        #: Seconds that it lasts without being renewed.
        self.seconds = server.takeover
        #: ``taken`` is set while this instance has it, ``free`` while it has not.
        self.taken, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()
        #: The holder, as it was last seen; "" for none.
        self.leader = ""
        #: Since when there has been none, on the monotonic clock.
        self.leaderless_since = time.monotonic()
        self.reason = self.trouble = ""  # why this instance has lost it, and why the server cannot be asked now
        #: The version of the tables, where that is newer than ``newest``.
        self.outdated = 0
        #: Called when it is lost, with the error for those that still use it.
        self.ends: list[Callable[[StoreError], None]] = []
        #: Set, and replaced by a new one, whenever something is told by NOTIFY or another holder is seen.
        self.news = asyncio.Event()
        self._kind, self._newest = kind, newest
        self._token, self._leader_kind, self._watched = 0, "", Watched()
        self._until = 0.0  # until when it is held, on the monotonic clock: earlier than the server thinks
        self._timer: asyncio.TimerHandle | None = None
        self._not_before, self._table, self._schema = 0.0, "", ""
        self._listens: AsyncConnection[Any] | None = None  # the connection that hears what is told
        limit = str(max(int(self.seconds * _TRY * 1000), 100))
        self._connection = Connection(server, {"statement_timeout": limit, "lock_timeout": limit}, patience=0.0)

    @property
    def held(self) -> bool:
        """Whether this instance holds it, by its own clock."""
        return bool(self._token) and time.monotonic() < self._until

    def session(self, schema: str) -> dict[str, str]:
        """The settings of the session that writes under it; by its name the next holder ends it."""
        return {"application_name": session_name(schema, self._token)}

    def require_held(self) -> None:
        """Raise `Lost` unless it is held."""
        if not self.held:
            self._end()
            raise lost(self.reason)

    async def check(self, connection: "AsyncConnection[Any]") -> None:
        """Raise `Lost` unless it is held, and will be until the open transaction has ended."""
        self.require_held()
        if not await rows(connection, numbered(CHECK), (LEADER, self._token, self.holder)):
            self.lose("another instance has taken over")
            raise lost(self.reason)

    async def acquire(self, waiting: float) -> None:
        """Wait until it is free and take it; see `held`."""
        ends = time.monotonic() + waiting
        while not await self.attempt():
            if time.monotonic() >= ends or self._leader_kind == DAEMON:
                daemon = self._leader_kind == DAEMON
                then = "ask it with: smart-sync sync" if daemon else "try again when its pass is over"
                held = f"another instance ({self.leader or 'unknown'}) holds the database; {then}"
                raise Busy(f"{self.server.name}: {held}")
            await asyncio.sleep(_PAUSE)

    async def attempt(self) -> bool:
        """Try once to take it; return whether it is held. Raises `SmartSyncError` if the server cannot be used."""
        try:
            await self._connection.answered(self._take(starting=True), STARTING)
        except StoreError as error:
            raise error.meaning from None
        return self.held

    async def run(self) -> None:
        """Renew it, or wait to take it, until cancelled."""
        while True:
            try:
                pause = await self._bounded(self._renew() if self._token else self._take())
            except (StoreError, SmartSyncError) as error:
                meaning = error.meaning if isinstance(error, StoreError) else error
                self.trouble = str(meaning)
                # A replica, say, is not mended at once.
                await asyncio.sleep(POLL if isinstance(meaning, DatabaseUnusable) and not self._token else _PAUSE)
            else:
                self.trouble = ""
                await self._wait(pause)

    async def give_back(self, rest: float = 0.0) -> None:
        """Let another instance take it at once, this one only after ``rest`` seconds. No error if it is not held."""
        token, self._not_before = self._token, time.monotonic() + rest
        self.lose("it was given back")
        for _ in range(2 if token else 0):  # once more where only the connection was lost
            try:
                await self._bounded(self._ask(GIVE_BACK, LEADER, token, self.holder))
                break
            except StoreError as error:
                self.trouble = str(error.meaning)
        if not rest:
            await self._connection.close()

    async def _ask(self, sql: str, *parameters: object) -> list[Any]:
        async with self._connection.turn, self._connection.translated_errors():
            connection = await self._connection.open()
            if self._listens is not connection:
                self._listens = connection
                with contextlib.suppress(StoreError):  # not every server knows it: then looking has to do
                    async with self._connection.translated_errors():
                        await connection.execute(f"LISTEN {CHANNEL}")
            return await rows(connection, numbered(sql.format(table=self._table)), parameters)

    async def _bounded(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of ``work``; `Down` if the server does not answer within a part of the remaining time."""
        limit = max(min(self.seconds * _TRY, STARTING), 0.25 if self._token else POLL)
        return await self._connection.answered(work, limit)

    async def _prepare(self) -> None:
        """Create the table and the row if they are missing."""
        schema = PostgresDialect(await schema_of(self.server)).schema
        self._schema, self._table = schema, f"{schema}.{TABLE}"
        try:
            if not (await self._ask("SELECT to_regclass(?)", self._table))[0][0]:
                with contextlib.suppress(Refused):  # another one makes it at the same time
                    await self._ask(MAKE)
            await self._ask(ADD, LEADER)
        except BaseException:
            self._table = ""
            raise

    async def _take(self, *, starting: bool = False) -> float:
        """Take it if it is free; return the seconds until the next look. ``starting``: raise for newer tables."""
        if not self._table:
            await self._prepare()
        outdated = await self._is_outdated()
        try:
            ((token, holder, kind, until, left),) = await self._ask(LOOK, LEADER) or [(0, "", "", "", 0.0)]
        except Refused:
            self._table = ""  # it is gone: made anew at the next look
            raise
        if not kind and not token:
            await self._ask(ADD, LEADER)
        left = self._watched.left((token, until), left)
        self._see(holder if left > 0 else "", kind)
        if left > 0 or (outdated and not starting) or time.monotonic() < self._not_before:
            return float(min(left + 0.01, POLL)) if left > 0 else POLL
        if outdated:
            raise newer_version(self.server.name, self.outdated, self._newest or 0)
        await self._ask(CLEAN)
        began = time.monotonic()
        taken = await self._ask(TAKE, self.holder, self._kind, self.seconds, LEADER, token, until)
        if not taken:
            # Who had it may be in the middle of a transaction which it will never end.
            with contextlib.suppress(StoreError):
                await self._ask(END_SESSION, session_name(self._schema, token))
            return _PAUSE
        self._token, self.reason = int(taken[0][0]), ""
        self._last_until(began)
        self.free.clear()
        self.taken.set()
        self._see(self.holder, self._kind)
        return self.seconds * _BETWEEN

    async def _is_outdated(self) -> bool:
        if self._newest is None:
            return False
        table = f"{self._schema}.smart_sync_schema"
        table_exists = (await self._ask("SELECT to_regclass(?)", table))[0][0]
        rows = await self._ask(f"SELECT to_jsonb(s) ->> 'version' FROM {table} s") if table_exists else []
        version = int(rows[0][0]) if rows and str(rows[0][0]).isdecimal() else 0
        before, self.outdated = self.outdated, version if version > self._newest else 0
        if before != self.outdated:
            self._tell()
        return bool(self.outdated)

    async def _renew(self) -> float:
        began, token = time.monotonic(), self._token
        if not await self._ask(RENEW, self.seconds, LEADER, token, self.holder):
            self.lose("another instance has taken over")
            return 0.0
        if self._token == token:
            self._last_until(began)
            with contextlib.suppress(StoreError):  # a right may be missing
                await self._ask(END_HALTED, HALTED)
        return self.seconds * _BETWEEN

    def _last_until(self, began: float) -> None:
        """Note its renewal by a statement sent at ``began``: the server counts from a later time."""
        self._until = began + self.seconds * (1 - _MARGIN)
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._until - time.monotonic(), self._end)

    def _end(self) -> None:
        why = f" ({self.trouble})" if self.trouble else ""
        self.lose(f"its lease could not be renewed within {self.seconds:g} s{why}")

    def lose(self, reason: str) -> None:
        """Lead no more: end what runs under the lease, and tell why."""
        if not self._token:
            return
        self._token, self._until, self.reason = 0, 0.0, reason
        if self._timer is not None:
            self._timer.cancel()
        self.taken.clear()
        self.free.set()
        self._see("", "")
        for end in self.ends:
            end(lost(reason))

    def _see(self, leader: str, kind: str) -> None:
        if leader != self.leader:
            if not leader:
                self.leaderless_since = time.monotonic()
            self.leader = leader
            self._tell()
        self._leader_kind = kind

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def _wait(self, pause: float) -> None:
        """Wait for so many seconds, or until a NOTIFY."""
        if self._listens is None or self._listens.closed:
            await asyncio.sleep(min(pause, _PAUSE))
            return
        with contextlib.suppress(StoreError):
            news = self._listens.notifies(timeout=pause, stop_after=1)
            async with self._connection.translated_errors(), aclosing(news) as notices:
                async for _ in notices:
                    self._tell()
