"""One project's part of a pass: read, decide, write.  Expected failures are outcomes."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from smart_sync.announcer import Announcer
from smart_sync.clock import Clock
from smart_sync.config import Settings
from smart_sync.core.days import Day, stamp
from smart_sync.core.fingerprint import fingerprint
from smart_sync.core.model import Account, Outcome, Problem, Project, Worksheet
from smart_sync.core.plan import Plan, make_plan
from smart_sync.core.results import Change, ProjectResult, changes_of
from smart_sync.core.sheet import missing_accounts, understand
from smart_sync.core.state import AccountState
from smart_sync.core.suspects import Doubts, Suspects
from smart_sync.errors import SheetUnavailable, SmartSyncError
from smart_sync.notify.ping import Ping
from smart_sync.notify.webhooks import Webhooks
from smart_sync.sheets.source import Source
from smart_sync.store import passes, projects, suspects
from smart_sync.store.database import Database, describe, is_of_the_file, sqlite
from smart_sync.store.writer import Writer


class Collect(Protocol):
    """Brings the inbox up to date, as far as a pass waits for it: `Collector.collect`."""

    async def __call__(self, new: Sequence[Account] | None = None, *, only: frozenset[str] | None = None) -> None:
        """Ask about ``new`` accounts, or those of ``only`` these projects, or all."""


#: Projects whose worksheets are being read or are in memory: enough that Google is asked for whole batches.
MAX_IN_FLIGHT = 256


@dataclass(frozen=True, slots=True)
class Pass:
    """What all projects of one pass share: its id, its one time and its one day."""

    id: str
    now: datetime
    day: Day
    dry_run: bool
    #: `Database.version` before anything was read.
    version: int
    #: Set when the inbox is as fresh as this pass waits for.
    parsed: asyncio.Event


@dataclass(frozen=True, slots=True)
class Resources:
    """What passes work with, opened and owned by `service`."""

    settings: Settings
    database: Database
    sheets: Source
    collect: Collect
    announce: Announcer
    clock: Clock
    webhooks: Webhooks
    ping: Ping
    #: What `parsed_query.prepare` made of ``[parsed] query``.
    parsed_query: str = ""
    #: What each parser reported last (`Collector.overview`).
    parsers: Callable[[], list[dict[str, Any]]] = list


class ProjectSync:
    """Brings projects up to date, as many at once as the configuration allows."""

    def __init__(self, resources: Resources) -> None:
        self._settings = settings = resources.settings
        self._database = resources.database
        self._sheets = resources.sheets
        self._collect = resources.collect
        self._announce = resources.announce
        self._clock = resources.clock
        self._query = resources.parsed_query
        self._policy = settings.merge.policy()
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._slots = asyncio.Semaphore(settings.sync.concurrency)
        #: One project computes or writes at a time: threads that want the interpreter together only take it from
        #: each other, the worst of all SQLite's, which lets go of it at every row (measured: 21 s in place of 9).
        self._turn = asyncio.Lock()
        self._writer = Writer(resources.database, self._turn)
        #: Projects whose last pass wrote everything: the same inputs need not be decided again.  Under another
        #: configuration they must be: each has a `ProjectSync` of its own.
        self._settled: dict[str, _Settled] = {}

    async def run(self, project: Project, this: Pass) -> ProjectResult:
        """Sync ``project`` and announce what became of it."""
        watch = _Stopwatch()
        async with self._in_flight:
            source = await self._read(project)
            await this.parsed.wait()
            watch.lap("read")
            async with self._slots:
                result = await self._sync_or_fail(project, source, this, watch)
        stages = watch.stages
        result = replace(result, timestamp=stamp(self._clock()), seconds=sum(stages.values()), stages=stages)
        self._announce.project_done(result, dry_run=this.dry_run)
        return result

    async def _sync_or_fail(
        self, project: Project, source: Worksheet | SheetUnavailable, this: Pass, watch: "_Stopwatch"
    ) -> ProjectResult:
        try:
            return await self._sync(project, source, this, watch)
        except sqlite.Error as error:
            return _failed(project, describe(error, self._database.path))
        except _MergeCrashed as error:
            self._announce("project.crashed", project_id=project.id, project=project.name, exc_info=error.__cause__)
            return _failed(project, error)

    async def _read(self, project: Project) -> Worksheet | SheetUnavailable:
        try:
            return await self._sheets.read(project)
        except SheetUnavailable as trouble:
            return trouble

    async def _sync(
        self, project: Project, source: Worksheet | SheetUnavailable, this: Pass, watch: "_Stopwatch"
    ) -> ProjectResult:
        mark = await self._mark(source, this)
        doubtful = await suspects.open_suspects(self._database, project.id, this.now)
        settled = self._settled.pop(project.id, None)
        if settled is not None and settled.mark == mark:
            self._settled[project.id] = settled
            watch.lap("decide")
            return _unchanged(settled.result, doubtful)
        doubts = Doubts(stamp(this.now), self._settings.merge.suspect, doubtful)
        states, problems = await self._look(project)
        plan = await self._decide(project, source, states, doubts)
        if not this.dry_run and await self._create_missing_accounts(plan, this):
            mark = mark and mark._replace(inbox_writes=self._database.inbox_writes)
            states, problems = await self._look(project)
            plan = await self._decide(project, source, states, doubts)
        watch.lap("decide")
        if this.dry_run:
            return _result(plan, passes.Written(0), problems, _changes(plan, states))
        written = await self._write(plan, source, this)
        watch.lap("write")
        result = _result(plan, written, problems)
        if mark is not None and plan.trouble is None and not written.failed:
            self._settled[project.id] = _Settled(mark, result)
        return result

    async def _mark(self, source: Worksheet | SheetUnavailable, this: Pass) -> "_Mark | None":
        """What a decision now would depend on; None if that cannot be told, as of somebody's query."""
        if isinstance(source, SheetUnavailable) or self._query:
            return None
        inbox_writes = self._database.inbox_writes
        async with self._turn:
            cells = await asyncio.to_thread(fingerprint, source)
        return _Mark(cells, this.day.label, this.version, inbox_writes)

    async def _look(self, project: Project) -> tuple[list[AccountState], list[Problem]]:
        """What SQLite holds, and what is odd about it."""
        async with self._turn:
            return await projects.account_states(self._database, project, self._query)

    async def _decide(
        self, project: Project, source: Worksheet | SheetUnavailable, states: Sequence[AccountState], doubts: Doubts
    ) -> Plan:
        """The plan, made in a thread so that a large worksheet does not hold up the event loop."""

        def decide() -> Plan:
            limits = self._settings.sheets
            synonyms = {str(name): headers for name, headers in limits.columns.items()}
            sheet = understand(source, states, synonyms=synonyms, max_vanished=limits.max_vanished)
            return make_plan(project, sheet, states, self._policy, doubts)

        try:
            async with self._turn:
                return await asyncio.to_thread(decide)
        except Exception as error:
            # Deciding is pure: a bug in it has harmed nothing, so it need not take the other projects with it.
            raise _MergeCrashed(f"internal error while merging: {type(error).__name__}") from error

    async def _create_missing_accounts(self, plan: Plan, this: Pass) -> bool:
        """Accounts for the rows that have none, with what the parsers say of them; whether there were any."""
        if self._settings.sync.create_missing == "none" or not plan.unmatched_rows:
            return False
        prefix = f"{plan.project.id}:"
        new = missing_accounts(
            plan.project, plan.unmatched_rows, lambda name: str(uuid.uuid5(passes.NAMESPACE, prefix + name))
        )
        try:
            async with self._database.transaction() as transaction:
                created = await projects.create_accounts(transaction, new, stamp(this.now))
        except sqlite.Error as error:
            if is_of_the_file(error):
                raise
            self._announce("accounts.refused", project_id=plan.project.id, project=plan.project.name, reason=str(error))
            return False
        if created:
            self._announce("accounts.created", project_id=plan.project.id, project=plan.project.name, accounts=created)
            await self._collect(new)
        return created > 0

    async def _write(self, plan: Plan, source: Worksheet | SheetUnavailable, this: Pass) -> passes.Written:
        writing = passes.Writing(
            stamp(this.now), this.day, update_snapshots=self._settings.snapshots.on_existing == "update"
        )
        rows = 0 if isinstance(source, SheetUnavailable) else len(source.rows)
        return await self._writer.write(plan, writing, worksheet_rows=rows)


