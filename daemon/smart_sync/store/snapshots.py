"""Writes our rows of ``account_snapshots``, one per account and local day; also repairs, and carried stretches.

The same SQL serves both engines: PostgreSQL has functions of SQLite's names (`store.engine`).
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from smart_sync.core.days import Day
from smart_sync.core.explain_answer import RepairAnswer
from smart_sync.core.merge.day_snapshot import (
    OwnSnapshots,
    SnapshotAction,
    StoredSnapshot,
    snapshot_action,
    snapshot_id,
)
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS, Metrics
from smart_sync.store.clock_changes import IN_ORDER, NEWEST_FIRST, local_day
from smart_sync.store.engine import Database, Transaction

_VIDEOS = METRICS.index("videos")
# A day may hold rows of other writers, in other notations ("2026-11-24 08:00:00"): the plain comparison narrows the
# search for an index, datetime() decides.  Stamps in our own notation, which are nearly all, are in order as texts: by
# that the rows of yesterday, one of each account, are left out before a time is computed of them.
TODAYS = f"""
SELECT s.account_id, s.id, date(datetime(s.snapshot_time)), {", ".join(f"s.{name}" for name in METRICS)}
FROM account_snapshots s
WHERE s.account_id IN (SELECT value FROM json_each(?1))
  AND s.snapshot_time >= ?2 AND s.snapshot_time < ?3
  AND NOT (s.snapshot_time LIKE '____-__-__T__:__:__.______' AND (s.snapshot_time < ?4 OR s.snapshot_time >= ?5))
  AND datetime(s.snapshot_time) >= datetime(?4) AND datetime(s.snapshot_time) < datetime(?5)
ORDER BY {IN_ORDER}, s.id DESC
"""
#: Which of these rows there are, and whether each is one of the day.
_THERE = """
SELECT id,
       CASE WHEN datetime(snapshot_time) >= datetime(?2) AND datetime(snapshot_time) < datetime(?3) THEN 1 ELSE 0 END
FROM account_snapshots WHERE id IN (SELECT value FROM json_each(?1))
"""
#: The values of these rows.
_VALUES_THERE = (
    f"SELECT id, account_id, {', '.join(METRICS)} FROM account_snapshots WHERE id IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True, slots=True)
class SnapshotRules:
    """How to write snapshots."""

    #: The time of the pass, a stamp.
    now: str
    #: The local day of the pass.
    day: Day
    #: Whether a snapshot that the day has already is brought up to date.
    update_snapshots: bool = False


class WrittenSnapshots(NamedTuple):
    """The result of writing snapshots."""

    #: The ids of the accounts with a new snapshot.
    new: Collection[str] = ()
    #: The ids of the accounts whose snapshot the table has refused.
    refused: Collection[str] = ()


class SnapshotWrites(NamedTuple):
    """The rows of ``account_snapshots`` to write."""

    #: The id of a new row → its account and values.
    new: dict[str, tuple[str, Metrics]]
    #: The id of a row whose time stays → its new values.
    refreshed: dict[str, tuple[Any, ...]]
    #: The id of a row whose time becomes that of the pass → its new values.
    moved: dict[str, tuple[Any, ...]]


async def write(
    transaction: Transaction, plans: Sequence[Plan], writing: SnapshotRules, needed: Awaitable[SnapshotWrites]
) -> WrittenSnapshots:
    """Write the day's snapshot of each account that has a value, or update it if configured; ``needed``: `deciding`."""
    writes = await needed
    fetched = any(writes) and await has_fetched_column(transaction)
    unchanged = await _update(transaction, writing, writes, fetched)
    await _withdraw(transaction, plans, writing)
    new, refused = await _insert_snapshots(transaction, writes.new, writing, fetched)
    return WrittenSnapshots(new, [*refused, *unchanged])


async def count_new(database: Database, plan: Plan, writing: SnapshotRules) -> int:
    """The number of snapshots that writing ``plan`` would create."""
    async with deciding(database, [plan], writing) as needed:
        new = (await needed).new
    return len(new) - len(await _existing(database, new, writing.day)) if new else 0


