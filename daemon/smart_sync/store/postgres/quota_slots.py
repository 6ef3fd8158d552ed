"""A rate limit shared by all processes on one database: one row per request that fits into a window.

A request takes a row that is free, by the server's clock, and gives it back a window after its end.  A process that is
killed gives nothing back: its row is free again a window after its request must have ended.  One that was halted after
it had taken a row, for longer than the row was its own, takes another.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator

from smart_sync.store.engine import StoreError
from smart_sync.store.postgres.server_connection import Connection

#: The most seconds between two looks for a row that was given back earlier than it had to be.
LONGEST = 1.0
#: The fewest seconds between two such looks.
SHORTEST = 0.02
#: Seconds for what lies between taking a row and sending the request, and of a row's time that are not used.
MARGIN = 5.0

_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
_MAKE = (
    "INSERT INTO quota_slots (quota, number, free_at) SELECT CAST(?1 AS TEXT), n, 0"
    " FROM generate_series(1, CAST(?2 AS BIGINT)) n ON CONFLICT DO NOTHING"
)
_TAKE = (
    "WITH free AS (SELECT number FROM quota_slots WHERE quota = ?1 AND number <= ?2"
    # As late as this none is taken: the server's clock was set back.
    f" AND (free_at <= {_NOW} OR free_at > {_NOW} + 10 * ?3) ORDER BY free_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
    f" UPDATE quota_slots SET free_at = {_NOW} + ?3, holder = ?4 FROM free"
    " WHERE quota_slots.quota = ?1 AND quota_slots.number = free.number RETURNING quota_slots.number"
)
_LEFT = f"SELECT min(free_at) - {_NOW} FROM quota_slots WHERE quota = ?1 AND number <= ?2"
_GIVE = f"UPDATE quota_slots SET free_at = {_NOW} + ?3, holder = '' WHERE quota = ?1 AND number = ?2 AND holder = ?4"


class SharedLimit:
    """At most ``calls`` requests in any ``seconds`` for the quota ``name``, over all processes: see `Limit`.

    Of processes with different ``calls`` each keeps to its own.
    """

    def __init__(self, connection: Connection, name: str, calls: int, seconds: float) -> None:
        self._connection = connection
        self._name = name
        self._calls = calls
        self._seconds = seconds
        self._are_made = False
        #: One of this process looks at a time: they are served as they come.
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def slot(self, until: float | None = None, lasts: float = 60.0) -> AsyncIterator[float]:
        """As `Limit.slot`. Raises `StoreError` if the database cannot be reached."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        holder = uuid.uuid4().hex
        async with asyncio.timeout_at(until):
            await self._turn.acquire()
        try:
            number = await self._taken(holder, until, lasts)
        finally:
            self._turn.release()
        try:
            yield loop.time() - began
        finally:
            # What cannot be given back is free by itself, only later.
            with contextlib.suppress(StoreError):
                await self._connection.fetch(_GIVE, (self._name, number, self._seconds, holder), patience=0.0)

    async def _taken(self, holder: str, until: float | None, lasts: float) -> int:
        """Take a free row for ``holder``, for as long as a request ``lasts``; return its number."""
        if not self._are_made:
            await self._connection.fetch(_MAKE, (self._name, self._calls))
            self._are_made = True
        seconds = lasts + 2 * MARGIN
        while True:
            began = time.monotonic()
            rows = await self._connection.fetch(_TAKE, (self._name, self._calls, seconds + self._seconds, holder))
            if rows and time.monotonic() - began < MARGIN:
                return int(rows[0][0])
            if not rows:
                await self._wait(until)

    async def _wait(self, until: float | None) -> None:
        """Wait until a row may be free. No query is cancelled for it: it might take a row unnoticed."""
        left = (await self._connection.fetch(_LEFT, (self._name, self._calls)))[0][0]
        seconds = min(max(left, SHORTEST), LONGEST, max(self._seconds / 20, SHORTEST))
        now = asyncio.get_running_loop().time()
        if until is not None and now + seconds > until:
            await asyncio.sleep(max(until - now, 0))
            raise TimeoutError
        await asyncio.sleep(seconds)
