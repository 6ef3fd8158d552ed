"""The daemon's health for `/healthz`, `/livez` and the status: gathered here, judged by `core.results.health`."""

import asyncio
import os
import time
from dataclasses import dataclass

from smart_sync.core.daemon_answers import AliveAnswer, HealthAnswer
from smart_sync.core.model import Outcome
from smart_sync.core.results import health
from smart_sync.store.engine import StoreError
from smart_sync.store.unread_projects import Standing, standing
from smart_sync.sync.resources import Resources
from smart_sync.sync.scheduler import Scheduler

#: Seconds that a tick may be overdue at most, however rare the ticks are.
LONGEST = 3600.0
#: Seconds that a pass may take besides reading the worksheets: waiting for the parsers and the database, writing.
BESIDE_READING = 180.0


@dataclass(frozen=True, slots=True)
class Health:
    """Judges the daemon, until a stop or a reload; ``started``: `time.monotonic` of the daemon's start."""

    resources: Resources
    runner: Scheduler
    started: float

    async def facts(self) -> tuple[health.HealthInputs, Standing | None]:
        """What is known now; without the standing where the database cannot be read."""
        try:
            stands = await standing(self.resources.database)
        except StoreError as trouble:
            return await self.inputs(None, str(trouble.meaning)), None
        return await self.inputs(stands), stands

    async def inputs(self, stands: Standing | None, error: str = "") -> health.HealthInputs:
        """What is known beside how things stand in the database, or why that cannot be told."""
        settings = self.resources.settings
        outcomes = [result.outcome for result in self.runner.results.values()]
        return health.HealthInputs(
            overdue=self.runner.overdue(),
            allowed=self._allowed(),
            last_error=self.runner.last_error,
            database_error=error,
            every_project_failed=bool(outcomes) and all(outcome is Outcome.FAILED for outcome in outcomes),
            stale=[one.project_name for one in stands.stale] if stands else [],
            projects=stands.projects if stands else 0,
            active=len(stands.active) if stands else 0,
            creates_projects=settings.sync.create_missing == "projects",
            refused=self.resources.announce.refused_projects,
            made_database=str(settings.database.where) if stands and stands.made_at else "",
            missing_directory=await self._missing_directory(),
            failing_parsers=self._failing_parsers(stands),
            ending_tokens=[
                f"{parser['parser']}: {token['warning']}"
                for parser in self.resources.parsers()
                for token in parser["tokens"]
                if token["warning"] and not token["dead"]
            ],
            unreached=await self.resources.webhooks.unreached() if stands else (),
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

    async def _missing_directory(self) -> str:
        sheets = self.resources.settings.sheets
        if sheets.source != "csv" or sheets.directory is None:
            return ""
        there = await asyncio.to_thread(os.path.isdir, sheets.directory)
        return "" if there else str(sheets.directory)

    def _failing_parsers(self, stands: Standing | None) -> list[str]:
        """Those of the configuration of which it was told that they fail, each with since when and why."""
        names = {str(parser["parser"]) for parser in self.resources.parsers()}
        return [str(one) for one in (stands.failing_parsers if stands else ()) if one.told_at and one.parser in names]

    def _allowed(self) -> float:
        """Seconds that a tick may be overdue: a long pass covers ticks, and none of them is missed by that."""
        longest_pass = self.resources.settings.sheets.deadline + BESIDE_READING
        return max(min(self.runner.interval(), LONGEST), longest_pass)
