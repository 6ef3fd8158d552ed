"""What was found behind the texts of link cells, remembered as long as those cells are the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from smart_sync.clock import Clock
from smart_sync.core.model import Worksheet
from smart_sync.core.worksheet.hyperlinks import Links, Texts, texts
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.batches import next_batch

#: Title, as the spreadsheet writes it, and cells → the links behind them; raises `SheetUnavailable`.
Ask = Callable[[Mapping[str, str]], Awaitable[dict[str, dict[int, tuple[str, ...]]]]]
#: A person may put another link behind the same text.
BELIEVED = timedelta(hours=1)


class LinksBehind:
    """The links behind the cells of one spreadsheet's worksheets.  ``columns``: more header names by field."""

    def __init__(self, columns: Mapping[str, Sequence[str]], clock: Clock) -> None:
        self._columns = columns
        self._clock = clock
        #: By title: the texts, the links behind them, and when they were found.
        self._found: dict[str, tuple[Texts, Links, datetime]] = {}

    async def completed(
        self, read: Sequence[Worksheet], written: Mapping[str, str], ask: Ask
    ) -> AsyncIterator[tuple[str, Worksheet | SheetUnavailable]]:
        """The worksheets ``read``, by title, with the links behind their texts; why they cannot be had, else.

        ``written``: the titles that the spreadsheet writes otherwise; ``ask`` makes the request.
        """
        waiting: dict[str, tuple[Worksheet, Texts]] = {}
        for worksheet in read:
            if (shown := await self._wanted(worksheet)) is None:
                yield worksheet.title, self._known(worksheet)
            else:
                waiting[worksheet.title] = (worksheet, shown)
        while waiting:
            batch = next_batch(waiting, {})
            asked = {title: waiting.pop(title) for title in batch}
            try:
                found = await ask({written.get(title, title): shown.range for title, (_, shown) in asked.items()})
            except SheetUnavailable as failure:
                for title in asked:
                    yield title, failure
                continue
            for title, (worksheet, shown) in asked.items():
                links = found.get(written.get(title, title), {})
                # An address that is shown counts, whatever is behind it.
                behind = {row: links[row] for row in shown.cells.keys() & links.keys()}
                self._found[title] = (shown, behind, self._clock())
                yield title, self._known(worksheet)

    async def _wanted(self, worksheet: Worksheet) -> Texts | None:
        """The texts behind which links have to be asked for; None if there are none, or it is known what is behind."""
        shown = await asyncio.to_thread(texts, worksheet.rows, self._columns)
        if shown is None:
            self._found.pop(worksheet.title, None)
            return None
        known = self._found.get(worksheet.title)
        if known is None or not shown.stands(known[0]) or not known[2] <= self._clock() < known[2] + BELIEVED:
            return shown
        self._found[worksheet.title] = (shown, *known[1:])
        return None

    def _known(self, worksheet: Worksheet) -> Worksheet:
        known = self._found.get(worksheet.title)
        return worksheet if known is None else replace(worksheet, links=known[1])
