"""Metrics that are counted otherwise than before: of other dates, another KPI, the campaign in place of the lifetime.

Such a number is the first of its kind.  It begins anew: no growth from what it was, and nothing to doubt in a leap.
"""

from collections.abc import Sequence

from smart_sync.core.merge.strategies import Winner
from smart_sync.core.model import METRICS, NO_METRICS
from smart_sync.core.state import AccountState


def is_of_others(state: AccountState) -> bool:
    """Whether a parsed value is of other videos than the last pass saw; all of the lifetime is the usual case."""
    if not (any(state.counted) or any(one.counted for one in state.votes.chosen.values())):
        return False
    return any((old or "") != (new or "") for old, new in zip(state.counted, counted_now(state), strict=True))


def counted_now(state: AccountState) -> tuple[str | None, ...]:
    """What the parsed values are of; where none counts, what the last one was of."""
    known, chosen, parsed = state.counted, state.votes.chosen, state.parsed or NO_METRICS
    return tuple(
        [
            (chosen[metric].counted if metric in chosen else "") if parsed[index] is not None else known[index]
            for index, metric in enumerate(METRICS)
        ]
    )


def begin_anew(state: AccountState, winners: Sequence[str | None], counted: Sequence[str | None]) -> frozenset[str]:
    """The metrics of which a parsed value counts, or counted, that is of other videos now."""
    of_parsers = (Winner.PARSED, Winner.BOTH)
    each = zip(METRICS, state.counted, counted, state.winners, winners, strict=True)
    return frozenset(
        metric
        for metric, old, new, before, now in each
        if old is not None and old != new and (before in of_parsers or now in of_parsers)
    )
