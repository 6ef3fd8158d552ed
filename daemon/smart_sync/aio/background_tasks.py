"""Tasks beside a block, that end with it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self


class BackgroundTasks:
    """``async with Background({name: coroutine function})``: they run beside the block and end with it.

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
