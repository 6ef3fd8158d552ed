"""Many things to do, a few at a time, the results as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def each(
    items: Iterable[T],
    work: Callable[[T], Coroutine[Any, Any, R]],
    at_once: int,
    name: str,
    *,
    ends: tuple[type[Exception], ...] = (),
) -> AsyncGenerator[R, None]:
    """What ``work`` gives for each item, in the order it is done, ``at_once`` of them under way.

    Raises what ``work`` raises, after the results that were there already; one of ``ends`` only begins nothing more,
    and is raised when all that is under way is done.  Owns its tasks: when it ends or is closed, they have ended.  (No
    TaskGroup: that would cancel the caller's task in the middle of its work.)
    """
    todo = iter(items)
    running: set[asyncio.Task[R]] = set()
    done: set[asyncio.Task[R]] = set()
    end: BaseException | None = None
    try:
        while True:
            running |= {asyncio.create_task(work(item), name=name) for item in islice(todo, at_once - len(running))}
            if not running:
                if end is not None:
                    raise end
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda task: task.exception() is not None):
                if isinstance(error := task.exception(), ends):
                    end, todo = error, iter(())
                    continue
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
