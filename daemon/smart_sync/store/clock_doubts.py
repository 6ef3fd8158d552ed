"""Whether this machine's clock is plausible: reads the recorded passes that `core.history.clock_jumps` judges."""

from datetime import datetime

from smart_sync.core.days import stamp
from smart_sync.core.history.clock_jumps import FAR, GAP, SETTLED, PassTimes, doubt
from smart_sync.store.engine import Reader

_TIMES = """
SELECT (SELECT max(started_at) FROM sync_runs WHERE started_at < ?1),
       (SELECT count(*) FROM (SELECT 1 FROM sync_runs WHERE started_at >= ?1 AND started_at <= ?2 LIMIT 1) w),
       (SELECT min(started_at) FROM sync_runs WHERE started_at > ?2 AND started_at <= ?3),
       (SELECT max(started_at) FROM sync_runs WHERE started_at > ?3)
"""


async def clock_doubt(reader: Reader, now: datetime) -> str:
    """Why nothing may be deleted as too old at ``now``; "" if it may.  Raises `StoreError`."""
    bounds = (stamp(now - SETTLED - GAP), stamp(now - SETTLED), stamp(now + FAR))
    ((before, settled, first, ahead),) = await reader.fetch(_TIMES, bounds)
    return doubt(PassTimes(before, bool(settled), first, ahead))


def not_before(doubted: str, limit: datetime) -> str:
    """The stamp before which things are too old: that of ``limit``, or one before all times while that is doubted."""
    return "" if doubted else stamp(limit)
