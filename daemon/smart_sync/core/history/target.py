"""Whether a project reaches its target: its progress, its pace, and the projection to its last day.

Days are ordinals.  The pace of an account is its growth over the last `PACE_DAYS` (`core.history.growth.change`) by the
days that it is of; where a value was or is carried in them, the mean of the other days.  Accounts without any
add nothing to it, so that one that joins is no growth.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from smart_sync.core.history.growth import History, average, change

#: Days over which the pace is taken.
PACE_DAYS = 7
#: A day that is reached later than so many days from now is none that anybody plans for.
_FAR = 3650


class Target(NamedTuple):
    """The views that a project is to reach, from its first to its last day, both included (None: open)."""

    views: int
    start: int | None = None
    end: int | None = None


class Pace(NamedTuple):
    """The daily growth, and the number of accounts it is known for."""

    per_day: float
    accounts: int


class Verdict(StrEnum):
    """The answer in one word."""

    REACHED = "reached"
    ON_COURSE = "on_course"
    BEHIND = "behind"
    MISSED = "missed"
    NOT_BEGUN = "not_begun"
    #: There is no last day.
    OPEN = "open"
    #: No value, or no pace yet.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """A project's progress ``today``; ``value`` is of ``as_of``, the day of its newest values."""

    target: Target
    value: int | None
    as_of: int | None
    today: int
    pace: Pace | None

    @property
    def percent(self) -> float | None:
        """The value in percent of the target."""
        return None if self.value is None else 100 * self.value / self.target.views

    @property
    def days(self) -> int | None:
        """The number of days from the first to the last; None if either is open."""
        start, end = self.target.start, self.target.end
        return None if start is None or end is None else end - start + 1

    @property
    def day(self) -> int | None:
        """The number of today among them, from 1; 0 before the first, at most the last."""
        if self.days is None or self.target.start is None:
            return None
        return min(max(self.today - self.target.start + 1, 0), self.days)

    @property
    def projected(self) -> int | None:
        """The views at the end of the last day if every day grows like the pace."""
        if self.value is None or self.as_of is None or self.pace is None or self.target.end is None:
            return None
        return self.value + round(self.pace.per_day * max(self.target.end - self.as_of, 0))

    @property
    def needed(self) -> float | None:
        """The daily growth that would still reach the target; None if it is reached, or no day is left."""
        if self.value is None or self.as_of is None or self.target.end is None or self.value >= self.target.views:
            return None
        left = self.target.end - self.as_of
        return (self.target.views - self.value) / left if left > 0 else None

    @property
    def reached_on(self) -> int | None:
        """The day on which the pace reaches the target; None if not within ten years, or already reached."""
        if self.value is None or self.as_of is None or self.pace is None or self.pace.per_day <= 0:
            return None
        days = math.ceil((self.target.views - self.value) / self.pace.per_day)
        return self.as_of + days if 0 < days <= _FAR else None

    @property
    def ended_unseen(self) -> bool:
        """Whether the last day is over and the newest values are older, so that the final value is unknown."""
        end = self.target.end
        return end is not None and self.today > end and (self.as_of is None or self.as_of < end)

    @property
    def verdict(self) -> Verdict:
        """Whether the target is, or will be, reached."""
        start, end = self.target.start, self.target.end
        if self.value is not None and self.value >= self.target.views:
            return Verdict.REACHED
        if start is not None and self.today < start:
            return Verdict.NOT_BEGUN
        if self.value is None:
            return Verdict.UNKNOWN
        if end is None:
            return Verdict.OPEN
        if self.today > end:
            return Verdict.UNKNOWN if self.ended_unseen else Verdict.MISSED
        if self.projected is None:
            return Verdict.UNKNOWN
        return Verdict.ON_COURSE if self.projected >= self.target.views else Verdict.BEHIND


def pace(histories: Iterable[History], metric: int, as_of: int) -> Pace | None:
    """The daily growth of several accounts together; None if none is known."""
    paces = [one for one in (_pace(history, metric, as_of) for history in histories) if one is not None]
    return Pace(sum(paces), len(paces)) if paces else None


def _pace(history: History, metric: int, as_of: int) -> float | None:
    growth, newest = change(history, metric, as_of, PACE_DAYS), history.at(metric, as_of)
    if growth is None or newest is None:
        return None
    if growth.ends or metric in history.carried:
        return average(history, metric, as_of - PACE_DAYS, as_of)
    return growth.amount / (newest.day - growth.since)
