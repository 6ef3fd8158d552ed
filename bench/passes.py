"""Merging and writing, with the worksheets in memory: everything changed, nothing changed, one per cent changed."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.measure import Row, Sizes, medians
from bench.worlds import WRITTEN, Passes, Size, create, everything, one_percent, passes, worksheet
from smart_sync.core.model import Cell
from smart_sync.core.results.results import PassResult


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """All changed against the same rows by `executemany`; the processor time where nothing and 1 % has changed."""
    for size in (Size(max(sizes.projects // 10, 1), sizes.accounts), Size(sizes.projects, sizes.accounts)):
        place = folder / str(size.total)
        place.mkdir()
        took, plain, all_changed, nothing, hundredth = asyncio.run(_measure(size, sizes.rounds, place))
        count, beside = f"{size.total:,} accounts", "while another process commits every half second"
        against = "sqlite3.executemany of the same rows in one transaction, upserts too"
        yield Row(f"a pass in which all changed, {count}, {beside}", took, against, plain, "s", "≤", 2.5)
        for what, used, most in (("nothing", nothing, 0.45), ("1 %", hundredth, 0.55)):
            told = f"processor time of a pass in which {what} changed, {count}, {beside}"
            yield Row(told, used, "the same pass with everything changed", all_changed, "s", "≤", most)


async def _measure(size: Size, rounds: int, folder: Path) -> list[float]:
    """Medians: seconds where all changed and of `executemany`; processor seconds where all, nothing, 1 % changed."""
    path, copy = folder / "ours.db", folder / "plain.db"
    await create(path, size)
    async with passes(path) as ours:
        version = 1
        await ours.run(_sheets(size, version, everything))
        shutil.copy(path, copy)
        found = []
        for _ in range(rounds):
            ours.next_day()
            sheets = _sheets(size, version + 1, everything)
            took, changed, result = await _beside(path, ours, sheets)
            _expect(result.counts.changed == size.total, "every account should have changed")
            _expect(result.counts.snapshots == size.total, "every account should have a snapshot")
            plain = _plain_write(path, copy, ours.now.date().isoformat())
            ours.next_hour()
            _, unchanged, result = await _beside(path, ours, sheets)
            _expect(not result.counts.changed, "nothing should have changed")
            ours.next_hour()
            edited = _sheets(size, version + 2, one_percent)
            _, hundredth, result = await _beside(path, ours, edited)
            _expect(result.counts.changed == _hundredth(size), "1 % should have changed")
            version += 2
            found.append((took, plain, changed, unchanged, hundredth))
        return medians(zip(*found, strict=True))


async def _beside(
    path: Path, ours: Passes, sheets: Callable[[str], list[list[Cell]]]
) -> tuple[float, float, PassResult]:
    """Seconds, processor seconds and result of a pass while another process commits."""
    with _committing(path):
        started = time.process_time()
        took, result = await ours.run(sheets)
        return took, time.process_time() - started, result


#: What the web app does all day: nothing of ours, but who would know.
_COMMITS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
while True:
    connection.execute("UPDATE projects SET last_admin_update = strftime('%f') WHERE id = 'Project 00000'")
    print("committed", flush=True)
    time.sleep(0.5)
"""


@contextmanager
def _committing(path: Path) -> Iterator[None]:
    """Inside, another process commits every half second, and has done so once."""
    command = [sys.executable, "-c", _COMMITS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


def _sheets(size: Size, version: int, changed: Callable[[int], bool]) -> Callable[[str], list[list[Cell]]]:
    made = {name: worksheet(name, size.accounts, version, changed) for name in size.names()}
    return made.__getitem__


def _hundredth(size: Size) -> int:
    return size.projects * sum(map(one_percent, range(size.accounts)))


def _plain_write(path: Path, copy: Path, day: str) -> float:
    """Seconds of plain sqlite3 that writes into ``copy`` the rows that the pass has just written into ``path``.

    Those of accounts, in all four tables: of each its sheet row, its merged row, its snapshot and four edits (its
    videos stay).  What a pass writes of itself and of its projects is left out: some hundred rows.
    """
    written = {}
    with closing(sqlite3.connect(path)) as connection:
        for table, of_day in WRITTEN.items():
            query = f"SELECT * FROM {table} WHERE {of_day.format('?')}"
            written[table] = connection.execute(query, (day,)).fetchall()
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for table, several in written.items():
            connection.executemany(_upsert(connection, table), several)
        connection.execute("COMMIT")
        return time.perf_counter() - started


def _upsert(connection: sqlite3.Connection, table: str) -> str:
    """What costs least: replacing a row would write its key anew."""
    names = [f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})")]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT ({names[0]}) DO UPDATE SET {changes}"


def _expect(true: bool, what: str) -> None:
    if not true:
        raise RuntimeError(f"this measures something else: {what}")
