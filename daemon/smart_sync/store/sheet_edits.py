"""What the sheet said before: the table ``sheet_edits``."""

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from smart_sync.core.explain_answer import EditAnswer
from smart_sync.core.merge.decisions import Edited
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS
from smart_sync.store.engine import Database, Transaction

#: So many rows per account, metric and hour: a sheet full of live formulas fills no disk.
PER_HOUR = 4

#: How many passes have begun in an hour.
_PASSES = """
SELECT count(*) FROM sync_runs WHERE started_at >= substr(?1, 1, 13) AND started_at < substr(?1, 1, 13) || ';'
"""
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
    edited = [(row, plan) for plan in plans for row in plan.edits]
    if not edited:
        return
    # In the order of their index: else each would look for its page of it.
    await asyncio.to_thread(edited.sort, key=lambda one: one[0].account_id)
    full = await _full(transaction, [row.account_id for row, _ in edited], now)
    if full:
        later = (
            (new, now, name, cell, full[account_id, metric])
            for account_id, metric, _, new, name, cell in _cells(edited)
            if (account_id, metric) in full
        )
        await transaction.execute_many(_UPDATE, later)
    await transaction.execute_many(
        _INSERT,
        (
            (account_id, metric, old, new, now, name, cell)
            for account_id, metric, old, new, name, cell in _cells(edited)
            if (account_id, metric) not in full
        ),
    )


async def _full(transaction: Transaction, account_ids: Sequence[str], now: str) -> dict[tuple[str, str], int]:
    """The accounts and metrics whose hour is full, each with its last row; none before the fifth pass of an hour."""
    ((passes,),) = await transaction.fetch(_PASSES, (now,))
    if passes <= PER_HOUR:
        return {}
    return {(row[0], row[1]): row[2] for row in await transaction.fetch(_FULL, (json.dumps(account_ids), now))}


def _cells(
    edited: Iterable[tuple[Edited, Plan]],
) -> Iterator[tuple[str, str, int | None, int | None, str, str]]:
    """The cells that were edited: account, metric, what it said and says, worksheet and cell."""
    for row, plan in edited:
        name, letters, number = plan.project.name, plan.letters, row.row
        for metric, old, new in zip(METRICS, row.old, row.new, strict=True):
            if old != new:
                yield row.account_id, metric, old, new, name, f"{letters.get(metric, '')}{number}"


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


async def prune(database: Database, before: str, now: str, batch: int = 500) -> None:
    """Delete the edits read before the stamp ``before``, the oldest first, in small batches, each a transaction.

    Those that a clock has read later than ``now`` wait for their time, and hold up none.
    """
    gone = batch
    while gone == batch:
        async with database.transaction() as transaction:
            gone = await transaction.execute(
                "DELETE FROM sheet_edits WHERE read_at < ?"
                " AND seq IN (SELECT seq FROM sheet_edits WHERE read_at <= ? ORDER BY seq LIMIT ?)",
                (before, now, batch),
            )
