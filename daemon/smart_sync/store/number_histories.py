"""What numbers were on the last days, from edits of the sheet and from snapshots: what typed numbers are judged by."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from smart_sync.core.days import stamp
from smart_sync.core.merge.baseline import DAYS, ENOUGH, Point
from smart_sync.core.model import METRICS
from smart_sync.store import growth_rows
from smart_sync.store.engine import Database

_EDITS = """
SELECT account_id, julianday(read_at), old, new FROM sheet_edits
WHERE account_id IN (SELECT value FROM json_each(?)) AND metric = ? AND read_at >= ? ORDER BY seq
"""
#: Of the julian day, to that of `date.toordinal`.
_EPOCH = 1721424.5

#: Account id and metric → the points, in any order.
Histories = Mapping[tuple[str, str], Sequence[Point]]


def at(now: datetime) -> float:
    """A moment as `Point.at` has it: days, and the part of the day in UTC."""
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    return now.toordinal() + (now - midnight) / timedelta(days=1)


async def read(database: Database, wanted: Mapping[str, Collection[str]], now: datetime) -> Histories:
    """The histories of the ``wanted`` metrics of accounts (by id) over the last `DAYS` up to ``now``.

    What was typed counts; where that is too little, so does what was merged.
    """
    found: dict[tuple[str, str], list[Point]] = {}
    if not wanted:
        return found
    since = stamp(now - timedelta(days=DAYS))
    for metric in METRICS:
        ids = sorted(account_id for account_id, several in wanted.items() if metric in several)
        rows = await database.fetch(_EDITS, (json.dumps(ids), metric, since)) if ids else []
        await asyncio.to_thread(_add_edits, metric, rows, found)
    scarce = {
        account_id
        for account_id, several in wanted.items()
        if any(len(found.get((account_id, metric), ())) <= ENOUGH for metric in several)
    }
    await _add_snapshots(database, scarce, wanted, found, now.date())
    return found


def _add_edits(metric: str, rows: Sequence[Any], found: dict[tuple[str, str], list[Point]]) -> None:
    for account_id, day, old, new in rows:
        points = found.setdefault((account_id, metric), [])
        if not points and _is_count(old):
            points.append(Point(day - _EPOCH - 1, old))
        if _is_count(new):
            points.append(Point(day - _EPOCH, new))


async def _add_snapshots(
    database: Database,
    scarce: Collection[str],
    wanted: Mapping[str, Collection[str]],
    found: dict[tuple[str, str], list[Point]],
    today: date,
) -> None:
    if not scarce:
        return
    histories = await growth_rows.histories(database, scarce, METRICS, DAYS, today)
    for account_id, history in histories.items():
        for place, metric in enumerate(METRICS):
            points = found.setdefault((account_id, metric), [])
            if metric in wanted.get(account_id, ()) and len(points) <= ENOUGH:
                # At the day's end: before what is typed later.
                pairs = zip(history.days, history.values, strict=True)
                points += [Point(day, values[place]) for day, values in pairs if values[place] is not None]  # type: ignore[arg-type]


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
