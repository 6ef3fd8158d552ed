"""Worksheets from Google: each project awaits its own, and each spreadsheet is read by one batch request.

The locale that decides ambiguous text is ``[sheets] locale``, else the spreadsheet's own.  The latter is asked for once
a day and remembered, and brought up to date by whichever metadata call is made anyway.

The libraries for all this are imported by the first read, in a thread: a third of a second, for which a daemon that
starts need not keep anybody waiting.
"""

import asyncio
import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smart_sync import logs
from smart_sync.clock import Clock, utc_now
from smart_sync.config import SheetsSettings
from smart_sync.core.model import Project, Worksheet
from smart_sync.core.project_names import name_key
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.source import Memory, ProcessMemory, ReadUsage, SharedLimits

if TYPE_CHECKING:
    from smart_sync.sheets.calls import Calls
    from smart_sync.sheets.retries import Backoff
    from smart_sync.sheets.spreadsheet import Spreadsheet


class GoogleSheets:
    """The worksheets of one or several Google spreadsheets; see `source.SheetSource`.

    Reads asked for in the same moment become one request per spreadsheet.  ``backoff`` is for tests.
    """

    def __init__(
        self,
        settings: SheetsSettings,
        memory: Memory | None = None,
        backoff: "Backoff | None" = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock = utc_now,
        announce: Callable[..., None] = logs.emit,
        limits: SharedLimits | None = None,
    ) -> None:
        self._settings = settings
        self._titles = Titles(settings.columns)
        self._memory = memory or ProcessMemory()
        self._backoff = backoff
        self._announce = announce
        self._clock = clock
        self._limits = limits
        self._environment = os.environ if environment is None else environment
        self._opening: asyncio.Task[Calls] | None = None
        #: None before the first read.
        self._calls: Calls | None = None
        self._spreadsheets: dict[str, Spreadsheet] = {}
        self._tasks = asyncio.TaskGroup()
        self._ends: float | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        # The tasks raise nothing of their own, and the group would wrap what the body raised.
        await self._tasks.__aexit__(None, None, None)

    def begin(self) -> None:
        """A pass begins: `usage` counts from here, and its reads must be done within ``[sheets] deadline``."""
        if self._calls is not None:
            self._calls.reset()
        self._ends = self._now() + self._settings.deadline

    def usage(self) -> ReadUsage:
        """The cost of reading since `begin`."""
        return self._calls.usage() if self._calls is not None else ReadUsage()

    async def read(self, project: Project) -> Worksheet:
        """The worksheet of ``project``.  Raises `SheetUnavailable`."""
        if not project.name:
            raise SheetUnavailable(
                f"project {project.id} has no name, so no worksheet",
                "give the project a name",
                trouble="no-spreadsheet",
            )
        spreadsheet = await self._spreadsheet(project.spreadsheet)
        if project.one_of_several and not self._settings.explains(project.spreadsheet):
            await self._compare_title(spreadsheet, project.spreadsheet)
        return await spreadsheet.read(project.name, self._deadline())

    async def titles(self) -> list[str]:
        """The titles of all worksheets of the default spreadsheet.  Raises `SheetUnavailable`."""
        spreadsheet = await self._spreadsheet("")
        return list(await spreadsheet.titles(self._deadline()))

    async def _spreadsheet(self, name: str) -> "Spreadsheet":
        """The spreadsheet for ``projects.google_sheet_name``, else the default one."""
        where = self._settings.where(name)
        if not where:
            raise _unknown(name)
        calls = await self._opened()
        if where not in self._spreadsheets:
            from smart_sync.sheets.spreadsheet import Spreadsheet

            self._spreadsheets[where] = Spreadsheet(
                where, self._settings.locale, calls, self._memory, self._tasks, self._clock, self._titles
            )
        return self._spreadsheets[where]

    async def _compare_title(self, default: "Spreadsheet", name: str) -> None:
        """Raise `SheetUnavailable` if ``name`` is not the title of the default spreadsheet."""
        if name_key(await default.title(name, self._deadline())) != name_key(name):
            raise _unknown(name)

    async def _opened(self) -> "Calls":
        """The `Calls`; the first use imports the libraries, and concurrent users wait for it."""
        if self._opening is None:
            self._opening = self._tasks.create_task(self._open(), name="sheets:open")
        return await asyncio.shield(self._opening)

    async def _open(self) -> "Calls":
        with _some_home():
            await asyncio.to_thread(importlib.import_module, "smart_sync.sheets.spreadsheet")
            from smart_sync.sheets.calls import Calls
            from smart_sync.sheets.retries import Backoff

        backoff = replace(self._backoff or Backoff(), announce=self._announce)
        self._calls = Calls(self._settings, backoff, self._environment, self._limits)
        return self._calls

    def _deadline(self) -> float:
        return self._ends if self._ends is not None else self._now() + self._settings.deadline

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _close(self) -> None:
        """Answer waiting requests at once; a running thread ends within its timeout, its result discarded."""
        if self._opening is not None:
            self._opening.cancel()
        for spreadsheet in self._spreadsheets.values():
            spreadsheet.close()
        if self._calls is not None:
            self._calls.close()


def _unknown(name: str) -> SheetUnavailable:
    reason = f'no spreadsheet is configured for "{name}"'
    return SheetUnavailable(reason, "add it to [sheets.spreadsheets]", trouble="no-spreadsheet")


@contextlib.contextmanager
def _some_home() -> Iterator[None]:
    """Set HOME to ``/`` if the user has none, as in some containers: gspread needs one when imported."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
        try:
            yield
        finally:
            # What is started later, a hook say, is to see the environment that it was given.
            del os.environ["HOME"]
    else:
        yield
