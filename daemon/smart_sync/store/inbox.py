"""The inbox ``parsed_metrics``: what parsers put in, and outside writers too."""

from collections.abc import Iterable

from smart_sync.core.days import stamp
from smart_sync.core.model import ParsedMetrics
from smart_sync.store.database import Database

# A metric without a value keeps the one it had: a parser that could not see it has learned nothing.
# An older value never replaces a newer one.
_PUT = """
INSERT INTO parsed_metrics (account_id, followers, likes, comments, videos, views, source, parsed_at, "precision")
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id) DO UPDATE SET
    followers = coalesce(excluded.followers, followers), likes = coalesce(excluded.likes, likes),
    comments = coalesce(excluded.comments, comments), videos = coalesce(excluded.videos, videos),
    views = coalesce(excluded.views, views),
    source = excluded.source, parsed_at = excluded.parsed_at, "precision" = excluded."precision"
WHERE datetime(excluded.parsed_at) >= coalesce(datetime(parsed_metrics.parsed_at), '')
"""


async def put(database: Database, values: Iterable[ParsedMetrics]) -> int:
    """Store parsed values in one transaction; returns how many were taken."""
    rows = [(v.account_id, *v.metrics, v.source, stamp(v.parsed_at), v.precision.value) for v in values]
    async with database.transaction() as transaction:
        return await transaction.execute_many(_PUT, rows)
