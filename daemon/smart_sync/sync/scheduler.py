"""Schedules passes: one at a time, by the timer and by requests for the next one.

One loop, two alarm clocks.  A request that arrives during a pass gets the *next* pass, because it may
have been made for something that was edited just now; requests that arrive together share one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smart_sync.config import ScheduleSettings
from smart_sync.core.answers import ProjectAnswer
from smart_sync.core.model import Outcome, Trigger
from smart_sync.core.results.results import PassResult
from smart_sync.core.schedule import next_cron, seconds_to_next
from smart_sync.errors import DatabaseError, SmartSyncError
from smart_sync.logs import redact
from smart_sync.sync.sync_pass import PassRequest

RunPass = Callable[[PassRequest], Awaitable[PassResult]]

#: "every" when the configuration gives neither it nor a cron expression.
DEFAULT_EVERY = 1800.0
#: How far a wall clock may fall behind the event loop's during one sleep; cron knows only minutes.
EARLY = timedelta(seconds=59)


class Stopping(SmartSyncError):
    """The daemon is stopping or reloading; ask again in a moment."""


@dataclass(slots=True)
class _Waiting:
    """The next pass: the requests for it, and who waits for its result."""

    project_ids: frozenset[str] | None
    trigger: Trigger
    dry_run: bool
    asked_by: list[str] = field(default_factory=list)
    waiters: list[asyncio.Future[PassResult]] = field(default_factory=list)

    def request(self) -> PassRequest:
        """The combined request, in the name of the first five who asked."""
        return PassRequest(self.trigger, self.project_ids, ", ".join(self.asked_by[:5]), self.dry_run)


class Scheduler:
    """Runs passes on the timer, at the start, and on request. ``run`` is its only loop."""

    def __init__(
        self,
        run_pass: RunPass,
        schedule: ScheduleSettings,
        clock: Callable[[], datetime],
        tidy_up: Callable[[], Awaitable[None]],
    ) -> None:
        """``tidy_up`` is what follows each pass before the next, when everyone who waited has been answered."""
        self._run_pass = run_pass
        self._tidy_up = tidy_up
        self._schedule = schedule
        self._clock = clock
        self._queue: list[_Waiting] = []
        self._asked = asyncio.Event()
        self._stopping = False
        self._why = "is stopping"
        #: The tick of the cron schedule that is slept for.
        self._tick: datetime | None = None
        #: The tick that comes next, or is overdue, on the event loop's clock; None before `run`.
        self._due: float | None = None
        #: When the timer rings next; None before `run`.
        self.next_run_at: datetime | None = None
        #: The pass that is running now.
        self.current: PassRequest | None = None
        #: Project id → what became of it in the last pass that it took part in: in brief, for it stays until the next.
        self.results: dict[str, ProjectAnswer] = {}
        #: When a pass over all projects last ended without every project failing.
        self.last_good_at: datetime | None = None
        #: The error of the last pass, if it could not be run at all; a dry run that could be proves nothing of writing.
        self.last_error: str = ""

    async def run(self) -> None:
        """Run until cancelled, or until `stop` and the end of the running pass."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._due = self._next_due(started, started)
        if self._schedule.run_on_start:
            self._join(Trigger.STARTUP, None, dry_run=False)
        try:
            while not self._stopping:
                if not self._queue:
                    await self._wait(self._due - loop.time())
                if loop.time() >= self._due:
                    # However many ticks a long pass has covered, one is made up for; requests do not put it off.
                    self._join(Trigger.TIMER, None, dry_run=False)
                    self._due = self._next_due(started, loop.time())
                if self._queue and not self._stopping:
                    await self._run_next()
        finally:
            self._stopping = True
            self._refuse_waiting()

    async def request(
        self, trigger: Trigger, project_id: str | None = None, *, asked_by: str = "", dry_run: bool = False
    ) -> PassResult:
        """Request a pass over one project, or all, and wait for its result.

        Raises `Stopping` if the daemon stops first, `DatabaseError` if the pass could not be run.
        """
        if self._stopping:
            raise self._refusal()
        waiting = self._join(trigger, project_id, dry_run=dry_run)
        if asked_by and asked_by not in waiting.asked_by:
            waiting.asked_by.append(asked_by)
        waiter: asyncio.Future[PassResult] = asyncio.get_running_loop().create_future()
        waiting.waiters.append(waiter)
        return await waiter

    def overdue(self) -> float:
        """The seconds by which the next scheduled pass is overdue; below 0 if it is still to come.

        A pass covers the ticks that come while it runs: the first of them is overdue until the pass has ended.
        """
        return 0.0 if self._due is None else asyncio.get_running_loop().time() - self._due

    def interval(self) -> float:
        """The seconds between two scheduled passes; with cron, between the next two."""
        if self._schedule.cron is None:
            return self._schedule.every or DEFAULT_EVERY
        first = next_cron(self._schedule.cron, self._clock(), self._schedule.timezone)
        return (next_cron(self._schedule.cron, first, self._schedule.timezone) - first).total_seconds()

    def take_over(self, before: "Scheduler") -> None:
        """Continue from the scheduler before a reload: its results, and the time of the last success."""
        self.results = before.results
        self.last_good_at = before.last_good_at
        self.last_error = before.last_error

    def stop(self, why: str = "is stopping") -> None:
        """Start no further pass; `run` returns when the running one has ended."""
        self._why = why
        self._stopping = True
        self._asked.set()

    def _join(self, trigger: Trigger, project_id: str | None, *, dry_run: bool) -> _Waiting:
        """The waiting pass of that kind, extended to cover the project; a new one if there is none."""
        self._asked.set()
        wanted = None if project_id is None else frozenset([project_id])
        for waiting in self._queue:
            if waiting.dry_run == dry_run:
                both = (waiting.project_ids, wanted)
                waiting.project_ids = None if None in both else (waiting.project_ids or frozenset()) | (wanted or set())
                return waiting
        self._queue.append(_Waiting(wanted, trigger, dry_run))
        return self._queue[-1]

    async def _wait(self, seconds: float) -> None:
        """Wait for a request or the end, at most ``seconds``."""
        self.next_run_at = self._tick or self._clock() + timedelta(seconds=max(seconds, 0))
        self._asked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    def _next_due(self, started: float, now: float) -> float:
        """The next scheduled time, on the event loop's clock.

        One sleep on a monotonic clock: a wall clock that jumps neither repeats nor loses a pass.
        """
        if self._schedule.cron is None:
            return now + seconds_to_next(self._schedule.every or DEFAULT_EVERY, now - started)
        wall = self._clock()
        # Where the wall clock runs slower than the loop's, the sleep ends a little before its tick: that one is done.
        early = self._tick is not None and wall < self._tick <= wall + EARLY
        self._tick = next_cron(
            self._schedule.cron, self._tick if early and self._tick else wall, self._schedule.timezone
        )
        return now + (self._tick - wall).total_seconds()

    async def _run_next(self) -> None:
        waiting = self._queue.pop(0)
        self.current = waiting.request()
        try:
            result = await self._run_pass(self.current)
        except DatabaseError as error:
            self.last_error = redact(str(error))
            _settle(waiting, error)
        except BaseException:
            _settle(waiting, Stopping("the daemon stopped in the middle of the pass; ask again when it is back"))
            raise
        else:
            self._remember(self.current, result)
            _settle(waiting, result)
        finally:
            self.current = None
        await self._tidy_up()

    def _remember(self, request: PassRequest, result: PassResult) -> None:
        if request.dry_run:
            return
        self.last_error = ""
        kept = self.results if request.project_ids is not None else {}
        self.results = kept | {own.project.id: own.brief() for own in result.results}
        if request.project_ids is not None:
            return
        if not result.results or result.count(Outcome.FAILED) < len(result.results):
            self.last_good_at = self._clock()

    def _refuse_waiting(self) -> None:
        for waiting in self._queue:
            _settle(waiting, self._refusal())
        self._queue.clear()

    def _refusal(self) -> Stopping:
        return Stopping(f"the daemon {self._why}; ask again in a moment")


def _settle(waiting: _Waiting, outcome: PassResult | SmartSyncError) -> None:
    """Give everyone who still waits for a pass its outcome."""
    for waiter in waiting.waiters:
        if waiter.done():
            continue
        if isinstance(outcome, SmartSyncError):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
