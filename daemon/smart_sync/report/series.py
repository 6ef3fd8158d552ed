"""What the charts of a project show, day by day, and how the numbers are packed into the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from smart_sync.core.model import METRICS
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.totals import Joined, joined
from smart_sync.report.trend import FOLLOWERS, VIEWS, Series, Window, daily, summed

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NO_VALUE = "."


def pack(series: Iterable[int | None]) -> str:
    """``series`` as text of `DIGITS` and `NO_VALUE`: nothing that HTML or JSON would have to escape."""
    last, parts = 0, []
    for value in series:
        if value is None:
            parts.append(NO_VALUE)
        else:
            parts.append(_number(value - last))
            last = value
    return "".join(parts)


@lru_cache(maxsize=100_000)
def _number(difference: int) -> str:
    rest = difference * 2 if difference >= 0 else -difference * 2 - 1
    digits = ""
    while rest > 31:
        digits += DIGITS[rest % 32 + 32]
        rest //= 32
    return digits + DIGITS[rest]


@dataclass(frozen=True, slots=True)
class ProjectSeries:
    """Series metric by metric: of each account (in the project's order), of all together, and their daily growth."""

    accounts: list[list[Series]]
    totals: list[Series]
    daily: list[Series]
    #: Metric by metric.
    joined: list[list[Joined]]

    @property
    def empty(self) -> bool:
        """Whether no day has any value."""
        return all(value is None for series in self.totals for value in series)

    def packed(self) -> dict[str, object]:
        """As report.js reads them: an account is its metrics' texts with a space between."""
        return {
            "total": " ".join(map(pack, self.totals)),
            "daily": " ".join(map(pack, self.daily)),
            "accounts": [" ".join(map(pack, metrics)) for metrics in self.accounts],
            "joined": self.joined,
        }


def series_of(project: ProjectFacts, window: Window) -> ProjectSeries:
    """The series of ``project`` in ``window``."""
    histories = [account.history for account in project.accounts]
    places = range(len(METRICS))
    accounts = [[one.window(place, window.start, window.length) for place in places] for one in histories]
    by_metric = [[metrics[place] for metrics in accounts] for place in places]
    return ProjectSeries(
        accounts,
        [summed(histories, rows, place, window.start) for place, rows in enumerate(by_metric)],
        [daily(histories, place, window) for place in places],
        [joined(histories, place, window) for place in places],
    )


def shown_metric(metrics: list[Series]) -> int:
    """Which metric a small chart shows: views, or followers where an account has no views."""
    return VIEWS if any(metrics[VIEWS]) else FOLLOWERS
