"""The mark that pins a cell's number: ``950!`` means 950, whatever the parsers say, until the mark is removed.

It is the last sign of the cell, full-width, a picture (``❗``, as telephones write it) or not, with or without a space
before it (as in French).  What stands before it is read as any cell is.
"""

from smart_sync.core.foreign_text import INVISIBLE
from smart_sync.core.model import Cell
from smart_sync.core.worksheet.cells import FULL_WIDTH, Unreadable, read_count

MARK = "!"
_PICTURES = dict.fromkeys(map(ord, "❗❕"), MARK)


def read_pinned(cell: Cell, how: tuple[str, str, int], problem: Unreadable) -> tuple[int | None, Unreadable | None]:
    """The pinned number of a cell that is no plain number, or why it cannot be read.

    ``how``: the locale, metric and scale of `read_count`, which has raised ``problem``.
    """
    if not isinstance(cell, str):
        return None, problem
    text = cell.translate(INVISIBLE).translate(FULL_WIDTH).translate(_PICTURES).strip()
    if not text.endswith(MARK) or text.startswith("#"):  # an error of the spreadsheet bears no mark
        return None, problem
    try:
        count = read_count(text.removesuffix(MARK).rstrip(), *how)
    except Unreadable as other:
        return None, other
    return count, Unreadable("a mark that pins, and no number") if count is None else None
