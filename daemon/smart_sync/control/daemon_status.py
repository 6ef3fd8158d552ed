"""The daemon's status (``GET /api/admin/sync_status``) and health (``/healthz``, ``/livez``).

What health is made of is gathered here and judged by `core.results.health`.
"""

import os
import sqlite3
import time
from dataclasses import dataclass, field

from smart_sync import __version__
from smart_sync.aio.tasks import DetachedThreads
from smart_sync.core.answers import ProjectAnswer
from smart_sync.core.daemon_answers import (
    AliveAnswer,
    HealthAnswer,
    OwnStatus,
    ParserReport,
    ReadingAnswer,
    StatusAnswer,
)
from smart_sync.core.days import stamp
from smart_sync.core.model import Outcome
from smart_sync.core.results import health
from smart_sync.store import parser_records
from smart_sync.store.clock_doubts import clock_doubt
from smart_sync.store.engine import StoreError
from smart_sync.store.sqlite.driver import version_at_risk
from smart_sync.store.unread_projects import Standing, standing
from smart_sync.sync.resources import Resources
from smart_sync.sync.scheduler import Scheduler

#: Seconds that a tick may be overdue at most, however rare the ticks are.
LONGEST = 3600.0
#: Seconds that a pass may take besides reading the worksheets: waiting for the parsers and the database, writing.
BESIDE_READING = 180.0
#: Seconds that the directory of worksheets is waited for: who asks for the health waits for it.
LOOK = 2.0


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """Answers with the status; ``started``: `time.monotonic` of the daemon's start; ``leader``: as in the answer."""

    resources: Resources
    runner: Scheduler
    started: float
    leader: str | None = None
    files: DetachedThreads = field(default_factory=DetachedThreads)

    async def facts(self) -> tuple[health.HealthInputs, Standing | None]:
        """The current inputs; without the database's part if it cannot be read."""
        try:
            stands = await standing(self.resources.database)
        except StoreError as trouble:
            return await self.inputs(None, str(trouble.meaning)), None
        return await self.inputs(stands), stands

    async def inputs(self, stands: Standing | None, error: str = "") -> health.HealthInputs:
        """The inputs besides the database's state ``stands``, or the error that it could not be read with."""
        settings = self.resources.settings
        outcomes = [result["outcome"] for result in self.runner.results.values()]
        return health.HealthInputs(
            overdue=self.runner.overdue(),
            allowed=self._allowed(),
            last_error=self.runner.last_error,
            database_error=error,
            every_project_failed=bool(outcomes) and all(outcome == Outcome.FAILED for outcome in outcomes),
            stale=[one.project_name for one in stands.stale] if stands else [],
            projects=stands.projects if stands else 0,
            active=len(stands.active) if stands else 0,
            unclear=stands.unclear if stands else (),
            creates_projects=settings.sync.create_missing == "projects",
            refused=self.resources.announce.refused_projects,
            made_database=str(settings.database.where) if stands and stands.made_at else "",
            directory=str(settings.sheets.directory),
            directory_trouble=await self._directory_trouble(),
            failing_parsers=self._failing_parsers(stands),
            ending_tokens=[
                f"{parser['parser']}: {token['warning']}"
                for parser in self.resources.parsers()
                for token in parser["tokens"]
                if token["warning"] and not token["dead"]
            ],
            unreached=await self.resources.webhooks.unreached() if stands else (),
            clock_doubt=await self._clock_doubt(),
            locked=self.resources.database.locked_seconds(),
        )

    def livez(self) -> AliveAnswer:
        """The answer of ``/livez``."""
        missed = health.missed_tick(health.HealthInputs(overdue=self.runner.overdue(), allowed=self._allowed()))
        return {
            "success": not missed,
            "alive": not missed,
            "uptime_seconds": round(time.monotonic() - self.started, 3),
            "error": missed or None,
        }

    async def healthz(self) -> HealthAnswer:
        """The answer of ``/healthz``."""
        facts, stands = await self.facts()
        reasons = health.reasons(facts)
        good_at = self.runner.last_good_at
        age = None if good_at is None else (self.resources.clock() - good_at).total_seconds()
        waited = time.monotonic() - self.started if age is None else age
        return {
            "success": not reasons,
            "healthy": not reasons,
            "reasons": reasons,
            "stale_projects": [
                {"project_id": one.project_id, "project_name": one.project_name, "sheet_read_at": one.sheet_read_at}
                for one in (stands.stale if stands else ())
            ],
            "warnings": health.warnings(facts),
            "error": "; ".join(reasons) or None,
            "last_good_pass_age_seconds": age,
            # The age at which a tick will have been missed, if nothing happens until then.
            "allowed_seconds": round(waited + facts.allowed - facts.overdue, 3),
        }

    async def answer(self) -> StatusAnswer:
        """The status. Raises `StoreError` if the database cannot be read."""
        stands = await standing(self.resources.database)
        facts = await self.inputs(stands)
        runner, last = self.runner, stands.last_pass
        reasons = health.reasons(facts)
        return {
            "success": True,
            "total_projects": stands.projects,
            "active_projects": len(stands.active),
            "healthy": not reasons,
            "reasons": reasons,
            "warnings": health.warnings(facts),
            "state": "syncing" if runner.current else "idle",
            "current": self.resources.announce.progress if runner.current else None,
            "last_sync": last["finished_at"] if last else None,
            "last_pass": last,
            "last_error": runner.last_error or None,
            "next_run_at": stamp(runner.next_run_at) if runner.next_run_at else None,
            "projects": self._results_of(stands),
            "parsers": await self._parsers(stands),
            **self._always(),
        }

    def unread(self, why: str) -> StatusAnswer:
        """The status if the database cannot be read."""
        return {
            "success": True,
            "total_projects": 0,
            "active_projects": 0,
            "healthy": True,
            "reasons": [],
            "warnings": [f"how the projects stand cannot be read here: {why}"],
            "state": "idle",
            "current": None,
            "last_sync": None,
            "last_pass": None,
            "last_error": None,
            "next_run_at": None,
            "projects": [],
            "parsers": [],
            **self._always(),
        }

    def _always(self) -> OwnStatus:
        """The part that needs no database."""
        return {
            "cache_enabled": False,
            "timestamp": stamp(self.resources.clock()),
            "leader": self.leader,
            "reading": self._reading(),
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self.started, 3),
            "sqlite_version": sqlite3.sqlite_version,
            "sqlite_at_risk": version_at_risk(),
        }

    async def _parsers(self, stands: Standing) -> list[ParserReport]:
        """The parsers' reports, each with the stamp since which it has failed, its pause and its budget."""
        reports = self.resources.parsers()
        if not reports:
            return []
        database, now = self.resources.database, self.resources.clock()
        failing = {one.parser: one.since for one in stands.failing_parsers}
        paused = await parser_records.pauses(database, now)
        made = await parser_records.requests_made(database, now)
        return [
            report
            | {
                "failing_since": failing.get(report["parser"]),
                "paused_until": paused.get(report["table"]),
                "budget_used": made.get(report["table"], 0) if report["budget"] is not None else None,
            }
            for report in reports
        ]

    def _reading(self) -> ReadingAnswer:
        """The cost of reading the worksheets in this pass, or the last one."""
        sheets, usage = self.resources.settings.sheets, self.resources.sheets.usage()
        return {
            "source": sheets.source,
            "calls": usage.calls,
            "retries": usage.retries,
            "quota_wait_seconds": round(usage.waited, 3),
            "bytes": usage.bytes,
            "files": usage.files,
            "reads_per_minute": sheets.reads_per_minute if sheets.source == "google" else None,
        }

    def _results_of(self, stands: Standing) -> list[ProjectAnswer]:
        """The active projects, each with its result in its last pass, if any."""
        stale = {one.project_id: one for one in stands.stale}
        shown = []
        for project in stands.active:
            one = stale.get(project.id)
            result = self.runner.results.get(project.id)
            entry: ProjectAnswer = result.copy() if result else {"project_id": project.id}
            entry |= {
                "project_name": project.name,  # it may have been renamed since the pass
                "stale": one is not None,
                "sheet_read_at": stands.read_at.get(project.id),
            }
            # After a restart nobody knows but the database.
            if one is not None and "outcome" not in entry:
                entry |= {"warning": one.reason, "remedy": one.remedy}
            shown.append(entry)
        return shown

    async def _directory_trouble(self) -> str:
        """What keeps the directory of worksheets from being read; "" if nothing does."""
        sheets = self.resources.settings.sheets
        if sheets.source != "csv" or sheets.directory is None:
            return ""
        try:
            exists = await self.files.run(LOOK, os.path.isdir, sheets.directory)
        except TimeoutError:
            return "does not answer; if it is on a network drive, check that drive"
        return "" if exists else "does not exist; correct [sheets] directory"

    async def _clock_doubt(self) -> str:
        """Why the clock is doubted; "" if it is not, or the database cannot be read."""
        try:
            return await clock_doubt(self.resources.database, self.resources.clock())
        except StoreError:
            return ""

    def _failing_parsers(self, stands: Standing | None) -> list[str]:
        """The configured parsers that fail, as was reported, or cannot read a part of their source; with reasons."""
        names = {str(parser["parser"]) for parser in self.resources.parsers()}
        return parser_records.to_tell(stands.failing_parsers if stands else (), names)

    def _allowed(self) -> float:
        """The seconds that a tick may be overdue: ticks during a long pass are not missed."""
        longest_pass = self.resources.settings.sheets.deadline + BESIDE_READING
        return max(min(self.runner.interval(), LONGEST), longest_pass)
