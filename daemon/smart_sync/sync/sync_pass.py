"""A pass: selects projects, syncs them concurrently, and collects their results."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from smart_sync.core.days import day_of, stamp
from smart_sync.core.model import NAMESPACE, Outcome, Project, Trigger
from smart_sync.core.parsed import AHEAD
from smart_sync.core.project_names import in_spreadsheets, name_key, with_namesakes
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.results.stale import Freshness
from smart_sync.errors import DatabaseReplaced, SheetUnavailable
from smart_sync.sheets.source import ReadUsage
from smart_sync.store import open_suspects, pass_history, pin_rows, projects, schema, sheet_edits, unread_projects
from smart_sync.store.clock_doubts import clock_doubt, not_before
from smart_sync.store.engine import OF_THE_WHOLE, Lost, StoreError, Transaction
from smart_sync.sync.project import Pass, ProjectSync
from smart_sync.sync.renamed_worksheets import Listed, without_renamed
from smart_sync.sync.resources import Resources, nothing_to_sync, ungrouped_failures


@dataclass(frozen=True, slots=True)
class PassRequest:
    """A request for a pass: projects (None: all active ones), trigger, who asked, and whether to write."""

    trigger: Trigger
    project_ids: frozenset[str] | None = None
    requested_by: str = ""
    dry_run: bool = False


class FansOut(Protocol):
    """Syncs projects by workers: `fan_out.FanOut`."""

    usage: ReadUsage

    async def run(self, selected: Sequence[Project], this: Pass) -> list[ProjectResult]:
        """The results for ``selected``, in order."""


def fan_out_of(resources: Resources, projects: ProjectSync) -> FansOut | None:
    """The fan-out configured by ``[sync] workers``; its libraries are imported only then."""
    if resources.settings.sync.workers == "none":
        return None
    from smart_sync.store.postgres.postgres_database import PostgresDatabase
    from smart_sync.sync.fan_out import FanOut

    database = resources.database
    return FanOut(resources, database, projects) if isinstance(database, PostgresDatabase) else None


class SyncPass:
    """Runs passes on an open database, one at a time (`scheduler` ensures that)."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._database = resources.database
        self._sheets = resources.sheets
        self._collect = resources.collect
        self._announce = resources.announce
        self._clock = resources.clock
        self._webhooks = resources.webhooks
        self._ping = resources.ping
        self._is_clock_doubted = False
        #: What the database's tables were like when the last pass began.
        self._shape = ""
        self._projects = ProjectSync(resources)
        self._fan_out = fan_out_of(resources, self._projects)

    async def run(self, request: PassRequest) -> PassResult:
        """Run one pass; every requested project gets an outcome.

        Raises `DatabaseError` if not even the list of projects can be read.
        """
        if request.dry_run or request.project_ids is not None:
            return await self._run_logged(request)
        with self._ping.watching() as done:
            result = await self._run_logged(request)
            done(result)
        return result

    async def _run_logged(self, request: PassRequest) -> PassResult:
        now = self._clock()
        day = day_of(now, self._settings.schedule.timezone)
        run_id = str(uuid.uuid4())
        with structlog.contextvars.bound_contextvars(run_id=run_id):
            try:
                await self._database.check_in_place()
                await self._database.check_access()
                if not request.dry_run:
                    await self._adopt_changes()
                return await self._run(request, Pass(run_id, now, day, request.dry_run, asyncio.Event()))
            except DatabaseReplaced as error:
                self._announce("sync.failed", run_id=run_id, trigger=request.trigger.value, reason=str(error))
                raise
            except Lost as error:
                raise error.meaning from None
            except StoreError as error:
                trouble = error.meaning
                self._announce("sync.failed", run_id=run_id, trigger=request.trigger.value, reason=str(trouble))
                if not request.dry_run:
                    await self._webhooks.tell_of_failure(request.trigger, str(trouble))
                raise trouble from None

    async def _adopt_changes(self) -> None:
        """Adopt the web app's tables again if they were changed while the daemon runs, by a migration say."""
        dialect = self._database.dialect
        shape = await dialect.shape(self._database)
        if self._shape not in ("", shape):
            async with self._database.transaction() as transaction:
                await schema.prepare(transaction, self._database, None)
            shape = await dialect.shape(self._database)
        self._shape = shape

    async def _run(self, request: PassRequest, this: Pass) -> PassResult:
        started = time.perf_counter()
        await self._projects.reported_findings.load()
        self._sheets.begin()
        selected, created, listed = await self._select(request, this)
        self._announce.pass_started(
            this.id, request.trigger, request.requested_by, len(selected), dry_run=request.dry_run
        )
        only = None if request.project_ids is None else frozenset(p.id for p in selected)
        sizes = await projects.sizes(self._database, [project.id for project in selected])
        this = replace(this, sizes=sizes, renamed=listed.renamed)
        results = await self._run_projects(selected, only, request, this)
        # What was written into a file that nobody sees any more must not be acknowledged.
        await self._database.check_in_place()
        seconds = time.perf_counter() - started
        finished = stamp(self._clock())
        result = PassResult(
            this.id,
            request.trigger,
            stamp(this.now),
            finished,
            results,
            seconds,
            this.dry_run,
            tuple(created),
            listed.why,
            ""
            if selected or request.project_ids is not None
            else await nothing_to_sync(self._settings, self._database),
        )
        judged = await self._remember(result, this.day.label)
        result = replace(result, results=judged.results)
        if not this.dry_run:
            self._announce.freshness_judged(judged)
        self._announce.pass_done(result, self._usage(), judged.stale)
        return result

    async def _select(self, request: PassRequest, this: Pass) -> tuple[list[Project], list[str], Listed]:
        """The projects of the pass, the names of those it created (or would create), and what was listed for it."""
        created: list[str] = []
        listed = Listed(None)
        if request.project_ids is None:
            listed = await self._list_worksheets()
            listed = await without_renamed(self._resources, listed, stamp(this.now), self._default_name)
        unclear = [project for project in listed.new or () if "\ufffd" in project.name]
        new = [project for project in listed.new or () if project not in unclear]
        if this.dry_run:
            created = [project.name for project in new]
        elif listed.new is not None:
            created = await self._create_projects(new, unclear, this)
        active = in_spreadsheets(await projects.active_projects(self._database), self._default_name)
        active = with_namesakes(active, self._settings.sheets.place)
        if this.dry_run:
            active += new
        return [p for p in active if request.project_ids is None or p.id in request.project_ids], created, listed

    async def _list_worksheets(self) -> Listed:
        """A new project for each worksheet of the default spreadsheet that has none, if configured."""
        sheets = self._settings.sheets
        has_default = sheets.source != "google" or bool(sheets.spreadsheet)
        if not has_default or self._settings.sync.create_missing != "projects":
            return Listed()
        try:
            titles = await self._sheets.titles()
        except SheetUnavailable as trouble:
            # Projects that could not be read for that reason have told it.
            if not await unread_projects.is_known(self._database, trouble.reason):
                self._announce("sheets.unavailable", reason=trouble.reason, remedy=trouble.remedy or None)
            return Listed(None, why=str(trouble))
        names = {name_key(name) for name in await projects.project_names(self._database)}
        new = {key: title for title in reversed(titles) if (key := name_key(title)) not in names}
        named = self._default_name
        wanted = [Project(str(uuid.uuid5(NAMESPACE, title)), title, named) for title in reversed(new.values())]
        return Listed(wanted, titles)

    @property
    def _default_name(self) -> str:
        """The ``google_sheet_name`` of new projects of the default spreadsheet."""
        return str(self._settings.sync.defaults.projects.get("google_sheet_name") or "")

    async def _create_projects(self, new: Sequence[Project], unclear: Sequence[Project], this: Pass) -> list[str]:
        """Create the ``new`` projects; return the names of those created."""
        defaults = self._settings.sync.defaults.projects
        created: list[str] = []
        refused: dict[str, str] = {}
        if new:
            try:
                async with self._database.transaction() as transaction:
                    created, refused = await projects.create_projects(transaction, new, stamp(this.now), defaults)
            except StoreError as error:
                if isinstance(error, OF_THE_WHOLE):
                    raise
                refused = {"": str(error)}
        why = "its title holds what is no character (shown as \ufffd); rename the worksheet"
        self._announce.projects_refused(refused | {project.name: why for project in unclear})
        if created:
            self._announce("projects.created", projects=created)
        return created

    async def _run_projects(
        self, selected: Sequence[Project], only: frozenset[str] | None, request: PassRequest, this: Pass
    ) -> tuple[ProjectResult, ...]:
        """Sync all projects concurrently, each after its own worksheet, while the parsers (for ``only`` these) run."""
        with ungrouped_failures():
            async with asyncio.TaskGroup() as group:
                group.create_task(self._begin(only, request, this), name="pass:begin")
                if self._fan_out is not None and not this.dry_run:
                    return tuple(await self._fan_out.run(selected, this))
                tasks = [group.create_task(self._projects.run(p, this), name=f"pass:project:{p.id}") for p in selected]
        return tuple(task.result() for task in tasks)

    async def _begin(self, only: frozenset[str] | None, request: PassRequest, this: Pass) -> None:
        """Record the pass and bring the inbox up to date while worksheets are read; `Pass.parsed` is set after both."""
        if not this.dry_run:
            await pass_history.start_run(
                self._database, this.id, request.trigger, request.requested_by, stamp(this.now)
            )
        try:
            if not this.dry_run:
                await self._collect(only=only)
        finally:
            this.parsed.set()

    def _usage(self) -> ReadUsage:
        """The cost of reading, of this process and the workers."""
        usage = self._sheets.usage()
        return usage if self._fan_out is None else usage.plus(self._fan_out.usage)

    async def _remember(self, result: PassResult, today: str) -> Freshness:
        """Store the result of a pass, unless it was a dry run; return which projects are stale."""
        if result.dry_run:
            return await unread_projects.foreseen(self._database, result, self._settings.sheets.stale_after)
        now = self._clock()
        doubted = await self._doubted(now)
        write = partial(self._write_with_result, today=today, removes_pins=not doubted)
        judged = await pass_history.finish_run(self._database, result, self._usage().calls, write)
        self._webhooks.wake()
        try:
            before = not_before(doubted, now - timedelta(seconds=self._settings.history.keep))
            await pass_history.prune(self._database, before, stamp(now + AHEAD))
            await sheet_edits.prune(self._database, before, stamp(now))
        except StoreError as error:
            # The pass is committed: what is too old is removed after the next one.
            self._announce("history.prune_failed", reason=str(error.meaning))
        return judged

    async def _doubted(self, now: datetime) -> str:
        """Why nothing is deleted as too old now, logged once; "" if things are."""
        doubted = await clock_doubt(self._database, now)
        if doubted and not self._is_clock_doubted:
            self._announce("clock.doubted", reason=doubted)
        self._is_clock_doubted = bool(doubted)
        return doubted

    async def _write_with_result(
        self, transaction: Transaction, result: PassResult, today: str, *, removes_pins: bool
    ) -> Freshness:
        """Write what belongs to the result's transaction: messages, and that they were reported."""
        project_ids = [one.project.id for one in result.results if one.outcome is not Outcome.FAILED]
        if removes_pins:
            await pin_rows.remove_past(transaction, project_ids, today)
        await open_suspects.forget_believed(transaction, self._clock())
        await self._projects.reported_findings.keep(transaction, result.results)
        judged = await unread_projects.remember(transaction, result, self._settings.sheets.stale_after)
        await self._webhooks.enqueue(transaction, replace(result, results=judged.results), judged)
        return judged
