"""runner: one pass at a time, the timer, and who shares a pass with whom.  Real loop, passes made of events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from smart_sync.config import ScheduleSettings
from smart_sync.core.model import Project, Trigger
from smart_sync.core.results.results import PassResult
from smart_sync.errors import DatabaseError
from smart_sync.sync.scheduler import Scheduler, Stopping
from smart_sync.sync.sync_pass import PassRequest

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUIET = ScheduleSettings(run_on_start=False)


class Passes:
    """Passes that begin when they are called and end when they are told."""

    def __init__(self) -> None:
        self.requests: list[PassRequest] = []
        self.begun: asyncio.Queue[PassRequest] = asyncio.Queue()
        self.may_end = asyncio.Semaphore(0)
        self.under_way = 0
        self.error: Exception | None = None
        self.may_tidy_up = asyncio.Event()
        self.may_tidy_up.set()

    async def run(self, request: PassRequest) -> PassResult:
        assert self.under_way == 0, "two passes at the same time"
        self.under_way += 1
        self.requests.append(request)
        self.begun.put_nowait(request)
        try:
            await self.may_end.acquire()
            if self.error:
                raise self.error
        finally:
            self.under_way -= 1
        return PassResult(str(len(self.requests)), request.trigger, "", "", ())

    async def tidy_up(self) -> None:
        await self.may_tidy_up.wait()


@asynccontextmanager
async def running(passes: Passes, schedule: ScheduleSettings = QUIET) -> AsyncIterator[Scheduler]:
    runner = Scheduler(passes.run, schedule, lambda: NOW, passes.tidy_up)
    work = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        work.cancel()
        await asyncio.wait({work})


async def asked(runner: Scheduler, project_id: str | None = None, *, dry_run: bool = False) -> asyncio.Task[PassResult]:
    """A request that has been made by the time this returns."""
    task = asyncio.create_task(runner.request(Trigger.SOCKET, project_id, dry_run=dry_run))
    await asyncio.sleep(0)
    return task


async def test_a_request_during_a_pass_gets_the_next_and_those_together_share_it() -> None:
    """A request during a pass gets the next pass; requests that arrive together share one."""
    passes = Passes()
    async with running(passes) as runner:
        first = await asked(runner)
        await passes.begun.get()
        later = [await asked(runner) for _ in range(5)]
        passes.may_end.release()
        assert (await first).id == "1"
        await passes.begun.get()
        passes.may_end.release()
        assert {(await task).id for task in later} == {"2"}
    assert len(passes.requests) == 2


async def test_single_projects_that_are_asked_for_together_share_a_pass() -> None:
    """Requests for projects join into one pass over them; one for all widens it to all."""
    passes = Passes()
    async with running(passes) as runner:
        tasks = [await asked(runner, "blocker")]
        await passes.begun.get()
        tasks += [await asked(runner, "a"), await asked(runner, "b")]
        passes.may_end.release()
        assert (await passes.begun.get()).project_ids == frozenset({"a", "b"})
        tasks += [await asked(runner, "a"), await asked(runner)]
        passes.may_end.release()
        assert (await passes.begun.get()).project_ids is None
        passes.may_end.release()
        await asyncio.gather(*tasks)


async def test_a_dry_run_is_never_shared_with_a_real_one() -> None:
    """Who asked for a real pass gets a real pass, and who asked for a dry one a dry one."""
    passes = Passes()
    async with running(passes) as runner:
        tasks = [await asked(runner, dry_run=True), await asked(runner)]
        for _ in tasks:
            await passes.begun.get()
            passes.may_end.release()
        await asyncio.gather(*tasks)
    assert sorted(request.dry_run for request in passes.requests) == [False, True]


async def test_it_runs_at_the_start_and_on_the_timer() -> None:
    """run_on_start gives a pass at once, the timer one per interval."""
    passes = Passes()
    async with running(passes, ScheduleSettings(every=0.05)):
        triggers = []
        for _ in range(3):
            triggers.append((await passes.begun.get()).trigger)
            passes.may_end.release()
    assert triggers == [Trigger.STARTUP, Trigger.TIMER, Trigger.TIMER]


async def test_ticks_that_a_long_pass_covers_are_made_up_for_once() -> None:
    """However many intervals a pass has lasted, one pass follows at once, and the next on the grid."""
    passes = Passes()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(passes, ScheduleSettings(every=0.5, run_on_start=False)):
        await passes.begun.get()
        await asyncio.sleep(began + 1.7 - loop.time())
        passes.may_end.release()
        await passes.begun.get()
        assert loop.time() - began < 1.95
        passes.may_end.release()
        await passes.begun.get()
        assert loop.time() - began >= 1.95


async def test_who_waits_is_answered_when_it_stops() -> None:
    """Cut off in a pass: those in it and those waiting for the next get an error, none is left hanging."""
    passes = Passes()
    async with running(passes) as runner:
        tasks = [await asked(runner)]
        await passes.begun.get()
        tasks.append(await asked(runner))
    for task in tasks:
        with pytest.raises(Stopping):
            await task
    with pytest.raises(Stopping):
        await runner.request(Trigger.SOCKET)


async def test_nobody_waits_for_the_tidying() -> None:
    """Who waited for a pass is answered when it has ended, also where a stop cuts off what follows it."""
    passes = Passes()
    passes.may_tidy_up.clear()
    async with running(passes) as runner:
        first = await asked(runner)
        passes.may_end.release()
        assert (await first).id == "1"
        second = await asked(runner)
        assert len(passes.requests) == 1
    with pytest.raises(Stopping):
        await second


async def test_stop_lets_the_pass_under_way_end() -> None:
    """After stop no pass begins; the one under way ends and is answered."""
    passes = Passes()
    runner = Scheduler(passes.run, QUIET, lambda: NOW, passes.tidy_up)
    work = asyncio.create_task(runner.run())
    await asyncio.sleep(0)
    task = await asked(runner)
    await passes.begun.get()
    runner.stop()
    passes.may_end.release()
    assert (await task).id == "1"
    await work


async def test_a_database_that_fails_is_answered_and_the_runner_goes_on() -> None:
    """A pass that could not be run tells those who wait, and the next one is run all the same."""
    passes = Passes()
    passes.error = DatabaseError("the disk is full")
    async with running(passes) as runner:
        task = await asked(runner)
        passes.may_end.release()
        with pytest.raises(DatabaseError):
            await task
        assert runner.last_error == "the disk is full"
        passes.error = None
        passes.may_end.release()
        await (await asked(runner, dry_run=True))
        assert runner.last_error == "the disk is full"
        passes.may_end.release()
        assert (await (await asked(runner))).id == "3"
        assert runner.last_error == ""


async def test_a_bug_ends_the_runner() -> None:
    """An unexpected failure comes out of `run`, after all who wait got an answer."""
    passes = Passes()
    passes.error = ZeroDivisionError("a bug")
    passes.may_end.release()
    runner = Scheduler(passes.run, QUIET, lambda: NOW, passes.tidy_up)
    work = asyncio.create_task(runner.run())
    await asyncio.sleep(0)
    task = await asked(runner)
    with pytest.raises(ZeroDivisionError):
        await work
    with pytest.raises(Stopping):
        await task


async def test_the_interval_of_a_cron_schedule_is_between_its_next_two_times() -> None:
    """Health allows two intervals, whichever way the schedule is written."""
    passes = Passes()
    cron = ScheduleSettings(cron="*/20 * * * *")
    assert Scheduler(passes.run, cron, lambda: NOW, passes.tidy_up).interval() == 1200
    assert Scheduler(passes.run, QUIET, lambda: NOW, passes.tidy_up).interval() == 1800


def test_a_pass_knows_the_result_of_each_project() -> None:
    """A caller who asked for one project gets its result, also from a pass over all."""
    from smart_sync.core.model import Outcome
    from smart_sync.core.results.results import ProjectResult

    one = ProjectResult(Project("1", "One"), Outcome.SYNCED, "")
    result = PassResult("x", Trigger.TIMER, "", "", (one,))
    assert result.of("1") is one
    assert result.of("2") is None


async def test_requests_do_not_put_off_the_timer() -> None:
    """However steadily single projects are asked for, the pass over all comes when it is due: alone, or with one."""
    passes = Passes()
    async with running(passes, ScheduleSettings(every=0.2, run_on_start=False)) as runner:
        while all(request.project_ids is not None for request in passes.requests[-2:]):
            # One for this request, and one for the timer's pass, should it come first.
            passes.may_end.release()
            passes.may_end.release()
            await asyncio.wait_for(runner.request(Trigger.SOCKET, "a"), 10)
            assert len(passes.requests) < 100_000


async def test_a_cron_tick_fires_once_though_the_wall_clock_falls_behind() -> None:
    """A sleep that ends a little before its tick has slept for it: the tick is not fired a second time."""
    passes = Passes()
    runner = Scheduler(passes.run, ScheduleSettings(cron="*/30 * * * *"), lambda: wall, passes.tidy_up)
    wall = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
    assert runner._next_due(0.0, 0.0) == 25 * 60
    wall = datetime(2026, 3, 10, 12, 29, 59, tzinfo=UTC)
    assert runner._next_due(0.0, 1500.0) == 1500 + 30 * 60 + 1
    wall = datetime(2026, 3, 10, 13, 0, 0, tzinfo=UTC)
    assert runner._next_due(0.0, 3301.0) == 3301 + 30 * 60


@pytest.mark.parametrize("step", [2, -2])
async def test_a_wall_clock_that_is_set_neither_repeats_nor_loses_a_pass(step: int) -> None:
    """Two hours ahead or back in mid-sleep: that goes by another clock, the next cron tick by the new one."""
    passes = Passes()
    every = Scheduler(passes.run, ScheduleSettings(every=1800), lambda: wall, passes.tidy_up)
    cron = Scheduler(passes.run, ScheduleSettings(cron="*/30 * * * *"), lambda: wall, passes.tidy_up)
    wall = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
    assert (every._next_due(0.0, 0.0), cron._next_due(0.0, 0.0)) == (1800, 1500)
    wall = datetime(2026, 3, 10, 12 + step, 30, tzinfo=UTC)
    assert cron._next_due(0.0, 1500.0) == 1500 + 1800
    assert every._next_due(0.0, 1800.0) == 3600


async def test_the_next_run_is_the_tick_itself() -> None:
    """A schedule by the clock is told to the minute, not as the time that a sleep will take to it."""
    passes = Passes()
    late = datetime(2026, 3, 10, 12, 5, 0, 4, tzinfo=UTC)
    runner = Scheduler(
        passes.run, ScheduleSettings(cron="0 13 * * *", run_on_start=False), lambda: late, passes.tidy_up
    )
    work = asyncio.create_task(runner.run())
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait({work})
    assert runner.next_run_at == datetime(2026, 3, 10, 13, tzinfo=UTC)


async def test_a_new_lap_knows_when_all_was_well() -> None:
    """After a reload health and status go on from what was seen before it."""
    passes = Passes()
    async with running(passes) as runner:
        task = await asked(runner)
        passes.may_end.release()
        await task
    after = Scheduler(passes.run, QUIET, lambda: NOW, passes.tidy_up)
    after.take_over(runner)
    assert after.last_good_at == NOW
