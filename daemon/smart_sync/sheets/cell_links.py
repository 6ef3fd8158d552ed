"""What was found behind the texts of link cells, remembered as long as those cells are the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from smart_sync.clock import Clock
from smart_sync.core.model import Worksheet
from smart_sync.core.worksheet.hyperlinks import Links, Texts, texts
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.batches import next_batch

#: Title, as the spreadsheet writes it, and cells → the links behind them; raises `SheetUnavailable`.
Ask = Callable[[Mapping[str, str]], Awaitable[dict[str, dict[int, tuple[str, ...]]]]]
#: A person may put another link behind the same text.
BELIEVED = timedelta(hours=1)


class LinksBehind:
    """The links behind the cells of one spreadsheet's worksheets.  ``titles``: those of columns."""

    def __init__(self, titles: Titles, clock: Clock) -> None:
        self._titles = titles
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
        # All at once: those that need nothing more have come together, and are brought up to date together.
        found_texts = await asyncio.to_thread(lambda: [texts(worksheet.rows, self._titles) for worksheet in read])
        for worksheet, shown in zip(read, found_texts, strict=True):
            if self._is_known(worksheet.title, shown):
                yield worksheet.title, self._known(worksheet)
            elif shown is not None:
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

    def _is_known(self, title: str, shown: Texts | None) -> bool:
        """Whether it is known what is behind the texts of a worksheet; where there are none, nothing is."""
        if shown is None:
            self._found.pop(title, None)
            return True
        known = self._found.get(title)
        if known is None or not shown.stands(known[0]) or not known[2] <= self._clock() < known[2] + BELIEVED:
            return False
        self._found[title] = (shown, *known[1:])
        return True

    def _known(self, worksheet: Worksheet) -> Worksheet:
        known = self._found.get(worksheet.title)
        return worksheet if known is None else replace(worksheet, links=known[1])
