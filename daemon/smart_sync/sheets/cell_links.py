"""Links behind the texts of link cells: finds cells that need them, and keeps links while the cells are unchanged.

Google's values hold the text of a cell, never the link behind it (rich text, ``=HYPERLINK``, a chip).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from smart_sync.clock import Clock
from smart_sync.core.links.identity import is_link
from smart_sync.core.model import METRICS, Cell, Worksheet
from smart_sync.core.worksheet import headers
from smart_sync.core.worksheet.cells import NO_VALUE
from smart_sync.core.worksheet.headers import letters
from smart_sync.core.worksheet.titles import Titles, is_total
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.requests import next_batch

#: Row (from 1) → the links behind its link cell.
Links = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts in a worksheet's link cells, without those that are addresses."""

    #: The column's letters, and the first row below the header.
    column: str
    first: int
    #: Row (from 1) → its text with hashes of its other texts (no metric's), and of all its cells.
    cells: Mapping[int, tuple[str, int]]
    contents: Mapping[int, int] = field(default_factory=dict)

    @property
    def range(self) -> str:
        """The cells in A1 notation, from the first row below the header."""
        return f"{self.column}{self.first}:{self.column}"

    def stands(self, earlier: "Texts") -> bool:
        """Whether links found for ``earlier`` are valid: the same texts in the same rows.

        Where every cell says "Profile", only the other texts of a row tell that the rows were sorted; of rows alike
        in these too, two that have changed may have changed places.
        """
        if (self.column, self.cells) != (earlier.column, earlier.cells):
            return False
        changed = [self.cells[row] for row, one in self.contents.items() if one != earlier.contents[row]]
        return len(set(changed)) == len(changed)


def texts(rows: Sequence[Sequence[Cell]], titles: Titles) -> Texts | None:
    """The texts in the link cells of ``rows`` that are no addresses; None if none may identify an account."""
    header = headers.find(rows, titles)
    if header is None:
        return None
    column = header.columns["link"]
    counts = {header.columns[metric] for metric in METRICS if metric in header.columns}
    cells: dict[int, tuple[str, int]] = {}
    contents: dict[int, int] = {}
    for number, row in enumerate(rows, 1):
        cell = row[column] if column < len(row) else None
        if number <= header.end or not isinstance(cell, str):
            continue
        text = cell.strip()
        if "." in text and is_link(text):
            continue
        if text.casefold() not in NO_VALUE and not text.startswith("#") and not is_total(text):
            others = tuple((at, one) for at, one in enumerate(row) if isinstance(one, str) and at not in counts)
            cells[number], contents[number] = (text, hash(others)), hash(tuple(row))
    return Texts(letters(column), header.end + 1, cells, contents) if cells else None


#: Title, as the spreadsheet writes it, and cells → the links behind them; raises `SheetUnavailable`.
Ask = Callable[[Mapping[str, str]], Awaitable[dict[str, dict[int, tuple[str, ...]]]]]
#: A person may put another link behind the same text.
BELIEVED = timedelta(hours=1)


class LinksBehind:
    """The links behind the cells of one spreadsheet's worksheets. ``titles``: the known column titles."""

    def __init__(self, titles: Titles, clock: Clock) -> None:
        self._titles = titles
        self._clock = clock
        #: By title: the texts, the links behind them, and when they were found.
        self._found: dict[str, tuple[Texts, Links, datetime]] = {}

    async def completed(
        self, read: Sequence[Worksheet], written: Mapping[str, str], ask: Ask
    ) -> AsyncIterator[tuple[str, Worksheet | SheetUnavailable]]:
        """The worksheets ``read``, by title, with the links behind their texts, or the reason they are missing.

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
            requested = {title: waiting.pop(title) for title in batch}
            try:
                links_by_title = await ask(
                    {written.get(title, title): shown.range for title, (_, shown) in requested.items()}
                )
            except SheetUnavailable as failure:
                for title in requested:
                    yield title, failure
                continue
            for title, (worksheet, shown) in requested.items():
                links = links_by_title.get(written.get(title, title), {})
                # An address that is shown counts, whatever is behind it.
                behind = {row: links[row] for row in shown.cells.keys() & links.keys()}
                self._found[title] = (shown, behind, self._clock())
                yield title, self._known(worksheet)

    def _is_known(self, title: str, shown: Texts | None) -> bool:
        """Whether the links of a worksheet's texts are known; without texts there is nothing to know."""
        if shown is None:
            self._found.pop(title, None)
            return True
        stored = self._found.get(title)
        if stored is None or not shown.stands(stored[0]) or not stored[2] <= self._clock() < stored[2] + BELIEVED:
            return False
        self._found[title] = (shown, *stored[1:])
        return True

    def _known(self, worksheet: Worksheet) -> Worksheet:
        stored = self._found.get(worksheet.title)
        return worksheet if stored is None else replace(worksheet, links=stored[1])
