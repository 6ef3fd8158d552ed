"""Snapshots of past days that a person fixes, and the table ``snapshot_repairs`` that remembers what they said."""

from collections.abc import Collection, Mapping
from typing import Any

from smart_sync.core.merge.day_snapshot import OwnSnapshots
from smart_sync.store.clock_changes import local_day, newest_first
from smart_sync.store.database import Database, Transaction
from smart_sync.store.snapshots import has_fetched_column

_COLUMNS = ("day", "metric", "old", "new", "at")


async def repair(
    transaction: Transaction, account_id: str, day: str, values: Mapping[str, int], now: str
) -> dict[str, tuple[int | None, int]] | None:
    """Give our snapshot of ``day``, on the clocks of the database, these values, and remember those it had.

    Where several are ours, for the time zone was another one when they were made, the last of them is meant.
    Returns metric → (old, new) of those that differed; None if we have no snapshot of that day.
    """
    is_own = OwnSnapshots()
    rows = await transaction.fetch(
        f"SELECT id, account_id, snapshot_time, {', '.join(values)} FROM account_snapshots"
        f" WHERE account_id = ? AND {local_day('snapshot_time')} = ?"
        f" ORDER BY {newest_first('snapshot_time')}, id",
        (account_id, day),
    )
    row_id, *found = next(((row[0], *row[3:]) for row in rows if is_own(*row[:3])), (None,))
    if row_id is None:
        return None
    changes = {m: (old, new) for (m, new), old in zip(values.items(), found, strict=True) if old != new}
    for metric, (old, new) in changes.items():
        await transaction.execute(f"UPDATE account_snapshots SET {metric} = ? WHERE id = ?", (new, row_id))
        await transaction.execute(
            "INSERT INTO snapshot_repairs (account_id, day, metric, old, new, at) VALUES (?, ?, ?, ?, ?, ?)",
            (account_id, day, metric, old, new, now),
        )
        # What was above 0 then was known then.
        await transaction.execute(
            f"UPDATE account_metrics SET {metric}_known_since = min({metric}_known_since, (SELECT"
            " strftime('%Y-%m-%dT%H:%M:%f', snapshot_time) || '000' FROM account_snapshots WHERE id = ?))"
            " WHERE account_id = ? AND ? > 0",
            (row_id, account_id, new),
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
