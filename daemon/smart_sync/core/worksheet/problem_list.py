"""The problems of a worksheet, bounded: the first are kept, the others are counted."""

from collections.abc import Sequence

from smart_sync.core.model import Cell, Problem
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import shown
from smart_sync.core.worksheet.headers import letters

#: Reported one by one; how many more there are is one further problem.
MAX_PROBLEMS = 1000
#: Together with those of missing rows and values.
MAX_SHOWN_PROBLEMS = 3000


def limited(problems: Sequence[Problem], worksheet: str) -> tuple[Problem, ...]:
    """The first of ``problems``, and how many more there are."""
    # One of those left out may stand for several itself.
    if more := sum(one.count for one in problems[MAX_SHOWN_PROBLEMS:]):
        return (*problems[:MAX_SHOWN_PROBLEMS], _more(more, worksheet))
    return tuple(problems)


def _more(number: int, worksheet: str) -> Problem:
    return Problem(f"{number:,} more problems", worksheet, code="number-unreadable", count=number)


class ProblemList:
    """The problems of one worksheet, of which the first `MAX_PROBLEMS` are kept and the others counted."""

    def __init__(self, worksheet: str) -> None:
        self._worksheet = worksheet
        self._found: list[Problem] = []
        self._others = 0

    def add(self, code: Code, reason: str, row: int, column: int, cell: Cell) -> None:
        """Note a problem; beyond `MAX_PROBLEMS` they are only counted."""
        if len(self._found) < MAX_PROBLEMS:
            self._found.append(Problem(reason, self._worksheet, row, letters(column), shown(cell), code))
        else:
            self._others += 1

    def listed(self) -> tuple[Problem, ...]:
        """The problems, and at the end how many more there were."""
        more = [_more(self._others, self._worksheet)] if self._others else []
        return (*self._found, *more)
