"""Retries of requests to Google: how many, and after what delay."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from smart_sync import logs
from smart_sync.clock import utc_now
from smart_sync.sheets.google_errors import is_passing, retry_after, trouble

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """``tries`` in all; delays grow from ``initial`` to at most ``longest`` seconds, plus up to ``jitter``.

    ``announce`` is told of each wait when it begins.
    """

    tries: int = 4
    initial: float = 0.5
    longest: float = 20.0
    jitter: float = 1.0
    announce: Callable[..., None] = logs.emit


async def retried(
    call: Callable[[int], Awaitable[T]], what: str, ends: float, backoff: Backoff, failed: Callable[[Exception], None]
) -> T:
    """The result of ``call(number of the try)``, repeated while it fails temporarily; ``failed`` gets each failure.

    A wait that the server asks for (``Retry-After``) is kept, unless it goes beyond ``ends`` (loop time):
    then there is no further try.  Raises what the last try raised.
    """
    tried, backs_off_for = 1, 0.0

    def worth_it(error: Exception) -> bool | float:
        if not is_passing(error):
            return False
        failed(error)
        asked_for = retry_after(error, utc_now())
        seconds = backs_off_for if asked_for is None else asked_for
        if asked_for is not None and asyncio.get_running_loop().time() + seconds >= ends:
            return False
        if tried < backoff.tries:
            backoff.announce(
                "request.retried",
                spreadsheet=what,
                reason=trouble(error),
                seconds=round(seconds, 1),
                tries=tried + 1,
                most=backoff.tries,
            )
        return True if asked_for is None else asked_for

    async for attempt in stamina.retry_context(
        on=worth_it,
        attempts=backoff.tries,
        timeout=None,
        wait_initial=backoff.initial,
        wait_max=backoff.longest,
        wait_jitter=backoff.jitter,
    ):
        tried, backs_off_for = attempt.num, attempt.next_wait
        with attempt:
            return await call(attempt.num)
    raise AssertionError("stamina raises what the last try raised")
