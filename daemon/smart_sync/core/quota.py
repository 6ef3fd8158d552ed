"""When a platform's daily quota begins anew."""

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def pacific_midnight(now: datetime) -> datetime:
    """The next midnight on Google's clocks in California, in UTC: there the YouTube quota begins anew."""
    zone = _pacific()
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        # A machine without tzdata: an hour late in summer, never early.
        return timezone(timedelta(hours=-8))
