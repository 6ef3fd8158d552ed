"""What judging typed numbers costs: a pass in which every manager has typed, after a month in which all did."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.measure import Row, Sizes, medians
from bench.typing_accidents import Account, edits, project
from bench.worlds import FIRST_DAY, HEADER, Passes, Size, account_id, account_names, create, link, passes
from smart_sync.core.days import stamp
from smart_sync.core.merge.typed_cells import typed_cells
from smart_sync.core.model import METRICS, Cell
from smart_sync.sync import planner
from smart_sync.sync.planner import Planner

#: The first day of passes, among those that are made (`typing_accidents.DAYS`); before it lies the history.
_TODAY = 50
_EDIT = "INSERT INTO sheet_edits (account_id, metric, old, new, read_at, worksheet, cell) VALUES (?, ?, ?, ?, ?, ?, '')"


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """A tenth of the accounts of the other passes."""
    size = Size(max(1, sizes.projects // 10), sizes.accounts)
    judging, whole = asyncio.run(_measure(size, sizes.rounds, folder / "judging.db"))
    what = f"judging what was typed into {size.total:,} rows, by a month's edits"
    yield Row(what, judging, "the same pass as a whole", whole, "s", "≤", 0.1)


async def _measure(size: Size, rounds: int, path: Path) -> list[float]:
    await create(path, size)
    made = {name: project(random.Random(name), size.accounts) for name in size.names()}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM parsed_metrics")
    async with passes(path) as ours:
        await ours.run(lambda name: _worksheet(name, made[name], _TODAY - 1))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(_EDIT, _history(size, made))
        found = [await _round(ours, made, _TODAY + number) for number in range(min(rounds, 9))]
        return medians(zip(*found, strict=True))


async def _round(ours: Passes, made: dict[str, list[Account]], day: int) -> tuple[float, float]:
    ours.next_day()
    with _watched() as took:
        whole, result = await ours.run(lambda name: _worksheet(name, made[name], day))
    if not result.counts.changed:
        raise RuntimeError("everybody should have typed")
    return sum(took), whole


@contextmanager
def _watched() -> Iterator[list[float]]:
    """The seconds that a pass's judging takes, part by part."""
    took: list[float] = []
    judging, finding = Planner._judge, typed_cells

    async def timed(*given: Any) -> Any:
        started = time.perf_counter()
        found = await judging(*given)
        took.append(time.perf_counter() - started)
        return found

    def found(*given: Any) -> Any:
        started = time.perf_counter()
        cells = finding(*given)
        took.append(time.perf_counter() - started)
        return cells

    Planner._judge = timed  # type: ignore[method-assign, assignment]
    setattr(planner, finding.__name__, found)
    try:
        yield took
    finally:
        Planner._judge = judging  # type: ignore[method-assign]
        setattr(planner, finding.__name__, finding)


def _worksheet(name: str, accounts: Sequence[Account], day: int) -> list[list[Cell]]:
    """What all managers have typed on a day."""
    found: list[list[Cell]] = [HEADER]
    for account, one in zip(account_names(name, len(accounts)), accounts, strict=True):
        found.append([account, link(account), *(one.typed[day] or one.true[day])])
    return found


def _history(size: Size, made: dict[str, list[Account]]) -> Iterator[tuple[Any, ...]]:
    """The edits of the days before."""
    for name in size.names():
        for account, one in zip(account_names(name, size.accounts), made[name], strict=True):
            typed = list(edits(one, _TODAY))
            for (_, old), (day, new) in pairwise(typed):
                at = stamp(FIRST_DAY + timedelta(days=day - _TODAY + 1))
                for place, metric in enumerate(METRICS):
                    if old[place] != new[place]:
                        yield account_id(account), metric, old[place], new[place], at, name