class _MergeCrashed(SmartSyncError):
    """A bug of ours in the pure part; its cause is the bug."""


class _Mark(NamedTuple):
    """What a project was decided from: the same mark, the same decision, and everything it wrote is still there.

    Own decisions are not in it: SQLite counts what other processes write, `inbox_writes` what the parsers do.
    """

    cells: bytes
    day: str
    version: int
    inbox_writes: int


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a project was decided from when a pass has written all of it, and what came of that."""

    mark: _Mark
    result: ProjectResult


class _Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The stage that just ended is called ``stage``."""
        now = time.perf_counter()
        self.stages[stage] = now - self._since
        self._since = now


def _failed(project: Project, error: SmartSyncError) -> ProjectResult:
    return ProjectResult(project, Outcome.FAILED, "", error=str(error))


def _unchanged(last: ProjectResult, doubtful: Suspects) -> ProjectResult:
    """The same result once more, without what happened only once."""
    return replace(
        last,
        outcome=Outcome.UNCHANGED,
        changed=0,
        snapshots=0,
        suspects=tuple(doubtful.values()),
        new_suspects=(),
        conflicts=(),
    )


def _result(
    plan: Plan, written: passes.Written, problems: Sequence[Problem], changes: tuple[Change, ...] = ()
) -> ProjectResult:
    outcome, error = Outcome.SYNCED, plan.trouble.reason if plan.trouble else ""
    if written.failed and len(written.failed) == len(plan.account_ids):
        outcome, error = Outcome.FAILED, f"SQLite refused every account: {next(iter(written.failed.values()))}"
    elif plan.trouble is not None:
        outcome = Outcome.DEGRADED
    elif not plan.merged and not plan.sheet and not plan.sheet_gone and not written.snapshots:
        outcome = Outcome.UNCHANGED
    return ProjectResult(
        plan.project,
        outcome,
        "",
        accounts=len(plan.account_ids),
        sheet=plan.sheet_count,
        parsed=plan.parsed_count,
        updated=len(plan.account_ids) - len(written.failed),
        changed=sum(row.account_id not in written.failed for row in plan.changed),
        snapshots=written.snapshots,
        error=error,
        remedy=plan.trouble.remedy if plan.trouble else "",
        failed_accounts=written.failed,
        problems=(*plan.problems, *problems),
        unmatched_rows=plan.unmatched_rows,
        unmatched_accounts=plan.unmatched_accounts,
        changes=changes,
        suspects=tuple(s for s in plan.suspects.open if s.account_id not in written.failed),
        new_suspects=tuple(s for s in plan.suspects.new if s.account_id not in written.failed),
        conflicts=tuple(c for c in plan.conflicts if c.account_id not in written.failed),
    )


def _changes(plan: Plan, states: Sequence[AccountState]) -> tuple[Change, ...]:
    links = {state.id: state.link for state in states}
    return tuple(
        change
        for row in plan.changed
        for change in changes_of(row.account_id, links[row.account_id], row.before, row.values)
    )
