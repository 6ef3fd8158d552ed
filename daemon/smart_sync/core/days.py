"""Which day a moment belongs to, and the format of stamps. Nothing here reads a clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: The years for which the clocks of a zone are written down.  Snapshots older than that are mistakes.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
#: No zone has ever changed its clocks twice within so long: in Recife it once took 6 days and 23 hours.
_STEP, _SECOND = timedelta(days=6), timedelta(seconds=1)


def stamp(moment: datetime) -> str:
    """``moment`` as the database and the answers have it: naive UTC ISO 8601 with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def moment(stamp: str) -> datetime:
    """The moment of a `stamp`."""
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC)


def seconds_between(since: str, until: str) -> float:
    """The seconds from one stamp to another."""
    return (moment(until) - moment(since)).total_seconds()


@dataclass(frozen=True, slots=True)
class Day:
    """One day of snapshots: its label (``2026-03-29``) and its bounds as stamps, the end excluded."""

    label: str
    start: str
    end: str


def day_of(moment: datetime, timezone: str) -> Day:
    """The day of ``moment`` on the clocks of ``timezone``: 23, 24 or 25 hours long."""
    zone = ZoneInfo(timezone)
    date = moment.astimezone(zone).date()
    start = datetime.combine(date, time(), zone)
    end = datetime.combine(date + timedelta(days=1), time(), zone)
    return Day(date.isoformat(), stamp(start), stamp(end))


class ClockChange(NamedTuple):
    """From ``since`` on (UTC; "" is the beginning) local time is ``ahead`` of UTC: both in SQLite's date() notation."""

    since: str
    ahead: str


@cache
def clock_changes(timezone: str) -> tuple[ClockChange, ...]:
    """The UTC offsets of ``timezone`` from 1970 to 2099; () for UTC."""
    zone = ZoneInfo(timezone)
    changes = [(_FIRST, _ahead(zone, _FIRST)), *_changes(zone)]
    if {ahead for _, ahead in changes} == {timedelta(0)}:
        return ()
    return tuple(
        ClockChange("" if at is _FIRST else f"{at:%Y-%m-%d %H:%M:%S}", f"{ahead // _SECOND:+d} seconds")
        for at, ahead in changes
    )


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    if zone.utcoffset(None) is not None:  # the clocks never change
        return
    moments = (_FIRST + number * _STEP for number in range((_LAST - _FIRST) // _STEP + 1))
    for before, after in pairwise((moment, _ahead(zone, moment)) for moment in moments):
        if before[1] != after[1]:
            yield _first_second(zone, before[0], after[0]), after[1]


def _first_second(zone: ZoneInfo, old: datetime, new: datetime) -> datetime:
    """The second between ``old`` and ``new`` at which the UTC offset changes."""
    while new - old > _SECOND:
        middle = old + (new - old) // _SECOND // 2 * _SECOND
        old, new = (middle, new) if _ahead(zone, middle) == _ahead(zone, old) else (old, middle)
    return new


def _ahead(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
