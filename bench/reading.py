"""What the web app's readers feel of a pass: the same reads idle, during passes, and from the worksheet instead.

Run as ``python -m bench.reading DATABASE PROJECTS ACCOUNTS`` it is the other process, which runs one pass for each
line it is sent and answers with a line when the pass is over.
"""

import asyncio
import random
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import IO

from bench import reference
from bench.measure import Row, Sizes, medians, percentile
from bench.worlds import FIRST_DAY, Size, account_id, account_names, create, everything, passes, sheets_of, worksheet
from fake_google import FakeGoogle

MONTH = (
    "SELECT snapshot_time, followers, likes, comments, videos, views FROM account_snapshots"
    " WHERE account_id = ? AND snapshot_time >= ? ORDER BY snapshot_time"
)
CURRENT = (
    "SELECT a.username, m.followers, m.likes, m.comments, m.videos, m.views FROM project_social_accounts a"
    " JOIN account_metrics m ON m.account_id = a.id WHERE a.project_id = ?"
)
READS = ("read 30 days of one account", "read current values of one project")
DAYS = 30

Read = Callable[[], object]


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Row 6 of the table: what passes over many accounts cost the readers, and reads against the worksheet of row 1."""
    large, small = Size(sizes.projects, sizes.accounts), Size(*sizes.network)
    of_large, of_small = _compare(folder / "large.db", large, sizes), _compare(folder / "small.db", small, sizes)
    sheet = _worksheet_read(sizes, folder)
    for name in READS:
        idle, busy, _ = of_large[name]
        yield Row(
            f"{name} during passes of {large.total:,} accounts, p99", busy, "the same idle, p99", idle, "s", "≤", 3.0
        )
        against = f"the worksheet by gspread, {sizes.latency * 1000:.0f} ms per call"
        yield Row(f"{name} during passes, median", of_small[name][2], against, sheet, "s", "≥", 100, faster=True)


def _add_month(path: Path, size: Size) -> None:
    """A month of snapshots for a tenth of the accounts: those that are read."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for project in size.names():
            connection.executemany(
                "INSERT INTO account_snapshots VALUES (?, ?, 1, 2, 3, 4, 5, ?)",
                (
                    (f"{name}-{day}", account_id(name), (FIRST_DAY - timedelta(days=day)).isoformat())
                    for number, name in enumerate(account_names(project, size.accounts))
                    for day in range(DAYS)
                    if number % 10 == 0
                ),
            )


def _compare(path: Path, size: Size, sizes: Sizes) -> dict[str, tuple[float, float, float]]:
    """For each read medians over the rounds: p99 idle, p99 during a pass, median during a pass."""
    asyncio.run(create(path, size))
    _add_month(path, size)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in READS}
    with closing(sqlite3.connect(path)) as connection, _writer(path, size) as writer:
        # Leaving the block closes the writer's standard input, which ends it.
        reads = _reads(connection, list(size.names()))
        _run_pass(writer, reads)
        for _ in range(sizes.rounds):
            idle = {name: [_timed(read) for _ in range(sizes.reads)] for name, read in reads.items()}
            busy = _run_pass(writer, reads)
            for name in READS:
                found[name].append(
                    (percentile(idle[name], 0.99), percentile(busy[name], 0.99), percentile(busy[name], 0.5))
                )
    return {name: _three(medians(zip(*figures, strict=True))) for name, figures in found.items()}


def _three(figures: list[float]) -> tuple[float, float, float]:
    first, second, third = figures
    return first, second, third


def _reads(connection: sqlite3.Connection, names: list[str]) -> dict[str, Read]:
    """Each of the frontend's reads, of a project or account taken by chance."""
    choose = random.Random(1)
    since = (FIRST_DAY - timedelta(days=DAYS)).isoformat()

    def month() -> None:
        account = account_id(next(account_names(choose.choice(names), 1)))
        connection.execute(MONTH, (account, since)).fetchall()

    def current() -> None:
        connection.execute(CURRENT, (choose.choice(names),)).fetchall()

    return dict(zip(READS, (month, current), strict=True))


def _timed(read: Read) -> float:
    started = time.perf_counter()
    read()
    return time.perf_counter() - started


def _run_pass(writer: subprocess.Popen[str], reads: dict[str, Read]) -> dict[str, list[float]]:
    """Let the other process run a pass, and read in turns until it is over."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("pass\n")
    writer.stdin.flush()
    took: dict[str, list[float]] = {name: [] for name in reads}
    while not select.select([writer.stdout], [], [], 0)[0]:
        for name, read in reads.items():
            took[name].append(_timed(read))
    if writer.stdout.readline() != "done\n":
        raise RuntimeError("the process that runs the passes has died")
    return took


def _writer(path: Path, size: Size) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.reading", str(path), str(size.projects), str(size.accounts)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _worksheet_read(sizes: Sizes, folder: Path) -> float:
    """Median seconds to read one project's worksheet with gspread, the client being connected already."""
    with FakeGoogle() as google:
        name = "Project 00000"
        google.add("key", {name: worksheet(name, sizes.network[1], 1, everything)})
        client = reference.connect(google.url, google.credentials(folder / "reader.json"))
        spreadsheet = client.open_by_key("key")
        page = spreadsheet.worksheet(name)
        google.latency = sizes.latency
        return percentile([_timed(page.get_all_records) for _ in range(sizes.rounds)], 0.5)


async def _serve(path: Path, size: Size, lines: IO[str]) -> None:
    """For each line a pass in which everything changes, on a new day."""
    async with passes(path) as ours:
        version = 0
        while await asyncio.to_thread(lines.readline):
            version += 1
            ours.next_day()
            await ours.run(sheets_of(size, version))
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    database, projects, accounts = sys.argv[1:]
    asyncio.run(_serve(Path(database), Size(int(projects), int(accounts)), sys.stdin))
