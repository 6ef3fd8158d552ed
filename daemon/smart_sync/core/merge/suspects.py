"""Suspect values: merged ones that jump, probable typing mistakes, and falls of followers seen in one read only.

They are reported.  Merged and typed values are written, for a person may mean them; a fall counts when a second read
agrees: a platform's answer is wrong now and then, and shows a large account with a tenth of its followers for an hour.
No large account loses more than a tenth of them from one read to the next.

A merged value is suspect if it is ``factor`` times what it was, or if a counter (likes, comments, videos, views) has
fallen by half.  A gauge goes both ways, so it must have fallen by ``factor`` too.  Nothing is suspect where neither
value reaches `FLOOR`, and nothing that rises from 0, where every account begins.  What was typed is judged more closely
(`core.merge.accidents`).

A suspect ends when its value changes again (unless that is another jump, judged against the value before the
first one too: going back there is a correction), when it has stood for `STANDS`, or when it is confirmed.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from smart_sync.core.days import moment, stamp
from smart_sync.core.merge.strategies import COUNTERS
from smart_sync.core.model import METRICS, Metrics
from smart_sync.core.parsed import OWN, ParsedValue

#: Below it numbers multiply every day: 1 becomes 12 without any doubt.
FLOOR = 1000
#: What has stood so long is believed.
STANDS = timedelta(days=1)


class Suspect(NamedTuple):
    """A merged value that jumped from ``old`` to ``new``, ``since`` a stamp, ``place``: the cell if the sheet won.

    ``old`` is None where there was no value.
    """

    account_id: str
    link: str
    metric: str
    old: int | None
    new: int
    since: str
    place: str = ""
    #: What probably happened, where the number was typed.
    cause: str = ""
    #: Whether ``old`` and ``new`` are what the cell said, whatever was merged; and whether ``old`` stands in for it.
    typed: bool = False
    held: bool = False


class MergedChange(NamedTuple):
    """An account whose merged values change.  A metric without a winner in ``winners`` had no value before."""

    account_id: str
    link: str
    before: Metrics
    winners: Sequence[str | None]
    after: Metrics


#: The cell that the new value of an account's metric comes from, "" if it comes from none; asked for suspects alone.
Place = Callable[[str, str], str]


def believed_before(now: datetime) -> str:
    """The stamp up to which suspects have stood long enough to be believed."""
    return stamp(now - STANDS)


#: Suspects by account id and metric.
Suspects = Mapping[tuple[str, str], Suspect]


@dataclass(frozen=True, slots=True)
class Doubts:
    """The terms for judging changes: the stamp ``now``, ``[merge] suspect``, and the open suspects.

    ``today`` is the label of the local day: pins end by it.  ``counters``: the metrics of ``[merge.kinds]`` that only
    grow.
    """

    now: str
    factor: float
    open: Suspects = field(default_factory=dict)
    today: str = ""
    counters: frozenset[str] = COUNTERS
    #: ``[merge] hold_suspects``: the last good value stands in for a typed one that is suspect.
    hold: bool = False

    @property
    def believed(self) -> str:
        """The stamp: suspects that began before it have stood long enough to be believed."""
        return believed_before(moment(self.now))


class Judged(NamedTuple):
    """The judgement about the typed cells of a pass."""

    #: The typed numbers that are accidents and not confirmed or believed; their ``since`` is that of a known one.
    accidents: Sequence[Suspect] = ()
    #: The cells that were judged, an account id and a metric; those with an open suspect that say another number now.
    cells: Container[tuple[str, str]] = frozenset()
    edited: Container[tuple[str, str]] = frozenset()
    #: The accounts whose row was read.
    read: Container[str] = frozenset()


NOTHING_JUDGED: Final = Judged()


@dataclass(frozen=True, slots=True)
class SuspectChanges:
    """The suspects that begin, those that end, and those that stay open, the new ones included."""

    new: tuple[Suspect, ...] = ()
    over: tuple[tuple[str, str], ...] = ()
    open: tuple[Suspect, ...] = ()

    def only(self, account_ids: Container[str]) -> "SuspectChanges":
        """The part about ``account_ids``."""
        return SuspectChanges(
            tuple(suspect for suspect in self.new if suspect.account_id in account_ids),
            tuple(key for key in self.over if key[0] in account_ids),
            tuple(suspect for suspect in self.open if suspect.account_id in account_ids),
        )


def jumps(metric: str, old: int, new: int, factor: float, counters: Container[str] = COUNTERS) -> bool:
    """Whether the step from ``old`` to ``new`` is a jump; ``counters`` are the lifetime totals."""
    if new > old:
        return new >= old * factor and new >= FLOOR and old > 0
    if old < FLOOR:
        return False
    return new * (2 if metric in counters else factor) <= old


def find_suspects(
    changes: Iterable[MergedChange], doubts: Doubts, place: Place, typed: Judged = NOTHING_JUDGED
) -> SuspectChanges:
    """Judge every metric that changes; typed numbers have their own judge (`core.merge.accidents`)."""
    left = dict(doubts.open)
    accidents = {(one.account_id, one.metric): one for one in typed.accidents}
    over = [key for key, known in left.items() if known.typed and _is_over(key, known, accidents, typed)]
    for key in over:
        del left[key]
    new = [one for key, one in accidents.items() if key not in left]
    for change in changes:
        for metric, old, value, winner in zip(METRICS, change.before, change.after, change.winners, strict=True):
            if old == value or value is None:
                continue
            key = (change.account_id, metric)
            if key in typed.cells or (key in left and left[key].typed):
                continue
            known = left.pop(key, None) if left else None
            if known is not None:
                over.append(key)
            if old is None or not winner or not jumps(metric, old, value, doubts.factor, doubts.counters):
                continue
            origin = old if known is None or known.old is None else known.old
            if known is None or jumps(metric, origin, value, doubts.factor, doubts.counters):
                cell = place(change.account_id, metric)
                new.append(Suspect(change.account_id, change.link, metric, origin, value, doubts.now, cell))
    return SuspectChanges(tuple(new), tuple(over), (*left.values(), *new))


def _is_over(
    key: tuple[str, str], suspect: Suspect, accidents: Mapping[tuple[str, str], Suspect], typed: Judged
) -> bool:
    """Whether an open suspect from a typed number is over: the cell has another number, or the number is believed."""
    if suspect.held:
        still = accidents.get(key)
        return key[0] in typed.read and (still is None or still.new != suspect.new)
    return key in typed.edited


#: Smaller accounts lose followers by the tenth.
LARGE: Final = 100_000
#: What part of them may be lost in one read.
_SHARE: Final = 0.1
#: In one line, why such a value has no vote yet.
ONE_READ: Final = "a fall by more than 10 % that one read alone has found"


def is_doubtful_fall(stored: ParsedValue, new: ParsedValue) -> bool:
    """Whether ``new`` is a doubtful fall from ``stored``, the same source's last value."""
    return (
        new.metric == "followers"
        and stored.place == new.place == OWN
        and stored.value >= LARGE
        and new.value < stored.value * (1 - _SHARE)
    )


def waits_for_second_read(stored: ParsedValue, new: ParsedValue, doubted: ParsedValue | None) -> bool:
    """Whether ``new`` does not count yet; ``doubted`` is the fall found by an earlier read, if any.

    The same read brought twice is one read.
    """
    if not is_doubtful_fall(stored, new):
        return False
    return doubted is None or not is_doubtful_fall(stored, doubted) or (new.at or "") <= (doubted.at or "")
