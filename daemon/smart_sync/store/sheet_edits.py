"""What the sheet said before: the table ``sheet_edits``."""

import asyncio
import json
from collections.abc import Collection, Sequence

from smart_sync.core.explain_answer import EditAnswer
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS
from smart_sync.store.engine import Database, Transaction

#: So many rows per account, metric and hour: a sheet full of live formulas fills no disk.
PER_HOUR = 4

#: The accounts and metrics whose hour is full, each with its last row.
_FULL = f"""
SELECT account_id, metric, max(seq) FROM sheet_edits
WHERE account_id IN (SELECT value FROM json_each(?1)) AND metric IN ({", ".join(f"'{m}'" for m in METRICS)})
  AND read_at >= substr(?2, 1, 13) AND read_at < substr(?2, 1, 13) || ';'
GROUP BY 1, 2 HAVING count(*) >= {PER_HOUR}
"""
_UPDATE = "UPDATE sheet_edits SET new = ?, read_at = ?, worksheet = ?, cell = ? WHERE seq = ?"
_INSERT = (
    "INSERT INTO sheet_edits (account_id, metric, old, new, read_at, worksheet, cell) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS = ("metric", "old", "new", "read_at", "worksheet", "cell")


async def save(transaction: Transaction, plans: Sequence[Plan], now: str) -> None:
    """Keep the edits that ``plans`` found: the fifth of an account, metric and hour, and more, change the last."""
    ids = await asyncio.to_thread(lambda: json.dumps(sorted({e.account_id for plan in plans for e in plan.edits})))
    if ids == "[]":
        return
    full = {(row[0], row[1]): row[2] for row in await transaction.fetch(_FULL, (ids, now))}
    edits = [(plan.project.name, plan.edits) for plan in plans]
    later = (
        (e.new, now, name, e.cell, full[e.account_id, e.metric])
        for name, several in edits
        for e in several
        if (e.account_id, e.metric) in full
    )
    if full:
        await transaction.execute_many(_UPDATE, later)
    await transaction.execute_many(
        _INSERT,
        (
            (e.account_id, e.metric, e.old, e.new, now, name, e.cell)
            for name, several in edits
            for e in several
            if (e.account_id, e.metric) not in full
        ),
    )


async def of_account(
    database: Database, account_id: str, metrics: Collection[str], limit: int, since: str = ""
) -> list[EditAnswer]:
    """The newest edits of an account's ``metrics``, newest first, none read before the stamp ``since``."""
    rows = await database.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM sheet_edits WHERE account_id = ?"
        f" AND metric IN ({', '.join('?' * len(metrics))}) AND read_at >= ? ORDER BY seq DESC LIMIT ?",
        (account_id, *metrics, since, limit),
    )
    return [
        EditAnswer(metric=row[0], old=row[1], new=row[2], read_at=row[3], worksheet=row[4], cell=row[5]) for row in rows
    ]


async def prune(database: Database, before: str, batch: int = 500) -> None:
    """Delete the edits read before the stamp ``before``, in small batches, each its own transaction."""
    gone = batch
    while gone == batch:
        async with database.transaction() as transaction:
            gone = await transaction.execute(
                "DELETE FROM sheet_edits WHERE seq IN (SELECT seq FROM sheet_edits WHERE read_at < ? LIMIT ?)",
                (before, batch),
            )
