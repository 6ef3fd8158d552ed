"""Many things to do, a few at a time, the results as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def each(
    items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, R]], at_once: int, name: str
) -> AsyncGenerator[R, None]:
    """What ``work`` gives for each item, in the order it is done, ``at_once`` of them under way.

    Raises what ``work`` raises, after the results that were there already.  Owns its tasks: when it ends or is
    closed, they have ended.  (No TaskGroup: that would cancel whoever iterates, in the middle of its own work.)
    """
    todo = iter(items)
    running: set[asyncio.Task[R]] = set()
    done: set[asyncio.Task[R]] = set()
    try:
        while True:
            running |= {asyncio.create_task(work(item), name=name) for item in islice(todo, at_once - len(running))}
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda task: task.exception() is not None):
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
