"""Titles of worksheets: which one is meant by a range, and which by a project's name.  Pure."""

import re
from collections.abc import Sequence

from smart_sync.core.project_names import written
from smart_sync.core.wording import nearest_of
from smart_sync.errors import SheetUnavailable

_QUOTED = re.compile(r"'((?:[^']|'')*)'(?:![^!]*)?", re.DOTALL)


def title_of(range_name: str) -> str:
    """The worksheet's title in a range as Google writes it: ``'it''s'!A1:C9`` or ``Sheet1!A1:C9``."""
    if quoted := _QUOTED.fullmatch(range_name):
        return quoted[1].replace("''", "'")
    return range_name.rpartition("!")[0] or range_name


def differ_by_case(one: str, other: str) -> bool:
    """Whether two different titles are the same to Google, whose ranges ignore case."""
    return one != other and one.casefold() == other.casefold()


def find(wanted: Sequence[str], titles: Sequence[str]) -> tuple[dict[str, str], dict[str, SheetUnavailable]]:
    """Those of ``wanted`` that are among ``titles``, each as it is written there; and what to say of the others."""
    # The worksheet of another project is none that was renamed.
    free = [title for title in titles if title not in wanted]
    there: dict[str, str] = {}
    missing: dict[str, SheetUnavailable] = {}
    for title in wanted:
        if title in titles:
            there[title] = title
        elif other := written(title, free):
            free.remove(other)
            there[title] = other
        else:
            missing[title] = missing_worksheet(title, free)
    return there, missing


def missing_worksheet(title: str, titles: Sequence[str]) -> SheetUnavailable:
    """The worksheet ``title`` is not there; the remedy names those of ``titles`` that are like it."""
    there = ", ".join(f'"{other}"' for other in nearest_of(title, titles, 5) or titles[:5]) or "none"
    return SheetUnavailable(
        f'worksheet "{title}" is not in the spreadsheet',
        f"rename the worksheet or the project; there is {there}",
        "missing",
        trouble="sheet-missing",
    )
