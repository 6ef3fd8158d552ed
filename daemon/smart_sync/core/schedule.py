"""When things are due: the timer, a cron expression, a daily quota, the digest, a parser's next request.

Time is an argument; nothing here reads a clock.
"""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from smart_sync.core.days import stamp
from smart_sync.core.parsed import is_ahead


def seconds_to_next(every: float, elapsed: float) -> float:
    """The seconds until the next multiple of ``every``, ``elapsed`` seconds after the start.

    Always above 0 and at most ``every``: no drift, and of the ticks that were missed only the next one is left.
    """
    ticks = math.floor(elapsed / every) + 1
    return max(ticks * every - elapsed, 0.001)


def next_cron(expression: str, after: datetime, timezone: str) -> datetime:
    """The first time after ``after`` that matches ``expression`` in ``timezone``.

    Right across daylight-saving changes: a time that is skipped or doubled fires once.
    """
    local = after.astimezone(ZoneInfo(timezone))
    return next(CronSim(expression, local)).astimezone(after.tzinfo)


def pacific_midnight(now: datetime) -> datetime:
    """The next midnight in California, in UTC, when the YouTube quota is renewed."""
    zone = _pacific()
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        # A machine without tzdata: an hour late in summer, never early.
        return timezone(timedelta(hours=-8))


#: What nobody could be told for so long (no process was there) is reported no more: the next one is near.
DIGEST_LATE = timedelta(hours=12)


def digest_day(now: datetime, at: time, timezone: str) -> str | None:
    """The day (a label) whose digest is due at ``now``: on time, or up to `DIGEST_LATE` after; None if none is."""
    local = now.astimezone(ZoneInfo(timezone)).date()
    for day in (local, local - timedelta(days=1)):
        if timedelta(0) <= now - _moment_of(day, at, timezone) < DIGEST_LATE:
            return day.isoformat()
    return None


def next_digest(now: datetime, at: time, timezone: str) -> datetime:
    """The time of the next digest. If the clocks skip ``at`` that day, it moves by the length of the gap."""
    local = now.astimezone(ZoneInfo(timezone)).date()
    today = _moment_of(local, at, timezone)
    return today if today > now else _moment_of(local + timedelta(days=1), at, timezone)


def _moment_of(day: date, at: time, timezone: str) -> datetime:
    """The moment of a local time; of one that occurs twice the first."""
    # By way of the stamp: in one zone times are compared as the clocks show them.
    return datetime.fromisoformat(f"{stamp(datetime.combine(day, at, ZoneInfo(timezone)))}+00:00")


#: An account that failed is asked again after so long, then after twice as long, up to the parser's ``every``.
FIRST_RETRY = timedelta(minutes=15)
#: One that is private or deleted after so long, then after twice as long, up to daily.
FIRST_REST = timedelta(hours=1)
LONGEST_REST = timedelta(days=1)
#: The longest that a parser asks nobody: `aio.http_client.LONGEST_WAIT`, or to midnight on a day of 25 hours.
LONGEST_PAUSE = timedelta(hours=25)
#: Ticks come a little early or late: an account is due when its time is nearly up.
SLACK = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Asked:
    """When an account was last asked for, by which link, with what result; times are UTC."""

    link: str
    at: datetime
    #: It gave nothing: not to be asked before.
    not_before: datetime | None = None
    #: How often in a row it gave nothing.
    failures: int = 0
    #: Private or deleted.
    gone: bool = False
    #: What it was asked for: the `Campaign.key` of its videos, "" for the lifetime.
    counted: str = ""


def answered(link: str, now: datetime) -> Asked:
    """The record of an account that has values, or of which the source has none."""
    return Asked(link, now)


def failed(
    before: Asked | None, link: str, now: datetime, every: timedelta | None, until: datetime | None = None
) -> Asked:
    """The record of an account that could not be fetched; ``until``: the platform asks to wait until then.

    It waits, each time twice as long, at most as long as a good one; without ``every`` it is in the next pass again.
    """
    times = before.failures + 1 if before is not None and not before.gone else 1
    wait = min(_doubled(FIRST_RETRY, times), every or timedelta(0))
    return Asked(link, now, max(now + wait, until or now), times)


def gone(before: Asked | None, link: str, now: datetime, every: timedelta | None) -> Asked:
    """The record of an account that is private or deleted: its pause doubles, up to a day, but at least ``every``."""
    times = before.failures + 1 if before is not None and before.gone else 1
    rest = max(min(_doubled(FIRST_REST, times), LONGEST_REST), every or timedelta(0))
    return Asked(link, now, now + rest, times, gone=True)


def cut_off(before: Asked | None, link: str, now: datetime, *, has_started_job: bool = False) -> Asked:
    """The record of an account that was being asked for when the pass ended: due first among those of its pass.

    If a job that may be paid for has been started for it, it waits, each time twice as long, up to a day.
    """
    at = now - timedelta(microseconds=1)
    if has_started_job:
        times = before.failures + 1 if before is not None and not before.gone else 1
        return Asked(link, at, now + min(_doubled(FIRST_RETRY, times), LONGEST_REST), times)
    return Asked(link, at, at, before.failures if before else 0, before is not None and before.gone)


def is_due(last: Asked | None, now: datetime, every: timedelta | None) -> bool:
    """Whether an account is to be asked for now; also if the last time is in the future (the clock was set back)."""
    if last is None or is_ahead(last.at, now):
        return True
    if last.not_before is not None:
        return now >= last.not_before - min(SLACK, (last.not_before - last.at) / 10)
    return every is None or now - last.at >= every - min(SLACK, every / 10)


def _doubled(first: timedelta, times: int) -> timedelta:
    return first * (1 << min(times - 1, 20))
