"""When the timer rings next.  Time is an argument; nothing here reads a clock."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim


def seconds_to_next(every: float, elapsed: float) -> float:
    """Seconds until the next multiple of ``every`` when ``elapsed`` seconds have gone by.

    Always above 0 and at most ``every``: no drift, and of the ticks that were missed only the next one is left.
    """
    ticks = math.floor(elapsed / every) + 1
    return max(ticks * every - elapsed, 0.001)


def next_cron(expression: str, after: datetime, timezone: str) -> datetime:
    """The first time after ``after`` at which ``expression`` comes true on the clocks of ``timezone``.

    Right across daylight-saving changes: a time that is skipped or doubled fires once.
    """
    local = after.astimezone(ZoneInfo(timezone))
    return next(CronSim(expression, local)).astimezone(after.tzinfo)
