"""A rate limit: at most so many calls in any window of time, shared by all callers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class Limit(Protocol):
    """At most so many requests in any window of time: a `RateLimit`, or a limit shared by several processes."""

    def slot(self, until: float | None = None, lasts: float = 60.0) -> AbstractAsyncContextManager[float]:
        """Make one request inside; yields the seconds it had to wait for a slot.

        ``lasts``: the most seconds that the request can take.  Raises TimeoutError if it has no turn ``until`` then
        (the loop's time).
        """


class RateLimit:
    """At most ``calls`` requests in any ``seconds``; a burst of ``calls`` requests is let through at once.

    A slot comes back ``seconds`` after its request *ended*, so that the promise holds at the other end,
    however long each was under way.  (aiolimiter's leaky bucket lets nearly 2 × ``calls`` through in a window.)
    """

    def __init__(self, calls: int, seconds: float = 60.0) -> None:
        self._slots = asyncio.Semaphore(calls)
        self._seconds = seconds

    @asynccontextmanager
    async def slot(self, until: float | None = None, lasts: float = 60.0) -> AsyncIterator[float]:
        """See `Limit.slot`; the duration of the request does not matter here."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout_at(until):
            await self._slots.acquire()
        try:
            yield loop.time() - began
        finally:
            loop.call_later(self._seconds, self._slots.release)
