"""Finds a spreadsheet by key, URL or title, and a worksheet by a project's name."""

import re
from collections.abc import Sequence

from smart_sync.config import values
from smart_sync.config.values import spreadsheet_key
from smart_sync.core.project_names import written
from smart_sync.core.wording import nearest_of
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import requests
from smart_sync.sheets.calls import Calls, Manager
from smart_sync.sheets.google_errors import SpreadsheetMissing, SpreadsheetUnavailable
from smart_sync.sheets.source import Memory

_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Name:
    """A spreadsheet as named in the configuration.

    What may be a key is taken for one until Google does not know it; a title is looked up in Drive once and remembered.
    """

    def __init__(self, where: str, calls: Calls, manager: Manager, memory: Memory) -> None:
        self._where = where.strip()
        self._calls = calls
        self._manager = manager
        self._memory = memory
        self._key: str | None = None

    def __str__(self) -> str:
        return f'"{self._where}"'

    async def key(self, ends: float) -> str:
        """The spreadsheet's key. Raises `SheetUnavailable`."""
        if self._key is None:
            self._key = await self._guess() or await self._remembered(await self._find_in_drive(ends))
        return self._key

    async def correct(self, missing: SpreadsheetMissing, ends: float) -> None:
        """Look the title up again after Google did not know the key.

        Raises ``missing`` if that leads nowhere else.
        """
        if spreadsheet_key(self._where) is not None:
            raise missing
        wrong, self._key = self._key, None
        try:
            keys = await self._find_in_drive(ends)
        except SpreadsheetUnavailable:
            raise missing from None
        if keys in ([], [wrong]):
            raise missing
        self._key = await self._remembered(keys)

    async def _find_in_drive(self, ends: float) -> list[str]:
        return await self._calls.make(str(self), self._manager, ends, requests.keys, self._where)

    async def _remembered(self, keys: list[str]) -> str:
        """Store and return the only one of ``keys``."""
        if not keys:
            raise SpreadsheetMissing(
                f"there is no spreadsheet called {self}",
                f"correct [sheets] spreadsheet, or share the spreadsheet with {self._calls.email} as Viewer",
                step="share",
                trouble="sheet-not-shared",
            )
        if len(keys) > 1:
            raise SpreadsheetUnavailable(
                f"{len(keys)} spreadsheets are called {self}",
                "put the key or URL of the right one into [sheets]",
                trouble="not-a-spreadsheet",
            )
        await self._memory.put(self._where, keys[0])
        return keys[0]

    async def _guess(self) -> str | None:
        try:
            if (key := spreadsheet_key(self._where)) is not None:
                return key
        except ValueError:
            raise SpreadsheetUnavailable(
                f"{self} is {values.NOT_AN_ADDRESS}", values.COPY_IT, trouble="not-a-spreadsheet"
            ) from None
        remembered = await self._memory.get(self._where)
        guess = remembered if isinstance(remembered, str) and _KEY.fullmatch(remembered) else self._where
        return guess if _KEY.fullmatch(guess) else None


def differ_by_case(one: str, other: str) -> bool:
    """Whether two different titles are the same to Google, whose ranges ignore case."""
    return one != other and one.casefold() == other.casefold()


def find(wanted: Sequence[str], titles: Sequence[str]) -> tuple[dict[str, str], dict[str, SheetUnavailable]]:
    """Those of ``wanted`` that are among ``titles``, in their spelling; and the errors of the others."""
    # The worksheet of another project is none that was renamed.
    free = [title for title in titles if title not in wanted]
    spellings: dict[str, str] = {}
    missing: dict[str, SheetUnavailable] = {}
    for title in wanted:
        if title in titles:
            spellings[title] = title
        elif other := written(title, free):
            free.remove(other)
            spellings[title] = other
        else:
            missing[title] = missing_worksheet(title, free)
    return spellings, missing


def missing_worksheet(title: str, titles: Sequence[str]) -> SheetUnavailable:
    """The error that the worksheet ``title`` does not exist; it suggests similar ones of ``titles``."""
    names = ", ".join(f'"{other}"' for other in nearest_of(title, titles, 5) or titles[:5])
    return SheetUnavailable(
        f'worksheet "{title}" is not in the spreadsheet',
        f"rename the worksheet or the project; {f'there is {names}' if names else 'all others belong to projects'}",
        "missing",
        trouble="sheet-missing",
    )
