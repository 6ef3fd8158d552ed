"""One pass with Google a tenth of a second away: this program against the competent first version in `reference`."""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Iterator
from datetime import timedelta
from pathlib import Path

from bench import reference
from bench.measure import Row, Sizes, medians
from bench.worlds import FIRST_DAY, Size, create, everything, worksheet
from fake_google import FakeGoogle
from smart_sync import logs
from smart_sync.config import Settings
from smart_sync.core.model import Outcome, Trigger
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass

KEY = "k" * 44
SHEETS_CALLS = ("batch", "values", "metadata", "drive")


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Row 1 of the table, its time and its calls; the accounts have values already, and every round is a new day."""
    size = Size(*sizes.network)
    with FakeGoogle() as google:
        google.latency = sizes.latency
        world = _World(google, size, folder)
        (ours, theirs), calls = asyncio.run(world.compare(sizes.rounds))
    what = f"{size.projects} projects × {size.accounts} accounts, {sizes.latency * 1000:.0f} ms per Google call"
    against = "worksheet by worksheet, commit by commit (bench/reference.py)"
    yield Row(f"one pass, {what}", ours, against, theirs, "s", "≥", 20, faster=True)
    yield Row("calls of that pass", calls[0], against, calls[1], "calls", "≤", 3 / 200)


class _World:
    """The same accounts in two databases, and one spreadsheet for both sides."""

    def __init__(self, google: FakeGoogle, size: Size, folder: Path) -> None:
        self._google = google
        self._size = size
        self._folder = folder
        self._now = FIRST_DAY
        self._version = 0

    async def compare(self, rounds: int) -> tuple[list[float], list[float]]:
        """Median seconds and median calls: ours, the reference's."""
        ours, theirs = self._folder / "network.db", self._folder / "reference.db"
        await create(ours, self._size)
        shutil.copy(ours, theirs)
        sheets = self._google.settings(self._folder, KEY, reads_per_minute=3000, timeout=30.0)
        client = reference.connect(self._google.url, self._folder / "credentials.json")
        took, calls = [], []
        settings = Settings.model_validate({"database": {"path": ours}, "sheets": sheets})
        with Path(os.devnull).open("w") as nowhere:
            logs.configure("json", "info", nowhere)
            async with opened(settings, Reporter(), clock=lambda: self._now) as resources:
                sync = SyncPass(resources)
                for _ in range(rounds):
                    self._edit()
                    mine = await self._counted(_pass(sync))
                    other = await self._counted(
                        asyncio.to_thread(reference.sync, client, KEY, theirs, self._now.replace(tzinfo=None))
                    )
                    took.append((mine[0], other[0]))
                    calls.append((mine[1], other[1]))
        return medians(zip(*took, strict=True)), medians(zip(*calls, strict=True))

    def _edit(self) -> None:
        """A new day on which managers have corrected every row."""
        self._now += timedelta(days=1)
        self._version += 1
        size, version = self._size, self._version
        self._google.add(KEY, {name: worksheet(name, size.accounts, version, everything) for name in size.names()})

    async def _counted(self, work: Awaitable[object]) -> tuple[float, int]:
        """Seconds and calls of ``work``."""
        before, started = self._google.count(*SHEETS_CALLS), time.perf_counter()
        await work
        return time.perf_counter() - started, self._google.count(*SHEETS_CALLS) - before


async def _pass(sync: SyncPass) -> None:
    result = await sync.run(PassRequest(Trigger.CLI))
    if result.count(Outcome.SYNCED) != len(result.results):
        raise RuntimeError(f"the pass went wrong: {result.results[0].error}")
