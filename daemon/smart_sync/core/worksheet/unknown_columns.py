"""The columns that nobody understands, and in which of them counts stand: what a metric without a column may be."""

from collections.abc import Sequence

from smart_sync.core.model import Cell
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.core.worksheet.headers import Header

#: Rows in which counts are looked for.
MAX_LOOKED_AT = 1000


class UnknownColumns:
    """The columns of a header with an unknown title, or with none."""

    def __init__(self, header: Header, locale: str) -> None:
        self._locale = locale
        #: Those with an unknown title in which no count was seen yet, and in which one was.
        self._titled, self._counting = list(header.unknown), list[int]()
        #: Column without a title → in how many of the ``_looked_at`` rows a count was seen there.
        self._untitled, self._looked_at = dict.fromkeys(header.untitled, 0), 0

    @property
    def open(self) -> bool:
        """Whether a further row can say something new."""
        return bool(self._titled or self._untitled)

    def look_at(self, cells: Sequence[Cell]) -> None:
        """Look for counts in a row of an account."""
        for column in [one for one in self._titled if one < len(cells) and is_count(cells[one], self._locale)]:
            self._titled.remove(column)
            self._counting.append(column)
        self._looked_at += 1
        for column in self._untitled:
            self._untitled[column] += column < len(cells) and is_count(cells[column], self._locale)

    def with_counts(self) -> list[int]:
        """The columns (from 0) in which counts were seen; of those without a title, in half of the rows or more."""
        # A sum beside the table is no column of it.
        return [*self._counting, *(at for at, rows in self._untitled.items() if rows and 2 * rows >= self._looked_at)]


def is_count(cell: Cell, locale: str) -> bool:
    """Whether ``cell`` is a number, or the text of a count."""
    if not isinstance(cell, str):
        return isinstance(cell, int | float) and not isinstance(cell, bool)
    try:
        return read_count(cell, locale) is not None
    except Unreadable:
        return False
