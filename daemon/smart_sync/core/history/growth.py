"""Growth over days: histories with gaps, changes, totals, the largest movers, sparklines.

Growth over some days is the newest value less the last known one at or before that many days ago; where there is
none that old, less the first that is known since.  The command and the report say so where it is not the very day.
A day that ends a carried stretch holds the growth of several: it is marked, and movers leave it out.  Averages leave
out the days before it too on which the value stood still: what is carried has not been measured to be 0.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple, Self, TypeVar

BARS = "▁▂▃▄▅▆▇█"
#: In place of a bar where nothing is known: a gap that is seen.
GAP = "·"

#: What accounts can be sorted by; all but names from the most to the least.
SORTS = ("growth", "percent", "value", "name")

N = TypeVar("N", int, float)
#: One metric, a value per day, oldest first; None where nothing is known.
Series = Sequence[int | None]


class DatedValue(NamedTuple):
    """A value and its day, as an ordinal."""

    day: int
    value: int


@dataclass(frozen=True, slots=True)
class History:
    """The known values of an account, day by day, ascending; days without a snapshot are left out.

    Days are ordinals.  ``values`` and ``deltas`` (each day against the day before) have a place per metric; None where
    nothing is known, or cannot be compared.
    """

    days: Sequence[int] = ()
    values: Sequence[Series] = ()
    deltas: Sequence[Series] = ()
    #: Days that end a carried stretch → the places of the metrics that were carried.
    ends: Mapping[int, frozenset[int]] = field(default_factory=dict)
    #: The metrics (their places) that are carried now → the day since which they are.
    carried: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        days: Sequence[int],
        values: Sequence[Series],
        first: Sequence[int] | None,
        ends: Mapping[int, frozenset[int]],
        carried: Mapping[int, int],
    ) -> Self:
        """A history from the snapshots' ``values``; each metric is known from its ``first`` day on.

        ``first`` is None for an account that no pass has seen yet: then 0 is no value.
        """
        latest = 0 if first is None else max(first)
        dated = [
            row if day >= latest and first is not None else _masked(row, day, first)
            for day, row in zip(days, values, strict=True)
        ]
        deltas, nothing = [], (None,) * (len(values[0]) if values else 0)
        for place, (day, row) in enumerate(zip(days, dated, strict=True)):
            follows = place > 0 and days[place - 1] == day - 1
            deltas.append(tuple(map(_difference, row, dated[place - 1])) if follows else nothing)
        return cls(days, dated, deltas, ends, carried)

    @property
    def last_day(self) -> int | None:
        """The day of the newest snapshot."""
        return self.days[-1] if self.days else None

    def at(self, metric: int, day: int) -> DatedValue | None:
        """The last value of a metric (an index) at or before ``day``."""
        for place in range(bisect_right(self.days, day) - 1, -1, -1):
            value = self.values[place][metric]
            if value is not None:
                return DatedValue(self.days[place], value)
        return None

    def after(self, metric: int, day: int) -> DatedValue | None:
        """The first value of a metric after ``day``."""
        for place in range(bisect_right(self.days, day), len(self.days)):
            value = self.values[place][metric]
            if value is not None:
                return DatedValue(self.days[place], value)
        return None

    def window(self, metric: int, start: int, length: int) -> list[int | None]:
        """The value of each of ``length`` days from ``start``; None where there is none."""
        return self._spread(self.values, metric, start, length)

    def daily(self, metric: int, start: int, length: int) -> list[int | None]:
        """The growth of each of ``length`` days from ``start``; None where there is none."""
        return self._spread(self.deltas, metric, start, length)

    def _spread(self, rows: Sequence[Series], metric: int, start: int, length: int) -> list[int | None]:
        spread: list[int | None] = [None] * length
        for place in range(bisect_right(self.days, start - 1), bisect_right(self.days, start + length - 1)):
            spread[self.days[place] - start] = rows[place][metric]
        return spread

    def ends_within(self, metric: int, after: int, until: int) -> tuple[int, ...]:
        """The days after ``after``, up to ``until``, on which a period of carried values of a metric ends."""
        return tuple(sorted(day for day, places in self.ends.items() if after < day <= until and metric in places))


def _masked(row: Series, day: int, first: Sequence[int] | None) -> Series:
    if first is None:
        return tuple(value or None for value in row)
    return tuple(value if day >= since else None for value, since in zip(row, first, strict=True))


def _difference(value: int | None, before: int | None) -> int | None:
    return None if value is None or before is None else value - before


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth from one day's value to the newest; also the sum over several accounts."""

    amount: int
    before: int
    #: The day compared with; of several accounts the oldest that is not the one asked for.
    since: int
    #: Whether every account was compared with the very day asked for.
    exact: bool
    accounts: int = 1
    #: The days in it on which a carried stretch ends.
    ends: tuple[int, ...] = ()
    #: How much of the amount is of those days.
    at_ends: int = 0

    @property
    def percent(self) -> float | None:
        """The growth in percent of the earlier value; None if that was 0."""
        return 100 * self.amount / self.before if self.before else None

    @property
    def moved(self) -> int:
        """The growth without days that end a carried stretch: the order of movers."""
        return self.amount - self.at_ends


