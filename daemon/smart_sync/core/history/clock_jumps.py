"""Whether this machine's clock is plausible by the recorded passes: after a jump nothing may be deleted as too old.

A clock that is set a year ahead would have everything deleted that is kept for less.  Nothing in the machine tells that
from a year in which it was off, so for a while nothing is deleted, and people are told.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from smart_sync.core.days import moment

#: So long without a pass is a jump of the clock, or a machine that was off.
GAP: Final = timedelta(days=21)
#: A clock that has gone on for so long since is believed.
SETTLED: Final = timedelta(days=3)
#: A pass dated so far ahead was run by another clock.
FAR: Final = timedelta(days=1)


class PassTimes(NamedTuple):
    """When passes on record began, by ``now``; stamps, None where there is no such pass."""

    #: The last one that is older than `SETTLED` and `GAP` together.
    before: str | None
    #: Whether there is one between those two.
    is_settled: bool
    #: The first one that is younger than `SETTLED`.
    first: str | None
    #: The last one that lies more than `FAR` ahead.
    ahead: str | None


def doubt(times: PassTimes) -> str:
    """Why nothing may be deleted as too old, and what to do; "" if it may."""
    if times.ahead is not None:
        return (
            f"there is a pass on record of {_minute(moment(times.ahead))}, which is to come: this machine's clock is"
            " behind, or was ahead; set it right"
        )
    if times.before is None or times.is_settled or times.first is None:
        return ""
    first = moment(times.first)
    return (
        f"there was no pass between {_minute(moment(times.before))} and {_minute(first)}: if this machine's clock has"
        f" jumped, set it right; until {_minute(first + SETTLED)} nothing is deleted as too old"
    )


def counted_seconds(since: datetime, now: datetime) -> float:
    """The seconds from one good read to the next, where only they count: none over a `GAP`, or backwards."""
    step = now - since
    return step.total_seconds() if timedelta(0) <= step <= GAP else 0.0


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
