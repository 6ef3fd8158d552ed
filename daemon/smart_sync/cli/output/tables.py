"""Tables and lines that fit the terminal: names and texts are folded, never cut away; numbers stay in one piece.

On a pipe nothing is folded: a row is one line, however long.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smart_sync.logs import printable

#: Cells between two columns.
GAP = 2
#: So many cells a folded text has at least, unless the terminal is narrower than all of them together.
LEAST = 12

Cell = str | Text


class Column(NamedTuple):
    """``number``: at the right, in one piece.  Others are texts, folded where the terminal is too narrow."""

    head: str
    number: bool = False


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int) -> Table:
    """A table with heads, no wider than ``width``."""
    cells = [[_text(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, own in zip(columns, widths(columns, cells, width), strict=True):
        table.add_column(column.head, justify="right" if column.number else "left", width=own, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def print_table(screen: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """The same on ``screen``."""
    screen.print(fitted(columns, rows, screen.width))


def widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """The cells of each column: as many as it wants; where that is too much the widest texts get fewer."""
    wanted = [
        max([cell_len(column.head), *(cell_len(row[place].plain) for row in rows)])
        for place, column in enumerate(columns)
    ]
    spare = width - GAP * (len(columns) - 1)
    texts = [place for place, column in enumerate(columns) if not column.number]
    for least, places in ((LEAST, texts), (1, texts), (1, range(len(columns)))):
        while sum(wanted) > spare:
            widest = max(places, key=lambda place: wanted[place], default=None)
            if widest is None or wanted[widest] <= least:
                break
            wanted[widest] -= 1
    return wanted


def left_over(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int) -> int:
    """How many cells one more column may have beside these."""
    cells = [[_text(cell) for cell in row] for row in rows]
    return width - sum(widths(columns, cells, width)) - GAP * len(columns)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def print_line(screen: Console, told: str | Text, style: str = "", *, hang: int = 0) -> None:
    """Text in one line; on a terminal it is folded between words, and what follows is indented by ``hang``."""
    text = told if isinstance(told, Text) else Text(printable(told), style=style)
    if not screen.is_terminal:
        screen.print(text, soft_wrap=True)
        return
    hang += len(text.plain) - len(text.plain.lstrip())
    lines = text.wrap(screen, max(screen.width - hang, 1)) or [text]
    for number, line in enumerate(lines):
        line.rstrip()
        screen.print(Text.assemble(" " * hang, line) if number else line, soft_wrap=True)
