"""A pass by Celery's workers: four, each with a service account of its own, against one.

Google is a tenth of a second away and lets each service account read six times a window.  A window is shorter than
Google's minute (`short_windows`), by the same factor on both sides; the work between two reads is not.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from bench.measure import Row, Sizes
from celery_processes import celery, redis, wait_until
from fake_google import FakeGoogle
from fleet import Fleet, FleetWorld
from postgres_server import running
from smart_sync import logs
from smart_sync.core.model import Outcome

WORKERS, READS = 4, 6
SHEETS_CALLS = ("batch", "metadata", "drive")


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """How much faster four service accounts are than one; and that no window had more reads than it may."""
    with ExitStack() as stack:
        server = stack.enter_context(running()) if shutil.which("redis-server") else None
        if server is None:
            return  # PostgreSQL or Redis is not installed
        url = stack.enter_context(server.database())
        google = stack.enter_context(FakeGoogle())
        google.latency = sizes.latency
        fleet = Fleet(folder)
        fleet.broker = stack.enter_context(redis(folder))
        with Path(os.devnull).open("w") as nowhere:
            logs.configure("json", "info", nowhere)
            one, four, most = asyncio.run(_compare(FleetWorld(fleet, google, url), sizes))
    what = f"{sizes.spreadsheets} spreadsheets, {sizes.latency * 1000:.0f} ms per Google call"
    quota = f"{READS} reads per service account in {sizes.window:g} s (a minute, shortened)"
    yield Row(f"one pass by 4 workers with 4 accounts, {what}", four, f"by 1 worker; {quota}", one, "s", "≥", 3.5, True)
    yield Row("most reads of a service account in any window", most, "", READS, "reads", "≤", 1)


async def _compare(world: FleetWorld, sizes: Sizes) -> tuple[float, float, int]:
    """Seconds of a pass by one worker, of one by four; the most reads of one account in any window."""
    world.write()
    await world.create()
    for number in range(sizes.spreadsheets):
        world.add_spreadsheet(f"P{number}", [f"a{number}"])
    took = []
    arrived: list[tuple[str, float]] = []
    world.google.arrived = lambda call: arrived.append((call.account, time.monotonic()))
    for count in (1, WORKERS):
        with ExitStack() as stack:
            for number in range(count):
                _start(stack, world, sizes, number)
            world.now += timedelta(days=1)
            for number in range(sizes.spreadsheets):
                world.sheet(f"P{number}", **{f"a{number}": [count + number] * 5})
            started = time.perf_counter()
            result = await world.sync()
            took.append(time.perf_counter() - started)
            if result.count(Outcome.SYNCED) != sizes.spreadsheets:
                raise RuntimeError(f"the pass went wrong: {next(r.error for r in result.results if r.error)}")
        await asyncio.sleep(sizes.window)
    return took[0], took[1], _most(arrived, sizes.window)


def _start(stack: ExitStack, world: FleetWorld, sizes: Sizes, number: int) -> None:
    """A worker with a configuration, and a service account, of its own."""
    place = world.folder / f"worker{number}"
    place.mkdir(exist_ok=True)
    key = world.google.credentials(place / "key.json", client_email=f"w{number}@fake-project.iam.gserviceaccount.com")
    own = world.write(path=place / "config.toml")
    text = own.read_text().replace(str(world.folder / "google.json"), str(key))
    own.write_text(text.replace("reads_per_minute = 3000", f"reads_per_minute = {READS}"))
    variables = {
        "SMART_SYNC_CONFIG": str(own),
        "BENCH_WINDOW": str(sizes.window),
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests/support")]
        ),
    }
    log = place / "worker.log"
    command = ["worker", "--concurrency", "2", "--loglevel", "INFO", "--hostname", f"w{number}@%h"]
    process = stack.enter_context(celery("bench.short_windows", *command, log=log, environment=variables))
    wait_until(lambda: "ready." in log.read_text(), process, log)


def _most(arrived: list[tuple[str, float]], window: float) -> int:
    """The most reads of one service account in any window."""
    most = 0
    for account in {account for account, _ in arrived if account}:
        moments = [moment for other, moment in arrived if other == account]
        most = max(most, *(sum(start <= one < start + window for one in moments) for start in moments))
    return most
