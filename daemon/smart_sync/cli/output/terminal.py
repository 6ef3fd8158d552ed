"""What all screens share: where they print, in which colours, and how times are said (naive UTC ISO 8601 comes in)."""

import sys
from datetime import datetime

from rich.console import Console

from smart_sync.core.days import moment
from smart_sync.logs import printable

#: Where nobody looks at a window, a line is as long as it is: it is never wrapped, and no cell is cut.
UNBOUNDED = 100_000
#: How an outcome is written.
STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red", "unfinished": "red"}


def console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error: as wide as the terminal, or as wide as is wanted where it is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNBOUNDED)


def when(stamp: str | None) -> str:
    """A stamp, in UTC, to the minute."""
    return "" if stamp is None else printable(stamp[:16].replace("T", " "))


def count(value: int | None) -> str:
    """A count: ``1,234``; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def ago(stamp: str, now: datetime) -> str:
    """How long before ``now`` it was: ``4 min ago``."""
    seconds = (now - moment(stamp)).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def until(stamp: str, now: datetime) -> str:
    """How long after ``now`` it is: ``in 26 min``."""
    seconds = (moment(stamp) - now).total_seconds()
    return "now" if seconds < 1 else f"in {duration(seconds)}"


def duration(seconds: float) -> str:
    """``seconds`` in the one or two units that matter."""
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