def change(history: History, metric: int, as_of: int, days: int) -> Growth | None:
    """An account's growth over the ``days`` up to ``as_of``; None without two days to compare."""
    since = as_of - days
    newest = history.at(metric, as_of)
    start = history.at(metric, since) or history.after(metric, since)
    if newest is None or start is None or newest.day <= start.day:
        return None
    ends = history.ends_within(metric, start.day, newest.day)
    at_ends = sum(_jump(history, metric, day) for day in ends)
    amount = newest.value - start.value
    return Growth(amount, start.value, start.day, start.day == since, ends=ends, at_ends=at_ends)


def _jump(history: History, metric: int, day: int) -> int:
    """The difference between the value of ``day`` and the one before it."""
    before, value = history.at(metric, day - 1), history.at(metric, day)
    return value.value - before.value if before and value else 0


def combined(changes: Iterable[Growth | None], since: int) -> Growth | None:
    """The sum of several accounts' growth since ``since``; those without one add nothing, None if none has one."""
    known = [one for one in changes if one is not None]
    if not known:
        return None
    return Growth(
        sum(one.amount for one in known),
        sum(one.before for one in known),
        min((one.since for one in known if not one.exact), default=since),
        all(one.exact for one in known),
        len(known),
        tuple(sorted({day for one in known for day in one.ends})),
        sum(one.at_ends for one in known),
    )


def total(values: Iterable[N | None]) -> N | None:
    """The sum of the known values; None if none is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def average(history: History, metric: int, after: int, until: int) -> float | None:
    """The mean daily growth after ``after``, up to ``until``, of the known days outside carried stretches."""
    daily = history.daily(metric, after + 1, until - after)
    for end in history.ends_within(metric, after, until):
        place = end - after - 1
        daily[place] = None
        # Which days were carried is not recorded; on all of them the value was that of the day before.
        while place > 0 and daily[place - 1] == 0:
            place -= 1
            daily[place] = None
    since = history.carried.get(metric, until + 1)
    counted = [delta for day, delta in enumerate(daily, after + 1) if delta is not None and (delta or day < since)]
    return sum(counted) / len(counted) if counted else None


def newest_day(histories: Iterable[History]) -> int | None:
    """The day of the newest snapshot of several accounts, from which days are counted back."""
    return max((history.days[-1] for history in histories if history.days), default=None)


def period(until: date, days: int) -> tuple[str, ...]:
    """The labels of ``until`` and the ``days`` days before it, oldest first."""
    return tuple((until - timedelta(days=back)).isoformat() for back in range(days, -1, -1))


def movers(changes: Mapping[str, Growth | None], count: int) -> list[str]:
    """The names with the largest growth in either direction, largest first; unchanged ones are left out."""
    moved = [(name, one.moved) for name, one in changes.items() if one is not None and one.moved]
    return [name for name, amount in sorted(moved, key=lambda entry: (-abs(entry[1]), entry[0]))[:count]]


def last_known(values: Series) -> int | None:
    """The last known value of a series."""
    return next((value for value in reversed(values) if value is not None), None)


def condensed(values: Series, width: int) -> tuple[int | None, ...]:
    """``values`` in at most ``width`` steps of equally many days; each step has its last known value."""
    step = max(-(-len(values) // width), 1)
    # Counted from the end, so that the last step is a whole one.
    ends = range(len(values), 0, -step)
    return tuple(last_known(values[max(end - step, 0) : end]) for end in reversed(ends))


def sparkline(values: Series) -> str:
    """A bar for each value, the lowest ▁ and the highest █ (all ▄ if they are equal); `GAP` where there is none."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    steps = len(BARS) - 1
    return "".join(
        GAP if value is None else BARS[(value - low) * steps // (high - low)] if high > low else BARS[steps // 2]
        for value in values
    )
