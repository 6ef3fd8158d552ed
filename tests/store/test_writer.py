"""Projects are written several at once, and each has its own fate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from smart_sync.core.days import day_of
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import Outcome
from smart_sync.core.results.outcomes import result_of
from smart_sync.core.results.results import ProjectResult
from smart_sync.errors import DatabaseError
from smart_sync.store import plan_writer, projects
from smart_sync.store.engine import Down, Transaction
from smart_sync.sync import project as project_module
from smart_sync.sync.project import Pass, ProjectSync
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from world import World

NAMES = [f"P{number}" for number in range(5)]
OF_P2 = "NEW.account_id LIKE 'account-P2%'"


async def test_a_project_that_cannot_be_written_spoils_no_other(world: World) -> None:
    """Where the database refuses the rows of one project, the others are written."""
    filled(world)
    with world.refusing("INSERT", "account_metrics", OF_P2):
        await all_but_p2(world)


@pytest.mark.sqlite  # no row ends a server's transaction
async def test_a_row_that_ends_the_transaction_spoils_no_other_project(world: World) -> None:
    """Where SQLite ends the whole transaction for the rows of one project, the others are written."""
    filled(world)
    world.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON account_metrics WHEN {OF_P2} BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    )
    await all_but_p2(world)


async def all_but_p2(world: World) -> None:
    """A pass writes every project but P2."""
    results = {result.project.name: result for result in (await world.sync()).results}
    unhappy = [name for name in NAMES if results[name].failed_accounts or results[name].outcome is Outcome.FAILED]
    assert unhappy == ["P2"]
    assert [world.merged(f"{name}a") for name in NAMES] == [None if name == "P2" else (7,) * 5 for name in NAMES]
    assert len(world.snapshots()) == 8


def filled(world: World) -> None:
    """Five projects of two accounts each, whose cells have numbers."""
    for name in NAMES:
        world.add_project(name, [f"{name}a", f"{name}b"])
        world.sheet(name, **{f"{name}{letter}": [7] * 5 for letter in "ab"})


Rounds = list[list[str]]


@contextlib.asynccontextmanager
async def watched(
    world: World, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[Any, Callable[[], dict[str, asyncio.Task[ProjectResult]]], Rounds]]:
    """The open database, what begins all projects, and which of them were written by one transaction."""
    rounds: Rounds = []

    async def record(_: Transaction, results: Sequence[ProjectResult]) -> None:
        rounds.append([one.project.name for one in results])
        if meanwhile is not None:
            await meanwhile()

    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        there = await projects.active_projects(resources.database)
        sync, this = (
            ProjectSync(resources, record),
            Pass("run", world.now, day_of(world.now, "UTC"), False, asyncio.Event()),
        )
        this.parsed.set()
        yield resources.database, lambda: {one.name: asyncio.create_task(sync.sync(one, this)) for one in there}, rounds


async def test_of_an_account_that_is_refused_no_pin_is_kept(world: World) -> None:
    """An account that cannot be written is left as it was, its pins too."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5] * 5, b=[7] * 5)
    await world.sync()
    world.sheet("P", a=["500!", *[5] * 4], b=["777!", *[7] * 4])
    with world.refused("b"):
        assert list((await world.sync_one()).failed_accounts) == ["account-b"]
    assert world.execute("SELECT account_id, value FROM pins") == [("account-a", 500)]


async def test_a_pin_that_is_refused_costs_no_other_account(world: World) -> None:
    """A rule of the table that refuses the pin of one account leaves that account out, and writes the others."""
    world.add_project("P", ["a", "b", "c"])
    world.sheet("P", a=["500!", *[5] * 4], b=[6] * 5, c=["7!"] * 5)
    with world.refusing("INSERT", "pins", "NEW.account_id = 'account-a'"):
        assert list((await world.sync_one()).failed_accounts) == ["account-a"]
    assert [world.merged(name) for name in "abc"] == [None, (6,) * 5, (7,) * 5]


async def test_a_server_that_is_away_is_waited_for_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the database goes away while several are written, not each of them tries to reach it by itself."""
    filled(world)
    monkeypatch.setattr(plan_writer, "MAX_REFUSALS", 0)
    with world.refusing("INSERT", "account_metrics", OF_P2):
        begun, rounds, results = await going_away(world, monkeypatch)
    assert begun == [False, False, True]
    assert [one.outcome is Outcome.FAILED for one in results] == [name not in rounds[0] for name in NAMES]
    assert {one.error for one in results} == {"", "the server is away"}


async def going_away(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bool], Rounds, list[ProjectResult]]:
    """Of each transaction whether the server was away, which is so once one project has been written by itself."""
    async with watched(world) as (database, begin, rounds):
        real, begun = database.transaction, list[bool]()

        def transaction() -> Any:
            begun.append(len(rounds) == 1 and len(begun) >= 2)
            if begun[-1]:
                raise Down("away", DatabaseError("the server is away"))
            return real()

        monkeypatch.setattr(database, "transaction", transaction)
        return begun, rounds, [await task for task in begin().values()]


async def test_where_everything_is_refused_the_database_is_let_go_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that refuses every account is found out project by project: between two of them others can write."""
    monkeypatch.setattr(plan_writer, "MAX_REFUSALS", 5)
    filled(world)
    with world.refusing("INSERT", "account_metrics", "NEW.account_id <> 'account-P4b'"):
        async with watched(world) as (_, begin, rounds):
            results = {name: await task for name, task in begin().items()}
    assert sorted(rounds) == [[name] for name in NAMES]
    assert [len(results[name].failed_accounts) for name in NAMES] == [2, 2, 2, 2, 1]
    assert world.merged("P4b") == (7,) * 5


async def test_a_bug_in_a_result_is_one_project_s_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the result of a project cannot be made, nothing of it is written, and the others are."""
    filled(world)

    def broken(plan: Plan, *told: Any) -> ProjectResult:
        if plan.project.name == "P2":
            raise ValueError("a bug")
        return result_of(plan, *told)

    monkeypatch.setattr(project_module, "result_of", broken)
    results = {one.project.name: one for one in (await world.sync()).results}
    assert [name for name in NAMES if results[name].outcome is Outcome.FAILED] == ["P2"]
    assert results["P2"].error == "internal error while merging: ValueError"
    assert [world.merged(f"{name}a") for name in NAMES] == [None if name == "P2" else (7,) * 5 for name in NAMES]


async def test_a_project_that_is_cancelled_spoils_no_other_of_its_round(world: World) -> None:
    """Who no longer waits for a project leaves the others of its transaction their results."""
    filled(world)
    tasks: dict[str, asyncio.Task[ProjectResult]] = {}

    async def cancel() -> None:
        if len(rounds[-1]) > 1 and not any(task.cancelled() for task in tasks.values()):
            gone = next(
                task for name, task in tasks.items() if name in rounds[-1] and task is not asyncio.current_task()
            )
            gone.cancel()
            await asyncio.wait([gone])

    async with watched(world, cancel) as (_, begin, rounds):
        tasks |= begin()
        ended = await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert len([one for one in ended if isinstance(one, asyncio.CancelledError)]) == 1
    assert len([one for one in ended if isinstance(one, ProjectResult)]) == 4


async def test_the_seconds_of_a_project_count_all_of_its_rounds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that had to create accounts first is decided twice, and both times count."""
    ticks = iter(range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    watch = project_module._Stopwatch()
    for stage in ("read", "decide", "decide", "write"):
        watch.record(stage)
    assert watch.stages == {"read": 1, "decide": 2, "write": 1}
