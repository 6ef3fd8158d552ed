"""What it costs that the snapshot of the day follows the day: passes and reads under "update" against "skip"."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bench.measure import Row, Sizes, medians
from bench.worlds import Size, create, passes, sheets_of
from smart_sync.admin.history import growth

#: Days of snapshots that are read.
DAYS = 30
NEWEST = "SELECT views FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 1"


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """A later pass of a day, in which all or nothing has changed; then what a web app and `growth` read."""
    size = Size(max(sizes.projects // 10, 1), sizes.accounts)
    found = asyncio.run(_measure(size, sizes.rounds, folder))
    count = f"{size.total:,}"
    for (what, reach), update, skip in zip(_WHAT, found["update"], found["skip"], strict=True):
        yield Row(f'{what.format(count)}, "update"', update, '"skip"', skip, "s", "≤", reach)


_WHAT = (
    ("a second pass of a day that changes {} accounts", 1.8),
    ("a pass in which nothing changed, {} accounts", 1.2),
    (f"the newest snapshot of each of {{}} accounts, {DAYS} days", 1.2),
    (f"growth of {{}} accounts over {DAYS} days", 1.2),
)


async def _measure(size: Size, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Per way of keeping snapshots the medians of `_WHAT`, taken by turns."""
    found: dict[str, list[list[float]]] = {}
    async with contextlib.AsyncExitStack() as stack:
        both = {}
        for mode in ("update", "skip"):
            await create(folder / f"{mode}.db", size)
            both[mode] = await stack.enter_async_context(passes(folder / f"{mode}.db", snapshots=mode))
            found[mode] = []
        for day in range(DAYS):
            for mode, ours in both.items():
                ours.next_day()
                version = 2 * day + 1
                await ours.run(sheets_of(size, version))  # makes the day's rows, whatever the mode
                if day < DAYS - rounds:
                    continue
                ours.next_hour()
                changed, _ = await ours.run(sheets_of(size, version + 1))
                ours.next_hour()
                unchanged, _ = await ours.run(sheets_of(size, version + 1))
                path = folder / f"{mode}.db"
                found[mode].append([changed, unchanged, _newest(path), await _growth(path, ours.now)])
    return {mode: medians(zip(*several, strict=True)) for mode, several in found.items()}


def _newest(path: Path) -> float:
    """Seconds for what a web app reads of all accounts."""
    with closing(sqlite3.connect(path)) as connection:
        ids = connection.execute("SELECT id FROM project_social_accounts").fetchall()
        started = time.perf_counter()
        for one in ids:
            connection.execute(NEWEST, one).fetchall()
        return time.perf_counter() - started


async def _growth(path: Path, now: datetime) -> float:
    started = time.perf_counter()
    await growth(path, None, "views", DAYS, now)
    return time.perf_counter() - started
