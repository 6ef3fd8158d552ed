"""What the sheet said before: the table ``sheet_edits``."""

from collections.abc import Collection
from typing import Any

from smart_sync.core.merge.plan import Plan
from smart_sync.store.engine import Database, Transaction

#: So many rows per account, metric and hour: a sheet full of live formulas fills no disk.
PER_HOUR = 4

_SAME_HOUR = "account_id = ?1 AND metric = ?2 AND read_at >= substr(?5, 1, 13) AND read_at < substr(?5, 1, 13) || ';'"
_IN_HOUR = f"(SELECT count(*) FROM sheet_edits WHERE {_SAME_HOUR})"
_UPDATE = (
    "UPDATE sheet_edits SET new = ?4, read_at = ?5, worksheet = ?6, cell = ?7"
    f" WHERE {_IN_HOUR} >= {PER_HOUR}"
    f" AND seq = (SELECT max(seq) FROM sheet_edits WHERE {_SAME_HOUR})"
)
_INSERT = (
    "INSERT INTO sheet_edits (account_id, metric, old, new, read_at, worksheet, cell)"
    f" SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE {_IN_HOUR} < {PER_HOUR}"
)
_COLUMNS = ("metric", "old", "new", "read_at", "worksheet", "cell")


async def save(transaction: Transaction, plan: Plan, now: str) -> None:
    """Keep the edits that ``plan`` found: the fifth of an account, metric and hour, and later ones, update the last."""
    rows = [(e.account_id, e.metric, e.old, e.new, now, plan.project.name, e.cell) for e in plan.edits]
    if rows:
        await transaction.execute_many(_UPDATE, rows)
        await transaction.execute_many(_INSERT, rows)


async def of_account(
    database: Database, account_id: str, metrics: Collection[str], limit: int, since: str = ""
) -> list[dict[str, Any]]:
    """The newest edits of an account's ``metrics``, newest first, none read before the stamp ``since``."""
    rows = await database.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM sheet_edits WHERE account_id = ?"
        f" AND metric IN ({', '.join('?' * len(metrics))}) AND read_at >= ? ORDER BY seq DESC LIMIT ?",
        (account_id, *metrics, since, limit),
    )
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


async def prune(database: Database, before: str, batch: int = 500) -> None:
    """Delete the edits read before the stamp ``before``, in small batches, each its own transaction."""
    gone = batch
    while gone == batch:
        async with database.transaction() as transaction:
            gone = await transaction.execute(
                "DELETE FROM sheet_edits WHERE seq IN (SELECT seq FROM sheet_edits WHERE read_at < ? LIMIT ?)",
                (before, batch),
            )