@contextlib.asynccontextmanager
async def deciding(
    source: Database | Transaction, plans: Sequence[Plan], writing: SnapshotRules
) -> AsyncIterator[Awaitable[SnapshotWrites]]:
    """Read the day's snapshots, and decide in a thread what to write so that they have the merged values of ``plans``.

    Meanwhile the database can write other tables.
    """
    day = writing.day
    merged, ids = await asyncio.to_thread(_merged_values, plans)
    earliest = (datetime.fromisoformat(day.start) - timedelta(days=1)).date().isoformat()
    latest = (datetime.fromisoformat(day.end) + timedelta(days=1)).date().isoformat()
    rows = await source.fetch(TODAYS, (ids, earliest, latest, day.start, day.end))
    decision = asyncio.create_task(asyncio.to_thread(_decide_writes, merged, rows, writing), name="store:snapshots")
    try:
        yield decision
    finally:
        await asyncio.wait({decision})


async def _existing(source: Database | Transaction, ids: Iterable[str], day: Day) -> dict[str, bool]:
    """Those of ``ids`` that exist, each with whether it is on ``day``: another program may have moved it."""
    return {str(row[0]): bool(row[1]) for row in await source.fetch(_THERE, (json.dumps([*ids]), day.start, day.end))}


def _merged_values(plans: Sequence[Plan]) -> tuple[dict[str, Metrics], str]:
    """The values for the snapshots, by account, and the accounts as JSON."""
    merged = {account_id: values for plan in plans for account_id, values in plan.snapshots.items()}
    return merged, json.dumps([*merged])


def _decide_writes(merged: Mapping[str, Metrics], rows: Iterable[Any], writing: SnapshotRules) -> SnapshotWrites:
    """The rows to write; ``rows``: the day's snapshots, as `TODAYS` finds them."""
    day, utc_date = writing.day, writing.now[:10]
    seen: dict[str, list[StoredSnapshot]] = {}
    for row in rows:
        seen.setdefault(str(row[0]), []).append(StoredSnapshot(str(row[1]), row[2], tuple(row[3:])))
    writes = SnapshotWrites({}, {}, {})
    for account_id, values in merged.items():
        snapshots = seen.get(account_id)
        if snapshots is not None and not writing.update_snapshots:
            continue
        action, row_id = snapshot_action(account_id, snapshots or (), values, utc_date, day)
        if action is SnapshotAction.INSERT:
            writes.new[row_id] = account_id, values
        elif action is not SnapshotAction.NOTHING:
            (writes.moved if action is SnapshotAction.MOVE else writes.refreshed)[row_id] = values
    return writes


async def _insert_snapshots(
    transaction: Transaction, rows: Mapping[str, tuple[str, Metrics]], writing: SnapshotRules, fetched: bool
) -> WrittenSnapshots:
    columns = ["id", "account_id", "snapshot_time", *METRICS, *(["total_videos_fetched"] if fetched else [])]
    new = await transaction.execute_many(
        f"INSERT INTO account_snapshots ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        " ON CONFLICT DO NOTHING",
        # In the order of the index by account, whose pages are so touched once (measured beside 700,000 snapshots:
        # 100,000 more in 6 s in place of 14).
        (
            (row_id, account_id, writing.now, *_values(metrics, fetched))
            for row_id, (account_id, metrics) in sorted(rows.items(), key=lambda one: one[1][0])
        ),
    )
    if new == len(rows):
        return WrittenSnapshots([account_id for account_id, _ in rows.values()])
    # Another program has given ours a time of another day; or a unique index of the web app's, of one row a day, leaves
    # no room for it.
    existing = await _existing(transaction, rows, writing.day)
    moved: dict[str, tuple[Any, ...]] = {row_id: rows[row_id][1] for row_id, todays in existing.items() if not todays}
    unchanged = await _update(transaction, writing, SnapshotWrites({}, {}, moved), fetched)
    return WrittenSnapshots(
        [account_id for row_id, (account_id, _) in rows.items() if existing.get(row_id)],
        [account_id for row_id, (account_id, _) in rows.items() if row_id not in existing] + unchanged,
    )


def _values(metrics: tuple[Any, ...], fetched: bool) -> tuple[Any, ...]:
    """The values of a snapshot; ``fetched``: with the number of videos repeated."""
    return (*metrics, metrics[_VIDEOS]) if fetched else metrics


async def has_fetched_column(transaction: Transaction) -> bool:
    """Whether the web app's table has ``total_videos_fetched`` too, a second column for ``videos``."""
    return "total_videos_fetched" in await transaction.dialect.columns(transaction, "account_snapshots")


