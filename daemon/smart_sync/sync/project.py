"""The projects of a pass, each from worksheet to result: read, decide, write. Expected failures are outcomes.

Each project awaits its own worksheet.  Those whose worksheets have come are brought up to date together, in rounds:
what the database holds of them is read by one query of each kind, and what they write shares a transaction.

The way of one number, from its cell to the snapshot (`planner` strings the lines from ``core`` together):

    sheets.google.GoogleSheets.read                reads the worksheet's cells
    store.account_states.fetch                     brings its accounts, their parsed values, and what the last pass left
    core.worksheet.table.read_table                finds the columns and the rows of accounts
    core.worksheet.cells.read_count                makes the cell a number, or says why it is none
    core.matching.match.match                      finds the row's account
    core.merge.typed_cells.judge_cells             may hold the number as a typing mistake
    core.merge.decisions.decide_each               carries the last number where the cell cannot be read; applies pins
    core.merge.strategies.highest                  chooses between sheet and parser (MAX; or another strategy)
    core.merge.plan.make_plan                      collects all that is to be written
    store.plan_writer.write_in_transactions        writes sheet values, merged values and the rest
    core.merge.day_snapshot.snapshot_action        decides on the snapshot: insert, refresh, move or nothing
    store.snapshots.write                          writes it
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from smart_sync.core.days import Day, stamp
from smart_sync.core.matching.sheet_side import Reading
from smart_sync.core.model import Account, Outcome, Project
from smart_sync.core.results.outcomes import Written, dry_run_result, failure, result_of
from smart_sync.core.results.results import ProjectResult
from smart_sync.core.state import Absence
from smart_sync.errors import SheetUnavailable
from smart_sync.logs import redact
from smart_sync.store import plan_writer, projects, snapshots
from smart_sync.store.engine import OF_THE_WHOLE, Refused, StoreError, Transaction
from smart_sync.store.open_suspects import ReportedFindings
from smart_sync.sync import renamed_worksheets
from smart_sync.sync.planner import Case, Draft, MergeCrashed, Planner, crash_of, let_go
from smart_sync.sync.resources import Means

#: Projects whose worksheets are being read or are in memory: enough that Google is asked for whole batches.
MAX_IN_FLIGHT = 256
#: Accounts of a round (one project alone may have more): other writers wait for the end of its transaction.
MAX_ACCOUNTS = 20_000


@dataclass(frozen=True, slots=True)
class Pass:
    """What all projects of one pass share: its id, time and day."""

    id: str
    now: datetime
    day: Day
    dry_run: bool
    #: Set when the inbox is as fresh as this pass waits for.
    parsed: asyncio.Event
    #: The ids of the projects that this pass has brought up to date.
    done: set[str] = field(default_factory=set)
    #: Of those that a dry run has decided about, the absences of accounts by id, None where the worksheet is gone: no
    #: table says so.
    rehearsed: dict[str, Mapping[str, Absence] | None] = field(default_factory=dict)
    #: How many accounts each project has.
    sizes: Mapping[str, int] = field(default_factory=dict)
    #: Project whose worksheet is not there → the title of the one that has its accounts; by id.
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Job:
    """A project whose worksheet has been read, or could not be."""

    project: Project
    reading: Reading
    watch: "_Stopwatch"
    accounts: int
    #: Accounts that its worksheet calls for: they are created, and the project has another round.
    new: Sequence[Account] = ()
    created: int = 0
    #: Links of those that the database refuses, with the reason.
    not_created: Mapping[str, str] = field(default_factory=dict)
    result: ProjectResult | None = None

    @property
    def rows(self) -> int:
        """The number of rows of its worksheet."""
        return 0 if isinstance(self.reading, SheetUnavailable) else len(self.reading.rows)


#: Awaited in the transaction that writes projects, with their results: what must be committed with them.
Record = Callable[[Transaction, Sequence[ProjectResult]], Awaitable[None]]


class ProjectSync:
    """Syncs projects, as many at once as the configuration allows."""

    def __init__(self, resources: Means, record: Record | None = None) -> None:
        """``record`` is for results that somebody else is waiting for; what failed before the transaction has none."""
        self._settings = resources.settings
        self._database = resources.database
        self._sheets = resources.sheets
        self._collect = resources.collect
        self._announce = resources.announce
        self._clock = resources.clock
        self._record = record
        self.reported_findings = ReportedFindings(resources.database)
        self._planner = Planner(resources.database, resources.settings, resources.parsed_query)
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        #: One round at a time: threads that want the interpreter together only take it from each other, the worst of
        #: all SQLite's, which lets go of it at every row (measured: 21 s in place of 9).
        self._turn = asyncio.Lock()
        self._waiting: list[_Job] = []

    async def run(self, project: Project, this: Pass) -> ProjectResult:
        """Sync ``project`` and announce the result."""
        result = await self.sync(project, this)
        if result.outcome is Outcome.FAILED:
            # Of a database that is no longer ours there is nothing to tell.
            await self._database.check_in_place()
        result = self.reported_findings.with_news(result)
        self._announce.project_done(result, dry_run=this.dry_run)
        return result

    async def sync(self, project: Project, this: Pass, reading: Reading | None = None) -> ProjectResult:
        """Sync ``project``, from its worksheet or an earlier result of ``reading`` it; announce nothing."""
        watch = _Stopwatch()
        async with self._in_flight:
            reading = reading or await self._read(project)
            title = this.renamed.get(project.id)
            if title and isinstance(reading, SheetUnavailable) and reading.code == "missing":
                reading = renamed_worksheets.told(reading, project, title)
            job = _Job(project, reading, watch, this.sizes.get(project.id, 0))
            await this.parsed.wait()
            watch.record("read")
            result = await self._bring_up_to_date(job, this)
        return replace(
            result,
            timestamp=stamp(self._clock()),
            seconds=sum(watch.stages.values()),
            stages=watch.stages,
            counts=replace(result.counts, new_accounts=job.created),
        )

    async def _read(self, project: Project) -> Reading:
        try:
            return await self._sheets.read(project)
        except SheetUnavailable as trouble:
            # It goes into the database, and from there to every screen.
            trouble.reason, trouble.remedy = redact(trouble.reason), redact(trouble.remedy)
            return trouble

    async def _bring_up_to_date(self, job: _Job, this: Pass) -> ProjectResult:
        """The result of a project; the first to get the turn handles all that wait together."""
        self._waiting.append(job)
        try:
            while job.result is None:
                async with self._turn:
                    if job in self._waiting:
                        await asyncio.sleep(0)  # worksheets that have come with this one join it
                        await self.sync_round(self._group(), this)
                if job.result is None and job not in self._waiting:
                    job.created = await self._create_accounts(job, this)
                    self._waiting.append(job)
        finally:
            if job in self._waiting:
                self._waiting.remove(job)
        return job.result

    def _group(self) -> list[_Job]:
        """The projects that have waited longest, as many as may be handled together."""
        group: list[_Job] = []
        accounts = 0
        for job in self._waiting[: self._settings.sync.concurrency]:
            accounts += max(job.accounts, job.rows)
            if group and accounts > MAX_ACCOUNTS:
                break
            group.append(job)
        return group

    async def sync_round(self, group: Sequence[_Job], this: Pass) -> None:
        """Decide and write ``group`` together; projects that need accounts first get no result yet."""
        cases = [Case(job.project, job.reading, job.new if this.dry_run else ()) for job in group]
        decided = await self._planner.decide(cases, this.now, this.day, this.done, this.rehearsed)
        drafts: dict[str, Draft] = {}
        for job in group:
            job.watch.record("decide")
            draft = decided[job.project.id]
            if isinstance(draft, Draft) and this.dry_run:
                trouble = draft.plan.trouble
                if trouble is None or trouble.code == "missing":
                    this.rehearsed[job.project.id] = draft.absences
            if not isinstance(draft, Draft):
                job.result = self._failure(job.project, draft)
            elif draft.missing and not job.new:
                job.new = draft.missing
            elif this.dry_run:
                job.result = await self._foreseen(draft, this)
            else:
                drafts[job.project.id] = draft
        results = await self._write(drafts, {job.project.id: job for job in group}, this) if drafts else {}
        for job in group:
            if job.project.id in results:
                job.watch.record("write")
                job.result = results[job.project.id]
            if job in self._waiting:  # its task has not been cancelled meanwhile
                self._waiting.remove(job)
        await asyncio.to_thread(let_go, drafts, decided)

    async def _write(
        self, drafts: Mapping[str, Draft], jobs: Mapping[str, _Job], this: Pass
    ) -> dict[str, ProjectResult]:
        plans, rows = [draft.plan for draft in drafts.values()], {key: job.rows for key, job in jobs.items()}
        made: dict[str, ProjectResult] = {}

        async def record(transaction: Transaction, written: Mapping[str, Written]) -> None:
            def results() -> list[ProjectResult]:
                return [
                    result_of(drafts[key].plan, one, drafts[key].problems, jobs[key].not_created)
                    for key, one in written.items()
                ]

            try:
                project_results = await asyncio.to_thread(results)
            except Exception as error:  # a bug: what it is about is not to be written, and the others are tried apart
                raise Refused(str(error), crash_of(error)) from error
            made.update({one.project.id: one for one in project_results})
            if self._record is not None:
                await self._record(transaction, project_results)

        written = await plan_writer.write_in_transactions(self._database, plans, self._writing(this), rows, record)
        for project_id, became in written.items():
            if isinstance(became, StoreError):
                made[project_id] = self._failure(drafts[project_id].plan.project, became)
            elif drafts[project_id].plan.trouble is None:
                this.done.add(project_id)
        return made

    async def _foreseen(self, draft: Draft, this: Pass) -> ProjectResult:
        try:
            coming = await snapshots.count_new(self._database, draft.plan, self._writing(this))
        except StoreError as error:
            return self._failure(draft.plan.project, error)
        return dry_run_result(draft.plan, coming, draft.problems, draft.states)

    def _failure(self, project: Project, error: MergeCrashed | StoreError) -> ProjectResult:
        told = error.meaning if isinstance(error, StoreError) else error
        if isinstance(told, MergeCrashed):
            self._announce("project.crashed", project_id=project.id, project=project.name, exc_info=told.__cause__)
        return failure(project, str(told), told.trouble)

    async def _create_accounts(self, job: _Job, this: Pass) -> int:
        """Create a worksheet's missing accounts, and wait for their parsed values; return how many."""
        project = job.project
        try:
            job.new = await projects.with_free_ids(self._database, job.new)
            if this.dry_run:
                return len(job.new)
            async with self._database.transaction() as transaction:
                defaults = self._settings.sync.defaults.accounts
                created, refused = await projects.create_accounts(transaction, job.new, stamp(this.now), defaults)
        except StoreError as error:
            if isinstance(error, OF_THE_WHOLE):
                job.result = self._failure(project, error)
                return 0
            created, refused = 0, {"": str(error)}
        self._announce.accounts_refused(project, refused)
        job.not_created = dict.fromkeys((one.link for one in job.new), refused[""]) if "" in refused else refused
        if created:
            self._announce("accounts.created", project_id=project.id, project=project.name, accounts=created)
            await self._collect([account for account in job.new if account.link not in refused])
        return created

    def _writing(self, this: Pass) -> snapshots.SnapshotRules:
        update = self._settings.snapshots.on_existing == "update"
        return snapshots.SnapshotRules(stamp(this.now), this.day, update_snapshots=update)


class _Stopwatch:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._since = time.perf_counter()

    def record(self, stage: str) -> None:
        """Record the stage that just ended as ``stage``; it may be repeated."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._since
        self._since = now
