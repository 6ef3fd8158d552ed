"""The band in which an account usually grows: what a typed number is compared with.

A history is what the metric was on days of the last `DAYS`, from snapshots and from edits of the sheet.  What stands
out of it, because it went back later, is left out: a mistake of last week must not make the next one look usual.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

#: How far back a history goes.
DAYS: Final = 30
#: Changes of a history that make a band; with fewer the project's other accounts help.
ENOUGH: Final = 4
#: A band is never narrower: to each side of what is usual, in a day.
NARROWEST: Final = 0.02
#: How many robust standard deviations still belong to the band.
_SIGMAS = 8
#: How many times the largest step still belongs to the band.
_LARGEST = 2
#: Of a median absolute deviation, for values that spread normally.
_TO_SIGMA = 1.4826
#: A lifetime count that falls by no more was rounded differently.
FALL: Final = 0.005
#: Numbers are counts: larger growth than e to this is all the same.
_MOST = 40.0
#: Small numbers grow in steps: an account with 9 videos may have 3 more tomorrow.
_FEW: Final = 3


class Point(NamedTuple):
    """A metric's value from a time on, in days since a fixed day."""

    at: float
    value: int


class Band(NamedTuple):
    """The usual daily growth: a logarithm, and its distance to either limit.

    ``calm``: how far on a day on which nothing speaks for a leap like the largest one of the history.
    """

    middle: float
    calm: float
    width: float

    def reach(self, days: float, *, calm: bool = False) -> tuple[float, float]:
        """The lowest and highest usual growth over so many days, as logarithms."""
        days = min(max(days, 1.0), DAYS)
        middle, width = self.middle * days, (self.calm if calm else self.width) * math.sqrt(days)
        return middle - width, middle + width


def changes_of(points: Iterable[Point]) -> list[Point]:
    """A history in the order of time without repeated values; 0 is no value to grow from."""
    changes: list[Point] = []
    for point in sorted(points):
        if point.value > 0 and (not changes or changes[-1].value != point.value):
            changes.append(point)
    return changes


def without_mistakes(points: Sequence[Point], *, counter: bool) -> list[Point]:
    """The changes of a history without those that were reverted later.

    A lifetime count only grows: what contradicts most of the others is left out.  A gauge goes both ways: a value is
    left out if it went far from the one before it, and the next one came all the way back.  What was before the first
    value nobody knows: it is left out if the next one went far from it.
    """
    kept = _longest_growth(points) if counter else _without_spikes(points)
    growth = steps(kept)
    return kept[1:] if len(growth) >= ENOUGH and abs(growth[0]) > _far(growth) else kept


def _far(growth: Sequence[float]) -> float:
    """The size of a step that counts as unusual."""
    middle = median(growth)
    return max(NARROWEST, _SIGMAS * _TO_SIGMA * median([abs(step - middle) for step in growth]))


def steps(points: Sequence[Point]) -> list[float]:
    """The daily growth, as a logarithm, between consecutive points."""
    return [math.log(after.value / before.value) / max(after.at - before.at, 1.0) for before, after in pairwise(points)]


def band(growth: Sequence[float]) -> Band:
    """The band of steps: median ± max(2 %, 8 robust σ, 2 × the largest step seen)."""
    if not growth:
        return Band(0.0, NARROWEST, NARROWEST)
    calm = _far(growth)
    return Band(median(growth), calm, max(calm, _LARGEST * max(abs(step) for step in growth)))


def usual_range(point: Point, growth: tuple[float, float], counter: bool) -> tuple[int, int]:
    """The usual range of a number that has grown from ``point``."""
    low, high = (point.value * math.exp(min(step, _MOST)) for step in growth)
    least = min(point.value * (1 - FALL), point.value - _FEW) if counter else min(low, point.value)
    return math.floor(least), math.floor(max(high, point.value + _FEW))


def bands_of(histories: Mapping[tuple[str, str], Sequence[Point]], counters: Collection[str]) -> dict[str, Band]:
    """A band per metric over several accounts, for accounts without a history of their own."""
    growth: dict[str, list[float]] = {}
    for (_, metric), points in histories.items():
        sound = without_mistakes(changes_of(points), counter=metric in counters)
        growth.setdefault(metric, []).extend(steps(sound))
    return {metric: band(several) for metric, several in growth.items() if len(several) >= ENOUGH}


def _longest_growth(points: Sequence[Point]) -> list[Point]:
    """The longest part of ``points`` that never falls by more than `FALL`, the latest of several."""
    ends: list[int] = []  # the place of the lowest value that ends a part of each length
    values: list[float] = []
    before: list[int] = []
    for place, point in enumerate(points):
        at = bisect_right(values, point.value / (1 - FALL))
        before.append(ends[at - 1] if at else -1)
        if at == len(ends):
            ends.append(place)
            values.append(point.value)
        else:
            ends[at], values[at] = place, point.value
    longest: list[Point] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        longest.append(points[place])
        place = before[place]
    return longest[::-1]


def _without_spikes(points: Sequence[Point]) -> list[Point]:
    growth = steps(points)
    if len(growth) < 2:
        return list(points)
    far, kept = _far(growth), [points[0]]
    for place in range(1, len(points)):
        rise, back = growth[place - 1], growth[place] if place < len(growth) else 0.0
        if not (abs(rise) > far and abs(back) > far and rise * back < 0):
            kept.append(points[place])
    return kept
