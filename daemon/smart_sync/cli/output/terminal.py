"""What all screens share: where they print, and in which colours."""

import sys

from rich.console import Console
from rich.text import Text

from smart_sync.logs import printable

#: Where nobody looks at a window, a line is as long as it is: it is never wrapped, and no cell is cut.
UNBOUNDED = 100_000
#: How an outcome is written.
STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red", "unfinished": "red"}


def console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error: as wide as the terminal, or as wide as is wanted where it is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNBOUNDED)


def line(screen: Console, text: str, style: str = "") -> None:
    """One line of text, whatever is in it."""
    screen.print(Text(printable(text), style=style), soft_wrap=True)


def when(stamp: str | None) -> str:
    """A stamp, in UTC, to the minute."""
    return "" if stamp is None else printable(stamp[:16].replace("T", " "))


def count(value: int | None) -> str:
    """A count: ``1,234``; a dash where there is none."""
    return "–" if value is None else f"{value:,}"
