"""Snapshots of past days that a person mends, and the table ``snapshot_repairs`` that remembers what they said."""

from collections.abc import Collection, Mapping
from typing import Any

from smart_sync.core.days import Day
from smart_sync.core.snapshots import snapshot_id
from smart_sync.store.database import Database, Transaction
from smart_sync.store.snapshots import has_fetched_column

_COLUMNS = ("day", "metric", "old", "new", "at")


async def mend(
    transaction: Transaction, account_id: str, day: Day, values: Mapping[str, int], now: str
) -> dict[str, tuple[int | None, int]] | None:
    """Give our snapshot of ``day`` these values, and remember those it had.

    Returns metric → (old, new) of those that differed; None if we have no snapshot of that day.
    """
    row_id = snapshot_id(account_id, day.start)
    rows = await transaction.fetch(
        f"SELECT {', '.join(values)} FROM account_snapshots WHERE id = ? AND CAST(account_id AS TEXT) = ?",
        (row_id, account_id),
    )
    if not rows:
        return None
    changes = {m: (old, new) for (m, new), old in zip(values.items(), rows[0], strict=True) if old != new}
    for metric, (old, new) in changes.items():
        await transaction.execute(f"UPDATE account_snapshots SET {metric} = ? WHERE id = ?", (new, row_id))
        await transaction.execute(
            "INSERT INTO snapshot_repairs (account_id, day, metric, old, new, at) VALUES (?, ?, ?, ?, ?, ?)",
            (account_id, day.label, metric, old, new, now),
        )
    if "videos" in changes and await has_fetched_column(transaction):
        await transaction.execute("UPDATE account_snapshots SET total_videos_fetched = videos WHERE id = ?", (row_id,))
    return changes


async def of_account(database: Database, account_id: str, metrics: Collection[str], limit: int) -> list[dict[str, Any]]:
    """The newest repairs of an account's ``metrics``, newest first."""
    rows = await database.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM snapshot_repairs WHERE account_id = ?"
        f" AND metric IN ({', '.join('?' * len(metrics))}) ORDER BY seq DESC LIMIT ?",
        (account_id, *metrics, limit),
    )
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
