"""The requests that parsers have made in the last 24 hours, whichever process made them: what budgets are kept by."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from smart_sync.core.days import moment, stamp
from smart_sync.store.database import Database

WINDOW = timedelta(days=1)
_OF_ONE = "SELECT at, requests FROM parser_requests WHERE parser = ? ORDER BY at"


@dataclass(frozen=True, slots=True)
class Grant:
    """Requests that may be made; none: not before ``free_at``."""

    id: str
    requests: int
    free_at: datetime
    #: What the budget has left beside them.
    beyond: int = 0


async def reserve(
    database: Database, parser: str, budget: int, wanted: int, now: datetime, until: datetime, block: str
) -> Grant:
    """Up to ``wanted`` requests for ``parser``, to be made before ``until``, of a ``budget`` for any 24 hours.

    They count from ``until`` on, until `settle` says how many were made: so a process that ends without a word has
    taken too many, never too few.  ``block`` is the new id of the grant.
    """
    since = stamp(now - WINDOW)
    async with database.transaction() as transaction:
        await transaction.execute("DELETE FROM parser_requests WHERE at <= ?", (since,))
        rows = await transaction.fetch(_OF_ONE, (parser,))
        left = budget - sum(row[1] for row in rows)
        granted = min(wanted, left)
        if granted > 0:
            await transaction.execute(
                "INSERT INTO parser_requests VALUES (?, ?, ?, ?)", (block, parser, stamp(max(now, until)), granted)
            )
            return Grant(block, granted, now, left - granted)
    oldest = next((row[0] for row in rows if row[1]), stamp(now))
    return Grant(block, 0, moment(oldest) + WINDOW)


async def settle(database: Database, blocks: dict[str, int], now: datetime) -> None:
    """Of each block so many requests were made, the last of them before ``now``."""
    async with database.transaction() as transaction:
        await transaction.execute_many(
            "DELETE FROM parser_requests WHERE id = ?", [(b,) for b, n in blocks.items() if not n]
        )
        await transaction.execute_many(
            "UPDATE parser_requests SET requests = ?, at = ? WHERE id = ?",
            [(made, stamp(now), block) for block, made in blocks.items() if made],
        )


async def made(database: Database, now: datetime) -> dict[str, int]:
    """Table of the parser → the requests that count against its budget."""
    rows = await database.glance(
        "SELECT parser, sum(requests) FROM parser_requests WHERE at > ? GROUP BY parser", (stamp(now - WINDOW),)
    )
    return {str(row[0]): int(row[1]) for row in rows}
