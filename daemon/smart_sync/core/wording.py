"""Numbers with their nouns, lists of names, and the nearest names to a misspelt one."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from smart_sync.core.model import Cell

#: From how alike on (1 is the same) a name is taken for a misspelt one.
ALIKE = 0.6
#: Signs that are shown of a cell.
MAX_SHOWN = 60


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,200 rows``; ``plural`` if it is not formed with s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int = 50) -> str:
    """``P, Q and 3 more``: at most so many names."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def unread_snapshots(count: int, example: str) -> str:
    """The sentence that snapshots have an unreadable time, such as ``example``."""
    which = f"{example!r}, say" if count > 1 else repr(example)
    several = f"{counted(count, 'snapshot')} with a snapshot_time that cannot be read ({which})"
    return f"{several}, in no day and no growth; write it in UTC as 2026-03-10 12:00:00"


def quoted(names: Iterable[str]) -> str:
    """``'Link', 'Views' and 3 more``: the first twenty names, each in quotes."""
    return listed([repr(name) for name in names], 20)


def by_text(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group names by text: text → names, both in their first order."""
    names: dict[str, list[str]] = {}
    for name, text in texts:
        names.setdefault(text, []).append(name)
    return names


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that ``name`` probably means; "" if none is similar."""
    return next(iter(nearest_of(name, known, 1)), "")


def nearest_of(name: str, known: Iterable[str], most: int) -> list[str]:
    """At most so many of ``known`` that ``name`` may mean, the most similar first, ignoring case."""
    folded = {one.casefold(): one for one in sorted(known)}
    return [folded[near] for near in get_close_matches(name.casefold(), folded, most, ALIKE)]


def confirm(what: str, metric: str = "") -> str:
    """The command that accepts what is reported about an account (its link) or a project (its name)."""
    return f"smart-sync confirm {shlex.quote(what)}" + (f" --metric {metric}" if metric else "")


def wait(retry: Mapping[str, Any]) -> str:
    """A wait before a request is made again: ``Google asks to slow down: again in 8 s (2 of 4)``."""
    seconds = max(round(retry["seconds"]), 1)
    return f"{retry['reason']}: again in {seconds} s ({retry['tries']} of {retry['most']})"


def unpin(link: str, metric: str) -> str:
    """The command that removes a pin."""
    return f"smart-sync unpin {shlex.quote(link)} {metric}"


def last_read(stamp: str | None) -> str:
    """The time of a worksheet's last read, for a person."""
    return f"last read {when(stamp)}" if stamp else "never read"


def when(stamp: str) -> str:
    """A stamp for a person: ``2026-03-10 12:00 UTC``."""
    return f"{stamp[:16].replace('T', ' ')} UTC"


def shown(cell: Cell) -> str:
    """``cell`` for a person: one printable line of at most `MAX_SHOWN` characters, odd spaces as escapes."""
    try:
        text = str(cell)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    text = re.sub("[ \\t\\r\\n]+", " ", text[: 2 * MAX_SHOWN].strip())
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def with_code(message: str, code: str) -> str:
    """A message for a screen, followed by its ``code`` (of ``docs/faq.md``) in brackets if it has one."""
    return f"{message} [{code}]" if code else message
