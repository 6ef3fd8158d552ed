"""What a platform's terms do not let us keep: parsed values of a source that are older than it allows."""

from datetime import datetime, timedelta

from smart_sync.core.days import stamp
from smart_sync.core.parsed import OWN, Mark
from smart_sync.store.database import Database
from smart_sync.store.vote_records import save_marks

_OLD = "SELECT account_id, metric, value, parsed_at FROM parsed_values WHERE source = ? AND parsed_at < ?"
# Decided without: nothing is lost with the row but the number itself.
_DECIDED = """
DELETE FROM parsed_values WHERE source = ?1 AND parsed_at < ?2 AND EXISTS (
    SELECT 1 FROM values_taken_back t
    WHERE t.account_id = parsed_values.account_id AND t.metric = parsed_values.metric AND t.place = ?3
      AND t.source = ?1 AND t.value = parsed_values.value AND t.parsed_at = parsed_values.parsed_at
)
"""
_MARKS = """
DELETE FROM forgotten_values WHERE source = ?1 AND reason = ?2 AND NOT EXISTS (
    SELECT 1 FROM parsed_values v WHERE v.account_id = forgotten_values.account_id
      AND v.metric = forgotten_values.metric AND v.source = ?1 AND v.value = forgotten_values.value
)
"""


async def empty(database: Database, source: str, now: datetime, keep: float) -> int:
    """Take back what ``source`` said more than ``keep`` seconds ago; returns how many values that concerns.

    The next pass decides without them; those that a pass has decided without are deleted.
    """
    limit = stamp(now - timedelta(seconds=keep))
    reason = f"kept no longer than {keep / 86400:g} days"
    async with database.transaction() as transaction:
        await transaction.execute(_DECIDED, (source, limit, OWN))
        await transaction.execute(_MARKS, (source, reason))
        rows = await transaction.fetch(_OLD, (source, limit))
        for account_id, metric, value, parsed_at in rows:
            mark = Mark(metric, value, source, False, parsed_at, stamp(now), reason)
            await save_marks(transaction, account_id, [mark], stamp(now))
    return len(rows)
