"""The inbox ``parsed_metrics``: what parsers put in, and outside writers too."""

from collections.abc import Callable, Iterable, Sequence

from smart_sync.core.days import stamp
from smart_sync.core.model import ParsedMetrics
from smart_sync.store.database import Database

# A metric without a value keeps the one it had: a parser that could not see it has learned nothing.
# An older value never replaces a newer one.
_PUT = """
INSERT INTO parsed_metrics (account_id, followers, likes, comments, videos, views{names})
VALUES (?, ?, ?, ?, ?, ?{marks})
ON CONFLICT (account_id) DO UPDATE SET
    followers = coalesce(excluded.followers, followers), likes = coalesce(excluded.likes, likes),
    comments = coalesce(excluded.comments, comments), videos = coalesce(excluded.videos, videos),
    views = coalesce(excluded.views, views){changes}
"""
_NEWER = " WHERE datetime(excluded.parsed_at) >= coalesce(datetime(parsed_metrics.parsed_at), '')"
_MORE: dict[str, Callable[[ParsedMetrics], str]] = {
    "source": lambda value: value.source,
    "parsed_at": lambda value: stamp(value.parsed_at),
    "precision": lambda value: value.precision.value,
}


async def put(database: Database, values: Iterable[ParsedMetrics]) -> int:
    """Store parsed values in one transaction; returns how many were taken."""
    taken = 0
    try:
        async with database.transaction() as transaction:
            there = {row[0] for row in await transaction.fetch("SELECT name FROM pragma_table_info('parsed_metrics')")}
            more = [name for name in _MORE if name in there]
            rows = [(v.account_id, *v.metrics, *(_MORE[name](v) for name in more)) for v in values]
            taken = await transaction.execute_many(_put(more), rows)
    finally:
        # Also if the commit was cut off: it may have been made all the same.
        database.inbox_writes += taken > 0
    return taken


def _put(more: Sequence[str]) -> str:
    """The statement for an inbox that has ``more`` columns: one that the web app has made may lack them."""
    names = "".join(f', "{name}"' for name in more)
    changes = "".join(f', "{name}" = excluded."{name}"' for name in more)
    return _PUT.format(names=names, marks=", ?" * len(more), changes=changes) + _NEWER * ("parsed_at" in more)
