"""A pass by workers on other machines: each spreadsheet is a task, and results come back through the database.

The pass says what is wanted, waits while workers give signs of life, and tells what became of each project.  For
worksheets that no worker brings, the last known sheet values are carried; where no task can be sent, this process does
it all.
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from smart_sync import __version__
from smart_sync.config import Settings
from smart_sync.config.values import key_or_title
from smart_sync.core.days import stamp
from smart_sync.core.model import Project
from smart_sync.core.open_tasks import START, Steps, next_steps
from smart_sync.core.results.results import ProjectResult
from smart_sync.core.wording import listed
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.source import ReadUsage
from smart_sync.store.engine import StoreError
from smart_sync.store.postgres import worker_tasks
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.sync.project import Pass, ProjectSync
from smart_sync.sync.resources import Resources
from smart_sync.sync.task_queue import BrokerUnavailable, TaskQueue

#: Seconds between two looks at what workers have done.
POLL = 0.2
#: Seconds more for each spreadsheet that is still with them.
POLL_EACH = 1 / 2000
#: Seconds that the end of a pass which is cut off may take: it waits for who is writing.
ENDING = 5.0

RESULT = TypeAdapter(ProjectResult)
USAGE = TypeAdapter(ReadUsage)
PROJECTS = TypeAdapter(list[Project])


class FanOut:
    """Runs passes by workers; ``projects`` syncs what they do not."""

    def __init__(self, resources: Resources, database: PostgresDatabase, projects: ProjectSync) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._database = database
        self._announce = resources.announce
        self._projects = projects
        self._queue = TaskQueue(resources.settings.sync.broker_url())
        #: What reading has cost the workers of the last pass.
        self.usage = ReadUsage()

    async def run(self, selected: Sequence[Project], this: Pass) -> list[ProjectResult]:
        """Sync ``selected`` and announce each result; return the results in that order."""
        self.usage = ReadUsage()
        try:
            return await self._run(selected, this)
        except BaseException:
            # Nobody will tell what workers write from now on: they shall write nothing.
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(ENDING):
                    await worker_tasks.end(self._database, this.id)
            raise

    async def _run(self, selected: Sequence[Project], this: Pass) -> list[ProjectResult]:
        groups = grouped(selected, self._settings)
        request = {"now": stamp(this.now), "decides": rules_digests(self._settings)}
        projects_json = {name: PROJECTS.dump_json(projects).decode() for name, projects in groups.items()}
        await worker_tasks.begin(self._database, this.id, json.dumps(request), projects_json)
        try:
            await self._queue.send(this.id, groups)
        except BrokerUnavailable as error:
            await worker_tasks.end(self._database, this.id)
            self._announce("workers.unavailable", reason=f"{error}; this process reads and merges by itself")
            return await self._run_here(selected, this)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_when_parsed(this), name="workers:parsed")
            brought = await _Waiting(self, groups, this).until_over()
        return [brought[project.id] for project in selected]

    async def run_refused(
        self, projects: Sequence[Project], this: Pass, why: Mapping[str, str]
    ) -> dict[str, ProjectResult]:
        """Sync the projects here that workers refuse; project id → result."""
        names, reasons = listed([project.name for project in projects]), "; ".join(sorted(set(why.values())))
        self._announce("workers.unavailable", reason=f"{reasons}; this process reads and merges {names} by itself")
        return {result.project.id: result for result in await self._run_here(projects, this)}

    async def _run_here(self, selected: Sequence[Project], this: Pass) -> list[ProjectResult]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._projects.run(p, this), name=f"pass:project:{p.id}") for p in selected]
        return [task.result() for task in tasks]

    async def _tell_when_parsed(self, this: Pass) -> None:
        await this.parsed.wait()
        await worker_tasks.mark_parsed(self._database, this.id)

    async def send_again(self, this: Pass, groups: Mapping[str, Sequence[Project]], why: Mapping[str, str]) -> None:
        """Give spreadsheets to other workers."""
        for spreadsheet, reason in why.items():
            names = listed([project.name for project in groups[spreadsheet]])
            self._announce("spreadsheet.reassigned", spreadsheet=spreadsheet, projects=names, reason=reason)
        await worker_tasks.return_to_queue(self._database, this.id, list(why))
        try:
            await self._queue.send(this.id, why)
        except BrokerUnavailable as error:
            self._announce("workers.unavailable", reason=str(error))

    def tell(self, result: ProjectResult) -> ProjectResult:
        """Announce a worker's result; return it with what is newly reported."""
        result = self._projects.reported_findings.with_news(result)
        self._announce.project_done(result)
        return result

    async def stand_in(self, projects: Sequence[Project], this: Pass, reason: str, remedy: str) -> list[ProjectResult]:
        """The results of projects whose worksheets no worker has read: as if Google did not answer."""
        nothing = SheetUnavailable(reason, remedy, trouble="no-worker")
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._projects.sync(p, this, nothing), name=f"pass:project:{p.id}") for p in projects
            ]
        await self._database.check_in_place()
        return [self.tell(task.result()) for task in tasks]

    def spent(self, usage: str) -> None:
        """Add a worker's cost of reading."""
        self.usage = self.usage.plus(usage_of(usage))


