"""Probable typing mistakes: such a number counts, because a person may mean it, and is reported with its cell.

What is judged is what was typed, not what is merged: a number that is too low hides behind a larger parsed one, and
nobody would tell its author.  A typed number is probably a mistake if it lies outside the band in which the account has
grown (`core.merge.growth_band`), if a lifetime count falls, or if it is the number that a cell nearby had in the last
read.  It is none where the parser agrees, or where the other numbers of its row have risen with it.  What probably
happened, `core.merge.mistake_causes` says.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from smart_sync.core.merge.growth_band import (
    ENOUGH,
    FALL,
    NARROWEST,
    Band,
    Point,
    band,
    changes_of,
    steps,
    usual_range,
    without_mistakes,
)
from smart_sync.core.merge.last_read import LastRead, Typed, is_distinct
from smart_sync.core.merge.mistake_causes import Evidence, likely_cause

#: A parsed value agrees if it differs from the typed number by at most this share.
AGREES: Final = 0.05
#: A number inside the band counts as copied from another cell only if it has at least so many digits (without zeros at
#: its end) and its step is larger than any in the history; or if several cells of its row are copied.
_TELLING: Final = 4
#: A step is as in the history if it is no more than this many times the history's largest one.
_AS_BEFORE: Final = 1.1
#: Below this a number without any history is never outside the band.
FLOOR: Final = 1000
#: Another number of the row explains a rise if it has risen by at least this share of it.
_RISES_WITH = 0.2
#: How many other numbers of a row it takes to say anything about one.
_SEVERAL = 2


class TypingMistake(NamedTuple):
    """A typed number that is probably a mistake, the cell's earlier number, and the likely cause in words."""

    account_id: str
    metric: str
    old: int | None
    new: int
    cause: str


def needs_history(typed: Typed, *, counter: bool) -> bool:
    """Whether a typed number must be compared with its history; not if it has hardly moved.

    This is the usual case of every cell of a pass, so it costs little.
    """
    old, moved = typed.old, typed.new - (typed.old or 0)
    return not old or not -(FALL if counter else NARROWEST) * old <= moved <= NARROWEST * old


@dataclass(frozen=True, slots=True)
class TypingTerms:
    """The terms for judging typed numbers."""

    #: The time of the pass, as `Point.at`.
    now: float
    #: The metrics that only grow.
    counters: Collection[str]
    #: Account id and metric → what the metric was, in order (`core.merge.growth_band`).
    histories: Mapping[tuple[str, str], Sequence[Point]]
    #: Metric → the band of the project, for accounts without a history of their own.
    others: Mapping[str, Band] = field(default_factory=dict)
    #: How much a number without any history may grow in a day, as a logarithm.
    leap: float = math.log(10) - 1e-9
    #: For a negative control only: earlier mistakes in a history widen its band.
    learns_from_mistakes: bool = False


def find_typing_mistakes(row: Sequence[Typed], last_read: LastRead, terms: TypingTerms) -> list[TypingMistake]:
    """The probable mistakes among the numbers typed into one row; ``last_read``: the cells of the last read."""
    rises = {typed.metric: _rise(typed) for typed in row}
    findings = {}
    whole = _offset_of_copied_row(row, last_read)
    for typed in row:
        is_close = needs_history(typed, counter=typed.metric in terms.counters)
        if (
            is_close
            and (one := _examine(typed, last_read, terms, calm=_is_calm(typed, rises), whole=whole)) is not None
        ):
            findings[typed] = one
    # Small numbers may be equal by chance, but not if their whole row was another account's.
    rows = {away for one in findings.values() for away in one.rows}
    days = Counter(one.days_ago for one in findings.values())
    mistakes = []
    for typed in row:
        finding = findings.get(typed)
        if finding is not None and finding.usual and days[finding.days_ago] <= _SEVERAL:
            finding = None  # the row's others are not of that day
        source_row = next((away for away in rows if not _parser_agrees(typed) and last_read.says(typed, away)), None)
        elsewhere = finding is not None and finding.elsewhere
        if source_row is not None and not elsewhere:
            cause = likely_cause(
                Evidence(typed.metric, typed.new, cells=[last_read.named(typed, source_row, typed.metric)])
            )
        elif finding is not None and (elsewhere or not _rises_with_others(typed, rises, terms.leap)):
            cause = finding.cause
        else:
            continue
        mistakes.append(TypingMistake(typed.account_id, typed.metric, typed.old, typed.new, cause))
    return mistakes


class _Finding(NamedTuple):
    """Why a typed number may be a mistake."""

    #: The likely cause in words.
    cause: str
    #: Whether another cell had the number in the last read, or the same cell on an earlier day.
    elsewhere: bool
    #: How many rows away other accounts' cells had it (negative: above).
    rows: frozenset[int]
    #: How many days ago the same cell had it; None if it did not.
    days_ago: int | None = None
    #: Whether that day is all that speaks against it, though it lies within the band: a gauge goes both ways.
    usual: bool = False


def _offset_of_copied_row(row: Sequence[Typed], last_read: LastRead) -> set[int]:
    """The distances in rows to other accounts whose numbers several cells of this row repeat."""
    cells = Counter(away for typed in row for away, _ in last_read.nearby(typed) if not last_read.is_own(typed, away))
    return {away for away, several in cells.items() if several >= _SEVERAL}


