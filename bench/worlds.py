"""Worlds to measure in: a database of any size, worksheets that fit it, and passes over them."""

import asyncio
import hashlib
import os
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from smart_sync import logs
from smart_sync.config import Settings
from smart_sync.core.days import stamp
from smart_sync.core.model import Cell, Outcome, Project, Trigger, Worksheet
from smart_sync.core.results.results import PassResult
from smart_sync.service import interpreter
from smart_sync.service.daemon import rest
from smart_sync.sheets.source import ReadUsage
from smart_sync.store.schema import open_database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass

HEADER: list[Cell] = ["Account", "Link", "Followers", "Likes", "Comments", "Videos", "Views"]
FIRST_DAY = datetime(2026, 3, 10, 12, tzinfo=UTC)
PARSED_AT = stamp(FIRST_DAY)
#: The tables of which a pass writes rows for every account that has changed, and which rows are of a day.
WRITTEN = {
    "sheet_edits": "read_at >= {}",
    "sheet_metrics": "read_at >= {}",
    "account_metrics": "updated_at >= {}",
    "account_snapshots": "snapshot_time >= {}",
}


@dataclass(frozen=True, slots=True)
class Size:
    """So many projects with so many accounts each."""

    projects: int
    accounts: int

    @property
    def total(self) -> int:
        """Accounts altogether."""
        return self.projects * self.accounts

    def names(self) -> Iterator[str]:
        """The projects' names; their ids are the same."""
        return (f"Project {number:05}" for number in range(self.projects))


def account_names(project: str, count: int) -> Iterator[str]:
    """User names, different in all projects."""
    prefix = project.replace(" ", "").lower()
    return (f"{prefix}.{number:05}" for number in range(count))


def account_id(account: str) -> str:
    """The id of an account: random to look at, as the web app's are, and so everywhere in an index."""
    return str(uuid.UUID(hashlib.md5(account.encode(), usedforsecurity=False).hexdigest()))


def link(account: str) -> str:
    """The profile link of an account."""
    return f"https://www.tiktok.com/@{account}"


def worksheet(project: str, accounts: int, version: int, changed: Callable[[int], bool]) -> list[list[Cell]]:
    """A worksheet whose rows say ``version`` where ``changed`` (of the row's number), and ``version`` - 1 elsewhere.

    Every second number beats the parsed value (see `fill`), so a new version changes what is merged.
    """
    rows: list[list[Cell]] = [HEADER]
    for number, name in enumerate(account_names(project, accounts)):
        step = version if changed(number) else version - 1
        base = 10_000 + 10 * number + step
        rows.append([name, link(name), base, base + 1, base + 2, 40 + number % 100, 50 * base])
    return rows


def sheets_of(size: Size, version: int) -> Callable[[str], list[list[Cell]]]:
    """Worksheets in which every row is of ``version``, made when they are asked for."""
    return lambda project: worksheet(project, size.accounts, version, everything)


def everything(_number: int) -> bool:
    """Every row is of the new version."""
    return True


def one_percent(number: int) -> bool:
    """Every hundredth row is of the new version: in each project some."""
    return number % 100 == 50


class MemorySheets:
    """Worksheets that are in memory already, or are made when they are asked for; see `sheets.source.SheetSource`."""

    def __init__(self, make: Callable[[str], list[list[Cell]]]) -> None:
        self.make = make

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def begin(self) -> None:
        """Nothing is counted."""

    def usage(self) -> ReadUsage:
        """Nothing is used."""
        return ReadUsage()

    async def titles(self) -> list[str]:
        """Not asked for here."""
        return []

    async def read(self, project: Project) -> Worksheet:
        """The worksheet of ``project``, made in a thread, as every source reads in threads."""
        return Worksheet(project.name, await asyncio.to_thread(self.make, project.name))


async def create(path: Path, size: Size) -> None:
    """A database with projects, accounts and a full inbox, as the web app and the parsers would have left it."""
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        fill(connection, size)


def fill(connection: sqlite3.Connection, size: Size) -> None:
    """Insert projects, accounts and parsed values; of each account the parsers know fewer followers and more views."""
    for project in size.names():
        connection.execute("INSERT INTO projects (id, name, is_active) VALUES (?, ?, 1)", (project, project))
        names = list(account_names(project, size.accounts))
        connection.executemany(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?, ?, 'tiktok', ?, ?)",
            ((account_id(name), project, name, link(name)) for name in names),
        )
        connection.executemany(
            "INSERT INTO parsed_metrics (account_id, followers, likes, comments, videos, views, source, parsed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 'bench', ?)",
            (
                # Not the default, which is now: on the clock of `Passes` that is ahead, and costs a second look.
                (account_id(name), 9_000 + 10 * n, 20_000 + 10 * n, None, 30 + n % 100, 900_000 + n, PARSED_AT)
                for n, name in enumerate(names)
            ),
        )


class Passes:
    """Passes over one database, on a clock of its own and with worksheets of the caller's."""

    def __init__(self, resources: Resources, sheets: MemorySheets) -> None:
        self._run = SyncPass(resources).run
        self.database = resources.database
        self._sheets = sheets
        self._day = 0
        self.now = FIRST_DAY

    def next_day(self) -> None:
        """The next pass makes new snapshots."""
        self._day += 1
        self.now = FIRST_DAY + timedelta(days=self._day)

    def next_hour(self) -> None:
        """Later on the same day."""
        self.now += timedelta(minutes=30)

    async def run(self, make: Callable[[str], list[list[Cell]]]) -> tuple[float, PassResult]:
        """One pass over the worksheets that ``make`` gives; its seconds, and what it did."""
        self._sheets.make = make
        started = time.perf_counter()
        result = await self._run(PassRequest(Trigger.CLI))
        await rest(self.database)
        took = time.perf_counter() - started
        if result.count(Outcome.FAILED, Outcome.DEGRADED):
            raise RuntimeError(f"the pass went wrong: {result.results[0].error}")
        return took, result


@asynccontextmanager
async def passes(where: Path | str, *, log: Path = Path(os.devnull)) -> AsyncIterator[Passes]:
    """Everything of the daemon's that a pass uses, but for the source of its worksheets; it logs to ``log``.

    ``where``: the path of a file, or the URL of a server's database.
    """
    settings = Settings.model_validate(
        {
            "database": {"path": where} if isinstance(where, Path) else {"url": where},
            "sheets": {"source": "csv", "directory": Path(__file__).parent},
        }
    )
    with log.open("w") as stream:
        logs.configure("json", "info", stream)
        found: list[Passes] = []
        async with opened(settings, Reporter(), clock=lambda: found[0].now) as resources:
            sheets = MemorySheets(lambda _title: [])
            interpreter.settle()  # as the daemon does once it is ready
            found.append(Passes(replace(resources, sheets=sheets), sheets))
            yield found[0]
