"""Past one machine: what 10,000 spreadsheets and 10 million accounts ask of Google, of workers and of one PostgreSQL.

``PYTHONPATH=tests/support:. python -m bench.simulate`` has the task of a worker do some spreadsheets on this machine,
with a real server, and lets the figures loose on a large world: each spreadsheet is read by one call, as fast as the
quotas of the service accounts, the processes of the workers and the latency allow, decided by a worker, and written in
its turn, for the database has one writer.  Nothing here asks Google anything; the quotas are those that it documents.
"""

import asyncio
import json
import math
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from bench.measure import medians
from bench.worlds import account_id, account_names, everything, link, worksheet
from fake_google import FakeGoogle
from fleet import Fleet, FleetWorld
from postgres_server import absence, running
from smart_sync import config
from smart_sync.config.database_url import Server
from smart_sync.core.days import stamp
from smart_sync.core.model import Project
from smart_sync.store.postgres import worker_tasks
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.sync import spreadsheet_task
from smart_sync.sync.fan_out import PROJECTS, RESULT, rules_digests

#: Reads a minute: of one service account, and of all those of one Google Cloud project.
PER_ACCOUNT = 60
PER_CLOUD_PROJECT = 300
#: Seconds of one call, and processes of the workers that share a service account.
LATENCY = 0.6
PROCESSES = 4
INTERVAL = 1800.0
#: Spreadsheets that are measured, accounts in each, and days.
SAMPLE, ACCOUNTS, DAYS = 8, 1000, 3


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured here of a spreadsheet of 1,000 accounts: seconds, and bytes per account."""

    #: Of a worker's processor, from taking the task to saying that it is done.
    worker: float
    #: For which nobody else writes: where all accounts have changed, and where none has.
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
    #: The share of spreadsheets in which everything has changed since the last pass.
    edited: float = 0.3
    #: Service accounts, each with `PROCESSES` of workers.
    service_accounts: int = 6


@dataclass(frozen=True, slots=True)
class Forecast:
    """A pass, in seconds: until all is written, and for how long of it the database was being written to."""

    whole: float
    writing: float


def simulate(world: World, costs: Costs) -> Forecast:
    """Let the spreadsheets through quotas, processes and the one writer, each to the account that is free first."""
    recent: list[deque[float]] = [deque() for _ in range(world.service_accounts)]
    free = [[0.0] * PROCESSES for _ in recent]
    database = writing = 0.0
    for number in range(world.spreadsheets):
        account = number % world.service_accounts
        process = min(range(PROCESSES), key=free[account].__getitem__)
        start = free[account][process]
        if len(recent[account]) >= PER_ACCOUNT:
            # A slot is free a window after its request has ended.
            start = max(start, recent[account].popleft() + LATENCY + 60)
        recent[account].append(start)
        was_edited = (number * world.edited) % 1 < world.edited
        work = costs.changed if was_edited else costs.unchanged
        writing += work
        database = max(database, start + LATENCY + costs.worker) + work
        free[account][process] = database
    return Forecast(database, writing)


async def measure() -> Costs:
    """What a spreadsheet costs on this machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smart-sync-simulate-")))
        server = stack.enter_context(running())
        if server is None:
            raise click.ClickException(absence())
        world = FleetWorld(Fleet(folder), stack.enter_context(FakeGoogle()), stack.enter_context(server.database()))
        world.broker = "redis://localhost"
        world.write()
        await world.create()
        empty = _size(world)
        for number in range(SAMPLE):
            _fill(world, f"P{number}")
        workers: list[float] = []
        changed: list[float] = []
        unchanged: list[float] = []
        for version in range(1, DAYS + 1):
            world.now += timedelta(days=1)
            for number in range(SAMPLE):
                name = f"P{number}"
                world.google.spreadsheets[world.keys[name]].worksheets[name] = worksheet(
                    name, ACCOUNTS, version, everything
                )
                for kind in (changed, unchanged):
                    world.now += timedelta(minutes=1)
                    worker, writing = await _one(world, name)
                    kind.append(writing)
                workers.append(worker)
        ((snapshots, size),) = world.execute(
            "SELECT count(*), pg_total_relation_size('public.account_snapshots') FROM account_snapshots"
        )
        # Of what the clock on the wall measures the fastest: what else the machine does is in all the others.
        worker, much, little = *medians([workers[SAMPLE:]]), min(changed[SAMPLE:]), min(unchanged[SAMPLE:])
        answer = len(json.dumps(worksheet("Project", ACCOUNTS, 1, everything))) / ACCOUNTS
        tables = (_size(world) - empty - size) / (SAMPLE * ACCOUNTS)
        return Costs(worker, much, little, answer, size / snapshots, tables)


