"""Suspect values: finds merged values that jump, and parsed followers whose fall waits for a second read.

Typing mistakes are suspects too: `core.merge.typing_mistakes` finds them, `core.merge.typed_cells` brings them as
`Judged`, and `find_suspects` here lists them with the others.

Suspects are reported.  Merged and typed values are written nevertheless, for a person may mean them; a fall counts when
a second read agrees: a platform's answer is wrong now and then, and shows a large account with a tenth of its followers
for an hour.  No large account loses more than a tenth of them from one read to the next.

A merged value is suspect if it is ``factor`` times what it was, or if a counter (likes, comments, videos, views) has
fallen by half.  A gauge goes both ways, so it must have fallen by ``factor`` too.  Nothing is suspect where neither
value reaches `FLOOR`, and nothing that rises from 0, where every account begins.

A suspect ends when its value changes again, when it has stood for `STANDS`, or when it is confirmed.  A change that is
a jump again begins a new suspect, if it is one from the value before the first jump too: going back there is a
correction.
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
#: A suspect value that has stood so long is believed.
STANDS = timedelta(days=1)


class Suspect(NamedTuple):
    """A merged value that has jumped, or a typed number that is probably a mistake."""

    account_id: str
    link: str
    metric: str
    #: The value before, None where there was none.
    old: int | None
    new: int
    #: A stamp: when it was found.
    since: str
    #: The cell; "" if the merged value came from no cell.
    place: str = ""
    #: What probably happened, in words; "" for a jump.
    cause: str = ""
    #: Whether it is a typing mistake: ``old`` and ``new`` are the cell's numbers, whatever was merged.
    typed: bool = False
    #: Whether the cell is held: its earlier value is carried in place of ``new``.
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
    """The terms for judging changes."""

    #: The time of the pass, a stamp.
    now: str
    #: ``[merge] suspect``.
    factor: float
    #: The suspects of earlier passes that are still open.
    open: Suspects = field(default_factory=dict)
    #: The label of the local day, by which pins end.
    today: str = ""
    #: The metrics of ``[merge.kinds]`` that only grow.
    counters: frozenset[str] = COUNTERS
    #: ``[merge] hold_suspects``: for a typed number that is suspect the last good value is carried.
    hold: bool = False

    @property
    def believed(self) -> str:
        """The stamp: suspects that began before it have stood long enough to be believed."""
        return believed_before(moment(self.now))


class Judged(NamedTuple):
    """The judgement about the typed cells of a pass."""

    #: The typing mistakes that are neither confirmed nor believed; one that was known keeps its ``since``.
    mistakes: Sequence[Suspect] = ()
    #: The cells that were judged: an account id and a metric.
    cells: Container[tuple[str, str]] = frozenset()
    #: The cells with an open suspect whose number has changed.
    edited: Container[tuple[str, str]] = frozenset()
    #: The accounts whose row was read.
    read: Container[str] = frozenset()


NOTHING_JUDGED: Final = Judged()


@dataclass(frozen=True, slots=True)
class SuspectChanges:
    """How a pass changes the suspects of a project."""

    #: Those that begin.
    new: tuple[Suspect, ...] = ()
    #: Those that end: account id and metric.
    ended: tuple[tuple[str, str], ...] = ()
    #: Those that are open after the pass, the new ones included.
    open: tuple[Suspect, ...] = ()

    def only(self, account_ids: Container[str]) -> "SuspectChanges":
        """Those of ``account_ids``."""
        return SuspectChanges(
            tuple(suspect for suspect in self.new if suspect.account_id in account_ids),
            tuple(key for key in self.ended if key[0] in account_ids),
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
    """Judge every metric that changes; typed numbers have their own judge (`core.merge.typing_mistakes`)."""
    left = dict(doubts.open)
    mistakes = {(one.account_id, one.metric): one for one in typed.mistakes}
    ended = [key for key, known in left.items() if known.typed and _has_ended(key, known, mistakes, typed)]
    for key in ended:
        del left[key]
    new = [one for key, one in mistakes.items() if key not in left]
    for change in changes:
        for metric, old, value, winner in zip(METRICS, change.before, change.after, change.winners, strict=True):
            if old == value or value is None:
                continue
            key = (change.account_id, metric)
            if key in typed.cells or (key in left and left[key].typed):
                continue
            known = left.pop(key, None) if left else None
            if known is not None:
                ended.append(key)
            if old is None or not winner or not jumps(metric, old, value, doubts.factor, doubts.counters):
                continue
            origin = old if known is None or known.old is None else known.old
            if known is None or jumps(metric, origin, value, doubts.factor, doubts.counters):
                cell = place(change.account_id, metric)
                new.append(Suspect(change.account_id, change.link, metric, origin, value, doubts.now, cell))
    return SuspectChanges(tuple(new), tuple(ended), (*left.values(), *new))


def _has_ended(
    key: tuple[str, str], suspect: Suspect, mistakes: Mapping[tuple[str, str], Suspect], typed: Judged
) -> bool:
    """Whether an open suspect of a typed number has ended: the cell has another number, or the number is believed."""
    if suspect.held:
        still = mistakes.get(key)
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
