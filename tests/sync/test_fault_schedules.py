"""Random faults at random moments, many times over: the promises of a pass hold through all of them."""

import asyncio
import os
import random
from dataclasses import replace

import pytest

from fake_google import FakeGoogle
from smart_sync.core.model import METRICS, Outcome, Trigger
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, World

SCHEDULES = int(os.environ.get("SOAK_SCHEDULES", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
#: Schedules of one world; each world is an independent test, so that they run in parallel.
WORLDS = 4
DEADLINE = 2.0
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(3)] for number in range(4)}
FAULTS = [
    {"status": 500}, {"status": 503}, {"status": 429}, {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 429, "headers": {"Retry-After": "60"}}, {"status": 408}, {"status": 401}, {"status": 403},
    {"status": 404}, {"status": 400}, {"how": "reset"}, {"how": "truncate"}, {"how": "html"}, {"how": "garbage"},
]  # fmt: skip


def break_something(google: FakeGoogle, choose: random.Random) -> None:
    google.faults.clear()
    for _ in range(choose.randrange(4)):
        kind = choose.choice(["token", "batch", "batch", "metadata"])
        google.fail(kind, times=choose.choice([1, 2, 4, 99]), after=choose.randrange(3), **choose.choice(FAULTS))  # type: ignore[arg-type]
    if choose.random() < 0.2:
        google.revoke_tokens()
    spreadsheet = google.spreadsheets[KEY]
    spreadsheet.shared = choose.random() > 0.1


def type_something(world: World, choose: random.Random, typed: dict[str, tuple[int, ...]]) -> None:
    """A manager corrects a worksheet, or empties it or deletes it by accident."""
    name = choose.choice(list(PROJECTS))
    worksheets = world.google.spreadsheets[KEY].worksheets
    accident = choose.random()
    if accident < 0.1:
        worksheets[name] = []
    elif accident < 0.2:
        worksheets.pop(name, None)
    else:
        rows = {account: [choose.randrange(1000) for _ in METRICS] for account in PROJECTS[name]}
        world.sheet(name, **rows)
        typed.update({account: tuple(row) for account, row in rows.items()})


@pytest.mark.parametrize("seed", [SEED * WORLDS + number for number in range(WORLDS)])
async def test_no_fault_takes_a_number_from_a_manager(seed: int, world: World, google: FakeGoogle) -> None:
    """Whatever fails: every project has an outcome, no pass exceeds its deadline, what was read is never lost."""
    choose = random.Random(seed)
    typed: dict[str, tuple[int, ...]] = {}
    known: dict[str, tuple[int, ...]] = {}
    for name, accounts in PROJECTS.items():
        world.add_project(name, accounts)
        world.sheet(name, **{account: [1] * 5 for account in accounts})
        typed.update(dict.fromkeys(accounts, (1,) * 5))
    settings = world.settings
    sheets_settings = settings.sheets.model_copy(
        update={"deadline": DEADLINE, "timeout": 1.0, "reads_per_minute": 3000}
    )
    backoff = Backoff(initial=0.0, longest=0.0, jitter=0.0)
    degraded = 0
    loop = asyncio.get_running_loop()
    async with (
        opened(settings, Reporter(), clock=lambda: world.now) as resources,
        GoogleSheets(sheets_settings, backoff=backoff) as sheets,
    ):
        sync = SyncPass(replace(resources, sheets=sheets))
        for _ in range(SCHEDULES // WORLDS):
            type_something(world, choose, typed)
            break_something(google, choose)
            began = loop.time()
            result = await sync.run(PassRequest(Trigger.CLI))
            assert loop.time() - began < DEADLINE + 3.0
            assert {project.project.name for project in result.results} == set(PROJECTS)
            for project in result.results:
                assert project.outcome is not Outcome.FAILED
                degraded += project.outcome is Outcome.DEGRADED
                for account in PROJECTS[project.project.name]:
                    if project.outcome is not Outcome.DEGRADED:
                        known[account] = typed[account]
                    assert world.merged(account) == known.get(account, (0,) * 5)
        google.faults.clear()
        google.spreadsheets[KEY].shared = True
        for name, accounts in PROJECTS.items():
            world.sheet(name, **{account: typed[account] for account in accounts})
        assert (await sync.run(PassRequest(Trigger.CLI))).count(Outcome.DEGRADED) == 0
    assert {account: world.merged(account) for account in typed} == typed
    assert degraded > 0, "the faults must bite"
    print(f"faults: tried {SCHEDULES // WORLDS}, broken 0")  # noqa: T201
