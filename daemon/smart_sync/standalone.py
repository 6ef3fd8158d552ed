"""The Python way in: a pass without a daemon, from any thread, blocking.

For the callers that already exist (a web app's route, a task queue): they get the dictionary that the
control channel answers, and no exception for anything that an operator can mend.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from smart_sync import logs
from smart_sync.blocking import outside_of_loops
from smart_sync.config import Settings
from smart_sync.core.days import stamp
from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.once import once
from smart_sync.store.days import zone_of


def sync_all_projects_standalone(db: object, sheets_credentials: object, sheets_name: str) -> dict[str, Any]:
    """Run one pass over all active projects; returns what ``POST /api/admin/smart_sync`` answers.

    ``db``: the path of the SQLite file, or an object with ``db_path``.  ``sheets_credentials``: a service
    account's JSON key as the path of its file, as text, or as a dict.  ``sheets_name``: the spreadsheet's key,
    URL or title.  Works also where an event loop is running, and blocks it.
    """
    try:
        return _run(db, sheets_credentials, sheets_name, None)
    except SmartSyncError as error:
        return {
            "success": False,
            "error": str(error),
            "total_projects": 0,
            "success_count": 0,
            "error_count": 0,
            "results": [],
            "timestamp": stamp(datetime.now(UTC)),
        }


def sync_single_project_standalone(
    db: object, sheets_credentials: object, sheets_name: str, project_id: str
) -> dict[str, Any]:
    """As `sync_all_projects_standalone`, for one project."""
    try:
        return _run(db, sheets_credentials, sheets_name, project_id)
    except SmartSyncError as error:
        return {"success": False, "error": str(error), "project_id": project_id}


def _run(db: object, sheets_credentials: object, sheets_name: str, project_id: str | None) -> dict[str, Any]:
    if not structlog.is_configured():
        logs.configure()
    path, environment = _credentials(sheets_credentials)
    try:
        # As dictionaries: the environment (SMART_SYNC_SHEETS__API_URL, say) still adds to them.
        sections: dict[str, Any] = {
            "database": {"path": str(getattr(db, "db_path", db))},
            "sheets": {"source": "google", "spreadsheet": sheets_name, "credentials": path},
        }
        settings = Settings(**sections)
    except ValidationError as error:
        raise ConfigError(tuple(str(problem["msg"]) for problem in error.errors())) from None
    return outside_of_loops(lambda: once(_by_its_days(settings), project_id, environment=environment))


def _by_its_days(settings: Settings) -> Settings:
    """``settings`` with the time zone that the database goes by, unless the environment names one."""
    schedule = settings.schedule
    zone = None if "timezone" in schedule.model_fields_set else zone_of(settings.database.path)
    if zone is None:
        return settings
    return settings.model_copy(update={"schedule": schedule.model_copy(update={"timezone": zone})})


def _credentials(given: object) -> tuple[Path | None, Mapping[str, str] | None]:
    """The key's file, or an environment that holds the key (None: the process's own)."""
    if isinstance(given, Mapping):
        return None, {"SMART_SYNC_GOOGLE_CREDENTIALS": json.dumps(dict(given))}
    text = str(given or "")
    if text.lstrip().startswith("{"):
        return None, {"SMART_SYNC_GOOGLE_CREDENTIALS": text}
    return (Path(text), None) if text else (None, None)
