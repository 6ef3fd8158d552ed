"""Numbers with their nouns, as people say them; and the names that are nearest to one that does not exist."""

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
    """``1 row``, ``1,200 rows``; ``plural`` where an s at the end would be wrong."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int = 50) -> str:
    """``P, Q and 3 more``: at most so many names."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def quoted(names: Iterable[str]) -> str:
    """``'Link', 'Views' and 3 more``: the first twenty names, each in quotes."""
    return listed([repr(name) for name in names], 20)


def by_text(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What is told of several by name, each text once: text → the names, both in the order they came."""
    names: dict[str, list[str]] = {}
    for name, text in texts:
        names.setdefault(text, []).append(name)
    return names


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that was probably meant by ``name``; empty if none is like it."""
    return next(iter(nearest_of(name, known, 1)), "")


def nearest_of(name: str, known: Iterable[str], most: int) -> list[str]:
    """At most so many of ``known`` that may have been meant by ``name``, the most alike first, whatever their case."""
    folded = {one.casefold(): one for one in sorted(known)}
    return [folded[near] for near in get_close_matches(name.casefold(), folded, most, ALIKE)]


def confirm(what: str, metric: str = "") -> str:
    """The command for a person who means what is reported of an account (its link) or a project (its name)."""
    return f"smart-sync confirm {shlex.quote(what)}" + (f" --metric {metric}" if metric else "")


def wait(retry: Mapping[str, Any]) -> str:
    """A wait before a request is made again: ``Google asks to slow down: again in 8 s (2 of 4)``."""
    seconds = max(round(retry["seconds"]), 1)
    return f"{retry['reason']}: again in {seconds} s ({retry['tries']} of {retry['most']})"


def unpin(link: str, metric: str) -> str:
    """The command that takes back a pin."""
    return f"smart-sync unpin {shlex.quote(link)} {metric}"


def last_read(stamp: str | None) -> str:
    """When a worksheet was last read, for a person."""
    return f"last read {when(stamp)}" if stamp else "never read"


def when(stamp: str) -> str:
    """A stamp for a person: ``2026-03-10 12:00 UTC``."""
    return f"{stamp[:16].replace('T', ' ')} UTC"


def shown(cell: Cell) -> str:
    """What ``cell`` says, for a person: one printable line of at most `MAX_SHOWN` signs, odd spaces as escapes."""
    try:
        text = str(cell)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    text = re.sub("[ \\t\\r\\n]+", " ", text[: 2 * MAX_SHOWN].strip())
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def with_code(message: str, code: str) -> str:
    """A message for a screen, with its code (of ``docs/faq.md``) in brackets behind it, if it has one."""
    return f"{message} [{code}]" if code else message