def _examine(
    typed: Typed, last_read: LastRead, terms: TypingTerms, *, calm: bool, whole: Collection[int]
) -> _Finding | None:
    if _parser_agrees(typed):
        return None
    counter = typed.metric in terms.counters
    changes = changes_of(terms.histories.get((typed.account_id, typed.metric), ()))
    if typed.doubted:
        changes = [point for point in changes if point.value != typed.old]
    sound = changes if terms.learns_from_mistakes else without_mistakes(changes, counter=counter)
    growth = steps(sound)
    band = _own_band(growth, typed.metric, terms)
    has_band = band is not None
    if band is None:  # too little is known: only a leap by so many times can be told
        band = Band(0.0, terms.leap, terms.leap)
    last = _last_numbers(typed, changes, sound, band, terms.now)
    usual = [
        usual_range(point, band.reach(terms.now - point.at if has_band else 1, calm=calm), counter) for point in last
    ]
    outside = bool(last) and not any(low <= typed.new <= high for low, high in usual)
    if not has_band and typed.new < FLOOR and (typed.old or 0) < FLOOR:
        outside = False
    cells = list(last_read.nearby(typed))
    inside = bool(last) and not outside
    alike = inside and (not is_distinct(typed.new, _TELLING) or _is_as_before(typed, last, growth, terms.now))
    if alike:
        # Accounts of one campaign grow alike: what one has today another had yesterday.
        cells = [(away, metric) for away, metric in cells if away in whole]
    if outside and not cells and (far := last_read.anywhere(typed)):
        cells = [far]
    ago = None if inside and _takes_back(typed, changes, terms.now) else _days_ago(typed, sound, last, terms.now)
    if not (outside or cells or ago):
        return None
    named = [last_read.named(typed, away, metric) for away, metric in cells]
    evidence = Evidence(typed.metric, typed.new, usual, [point.value for point in last], named, ago)
    rows = frozenset(away for away, _ in cells if not last_read.is_own(typed, away))
    return _Finding(likely_cause(evidence), bool(cells) or ago is not None, rows, ago, alike and not cells)


def _own_band(growth: Sequence[float], metric: str, terms: TypingTerms) -> Band | None:
    return band(growth) if len(growth) >= ENOUGH else terms.others.get(metric)


def grown_from(earlier: int, days: float, mistake: TypingMistake, terms: TypingTerms) -> bool:
    """Whether a mistaken number follows from an ``earlier`` one by usual growth over so many days."""
    metric, counter = mistake.metric, mistake.metric in terms.counters
    changes = changes_of(terms.histories.get((mistake.account_id, metric), ()))
    band = _own_band(steps(without_mistakes(changes, counter=counter)), metric, terms)
    if band is None:
        return False
    low, high = usual_range(Point(0, earlier), band.reach(days), counter)
    return low <= mistake.new <= high


def _days_ago(typed: Typed, sound: Sequence[Point], last: Sequence[Point], now: float) -> int | None:
    """How many days ago the cell had the typed number; None if it did not, or may well have it again."""
    if not is_distinct(typed.new) or any(point.value == typed.new for point in last):
        return None
    earlier = next((point for point in reversed(sound) if point.value == typed.new), None)
    return None if earlier is None else max(1, round(now - earlier.at))


def _takes_back(typed: Typed, changes: Sequence[Point], now: float) -> bool:
    """Whether a typed number is the one from before the last change, which is less than a day old: a correction."""
    return [point.value for point in changes[-2:]] == [typed.new, typed.old] and now - changes[-1].at < 1


def _last_numbers(
    typed: Typed, changes: Sequence[Point], sound: Sequence[Point], band: Band, now: float
) -> list[Point]:
    """The numbers that a typed one may have grown from: the last, and if that is unusual the one before.

    The last one may have been a mistake that nobody has noticed yet.
    """
    last = [*sound[-1:]]
    if len(sound) > 1 and abs(steps(sound[-2:])[0] - band.middle) > band.calm:
        last.append(sound[-2])
    if typed.old and not typed.doubted and all(point.value != typed.old for point in last):
        since = changes[-1].at if changes and changes[-1].value == typed.old else now - 1
        last.append(Point(since, typed.old))
    return last


def _is_as_before(typed: Typed, last: Sequence[Point], growth: Sequence[float], now: float) -> bool:
    """Whether a typed number is a step from one of the last that is usual in the history."""
    low, high = (_AS_BEFORE * most for most in (min(growth, default=0), max(growth, default=0)))
    taken = (math.log(typed.new / point.value) / max(now - point.at, 1) for point in last if typed.new)
    return any(min(low, 0) <= step <= max(high, 0) for step in taken)


def agrees(typed: int, parsed: int | None) -> bool:
    """Whether the parser confirms a typed number: its value differs by at most 5 %."""
    return parsed is not None and abs(typed - parsed) <= AGREES * parsed


def _parser_agrees(typed: Typed) -> bool:
    return agrees(typed.new, typed.parsed)


def _is_calm(typed: Typed, rises: Mapping[str, float]) -> bool:
    """Whether nothing speaks for a leap: the parser kept the old number, or the row's other metrics did."""
    if typed.old is not None and agrees(typed.old, typed.parsed):
        return True
    least = _RISES_WITH * abs(rises[typed.metric])
    others = [abs(rise) for metric, rise in rises.items() if metric != typed.metric]
    return len(others) >= _SEVERAL and all(rise < least for rise in others)


def _rise(typed: Typed) -> float:
    return math.log(typed.new / typed.old) if typed.old and typed.new else 0.0


def _rises_with_others(typed: Typed, rises: Mapping[str, float], leap: float) -> bool:
    """Whether two other numbers of the row rose too, as in a good week; that does not explain a leap."""
    own_rise = rises[typed.metric]
    least = max(_RISES_WITH * own_rise, NARROWEST)
    return (
        0 < own_rise < leap
        and sum(rise >= least for metric, rise in rises.items() if metric != typed.metric) >= _SEVERAL
    )