def _fill(world: FleetWorld, name: str) -> None:
    world.add_spreadsheet(name, [])
    names = list(account_names(name, ACCOUNTS))
    rows = [(account_id(one), f"project-{name}", one, link(one)) for one in names]
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " SELECT * FROM (SELECT a ->> 0, a ->> 1, 'tiktok', a ->> 2, a ->> 3"
        " FROM json_array_elements(CAST(? AS json)) a) t",
        (json.dumps(rows),),
    )


async def _one(world: FleetWorld, name: str) -> tuple[float, float]:
    """Seconds of the processor that a worker needs for one spreadsheet, and seconds in which nobody else writes."""
    settings = config.load(world.write())
    where = settings.database.where
    assert isinstance(where, Server)
    projects = PROJECTS.dump_json([Project(f"project-{name}", name, name)]).decode()
    request = json.dumps({"now": stamp(world.now), "decides": rules_digests(settings)})
    async with PostgresDatabase(where) as database:
        await worker_tasks.begin(database, stamp(world.now), request, {world.keys[name]: projects})
        await worker_tasks.mark_parsed(database, stamp(world.now))
    started = time.process_time()
    told = await asyncio.to_thread(spreadsheet_task.run, settings, stamp(world.now), world.keys[name])
    worker = time.process_time() - started
    if told != "done":
        raise RuntimeError(told)
    ((text,),) = world.execute("SELECT result FROM fan_out_results")
    return worker, RESULT.validate_json(text).stages["write"]


def _size(world: FleetWorld) -> int:
    """Bytes of the database."""
    return int(world.execute("SELECT pg_database_size(current_database())")[0][0])


def report(spreadsheets: int, edited: float, costs: Costs) -> Sequence[str]:
    """The forecast, line by line."""
    total = spreadsheets * ACCOUNTS
    calls = spreadsheets / (INTERVAL / 60)
    needed = math.ceil(calls / PER_ACCOUNT)
    year = total * (costs.snapshot * 365 + costs.tables)
    lines = [
        (
            f"measured here, {ACCOUNTS:,} accounts in a spreadsheet: {costs.worker * 1e3:.0f} ms of a worker's"
            f" processor; written in {costs.changed * 1e3:.0f} ms if all has changed,"
            f" {costs.unchanged * 1e3:.0f} ms if nothing has"
        ),
        (
            f"bytes per account: {costs.answer:.0f} from Google, {costs.snapshot:.0f} per snapshot,"
            f" {costs.tables:.0f} in the other tables"
        ),
        (
            f"{spreadsheets:,} spreadsheets every {INTERVAL / 60:.0f} min: {calls:.0f} calls/min ="
            f" {needed} service accounts in {math.ceil(calls / PER_CLOUD_PROJECT)} Google Cloud projects,"
            f" {total * costs.answer / 1e9:.1f} GB of JSON per pass"
        ),
        f"database: {total * costs.snapshot / 1e9:.1f} GB a day, {year / 1e12:.2f} TB a year",
        (
            f"one primary is full at {INTERVAL / costs.changed:,.0f} spreadsheets a pass in which everything has"
            f" changed, {INTERVAL / costs.unchanged:,.0f} in which nothing has"
        ),
    ]
    for accounts in (needed, 2 * needed, 4 * needed):
        some = simulate(World(spreadsheets, edited, accounts), costs)
        whole = simulate(World(spreadsheets, 1.0, accounts), costs)
        lines.append(
            f"{accounts} service accounts, {accounts * PROCESSES} processes of workers: done in {some.whole:.0f} s with"
            f" {edited:.0%} edited ({some.writing:.0f} s writing), in {whole.whole:.0f} s with all edited"
            f" ({whole.writing:.0f} s)"
        )
    return lines


@click.command()
@click.option("--spreadsheets", default=10_000)
@click.option("--edited", default=0.3, help="The share of spreadsheets that have changed since the last pass.")
def main(spreadsheets: int, edited: float) -> None:
    """Forecast a pass over a world that no single test machine holds."""
    costs = asyncio.run(measure())
    for line in report(spreadsheets, edited, costs):
        click.echo(line)


if __name__ == "__main__":
    main()
