"""What reading costs the process that does it: worksheets read and understood, nothing written.

100,000 rows in 50 worksheets, and one worksheet of 200,000 rows and 26 columns, most of them nobody's.
Run as ``python -m bench.reader URL KEYFILE WORKSHEETS`` it is that process; Google is in another one.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.measure import Row, Sizes, medians, peak_resident, watch
from smart_sync.config import SheetsSettings
from smart_sync.core.model import Cell, Project
from smart_sync.core.worksheet.table import read_table
from smart_sync.core.worksheet.titles import Titles
from smart_sync.service import interpreter
from smart_sync.sheets import open_sheets

WORKSHEETS = 50
COLUMNS = 26


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Peak memory, and how long the event loop was held up at the most, in a process of its own for each round."""
    # Not in the process that is measured.
    from bench.worlds import everything, worksheet

    accounts = 2 * sizes.accounts
    many = {_title(n): worksheet(_title(n), accounts, 1, everything) for n in range(WORKSHEETS)}
    yield from _measured(f"reading {WORKSHEETS} worksheets of {accounts:,} rows", many, sizes.rounds, folder, 150_000.0)
    large = {_title(0): wide(200 * sizes.accounts)}
    what = f"reading a worksheet of {200 * sizes.accounts:,} rows and {COLUMNS} columns"
    yield from _measured(what, large, sizes.rounds, folder, 250_000.0)


def wide(accounts: int) -> list[list[Cell]]:
    """A worksheet of many columns besides those that mean something."""
    from bench.worlds import everything, worksheet

    header, *found = worksheet("P", accounts, 1, everything)
    others = range(COLUMNS - len(header))
    numbered = enumerate(found)
    return [
        [*header, *(f"Note {n}" for n in others)],
        *([*row, *(number * n % 99_991 for n in others)] for number, row in numbered),
    ]


def measure(worksheets: Mapping[str, list[list[Cell]]], folder: Path, rounds: int = 1) -> list[dict[str, float]]:
    """Peak resident memory (kB) and longest lag (s) of processes that read ``worksheets``."""
    from fake_google import FakeGoogle

    with FakeGoogle() as google:
        google.add("k" * 44, dict(worksheets))
        key = google.credentials(folder / "key.json")
        command = [sys.executable, "-m", "bench.reader", google.url, str(key), str(len(worksheets))]
        return [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(rounds)
        ]


def _measured(
    what: str, worksheets: Mapping[str, list[list[Cell]]], rounds: int, folder: Path, most: float
) -> Iterator[Row]:
    told = measure(worksheets, folder, rounds)
    memory, lags = [one["peak"] for one in told], [one["lag"] for one in told]
    yield Row(f"{what}, peak resident", medians([memory])[0], "", most, "kB", "≤", 1.0)
    yield Row(f"{what}, event-loop lag, longest", medians([lags])[0], "", 0.05, "s", "≤", 1.0)


def _title(number: int) -> str:
    return f"Project {number:05}"


async def _read_all(url: str, key: str, worksheets: int) -> float:
    """Read and understand every worksheet as a pass does; the longest lag in seconds."""
    settings = SheetsSettings(
        source="google", spreadsheet="k" * 44, credentials=Path(key), api_url=url, reads_per_minute=3000
    )
    async with open_sheets(settings) as sheets:
        interpreter.settle()  # as the daemon does once it is ready
        turn, titles = asyncio.Semaphore(1), Titles()

        async def one(number: int) -> int:
            read = await sheets.read(Project(str(number), _title(number)))
            async with turn:
                return len((await asyncio.to_thread(read_table, read, titles)).rows)

        watching = asyncio.create_task(watch(), name="bench:lag")
        sheets.begin()
        counts = await asyncio.gather(*(one(number) for number in range(worksheets)))
        watching.cancel()
        assert all(counts)
        return await watching


if __name__ == "__main__":
    longest = asyncio.run(_read_all(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    sys.stdout.write(json.dumps({"peak": peak_resident(), "lag": longest}))
