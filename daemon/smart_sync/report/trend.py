"""Growth between comparable values, never silently across days without a record; and small charts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smart_sync.core.history import growth
from smart_sync.core.history.growth import Growth, History, change, condensed
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, el


class Horizon(NamedTuple):
    """The period of a change: a number of days, or since a day (an ordinal)."""

    days: int = 0
    since: int | None = None

    def back(self, as_of: int) -> int:
        """The number of days, counted back from ``as_of``."""
        return self.days if self.since is None else as_of - self.since


#: The horizon that movers and the overview use.
WEEK = 7
#: Without ``--since``.
HORIZONS = (Horizon(1), Horizon(WEEK), Horizon(30))
VIEWS, FOLLOWERS = METRICS.index("views"), METRICS.index("followers")

Series = list[int | None]


def total_change(accounts: Iterable[AccountFacts], metric: int, as_of: int, days: int) -> Growth | None:
    """The change of several accounts; an account with only one value adds nothing."""
    return growth.combined((change(account.history, metric, as_of, days) for account in accounts), as_of - days)


def newest(account: AccountFacts, metric: int) -> int | None:
    """The newest value of an account."""
    return None if account.last_day is None else total((account,), metric, account.last_day)


def total(accounts: Iterable[AccountFacts], metric: int, as_of: int) -> int | None:
    """The sum of the accounts' newest values; None if none has one."""
    known = (account.history.at(metric, as_of) for account in accounts)
    return growth.total(one.value for one in known if one)


class Mover(NamedTuple):
    """An account with its change."""

    account: AccountFacts
    change: Growth


def movers(project: ProjectFacts, metric: int, count: int) -> list[Mover]:
    """The accounts that changed most over a week, in either direction, the largest first."""
    if project.as_of is None:
        return []
    changes = {account.id: change(account.history, metric, project.as_of, WEEK) for account in project.accounts}
    by_id = {account.id: account for account in project.accounts}
    moved = growth.movers(changes, count)
    return [Mover(by_id[name], moved_by) for name in moved if (moved_by := changes[name])]


@dataclass(frozen=True, slots=True)
class Window:
    """The days that charts show: the first one's ordinal, and how many."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The last day."""
        return self.start + self.length - 1


def horizons(since: int | None) -> tuple[Horizon, ...]:
    """The horizons of a report ``since`` a day; None: the usual ones."""
    return HORIZONS if since is None else (*HORIZONS[:2], Horizon(since=since))


def window(projects: Sequence[ProjectFacts], days: int, since: int | None = None) -> Window | None:
    """The last ``days`` days up to the newest values, or those ``since`` a day; None without values.

    It begins with the first of them that has any.
    """
    end = max((project.as_of for project in projects if project.as_of is not None), default=None)
    if end is None:
        return None
    start = end - days + 1 if since is None else min(since, end)
    first = min(
        day for project in projects for account in project.accounts for day in account.history.days if day >= start
    )
    return Window(first, end - first + 1)


def summed(histories: Sequence[History], rows: Sequence[Series], metric: int, start: int) -> Series:
    """The total per day: each account's last known value, from the day of its first one.

    ``rows`` are the histories' values of ``metric`` from ``start``.  A day on which no account has a value is a gap.
    """
    sums: Series = [None] * (len(rows[0]) if rows else 0)
    carried = [known.value if (known := h.at(metric, start - 1)) else 0 for h in histories]
    for day, values in enumerate(zip(*rows, strict=True)):
        if any(value is not None for value in values):
            carried = [last if value is None else value for value, last in zip(values, carried, strict=True)]
            sums[day] = sum(carried)
    return sums


def daily(histories: Sequence[History], metric: int, window: Window) -> Series:
    """The growth per day, over accounts with a value on that day and the day before."""
    grown: Series = [None] * window.length
    for history in histories:
        for day, delta in enumerate(history.daily(metric, window.start, window.length)):
            if delta is not None:
                grown[day] = (grown[day] or 0) + delta
    # The first day's growth is that of a day before the chart.
    return [None, *grown[1:]]


WIDTH, HEIGHT = 300, 100
#: More points than this are not to be seen.
MAX_POINTS = 100


def sparkline(series: Sequence[int | None], label: str, *, class_: str = "spark") -> Html:
    """``series`` as a line from its lowest to its highest value, interrupted at days without a value."""
    points = condensed(series, MAX_POINTS)
    known = [value for value in points if value is not None]
    lowest, highest = min(known, default=0), max(known, default=0)
    step = WIDTH / max(len(points) - 1, 1)
    lines, dots, pen_down = [], [], False
    for place, value in enumerate(points):
        if value is None:
            pen_down = False
            continue
        height = HEIGHT / 2 if highest == lowest else (highest - value) / (highest - lowest) * HEIGHT
        spot = f"{place * step:.0f} {height:.0f}"
        lines.append(f"{'L' if pen_down else 'M'}{spot}")
        # A value between two gaps has no line; a line of no length with round ends is a dot.
        if not pen_down and (place + 1 == len(points) or points[place + 1] is None):
            dots.append(f"M{spot}h0")
        pen_down = True
    paths = [el("path", d="".join(lines)), el("path", d="".join(dots), class_="dots") if dots else None]
    box = f"-4 -8 {WIDTH + 8} {HEIGHT + 16}"
    return el("svg", *paths, class_=class_, viewBox=box, preserveAspectRatio="none", role="img", aria_label=label)
