"""Which day a moment belongs to, and how times are written down.  Nothing here reads a clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def stamp(moment: datetime) -> str:
    """``moment`` as the database and the answers write it: naive UTC ISO 8601 with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


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
