"""What the sheet said before (``sheet_edits``), and when values stopped standing in (``carried_ends``)."""

import json
from collections.abc import Iterator
from typing import Any

from smart_sync.core.merge import Winner
from smart_sync.core.model import METRICS
from smart_sync.core.plan import Edit, Plan
from smart_sync.store.database import Database, Transaction

#: Rows per account, metric and hour: a sheet full of live formulas must not fill the disk.
PER_HOUR = 4
_COLUMNS = ("metric", "old", "new", "read_at", "worksheet", "cell")
_LATEST = """
SELECT account_id, metric, count(*), max(seq) FROM sheet_edits
WHERE account_id IN (SELECT value FROM json_each(?)) AND read_at >= ? GROUP BY account_id, metric
"""
_CARRIED = f"""
SELECT account_id, {", ".join(f"{metric}_carried_since" for metric in METRICS)} FROM account_metrics
WHERE account_id IN (SELECT value FROM json_each(?)) AND ({" OR ".join(f"{m}_carried_since > ''" for m in METRICS)})
"""


async def save(transaction: Transaction, plan: Plan, now: str) -> None:
    """Keep what managers have typed: a row each, but `PER_HOUR` for an account, metric and hour, the last updated."""
    if not plan.edits:
        return
    ids = json.dumps(list(dict.fromkeys(edit.account_id for edit in plan.edits)))
    rows = await transaction.fetch(_LATEST, (ids, now[:13]))
    full = {(account_id, metric): seq for account_id, metric, count, seq in rows if count >= PER_HOUR}
    await transaction.execute_many(
        "INSERT INTO sheet_edits (account_id, metric, old, new, read_at, worksheet, cell) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (e.account_id, e.metric, e.old, e.new, now, plan.project.name, e.cell)
            for e in plan.edits
            if (e.account_id, e.metric) not in full
        ),
    )
    await transaction.execute_many(
        "UPDATE sheet_edits SET new = ?, read_at = ?, worksheet = ?, cell = ? WHERE seq = ?",
        ((e.new, now, plan.project.name, e.cell, seq) for e, seq in _into(plan, full)),
    )


def _into(plan: Plan, full: dict[tuple[str, str], int]) -> Iterator[tuple[Edit, int]]:
    for edit in plan.edits:
        seq = full.get((edit.account_id, edit.metric))
        if seq is not None:
            yield edit, seq


async def end_carried(transaction: Transaction, plan: Plan, now: str) -> None:
    """Note the values that stood in until this plan; before its values are written."""
    winners = {row.account_id: row.winners for row in plan.merged}
    if not winners:
        return
    ended = [
        (account_id, metric, now)
        for account_id, *carried in await transaction.fetch(_CARRIED, (json.dumps(list(winners)),))
        for metric, since, winner in zip(METRICS, carried, winners[account_id], strict=True)
        if since is not None and winner not in (None, Winner.CARRIED)
    ]
    await transaction.execute_many("INSERT OR IGNORE INTO carried_ends VALUES (?, ?, ?)", ended)


async def of_account(database: Database, account_id: str, since: str) -> list[dict[str, Any]]:
    """What was typed for an account since a stamp, oldest first."""
    rows = await database.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM sheet_edits WHERE account_id = ? AND read_at >= ? ORDER BY read_at, seq",
        (account_id, since),
    )
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


async def prune(database: Database, before: str, batch: int = 5_000) -> int:
    """Delete what was read before a stamp, the oldest first, in small transactions; returns how many rows went."""
    pruned = 0
    while True:
        async with database.transaction() as transaction:
            went = await transaction.execute(
                "DELETE FROM sheet_edits"
                " WHERE seq IN (SELECT seq FROM sheet_edits ORDER BY seq LIMIT ?) AND read_at < ?",
                (batch, before),
            )
        pruned += went
        if went < batch:
            return pruned
