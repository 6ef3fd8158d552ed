"""What numbers that look like accidents cost: a pass that finds 2,000 of them against the same pass without one."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Row, Sizes, medians
from bench.worlds import Passes, Size, create, everything, passes, worksheet
from smart_sync.core.model import Cell

#: The number of likes in every so many rows is typed with two digits too many.
EVERY = 5
#: Days on which everything was right, which is a history to judge by.
DAYS = 4


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """In many projects, whose log is the longest, and in one of as many accounts, where much could be compared."""
    for size in (Size(*sizes.network), Size(1, sizes.network[0] * sizes.network[1])):
        found, log, with_them, without = asyncio.run(_measure(size, sizes.rounds, folder / f"{size.projects}.db"))
        what = f"{found:,.0f} suspects among {size.total:,} accounts of {size.projects} projects"
        yield Row(f"processor time of a pass that finds {what}", with_them, "it without", without, "s", "≤", 1.5)
        yield Row(f"what a pass logs of {what}", log, "", 200_000, "bytes", "≤", 1.0)


async def _measure(size: Size, rounds: int, path: Path) -> list[float]:
    """Medians of: suspects, bytes of log, processor seconds with suspects and without."""
    await create(path, size)
    log = path.with_suffix(".log")
    found = []
    async with passes(path, log=log) as ours:
        version = 0
        for _ in range(DAYS):
            version += 1
            await _day(ours, _sheets(size, version, 1))
        for _ in range(rounds):
            plain, none = await _day(ours, _sheets(size, version + 1, 1))
            before = log.stat().st_size
            took, many = await _day(ours, _sheets(size, version + 2, 100))
            if none or not many:
                raise RuntimeError(f"this measures something else: {none} and {many} suspects")
            found.append((many, log.stat().st_size - before, took, plain))
            await _day(ours, _sheets(size, version + 3, 1))  # corrected
            version += 3
    return medians(zip(*found, strict=True))


async def _day(ours: Passes, sheets: Callable[[str], list[list[Cell]]]) -> tuple[float, int]:
    """Processor seconds of a pass on a new day, and how many new suspects it has found."""
    ours.next_day()
    started = time.process_time()
    _, result = await ours.run(sheets)
    return time.process_time() - started, sum(len(one.new_suspects) for one in result.results)


def _sheets(size: Size, version: int, factor: int) -> Callable[[str], list[list[Cell]]]:
    """Worksheets in which all has changed, and some likes are ``factor`` times what they should be."""
    likes = 3

    def made(project: str) -> list[list[Cell]]:
        header, *others = worksheet(project, size.accounts, version, everything)
        for row in others[::EVERY]:
            row[likes] = int(str(row[likes])) * 10 * factor
        return [header, *others]

    return made
