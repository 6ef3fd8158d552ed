"""How much has grown: always like with like, and never across days that nobody recorded without saying so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from smart_sync.core.history import growth
from smart_sync.core.history.growth import Change
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import AccountFacts, History, ProjectFacts

#: Days over which the change is shown.
HORIZONS = (1, 7, 30)
#: The horizon that movers and the overview use.
WEEK = 7
VIEWS, FOLLOWERS = METRICS.index("views"), METRICS.index("followers")

Series = list[int | None]


def change(history: History, metric: int, as_of: int, days: int) -> Change | None:
    """The change of one account over ``days`` up to ``as_of``, as `core.history.growth.change` defines it."""
    asked = as_of - days
    return growth.change(history.at(metric, as_of), history.at(metric, asked), history.after(metric, asked), asked)


def total_change(accounts: Iterable[AccountFacts], metric: int, as_of: int, days: int) -> Change | None:
    """The change of accounts together; an account with one value alone adds nothing."""
    changes = [found for account in accounts if (found := change(account.history, metric, as_of, days))]
    if not changes:
        return None
    return Change(
        sum(c.amount for c in changes),
        sum(c.before for c in changes),
        min((c.since for c in changes if not c.exact), default=as_of - days),
        all(c.exact for c in changes),
        len(changes),
    )


def total(accounts: Iterable[AccountFacts], metric: int, as_of: int) -> int | None:
    """The newest values of accounts together; None if none has one."""
    values = [known.value for account in accounts if (known := account.history.at(metric, as_of))]
    return sum(values) if values else None


class Mover(NamedTuple):
    """An account that moved."""

    account: AccountFacts
    change: Change


def movers(project: ProjectFacts, metric: int, count: int) -> list[Mover]:
    """The accounts that changed most over a week, in either direction, the largest first."""
    if project.as_of is None:
        return []
    moved = [
        Mover(account, found)
        for account in project.accounts
        if (found := change(account.history, metric, project.as_of, WEEK)) and found.amount
    ]
    return sorted(moved, key=lambda mover: -abs(mover.change.amount))[:count]


@dataclass(frozen=True, slots=True)
class Window:
    """The days that charts show: the first one's ordinal, and how many."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The last day."""
        return self.start + self.length - 1


def window(projects: Sequence[ProjectFacts], days: int) -> Window | None:
    """The last ``days`` days up to the newest values, from the first of them that has any; None without values."""
    end = max((project.as_of for project in projects if project.as_of is not None), default=None)
    if end is None:
        return None
    first = min(
        day for project in projects for account in project.accounts for day in account.history.days if day > end - days
    )
    return Window(first, end - first + 1)


def summed(histories: Sequence[History], rows: Sequence[Series], metric: int, start: int) -> Series:
    """The accounts together, day by day: each with its last known value, from the day of its first one.

    ``rows`` are the histories' values of ``metric`` from ``start``.  A day on which no account has a value is a gap.
    """
    sums: Series = [None] * (len(rows[0]) if rows else 0)
    carried = [known.value if (known := h.at(metric, start - 1)) else 0 for h in histories]
    for day, values in enumerate(zip(*rows, strict=True)):
        if any(value is not None for value in values):
            carried = [last if value is None else value for value, last in zip(values, carried, strict=True)]
            sums[day] = sum(carried)
    return sums


def daily(rows: Sequence[Series]) -> Series:
    """The growth of each day, of the accounts that have a value on it and on the day before."""
    grown: Series = [None] * (len(rows[0]) if rows else 0)
    for row in rows:
        for day, (before, value) in enumerate(pairwise(row), 1):
            if value is not None and before is not None:
                grown[day] = (grown[day] or 0) + value - before
    return grown
