"""One project's part of a pass: read, decide, write.  Expected failures are outcomes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from smart_sync.core.days import Day, stamp
from smart_sync.core.matching.sheet_side import Reading, missing_accounts
from smart_sync.core.merge.plan import Plan
from smart_sync.core.merge.suspects import Doubts, Suspects
from smart_sync.core.model import Account, Project
from smart_sync.core.results.outcomes import Written, failure, foreseen, result_of
from smart_sync.core.results.results import ProjectResult
from smart_sync.errors import SheetUnavailable
from smart_sync.logs import redact
from smart_sync.store import open_suspects, projects, snapshots
from smart_sync.store.engine import OF_THE_WHOLE, StoreError
from smart_sync.store.open_suspects import ToldProblems
from smart_sync.store.writer import Writer
from smart_sync.sync.planner import MergeCrashed, Planner
from smart_sync.sync.resources import Means

#: Projects whose worksheets are being read or are in memory: enough that Google is asked for whole batches.
MAX_IN_FLIGHT = 256


@dataclass(frozen=True, slots=True)
class Pass:
    """What all projects of one pass share: its id, its one time and its one day."""

    id: str
    now: datetime
    day: Day
    dry_run: bool
    #: Set when the inbox is as fresh as this pass waits for.
    parsed: asyncio.Event
    #: The ids of the projects that this pass has brought up to date.
    done: set[str] = field(default_factory=set)


class ProjectSync:
    """Brings projects up to date, as many at once as the configuration allows."""

    def __init__(self, resources: Means) -> None:
        self._settings = settings = resources.settings
        self._database = resources.database
        self._sheets = resources.sheets
        self._collect = resources.collect
        self._announce = resources.announce
        self._clock = resources.clock
        self._query = resources.parsed_query
        self.told = ToldProblems(resources.database)
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._slots = asyncio.Semaphore(settings.sync.concurrency)
        #: One project computes or writes at a time: threads that want the interpreter together only take it from
        #: each other, the worst of all SQLite's, which lets go of it at every row (measured: 21 s in place of 9).
        self._turn = asyncio.Lock()
        self._planner = Planner(resources.database, settings, resources.parsed_query, self._turn)
        self._writer = Writer(resources.database, self._turn)

    async def run(self, project: Project, this: Pass) -> ProjectResult:
        """Sync ``project`` and announce what became of it."""
        watch = _Stopwatch()
        async with self._in_flight:
            reading = await self._read(project)
            await this.parsed.wait()
            watch.record("read")
            async with self._slots:
                result = await self._sync_or_fail(project, reading, this, watch)
        stages = watch.stages
        result = replace(result, timestamp=stamp(self._clock()), seconds=sum(stages.values()), stages=stages)
        result = replace(result, new_problems=self.told.new_of(result))
        self._announce.project_done(result, dry_run=this.dry_run)
        return result

    async def _sync_or_fail(self, project: Project, reading: Reading, this: Pass, watch: "_Stopwatch") -> ProjectResult:
        try:
            return await self._sync(project, reading, this, watch)
        except StoreError as error:
            return failure(project, str(error.meaning))
        except MergeCrashed as error:
            self._announce("project.crashed", project_id=project.id, project=project.name, exc_info=error.__cause__)
            return failure(project, str(error))

    async def _read(self, project: Project) -> Reading:
        try:
            return await self._sheets.read(project)
        except SheetUnavailable as trouble:
            # It goes into the database, and from there to every screen.
            trouble.reason, trouble.remedy = redact(trouble.reason), redact(trouble.remedy)
            return trouble

    async def _sync(self, project: Project, reading: Reading, this: Pass, watch: "_Stopwatch") -> ProjectResult:
        doubtful = await open_suspects.open_suspects(self._database, project.id, this.now)
        doubts = self._doubts(this, doubtful)
        draft = await self._planner.decide(project, reading, doubts, this.done)
        created = 0
        if new := self._missing_accounts(draft.plan):
            if this.dry_run:
                created = len(new)
                draft = await self._planner.decide(project, reading, doubts, this.done, new)
            elif created := await self._create_accounts(project, new, this):
                draft = await self._planner.decide(project, reading, doubts, this.done)
        watch.record("decide")
        plan, problems = draft.plan, draft.problems
        if this.dry_run:
            coming = await snapshots.to_come(self._database, plan, self._writing(this))
            return replace(foreseen(plan, coming, problems, draft.states), new_accounts=created)
        written = await self._write(plan, reading, this)
        if plan.trouble is None:
            this.done.add(project.id)
        watch.record("write")
        return replace(result_of(plan, written, problems), new_accounts=created)

    def _doubts(self, this: Pass, open_: Suspects) -> Doubts:
        merge = self._settings.merge
        counters = merge.policy().counters
        return Doubts(stamp(this.now), merge.suspect, open_, this.day.label, counters, hold=merge.hold_suspects)

    def _missing_accounts(self, plan: Plan) -> list[Account]:
        """Accounts for the rows that have none, if they are wanted."""
        if self._settings.sync.create_missing == "none" or not plan.unmatched_rows:
            return []
        return missing_accounts(plan.project, plan.unmatched_rows, [doubt.row for doubt in plan.doubtful])

    async def _create_accounts(self, project: Project, new: Sequence[Account], this: Pass) -> int:
        """Create accounts, and wait for what the parsers say of them; how many could be created."""
        try:
            async with self._database.transaction() as transaction:
                defaults = self._settings.sync.defaults.accounts
                created, refused = await projects.create_accounts(transaction, new, stamp(this.now), defaults)
        except StoreError as error:
            if isinstance(error, OF_THE_WHOLE):
                raise
            created, refused = 0, {"": str(error)}
        self._announce.accounts_refused(project, refused)
        if created:
            self._announce("accounts.created", project_id=project.id, project=project.name, accounts=created)
            await self._collect([account for account in new if account.link not in refused])
        return created

    async def _write(self, plan: Plan, reading: Reading, this: Pass) -> Written:
        rows = 0 if isinstance(reading, SheetUnavailable) else len(reading.rows)
        return await self._writer.write(plan, self._writing(this), worksheet_rows=rows)

    def _writing(self, this: Pass) -> snapshots.Writing:
        update = self._settings.snapshots.on_existing == "update"
        return snapshots.Writing(stamp(this.now), this.day, update_snapshots=update)


class _Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._since = time.perf_counter()

    def record(self, stage: str) -> None:
        """The stage that just ended is called ``stage``."""
        now = time.perf_counter()
        self.stages[stage] = now - self._since
        self._since = now
