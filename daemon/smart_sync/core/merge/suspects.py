"""Values that jump against their own history: written all the same, because a person may mean it, and reported.

A value is suspect if it is ``factor`` times what it was, or if a lifetime metric (likes, comments, videos, views) has
fallen by half.  Followers come and go, so they must have fallen by ``factor`` too.  Nothing is suspect where neither
value reaches `FLOOR`, and nothing that rises from 0, where every account begins.

A suspect ends when its value changes again (unless that is another jump, judged against the value before the
first one too: going back there is a correction), when it has stood for `STANDS`, or when it is confirmed.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from smart_sync.core.model import METRICS, Metrics

#: Below it numbers multiply every day: 1 becomes 12 without any doubt.
FLOOR = 1000
#: What has stood so long is believed.
STANDS = timedelta(days=1)


class Suspect(NamedTuple):
    """A merged value that jumped from ``old`` to ``new``, ``since`` a stamp, ``place``: the cell if the sheet won."""

    account_id: str
    link: str
    metric: str
    old: int
    new: int
    since: str
    place: str = ""


class MergedChange(NamedTuple):
    """An account whose merged values change.  A metric without a winner in ``winners`` had no value before."""

    account_id: str
    link: str
    before: Metrics
    winners: Sequence[str | None]
    after: Metrics


#: The cell that the new value of an account's metric comes from, "" if it comes from none; asked for suspects alone.
Place = Callable[[str, str], str]

#: Suspects by account id and metric.
Suspects = Mapping[tuple[str, str], Suspect]


@dataclass(frozen=True, slots=True)
class Doubts:
    """What changes are judged by: the stamp ``now``, ``[merge] suspect``, and the suspects that are still open.

    ``today`` is the label of the local day: pins end by it.
    """

    now: str
    factor: float
    open: Suspects = field(default_factory=dict)
    today: str = ""


@dataclass(frozen=True, slots=True)
class SuspectChanges:
    """The suspects that begin, those that are over, and those that are left open, the new ones included."""

    new: tuple[Suspect, ...] = ()
    over: tuple[tuple[str, str], ...] = ()
    open: tuple[Suspect, ...] = ()

    def only(self, account_ids: Container[str]) -> "SuspectChanges":
        """The part that is about ``account_ids``."""
        return SuspectChanges(
            tuple(suspect for suspect in self.new if suspect.account_id in account_ids),
            tuple(key for key in self.over if key[0] in account_ids),
            tuple(suspect for suspect in self.open if suspect.account_id in account_ids),
        )


def jumps(metric: str, old: int, new: int, factor: float) -> bool:
    """Whether going from ``old`` to ``new`` is a jump."""
    if new > old:
        return new >= old * factor and new >= FLOOR and old > 0
    if old < FLOOR:
        return False
    return new * (factor if metric == "followers" else 2) <= old


def judge(changes: Iterable[MergedChange], doubts: Doubts, place: Place) -> SuspectChanges:
    """Look at every metric that changes."""
    left = dict(doubts.open)
    new: list[Suspect] = []
    over: list[tuple[str, str]] = []
    for change in changes:
        for metric, old, value, winner in zip(METRICS, change.before, change.after, change.winners, strict=True):
            if old == value or value is None:
                continue
            known = left.pop((change.account_id, metric), None) if left else None
            if known is not None:
                over.append((change.account_id, metric))
            if old is None or not winner or not jumps(metric, old, value, doubts.factor):
                continue
            origin = known.old if known is not None else old
            if known is None or jumps(metric, origin, value, doubts.factor):
                cell = place(change.account_id, metric)
                new.append(Suspect(change.account_id, change.link, metric, origin, value, doubts.now, cell))
    return SuspectChanges(tuple(new), tuple(over), (*left.values(), *new))