async def _update(transaction: Transaction, writing: SnapshotRules, writes: SnapshotWrites, fetched: bool) -> list[str]:
    """Write the merged values into our rows, and the time of the pass into those that move.

    Returns the ids of the accounts whose row is there, and a rule of the table has kept as it was.
    """
    columns = [*METRICS, "total_videos_fetched"] if fetched else [*METRICS]
    kept: list[str] = []
    for rows, at in ((writes.refreshed, ()), (writes.moved, (writing.now,))):
        changed = ", ".join(f"{name} = ?" for name in (*columns, *(["snapshot_time"] if at else ())))
        updated = await transaction.execute_many(
            f"UPDATE account_snapshots SET {changed} WHERE id = ?",
            ((*_values(metrics, fetched), *at, row_id) for row_id, metrics in rows.items()),
        )
        if updated < len(rows):
            existing = await transaction.fetch(_VALUES_THERE, (json.dumps([*rows]),))
            kept += [str(row[1]) for row in existing if tuple(row[2:]) != tuple(rows[str(row[0])])]
    return kept


async def _withdraw(transaction: Transaction, plans: Iterable[Plan], writing: SnapshotRules) -> None:
    """Delete our row of today for each account whose values were all taken back."""
    if not writing.update_snapshots:
        return
    without = [one for plan in plans for one in set(plan.account_ids).difference(plan.snapshots)]
    await transaction.execute_many(
        "DELETE FROM account_snapshots WHERE id = ? AND EXISTS (SELECT 1 FROM account_metrics m WHERE m.account_id = ?"
        f" AND coalesce({', '.join(f'm.{metric}_winner' for metric in METRICS)}) IS NULL)",
        ((snapshot_id(account_id, writing.day.start), account_id) for account_id in without),
    )


async def end_carried_stretches(transaction: Transaction, plans: Iterable[Plan], writing: SnapshotRules) -> None:
    """Record carried stretches that have ended; one within a single day does not affect growth."""
    ended = (
        (row.account_id, writing.now, ",".join(m for m, since in row.resumed.items() if since < writing.day.start))
        for plan in plans
        for row in plan.merged
        if row.resumed
    )
    await transaction.execute_many(
        "INSERT INTO carried_stretches (account_id, ended_at, metrics) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [row for row in ended if row[-1]],
    )


_COLUMNS = ("day", "metric", "old", "new", "at")


async def repair(
    transaction: Transaction, account_id: str, day: str, values: Mapping[str, int], now: str
) -> dict[str, tuple[int | None, int]] | None:
    """Write these values into our snapshot of ``day`` (a local day), and record the old ones.

    Where several are ours, for the time zone was another one when they were made, the last of them is meant.
    Returns metric → (old, new) of those that differed; None if we have no snapshot of that day.
    """
    is_own = OwnSnapshots()
    rows = await transaction.fetch(
        f"SELECT id, account_id, snapshot_time, {', '.join(values)} FROM account_snapshots"
        f" WHERE account_id = ? AND {local_day('snapshot_time')} = ?"
        f" ORDER BY {NEWEST_FIRST}, id",
        (account_id, day),
    )
    row_id, *old_values = next(((row[0], *row[3:]) for row in rows if is_own(*row[:3])), (None,))
    if row_id is None:
        return None
    changes = {m: (old, new) for (m, new), old in zip(values.items(), old_values, strict=True) if old != new}
    for metric, (old, new) in changes.items():
        await transaction.execute(f"UPDATE account_snapshots SET {metric} = ? WHERE id = ?", (new, row_id))
        await transaction.execute(
            "INSERT INTO snapshot_repairs (account_id, day, metric, old, new, at) VALUES (?, ?, ?, ?, ?, ?)",
            (account_id, day, metric, old, new, now),
        )
        if new > 0:  # it was known then
            await transaction.execute(
                f"UPDATE account_metrics SET {metric}_known_since = s.at FROM (SELECT"
                " strftime('%Y-%m-%dT%H:%M:%f', snapshot_time) || '000' AS at FROM account_snapshots WHERE id = ?) s"
                f" WHERE account_id = ? AND s.at < {metric}_known_since",
                (row_id, account_id),
            )
    if "videos" in changes and await has_fetched_column(transaction):
        await transaction.execute("UPDATE account_snapshots SET total_videos_fetched = videos WHERE id = ?", (row_id,))
    return changes


async def repairs_of_account(
    database: Database, account_id: str, metrics: Collection[str], limit: int
) -> list[RepairAnswer]:
    """The newest repairs of an account's ``metrics``, newest first."""
    rows = await database.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM snapshot_repairs WHERE account_id = ?"
        f" AND metric IN ({', '.join('?' * len(metrics))}) ORDER BY seq DESC LIMIT ?",
        (account_id, *metrics, limit),
    )
    return [RepairAnswer(day=row[0], metric=row[1], old=row[2], new=row[3], at=row[4]) for row in rows]
