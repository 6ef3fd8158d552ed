"""How numbers have grown over some days: series with gaps, sparklines, totals, the biggest movers.

Growth over some days is the newest value less the last known one at or before that many days ago; where there is
none that old, less the first that is known since.  The command and the report say so where it is not the very day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Series:
    """One metric, a value per day of the period, oldest first; None where the day has no snapshot."""

    values: tuple[int | None, ...]

    @property
    def last(self) -> int | None:
        """The last value that is known."""
        return next((value for value in reversed(self.values) if value is not None), None)


class Known(NamedTuple):
    """A value and the day it was true, as an ordinal."""

    day: int
    value: int


@dataclass(frozen=True, slots=True)
class Change:
    """From the value of one day to the newest; also the sum of several accounts' changes."""

    amount: int
    before: int
    #: The day compared with; of several accounts the oldest that is not the one asked for.
    since: int
    #: Whether every account was compared with the very day asked for.
    exact: bool
    accounts: int = 1

    @property
    def percent(self) -> float | None:
        """Of the value before; None if that was 0."""
        return 100 * self.amount / self.before if self.before else None


def change(newest: Known | None, base: Known | None, inside: Known | None, asked: int) -> Change | None:
    """How much an account has grown since the day ``asked``: to ``newest``, from ``base``, the last at or before it.

    Where nobody recorded that yet, from ``inside``, the first after it.  None without two days to compare.
    """
    start = base or inside
    if newest is None or start is None or newest.day <= start.day:
        return None
    return Change(newest.value - start.value, start.value, start.day, start.day == asked)


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


def total(several: Iterable[tuple[int | None, int | None]]) -> Total:
    """The sum of several accounts, each its last known value and its growth."""
    all_of_them = tuple(several)
    return Total(
        len(all_of_them),
        sum(last or 0 for last, _ in all_of_them),
        sum(growth or 0 for _, growth in all_of_them),
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
