"""How often, and after how long, a request to Google is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import stamina

from smart_sync import logs
from smart_sync.sheets.google_errors import is_passing, retry_after

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """``tries`` altogether; waits grow from ``initial`` to at most ``longest`` seconds, plus up to ``jitter``."""

    tries: int = 4
    initial: float = 0.5
    longest: float = 20.0
    jitter: float = 1.0


async def retried(call: Callable[[int], Awaitable[T]], what: str, ends: float, backoff: Backoff) -> T:
    """What ``call(number of the try)`` returns; called again while it fails in a passing way.

    A wait that the server asks for (``Retry-After``) is kept, unless it goes beyond ``ends`` (loop time):
    then there is no further try.  Raises what the last try raised.
    """
    why = ""

    def worth_it(error: Exception) -> bool | float:
        nonlocal why
        why = type(error).__name__
        if not is_passing(error):
            return False
        seconds = retry_after(error, datetime.now(UTC))
        if seconds is None:
            return True
        return seconds if asyncio.get_running_loop().time() + seconds < ends else False

    async for attempt in stamina.retry_context(
        on=worth_it,
        attempts=backoff.tries,
        timeout=None,
        wait_initial=backoff.initial,
        wait_max=backoff.longest,
        wait_jitter=backoff.jitter,
    ):
        with attempt:
            if attempt.num > 1:
                logs.emit("request.retried", spreadsheet=what, reason=why, tries=attempt.num)
            return await call(attempt.num)
    raise AssertionError("stamina raises what the last try raised")
