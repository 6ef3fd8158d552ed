"""Ten times the accounts, ten times the time? And how much memory for each: every pass in a process of its own.

Run as ``python -m bench.growth DATABASE PROJECTS ACCOUNTS VERSION`` it is that process: one pass in which all has
changed, over worksheets that are made when they are asked for, as Google's answers are.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, Sizes, medians, peak_resident
from bench.worlds import Size, create, passes, sheets_of


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Row 5 of the table: each size against the smallest, and the largest's memory against an empty pass's."""
    worlds = [Size(0, 0), *(Size(projects, sizes.accounts) for projects in sizes.growth)]
    for size in worlds:
        asyncio.run(create(_path(folder, size), size))
        _child(folder, size, 1)
    found = [[_child(folder, size, version) for size in worlds] for version in range(2, sizes.rounds + 2)]
    times = medians([[one["seconds"] for one in column] for column in zip(*found, strict=True)])
    peaks = medians([[one["peak"] for one in column] for column in zip(*found, strict=True)])
    first, per_account = worlds[1], times[1] / worlds[1].total
    for size, took in zip(worlds[2:], times[2:], strict=True):
        what = f"growth: a pass that changes {size.total:,} accounts"
        yield Row(what, took, f"linear from {first.total:,}", per_account * size.total, "s", "≤", 1.15)
    largest = worlds[-1].total
    what = f"peak memory per account of {largest:,}, beyond a pass over none"
    yield Row(what, (peaks[-1] - peaks[0]) / largest, "", 400, "bytes", "≤", 1.0)


def _path(folder: Path, size: Size) -> Path:
    return folder / f"growth-{size.projects}.db"


def _child(folder: Path, size: Size, version: int) -> dict[str, float]:
    arguments = [str(_path(folder, size)), str(size.projects), str(size.accounts), str(version)]
    done = subprocess.run([sys.executable, "-m", "bench.growth", *arguments], capture_output=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


async def _one_pass(path: Path, size: Size, version: int) -> dict[str, float]:
    async with passes(path) as ours:
        for _ in range(version):
            ours.next_day()
        took, _ = await ours.run(sheets_of(size, version))
    return {"seconds": took, "peak": peak_resident() * 1024}


if __name__ == "__main__":
    database, projects, accounts, version = sys.argv[1:]
    size = Size(int(projects), int(accounts))
    sys.stdout.write(json.dumps(asyncio.run(_one_pass(Path(database), size, int(version)))))
