"""Background tasks, bounded concurrency, shared wake-ups, and running a coroutine from blocking code."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


def outside_of_loops(call: Callable[[], T]) -> T:
    """Run ``call``, which starts an event loop, in a thread if this thread has a running loop; blocks it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    with ThreadPoolExecutor(1, "smart-sync-blocking") as thread:
        return thread.submit(call).result()


async def until_tick(seconds: float) -> None:
    """Sleep until the event loop's clock is at a multiple of ``seconds``: periodic tasks then share one wake-up."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time() % seconds)


class DetachedThreads:
    """Calls that may hang for ever, such as reading a file of a network drive, at most ``most`` of them at a time.

    Each has a thread of its own, for which nothing is waited when the process ends.
    """

    def __init__(self, most: int = 1) -> None:
        self._room = asyncio.Semaphore(most)

    async def run(self, seconds: float, call: Callable[..., T], *arguments: object) -> T:
        """What ``call`` returns or raises.

        Raises TimeoutError where that takes longer than ``seconds``, with the time in which others leave no room.  The
        call goes on then, and keeps its room: a drive that hangs never costs more than that many threads.
        """
        async with asyncio.timeout(seconds):
            await self._room.acquire()
            return await asyncio.shield(self._started(partial(call, *arguments)))

    def _started(self, call: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        # Of a call that nobody waits for any more no failure is told.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())

        def finish(settle: Callable[[], None]) -> None:
            self._room.release()
            if not done.done():
                settle()

        def work() -> None:
            try:
                settle = partial(done.set_result, call())
            except BaseException as error:
                settle = partial(done.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(finish, settle)

        threading.Thread(target=work, name="smart-sync-detached", daemon=True).start()
        return done


class BackgroundTasks:
    """``async with BackgroundTasks({name: coroutine function})``: they run until the block ends, which cancels them.

    A bug in one of them ends the block, as in a TaskGroup; what the block itself raises passes as it is.
    """

    def __init__(self, works: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
        self._works = works
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(work(), name=name) for name, work in self._works.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if isinstance(error, Exception):
            # The group would wrap it.
            await self._group.__aexit__(None, None, None)
        else:
            await self._group.__aexit__(kind, error, trace)


R = TypeVar("R")


async def each(
    items: Iterable[T],
    work: Callable[[T], Coroutine[Any, Any, R]],
    at_once: int,
    name: str,
    *,
    ends: tuple[type[Exception], ...] = (),
) -> AsyncGenerator[R, None]:
    """Yield ``work``'s result for each item, in the order of completion, with at most ``at_once`` running.

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
