"""Earlier sheet values: the table ``sheet_edits``, and the histories that typed numbers are compared with."""

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from smart_sync.core.days import stamp
from smart_sync.core.explain_answer import EditAnswer
from smart_sync.core.merge.decisions import Edited
from smart_sync.core.merge.growth_band import DAYS, ENOUGH, Point
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS
from smart_sync.store import growth_rows
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
    """Store the edits in ``plans``; from the fifth on in an hour, a metric's edits replace the last."""
    edited = [(row, plan) for plan in plans for row in plan.edits]
    if not edited:
        return
    # In the order of their index: else each would look for its page of it.
    await asyncio.to_thread(edited.sort, key=lambda one: one[0].account_id)
    full = await _full(transaction, [row.account_id for row, _ in edited], now)
    rows = _rows(edited, now)
    if full:
        later = ((new, now, name, cell, full[own, m]) for own, m, _, new, _, name, cell in rows if (own, m) in full)
        await transaction.execute_many(_UPDATE, later)
        rows = (row for row in _rows(edited, now) if (row[0], row[1]) not in full)
    await transaction.execute_many(_INSERT, rows)


async def _full(transaction: Transaction, account_ids: Sequence[str], now: str) -> dict[tuple[str, str], int]:
    """The accounts and metrics with five edits in this hour, with the last row of each."""
    ((passes,),) = await transaction.fetch(_PASSES, (now,))
    if passes <= PER_HOUR:
        return {}
    return {(row[0], row[1]): row[2] for row in await transaction.fetch(_FULL, (json.dumps(account_ids), now))}


#: Account, metric, what the cell said and says, when, worksheet and cell.
_Row = tuple[str, str, int | None, int | None, str, str, str]


def _rows(edited: Iterable[tuple[Edited, Plan]], now: str) -> Iterator[_Row]:
    """A row for `_INSERT` per edited cell, up to five per account."""
    for row, plan in edited:
        account_id, name, letters, number = row.account_id, plan.project.name, plan.letters, row.row
        for metric, old, new in zip(METRICS, row.old, row.new, strict=True):
            if old != new:
                yield account_id, metric, old, new, now, name, f"{letters.get(metric, '')}{number}"


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


_EDITS = """
SELECT account_id, julianday(read_at), old, new FROM sheet_edits
WHERE account_id IN (SELECT value FROM json_each(?)) AND metric = ? AND read_at >= ? ORDER BY seq
"""
#: Of the julian day, to that of `date.toordinal`.
_EPOCH = 1721424.5

#: Account id and metric → the points, in any order.
Histories = Mapping[tuple[str, str], Sequence[Point]]


def day_number(now: datetime) -> float:
    """A moment as in `Point.at`: a day number with a fraction, in UTC."""
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    return now.toordinal() + (now - midnight) / timedelta(days=1)


async def read_histories(database: Database, wanted: Mapping[str, Collection[str]], now: datetime) -> Histories:
    """The histories of the ``wanted`` metrics of accounts (by id) over the last `DAYS` up to ``now``.

    What was typed counts; where that is too little, so does what was merged.
    """
    points_of: dict[tuple[str, str], list[Point]] = {}
    if not wanted:
        return points_of
    since = stamp(now - timedelta(days=DAYS))
    for metric in METRICS:
        ids = sorted(account_id for account_id, several in wanted.items() if metric in several)
        rows = await database.fetch(_EDITS, (json.dumps(ids), metric, since)) if ids else []
        await asyncio.to_thread(_add_edits, metric, rows, points_of)
    scarce = {
        account_id
        for account_id, several in wanted.items()
        if any(len(points_of.get((account_id, metric), ())) <= ENOUGH for metric in several)
    }
    await _add_snapshots(database, scarce, wanted, points_of, now.date())
    return points_of


def _add_edits(metric: str, rows: Sequence[Any], points_of: dict[tuple[str, str], list[Point]]) -> None:
    for account_id, day, old, new in rows:
        points = points_of.setdefault((account_id, metric), [])
        if not points and _is_count(old):
            points.append(Point(day - _EPOCH - 1, old))
        if _is_count(new):
            points.append(Point(day - _EPOCH, new))


async def _add_snapshots(
    database: Database,
    scarce: Collection[str],
    wanted: Mapping[str, Collection[str]],
    points_of: dict[tuple[str, str], list[Point]],
    today: date,
) -> None:
    if not scarce:
        return
    histories = await growth_rows.histories(database, scarce, METRICS, DAYS, today)
    for account_id, history in histories.items():
        for place, metric in enumerate(METRICS):
            points = points_of.setdefault((account_id, metric), [])
            if metric in wanted.get(account_id, ()) and len(points) <= ENOUGH:
                # At the day's end: before what is typed later.
                pairs = zip(history.days, history.values, strict=True)
                points += [Point(day, values[place]) for day, values in pairs if values[place] is not None]  # type: ignore[arg-type]


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
