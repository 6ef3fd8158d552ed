"""How numbers have grown over some days: series with gaps, sparklines, totals, the biggest movers.

Growth is the difference between two days that are known, the first and the last of the period.  A gap in between
neither adds to it nor hides any of it; where fewer than two days are known there is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Series:
    """One metric, a value per day of the period, oldest first; None where the day has no snapshot."""

    values: tuple[int | None, ...]

    @property
    def first(self) -> int | None:
        """The first value that is known."""
        return next((value for value in self.values if value is not None), None)

    @property
    def last(self) -> int | None:
        """The last value that is known."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def growth(self) -> int | None:
        """The last known value minus the first; None if fewer than two days are known."""
        known = [value for value in self.values if value is not None]
        return known[-1] - known[0] if len(known) > 1 else None


@dataclass(frozen=True, slots=True)
class Total:
    """Several accounts together: how many, their last known values, the growth of those that have one."""

    accounts: int
    last: int
    growth: int


def period(until: date, days: int) -> tuple[str, ...]:
    """The labels of ``until``, the ``days`` days before it, oldest first: so that each day has one to grow from."""
    return tuple((until - timedelta(days=back)).isoformat() for back in range(days, -1, -1))


def series(days: Sequence[str], values: Mapping[str, int | None]) -> Series:
    """``values`` by day, as a series over ``days``."""
    return Series(tuple(values.get(day) for day in days))


def total(several: Iterable[Series]) -> Total:
    """The sum of several accounts."""
    all_of_them = tuple(several)
    return Total(
        len(all_of_them),
        sum(one.last or 0 for one in all_of_them),
        sum(one.growth or 0 for one in all_of_them),
    )


def movers(growths: Mapping[str, int | None], count: int) -> list[str]:
    """The names that have moved most, up or down, the most first; those that stood still are none."""
    moved = [(name, growth) for name, growth in growths.items() if growth]
    return [name for name, growth in sorted(moved, key=lambda entry: (-abs(entry[1]), entry[0]))[:count]]


def condensed(values: Sequence[int | None], width: int) -> tuple[int | None, ...]:
    """``values`` in at most ``width`` steps of as many days each as it takes; each step has its last known value."""
    step = max(-(-len(values) // width), 1)
    # Counted from the end, so that the last step is a whole one.
    ends = range(len(values), 0, -step)
    return tuple(Series(tuple(values[max(end - step, 0) : end])).last for end in reversed(ends))


def sparkline(values: Sequence[int | None]) -> str:
    """A bar for each value, the lowest ▁ and the highest █ (all ▄ if they are equal); a space where there is none."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    steps = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[(value - low) * steps // (high - low)] if high > low else BARS[steps // 2]
        for value in values
    )
