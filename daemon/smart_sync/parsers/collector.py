"""Collecting beside the passes: a pass waits a while for the parsers; what comes later is for the next one."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from smart_sync import logs
from smart_sync.core.days import stamp
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.parsers.collect import Say, collect
from smart_sync.parsers.registry import Source
from smart_sync.store import inbox, projects
from smart_sync.store.database import Database, describe, sqlite


class Collector:
    """Fills the inbox from ``sources``; use as ``async with``.  ``wait``: seconds a pass waits (None: to the end).

    ``say`` reports what becomes of each parser.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        database: Database,
        clock: Callable[[], datetime],
        wait: float | None,
        say: Say = logs.emit,
    ) -> None:
        self._sources = sources
        self._database = database
        self._clock = clock
        self._wait = wait
        self._say = say
        #: Parser → the last that was said of it.
        self._last: dict[str, dict[str, Any]] = {}
        self._group = asyncio.TaskGroup()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def collect(self, new: Sequence[Account] | None = None) -> None:
        """Ask for whatever is due, of all accounts, or only of ``new`` ones that were made just now.

        Returns when it is done, or when a pass has waited long enough; then it goes on by itself.
        """
        if not self._sources:
            return
        if new is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait):
                    await self._ask(new, everybody=False)
            return
        if self._running is None or self._running.done():
            self._running = self._group.create_task(self._ask_all(), name="parsers:collect")
        await asyncio.wait({self._running}, timeout=self._wait)

    def overview(self) -> list[dict[str, Any]]:
        """Each parser: its name and, once it was asked, its last report as ``parser.finished`` words it.

        ``success``: it went through; ``reported_at``: a stamp.  A parser that was not due since has kept its report.
        """
        return [self._last.get(source.name, {"parser": source.name}) for source in self._sources]

    async def _ask_all(self) -> None:
        await self._ask(await projects.active_accounts(self._database), everybody=True)

    async def _ask(self, accounts: Sequence[Account], *, everybody: bool) -> None:
        await collect(self._sources, accounts, self._store, self._clock(), everybody=everybody, say=self._note)

    def _note(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Remember a parser's report before anyone hears of it and asks."""
        if event in ("parser.finished", "parser.failed"):
            told = {name: value for name, value in fields.items() if value is not None}
            success = event == "parser.finished"
            self._last[told["parser"]] = told | {"success": success, "reported_at": stamp(self._clock())}
        self._say(event, exc_info=exc_info, **fields)

    async def _store(self, values: Sequence[ParsedMetrics]) -> None:
        try:
            await inbox.put(self._database, values)
        except sqlite.Error as error:
            raise describe(error, self._database.path) from None