class _Waiting:
    """The spreadsheets of one pass that are with workers."""

    def __init__(self, fan_out: FanOut, groups: Mapping[str, Sequence[Project]], this: Pass) -> None:
        self._fan_out = fan_out
        self._database = fan_out._database
        self._limit = fan_out._settings.sync.worker_timeout
        self._groups = groups
        self._this = this
        self._sent = dict.fromkeys(groups, 1)
        self._open = set(groups)
        self._results: dict[str, ProjectResult] = {}
        self._last_sign = time.monotonic()

    async def until_over(self) -> dict[str, ProjectResult]:
        """Wait for all of them; project id → result."""
        while self._open:
            await self._step()
            if self._open:
                await asyncio.sleep(POLL + len(self._open) * POLL_EACH)
        return self._results

    async def _step(self) -> None:
        open_turns = await worker_tasks.open_tasks(self._database, self._this.id)
        looked = time.monotonic()
        signs = [turn.silent for turn, _ in open_turns if turn.silent is not None]
        self._last_sign = max(self._last_sign, looked - min(signs, default=looked))
        states = [turn for turn, _ in open_turns]
        open_ones = {name: self._sent[name] for name in self._open}
        steps = next_steps(states, looked - self._last_sign, self._limit, sent=open_ones)
        usage = {turn.spreadsheet: used for turn, used in open_turns}
        for spreadsheet in (*steps.done, *steps.refused, *steps.again, *steps.given_up):
            self._fan_out.spent(usage.get(spreadsheet, ""))
        await self._close(steps)
        if steps.again:
            self._last_sign = time.monotonic()  # nobody was looked at while others were told of
            self._sent |= {name: self._sent[name] + 1 for name in steps.again}
            await self._fan_out.send_again(self._this, self._groups, steps.again)

    async def _close(self, steps: Steps) -> None:
        """Announce what is done, and carry values for what is given up: workers can no longer write either."""
        closed = [*steps.done, *steps.refused, *steps.given_up]
        if not closed:
            return
        brought = await worker_tasks.collect(self._database, self._this.id, closed)
        results: dict[str, ProjectResult] = {}
        if steps.refused:
            projects = [p for name in steps.refused for p in self._groups[name] if p.id not in brought]
            results = await self._fan_out.run_refused(projects, self._this, steps.refused)
            self._last_sign = time.monotonic()  # nobody was looked at meanwhile
        for name in closed:
            wanted = self._groups[name]
            read = {project.id: result_of(brought.get(project.id, "")) for project in wanted}
            collected = {key: self._fan_out.tell(result) for key, result in read.items() if result is not None}
            collected |= {project.id: results[project.id] for project in wanted if project.id in results}
            lacking = [project for project in wanted if project.id not in collected]
            reason, remedy = steps.given_up.get(name, ("no worker could read it: no result", START))
            if lacking:
                more = await self._fan_out.stand_in(lacking, self._this, reason, remedy)
                collected |= {result.project.id: result for result in more}
            self._results |= collected
            self._this.done.update(key for key, result in collected.items() if result.worksheet_read)
            self._open.discard(name)


def usage_of(report: str) -> ReadUsage:
    """A worker's cost of reading, from its report; none if it cannot be read."""
    try:
        return USAGE.validate_json(report)
    except ValidationError:
        return ReadUsage()


def result_of(report: str) -> ProjectResult | None:
    """A worker's result; None if there is none, or it is unreadable."""
    try:
        return RESULT.validate_json(report)
    except ValidationError:
        return None


def grouped(projects: Sequence[Project], settings: Settings) -> dict[str, list[Project]]:
    """The projects by spreadsheet: its key, or its name in the configuration."""
    groups: dict[str, list[Project]] = {}
    for project in projects:
        groups.setdefault(key_or_title(settings.sheets.where(project.spreadsheet)), []).append(project)
    return groups


def _counting(settings: Settings) -> object:
    """What the parsers count, sorted: the order of sets differs between processes."""
    counting = settings.vote_terms("").counting
    if counting is None:
        return None
    sources = sorted((source, sorted(counts)) for source, counts in counting.sources.items())
    campaigns = [(sorted(p.platforms), None if p.names is None else sorted(p.names)) for p in counting.parsers]
    return sources, campaigns


#: What of `rules_digests` is no section of the configuration.
VERSION = "version"
#: Section → what of it decides: with another one a worker would come to other numbers.
_DECIDE: Mapping[str, Callable[[Settings], object]] = {
    "merge": lambda s: s.merge.model_dump_json(),
    "parsed": lambda s: s.parsed.model_dump_json(),
    "snapshots": lambda s: s.snapshots.model_dump_json(),
    "schedule": lambda s: s.schedule.timezone,
    "sync": lambda s: (s.sync.create_missing, s.sync.defaults.model_dump_json()),
    "sheets": lambda s: (
        s.sheets.model_dump_json(
            include={"spreadsheet", "spreadsheets", "columns", "locale", "max_vanished", "gone_after"}
        ),
    ),
    "parsers": _counting,
    VERSION: lambda _: __version__,
}


def rules_digests(settings: Settings) -> dict[str, str]:
    """Section → a digest of its settings that affect decisions."""
    return {
        name: hashlib.blake2b(repr(part(settings)).encode(), digest_size=8).hexdigest()
        for name, part in _DECIDE.items()
    }
