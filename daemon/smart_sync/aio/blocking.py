"""From code that blocks into a coroutine, also where an event loop is running already."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def outside_of_loops(call: Callable[[], T]) -> T:
    """What ``call``, which starts an event loop, returns: called in a thread if this one has a loop, and blocks it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    with ThreadPoolExecutor(1, "smart-sync-blocking") as thread:
        return thread.submit(call).result()
