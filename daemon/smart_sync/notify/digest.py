"""The digest: one message a day, regardless of restarts."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import date, datetime

from smart_sync.config import Settings
from smart_sync.core.days import stamp
from smart_sync.core.history.growth import change, combined, newest_day, total
from smart_sync.core.model import Outcome, Problem, Project
from smart_sync.core.notices.digest_text import (
    DIGEST,
    MAX_EACH,
    DigestFacts,
    DigestProject,
    digest_message,
    problem_shown,
)
from smart_sync.core.results.webhook_messages import suspect_data
from smart_sync.core.schedule import digest_day, next_digest
from smart_sync.logs import emit
from smart_sync.notify.delivery import Webhooks
from smart_sync.store import accounts, growth_rows, open_suspects, outbox, pass_history, projects, unread_projects
from smart_sync.store.accounts import KnownAccount
from smart_sync.store.clock_changes import day_at
from smart_sync.store.engine import Database, StoreError

#: Seconds that a digest which is late already waits for the pass that the start of the daemon runs, and after which one
#: that could not be written is tried again.
PATIENCE = 600.0
_METRIC = ("views",)
_UNWELL = frozenset({Outcome.FAILED.value, Outcome.DEGRADED.value})


class Digest:
    """Queues the digest; `run` is for a daemon, `tell_if_due` for a process that ends after a pass."""

    def __init__(
        self, settings: Settings, database: Database, webhooks: Webhooks, clock: Callable[[], datetime]
    ) -> None:
        self._at = settings.notify.digest_at
        self._timezone = settings.schedule.timezone
        self._parsers = frozenset(settings.parsers)
        self._database = database
        self._webhooks = webhooks
        self._clock = clock

    async def run(self) -> None:
        """Queue each day's digest, until cancelled."""
        if self._at is None:
            return
        if digest_day(self._clock(), self._at, self._timezone):
            # Late already: after the pass that a start begins with it says more.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._webhooks.woken.wait()
        while True:
            pause = PATIENCE
            if await self.tell_if_due():
                pause = (next_digest(self._clock(), self._at, self._timezone) - self._clock()).total_seconds()
            # A wall clock that is put forward is noticed within an hour.
            await asyncio.sleep(min(max(pause, 0.1), 3600.0))

    async def tell_if_due(self) -> bool:
        """Queue the digest if it is due and not queued yet; False if the database could not be used."""
        now = self._clock()
        day = digest_day(now, self._at, self._timezone) if self._at is not None else None
        if day is None:
            return True
        try:
            await self._tell(day, now)
        except StoreError as error:
            emit("webhook.stalled", webhook=DIGEST, reason=str(error.meaning))
            return False
        return True

    async def _tell(self, day: str, now: datetime) -> None:
        # Before the first pass there is nothing to tell.
        if await outbox.is_digest_queued(self._database, day) or not await pass_history.last_run(self._database):
            return
        facts = await self._facts(day, now)
        async with self._database.transaction() as transaction:
            if await outbox.remember_digest(transaction, day, stamp(now)):
                await self._webhooks.queue(transaction, [digest_message(facts, stamp(now))])
        self._webhooks.wake()

    async def _facts(self, day: str, now: datetime) -> DigestFacts:
        active = await projects.active_projects(self._database)
        counted_accounts = [one for one in await accounts.of_projects(self._database, active) if one.counts]
        suspects, unwell, problem_count = [], [], 0
        problems: list[Problem] = []
        standing = await unread_projects.standing(self._database)
        stale_ids = {one.project_id for one in standing.stale}
        remedies = await unread_projects.remedies(self._database)
        doubted = await open_suspects.of_projects(self._database, [one.id for one in active], now)
        for one in active:
            suspects += [suspect_data(one, each) for each in doubted[one.id].values()]
            run, run_problems = await pass_history.last_of_project(self._database, one.id)
            problems += run_problems
            if run is not None:
                problem_count += run["problem_count"]
                if run["outcome"] in _UNWELL and one.id not in stale_ids:
                    told = {"project_name": one.name, "outcome": run["outcome"], "reason": run["error"]}
                    unwell.append(told | {"remedy": remedies.get((one.id, run["error"]), "")})
        stale = [
            {
                "project_name": one.project_name,
                "read_at": one.sheet_read_at,
                "reason": one.reason,
                "remedy": one.remedy,
            }
            for one in standing.stale
        ]
        failing = [one for one in standing.failing_parsers if one.parser in self._parsers]
        flawed = [
            Problem(one.reason, f"parser {one.parser}", code="parsed-values") for one in failing if one.since is None
        ]
        parsers = [{"parser": one.parser, "since": one.since, "reason": one.reason} for one in failing if one.told_at]
        problems, problem_count = [*flawed, *problems], problem_count + len(flawed)
        grown = await self._growth(active, counted_accounts, now)
        shown = [problem_shown(one) for one in problems[:MAX_EACH]]
        return DigestFacts(day, grown, suspects, shown, stale, problem_count, unwell, parsers)

    async def _growth(
        self, active: list[Project], counted_accounts: list[KnownAccount], now: datetime
    ) -> list[DigestProject]:
        today = date.fromisoformat(await day_at(self._database, stamp(now)))
        ids = [one.row_id for one in counted_accounts]
        histories = await growth_rows.histories(self._database, ids, _METRIC, 2, today)
        projects = []
        for project in active:
            of_project = [
                histories[one.account.id]
                for one in counted_accounts
                if one.project.id == project.id and one.account.id in histories
            ]
            as_of = newest_day(of_project)
            changes = [] if as_of is None else [change(history, 0, as_of, 1) for history in of_project]
            grown = combined(changes, 0 if as_of is None else as_of - 1)
            values = [history.at(0, history.days[-1]) for history in of_project if history.days]
            since = None if grown is None or grown.exact else date.fromordinal(grown.since).isoformat()
            projects.append(
                DigestProject(
                    project.name,
                    sum(one.project.id == project.id for one in counted_accounts),
                    total(None if value is None else value.value for value in values),
                    grown.amount if grown else None,
                    since,
                )
            )
        return projects
