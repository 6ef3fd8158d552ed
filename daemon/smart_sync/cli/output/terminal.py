"""What all screens share: consoles and colours, times (naive UTC ISO 8601), tables and lines that fit the terminal.

Names and texts are folded, never cut away; numbers stay in one piece.  On a pipe nothing is folded: a row is one
line, however long.
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smart_sync.core.days import moment
from smart_sync.logs import printable

#: Where nobody looks at a window, a line is as long as it is: it is never wrapped, and no cell is cut.
UNBOUNDED = 100_000
#: How an outcome is written.
STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red", "unfinished": "red"}


def console(*, stderr: bool = False) -> Console:
    """Standard output or standard error: as wide as the terminal, or unlimited if it is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNBOUNDED)


def when(stamp: str | None) -> str:
    """A UTC stamp to the minute."""
    return "" if stamp is None else printable(stamp[:16].replace("T", " "))


def count(value: int | None) -> str:
    """A count: ``1,234``; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def ago(stamp: str, now: datetime) -> str:
    """The time from ``stamp`` to ``now``: ``4 min ago``."""
    seconds = (now - moment(stamp)).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def until(stamp: str, now: datetime) -> str:
    """The time from ``now`` to ``stamp``: ``in 26 min``."""
    seconds = (moment(stamp) - now).total_seconds()
    return "now" if seconds < 1 else f"in {duration(seconds)}"


def duration(seconds: float) -> str:
    """``seconds`` in its one or two largest units."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = int(seconds)
    for size, unit, lesser, lesser_size in _UNITS:
        if whole >= 2 * size or (whole >= size and unit != "days"):
            rest = whole % size // lesser_size
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest and whole < 10 * size else "")
    return f"{whole} s"


#: Size in seconds, name, and the lesser unit that is said with it.
_UNITS = ((86400, "days", "h", 3600), (3600, "h", "min", 60), (60, "min", "s", 1))


#: Cells between two columns.
GAP = 2
#: So many cells a folded text has at least, unless the terminal is narrower than all of them together.
LEAST = 12

Cell = str | Text


class Column(NamedTuple):
    """A table column; ``number``: right-aligned and never wrapped. Text wraps on a narrow terminal."""

    head: str
    number: bool = False


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int) -> Table:
    """A table with headings, no wider than ``width``."""
    cells = [[_text(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, own in zip(columns, widths(columns, cells, width), strict=True):
        table.add_column(column.head, justify="right" if column.number else "left", width=own, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def print_table(screen: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a `fitted` table on ``screen``."""
    screen.print(fitted(columns, rows, screen.width))


def widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """The width of each column in cells: as wide as needed; if that is too much, the widest texts shrink."""
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
    """The cells left for one more column next to these."""
    cells = [[_text(cell) for cell in row] for row in rows]
    return width - sum(widths(columns, cells, width)) - GAP * len(columns)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def print_line(screen: Console, told: str | Text, style: str = "", *, hang: int = 0) -> None:
    """Print text as one line; a terminal wraps it between words and indents further lines by ``hang``."""
    text = told if isinstance(told, Text) else Text(printable(told), style=style)
    if not screen.is_terminal:
        screen.print(text, soft_wrap=True)
        return
    hang += len(text.plain) - len(text.plain.lstrip())
    lines = text.wrap(screen, max(screen.width - hang, 1)) or [text]
    for number, line in enumerate(lines):
        line.rstrip()
        screen.print(Text.assemble(" " * hang, line) if number else line, soft_wrap=True)
