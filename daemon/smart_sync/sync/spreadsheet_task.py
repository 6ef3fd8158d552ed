"""A worker's part of a pass: reads, decides and writes the projects of one spreadsheet.

What it writes bears the token that it was given when it began: once another worker, or the next pass, has the
spreadsheet, nothing of it is written.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from pydantic import TypeAdapter, ValidationError

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.clock import utc_now
from smart_sync.config import Settings
from smart_sync.config.database_url import Location, Server
from smart_sync.core.days import day_of, moment, stamp
from smart_sync.core.model import Account, Project
from smart_sync.core.open_tasks import OTHER_RULES, OTHER_VERSION
from smart_sync.core.results.results import ProjectResult
from smart_sync.core.wording import listed
from smart_sync.errors import SmartSyncError
from smart_sync.logs import emit, redact
from smart_sync.sheets import open_sheets
from smart_sync.sheets.source import ReadUsage
from smart_sync.store import parsed_query, projects, schema
from smart_sync.store.engine import Lost, StoreError, Transaction
from smart_sync.store.postgres import worker_tasks
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.spreadsheet_cache import SpreadsheetCache
from smart_sync.sync.fan_out import PROJECTS, RESULT, VERSION, rules_digests
from smart_sync.sync.project import Pass, ProjectSync
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Means, main_error

#: Signs of life that a worker gives in the time after which one without any is given up.
BEATS = 6
#: Seconds between two looks at whether the parsed values are there.
LOOK = 0.3
UPGRADE = f"{OTHER_VERSION} than that of the pass; upgrade it"
#: Seconds that writing may take, beyond those for reading.
WRITING = 300.0


async def _collect_nothing(new: Sequence[Account] | None = None, *, only: frozenset[str] | None = None) -> None:
    """Do nothing: the process that runs the pass asks the parsers."""


@dataclass(frozen=True, slots=True)
class _Request:
    """The request of `fan_out`."""

    now: str
    decides: Mapping[str, str]


_REQUEST = TypeAdapter(_Request)


def _read(task: worker_tasks.Task) -> tuple[list[Project], _Request | None]:
    """The projects and the request; none if another version wrote them in a form unknown here."""
    try:
        return PROJECTS.validate_json(task.projects), _REQUEST.validate_json(task.request)
    except ValidationError:
        return [], None


def run(settings: Settings, run_id: str, spreadsheet: str) -> str:
    """Sync the projects of ``spreadsheet`` for the pass ``run_id``; return the result in a few words.

    Raises `SmartSyncError` where not even the database can be asked.
    """
    return asyncio.run(_run(settings, run_id, spreadsheet))


def find_unclaimed(settings: Settings, seconds: float) -> tuple[str, str] | None:
    """Arguments for `run`: a spreadsheet that waits while no other worker has been alive for ``seconds``."""
    return asyncio.run(_find_unclaimed(settings.database.where, seconds))


async def _find_unclaimed(where: Location, seconds: float) -> tuple[str, str] | None:
    if isinstance(where, Server):
        with contextlib.suppress(StoreError):  # it will be told by what asks for the pass
            async with PostgresDatabase(where) as database:
                return await worker_tasks.unclaimed(database, _worker_name(), seconds)
    return None


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


async def _run(settings: Settings, run_id: str, spreadsheet: str) -> str:
    where, held = settings.database.where, worker_tasks.TaskToken()
    if not isinstance(where, Server):
        raise SmartSyncError("a worker needs the PostgreSQL database of the pass; set [database] url")
    try:
        async with PostgresDatabase(where, lease=held) as database:
            task = await worker_tasks.take(database, held, run_id, spreadsheet, _worker_name())
            if task is None:
                return "not wanted any more"
            return await _Job(settings, database, held, run_id, task).run()
    except StoreError as error:
        raise error.meaning from None


class _Job:
    """One spreadsheet that this process has taken."""

    def __init__(
        self,
        settings: Settings,
        database: PostgresDatabase,
        held: worker_tasks.TaskToken,
        run_id: str,
        task: worker_tasks.Task,
    ) -> None:
        self._settings = settings
        self._database = database
        self._held = held
        self._run_id = run_id
        self._task = task
        self._projects, self._request = _read(task)
        self._names = listed([project.name for project in self._projects])
        self._usage = ReadUsage()

    async def run(self) -> str:
        """Do the work, with signs of life, and record that it is done, or why it failed."""
        started, trouble, bug = time.monotonic(), "", None
        try:
            async with asyncio.timeout(self._settings.sheets.deadline + self._settings.sync.parsers_wait + WRITING):
                async with BackgroundTasks({"worker:alive": self._stay_alive}):
                    await self._bring_up_to_date()
        except Exception as raised:
            error = main_error(raised)
            if isinstance(error, Lost):
                emit("spreadsheet.superseded", spreadsheet=self._held.spreadsheet, projects=self._names)
                return "another has it now"
            bug = None if isinstance(error, SmartSyncError | StoreError | TimeoutError) else raised
            trouble = self._describe(error)
        await worker_tasks.finish(self._database, self._held, asdict(self._usage), trouble)
        if trouble:
            fields = {"spreadsheet": self._held.spreadsheet, "projects": self._names}
            emit("spreadsheet.refused", **fields, reason=trouble, exc_info=bug)
            return trouble
        emit(
            "spreadsheet.done",
            spreadsheet=self._held.spreadsheet,
            projects=self._names,
            run_id=self._run_id,
            calls=self._usage.calls,
            quota_wait_seconds=round(self._usage.waited, 3),
            seconds=round(time.monotonic() - started, 3),
        )
        return "done"

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sync.worker_timeout / BEATS)
            try:
                await worker_tasks.heartbeat(self._database, self._held)
            except Lost:
                raise
            except StoreError:
                continue  # the server is away: what is to be written will tell

    def _describe(self, error: BaseException) -> str:
        if isinstance(error, StoreError):
            return redact(str(error.meaning))
        if isinstance(error, TimeoutError):
            return "it has taken too long"
        return redact(str(error)) if isinstance(error, SmartSyncError) else f"internal error: {type(error).__name__}"

    async def _bring_up_to_date(self) -> None:
        request = self._requested_pass()
        if not await schema.is_current(self._database):
            raise SmartSyncError(UPGRADE)
        settings, announce, now = self._settings, Reporter(), moment(request.now)
        wanted = [p for p in self._projects if p.id not in self._task.has_results]
        day = day_of(now, settings.schedule.timezone)
        sizes = await projects.sizes(self._database, [p.id for p in wanted])
        done = set(self._task.read)
        this = Pass(self._run_id, now, day, dry_run=False, parsed=asyncio.Event(), done=done, sizes=sizes)
        query = await parsed_query.prepare(self._database, settings.parsed.query)
        memory = SpreadsheetCache(self._database)
        async with open_sheets(settings.sheets, memory, None, announce, self._database.limit) as sheets:
            sheets.begin()
            means = Means(settings, self._database, sheets, _collect_nothing, announce, utc_now, query)
            sync = ProjectSync(means, self._write)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._wait_for_parsed(this), name="worker:parsed")
                    tasks = [group.create_task(sync.sync(p, this), name=f"worker:project:{p.id}") for p in wanted]
            finally:
                self._usage = sheets.usage()
        # Once more, with how long each took, and those of which nothing could be written.
        async with self._database.transaction() as transaction:
            await self._write(transaction, [task.result() for task in tasks])

    def _requested_pass(self) -> "_Request":
        """The requested pass. Raises `SmartSyncError` if this process would decide differently."""
        request, digests = self._request, rules_digests(self._settings)
        if request is None or request.decides.get(VERSION) != digests[VERSION]:
            raise SmartSyncError(UPGRADE)
        others = [f"[{name}]" for name, digest in request.decides.items() if digests.get(name) != digest]
        if others:
            raise SmartSyncError(
                f"{OTHER_RULES} than that of the pass ({', '.join(others)}); give all machines the same file"
            )
        return request

    async def _wait_for_parsed(self, this: Pass) -> None:
        while True:
            if await worker_tasks.is_parsed(self._database, self._run_id):
                this.parsed.set()
                return
            await asyncio.sleep(LOOK)

    async def _write(self, transaction: Transaction, results: Sequence[ProjectResult]) -> None:
        """Store results in the transaction of the numbers they report, so that another worker continues after them."""
        now = stamp(utc_now())
        dated = [replace(one, timestamp=one.timestamp or now) for one in results]
        rows = [(one.project.id, one.worksheet_read, RESULT.dump_json(one).decode()) for one in dated]
        await worker_tasks.record(transaction, self._run_id, self._held.spreadsheet, rows)
