"""Past one machine: what 10,000 spreadsheets and 10 million accounts ask of Google, of the processors and of SQLite.

``PYTHONPATH=tests:. python -m bench.simulate`` measures this program on this machine with a small world, and lets
the figures loose on a large one: spreadsheets are fetched one call each, as fast as the quotas of the service
accounts, the calls in flight and the latency allow, and merged and written in the order in which they arrive, by
one daemon for each service account.
Nothing here asks Google anything; the quotas are those that Google documents for the Sheets API.
"""

import asyncio
import json
import math
import sqlite3
import tempfile
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench.measure import medians
from bench.worlds import Size, create, passes, sheets_of, worksheet

#: Reads a minute: of one service account, and of all those of one Google Cloud project.
PER_ACCOUNT = 60
PER_CLOUD_PROJECT = 300
#: Seconds of one call, and calls that one process has in flight.
LATENCY = 0.6
IN_FLIGHT = 8
INTERVAL = 1800.0
SAMPLE = Size(20, 1000)


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured here, per account: seconds of a pass that changes it or not, bytes."""

    changed: float
    unchanged: float
    #: Of Google's answer, as JSON before compression; of a day's snapshot with its indexes; of all other tables.
    answer: float
    snapshot: float
    tables: float


@dataclass(frozen=True, slots=True)
class World:
    """What there is to sync, and with how much."""

    spreadsheets: int = 10_000
    accounts: int = 1_000
    #: The share of spreadsheets in which something has changed since the last pass.
    edited: float = 0.3
    #: Each with a service account and a database of its own: that is how the work is divided today.
    daemons: int = 6


@dataclass(frozen=True, slots=True)
class Forecast:
    """A daemon's part of a pass, in seconds: until all is written, and how much of that is computing."""

    whole: float
    computing: float


def simulate(world: World, costs: Costs) -> Forecast:
    """Let one daemon's share of the spreadsheets through its quota, its calls in flight and its processor."""
    share = math.ceil(world.spreadsheets / world.daemons)
    recent: deque[float] = deque()
    lanes = [0.0] * IN_FLIGHT
    processor = computing = 0.0
    for number in range(share):
        lane = min(range(IN_FLIGHT), key=lanes.__getitem__)
        start = lanes[lane]
        if len(recent) >= PER_ACCOUNT:
            start = max(start, recent.popleft() + 60)
        recent.append(start)
        lanes[lane] = read = start + LATENCY
        was_edited = (number * world.edited) % 1 < world.edited
        work = world.accounts * (costs.changed if was_edited else costs.unchanged)
        computing += work
        processor = max(processor, read) + work
    return Forecast(processor, computing)


async def measure() -> Costs:
    """A small world's figures on this machine; seconds are medians of five passes."""
    with tempfile.TemporaryDirectory(prefix="smart-sync-simulate-") as folder:
        path = Path(folder) / "view_counter.db"
        await create(path, SAMPLE)
        async with passes(path) as ours:
            await ours.run(sheets_of(SAMPLE, 1))
            sizes, times = [_size(path)], []
            for version in range(2, 7):
                ours.next_day()
                changed, _ = await ours.run(sheets_of(SAMPLE, version))
                sizes.append(_size(path))
                ours.next_hour()
                unchanged, _ = await ours.run(sheets_of(SAMPLE, version))
                times.append((changed, unchanged))
    changed, unchanged = medians(zip(*times, strict=True))
    snapshot = (sizes[-1] - sizes[0]) / (len(sizes) - 1) / SAMPLE.total
    answer = len(json.dumps(worksheet("Project", 1000, 1, lambda _: True))) / 1000
    return Costs(changed / SAMPLE.total, unchanged / SAMPLE.total, answer, snapshot, sizes[0] / SAMPLE.total - snapshot)


def _size(path: Path) -> int:
    """Bytes of the database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size


def report(world: World, costs: Costs) -> list[str]:
    """The forecast, line by line."""
    total = world.spreadsheets * world.accounts
    calls = world.spreadsheets / (INTERVAL / 60)
    needed = math.ceil(calls / PER_ACCOUNT)
    year = total * (costs.snapshot * 365 + costs.tables)
    lines = [
        (
            f"measured here: {costs.changed * 1e6:.0f} µs per changed account,"
            f" {costs.unchanged * 1e6:.0f} µs per unchanged one"
        ),
        (
            f"bytes per account: {costs.answer:.0f} from Google, {costs.snapshot:.0f} per snapshot,"
            f" {costs.tables:.0f} in the other tables"
        ),
        (
            f"{world.spreadsheets:,} spreadsheets every {INTERVAL / 60:.0f} min: {calls:.0f} calls/min ="
            f" {needed} service accounts in {math.ceil(calls / PER_CLOUD_PROJECT)} Google Cloud projects,"
            f" {total * costs.answer / 1e9:.1f} GB of JSON per pass"
        ),
        f"database: {total * costs.snapshot / 1e9:.1f} GB a day, {year / 1e12:.2f} TB a year",
        f"one daemon and its database are full at {INTERVAL / costs.changed / 1e6:.0f} million changed accounts a pass",
    ]
    for daemons in (needed, 2 * needed, 4 * needed):
        one = replace(world, daemons=daemons)
        some, all_edited = simulate(one, costs), simulate(replace(one, edited=1.0), costs)
        lines.append(
            f"{daemons} daemons: done in {some.whole:.0f} s with {world.edited:.0%} edited"
            f" ({daemons * some.computing:.0f} s computing, all daemons together),"
            f" in {all_edited.whole:.0f} s with all edited ({daemons * all_edited.computing:.0f} s)"
        )
    return lines


@click.command()
@click.option("--spreadsheets", default=10_000)
@click.option("--accounts", default=1_000, help="In each spreadsheet.")
@click.option("--edited", default=0.3, help="The share of spreadsheets that have changed since the last pass.")
def main(spreadsheets: int, accounts: int, edited: float) -> None:
    """Forecast a pass over a world that no single test machine holds."""
    costs = asyncio.run(measure())
    for line in report(World(spreadsheets, accounts, edited), costs):
        click.echo(line)


if __name__ == "__main__":
    main()
