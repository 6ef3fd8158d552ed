"""Python functions that run a pass without a daemon, from any thread, blocking.

For the callers that already exist (a web app's route, a task queue): they get the dictionary that the
control channel answers, and no exception for anything that an operator can fix.  The process is theirs: its logging,
its SQLite library and its signal handlers stay as they are.
"""

import json
import os
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, cast

import stamina
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsError

from smart_sync import logs
from smart_sync.aio.tasks import outside_of_loops
from smart_sync.clock import utc_now
from smart_sync.config import Settings, mistakes, secrets
from smart_sync.config.database_url import Location, Server, server
from smart_sync.core.answers import PassAnswer, ProjectAnswer, SyncAnswer
from smart_sync.core.days import stamp
from smart_sync.errors import ConfigError, DatabaseError, SmartSyncError
from smart_sync.sheets import credentials
from smart_sync.store.clock_changes import zone_of
from smart_sync.sync.once import once

#: Seconds that a call waits while another pass holds the database.
PATIENCE = 600.0

#: No id of a project has more characters: it is something else, perhaps a key that was handed in in its place.
_MAX_ID = 64

#: Where a mistake is that stands in no variable.
_ARGUMENTS = Path("the arguments")
#: Set while a call is under way: its retries are not the host's.  stamina hands its hooks no argument of ours.
_calling: ContextVar[bool] = ContextVar("_calling", default=False)


def sync_all_projects_standalone(db: object, sheets_credentials: object, sheets_name: str) -> PassAnswer:
    """Run one pass over all active projects; returns what ``POST /api/admin/smart_sync`` answers.

    ``db``: the path of the SQLite file or a ``postgresql://`` address, or an object with ``db_path``.
    ``sheets_credentials``: a service account's JSON key as the path of its file, as text, as base64 of it, or as a
    dict; None or "": as the daemon finds it.  ``sheets_name``: the spreadsheet's key, URL or title.

    Blocks, also where an event loop is running, and waits for up to 10 minutes while another pass holds the database.
    Call it outside of a transaction of your own on that file, for whose end it would wait, up to two minutes.
    What an operator can fix is ``{"success": False, "error": …}``: no database or key where they should be, a daemon
    that has the database, a pass of another process that does not end.
    """
    try:
        return cast("PassAnswer", _run(db, sheets_credentials, sheets_name, None))
    except SmartSyncError as error:
        return failed_pass(error)


def sync_single_project_standalone(
    db: object, sheets_credentials: object, sheets_name: str, project_id: str
) -> ProjectAnswer:
    """As `sync_all_projects_standalone`, for one project."""
    wanted = str(project_id)
    if len(wanted) > _MAX_ID:
        secrets.protect_pasted(wanted)
    try:
        answer = cast("ProjectAnswer", _run(db, sheets_credentials, sheets_name, wanted))
        return answer if answer["success"] else cast("ProjectAnswer", logs.redacted(answer))
    except SmartSyncError as error:
        return failed_project(error, project_id)


def failed_pass(error: SmartSyncError) -> PassAnswer:
    """The answer for a pass over all projects that could not run."""
    return {
        "success": False,
        "error": logs.redact(str(error)),
        "total_projects": 0,
        "success_count": 0,
        "error_count": 0,
        "results": [],
        "timestamp": stamp(utc_now()),
    }


def failed_project(error: SmartSyncError, project_id: object) -> ProjectAnswer:
    """The answer for a pass over one project that could not run."""
    return {"success": False, "error": logs.redact(str(error)), "project_id": logs.redacted(project_id)}


def run_pass(settings: Settings, project_id: str | None) -> SyncAnswer:
    """Run a pass in this process, over one project or all; waits as `sync_all_projects_standalone` does.

    Raises `SmartSyncError`; also where there is no database, unless the worksheets would fill a new one.
    """
    if settings.sync.create_missing != "projects":
        _database(settings.database.where)
    return outside_of_loops(partial(_once, settings, project_id))


def _run(db: object, sheets_credentials: object, sheets_name: str, project_id: str | None) -> SyncAnswer:
    secrets.protect_pasted(sheets_name)
    if not isinstance(sheets_name, str) or not sheets_name.strip():
        raise ConfigError(("sheets_name: expected the spreadsheet's key, URL or title",))
    settings = _settings(_database(getattr(db, "db_path", db)), _key(sheets_credentials), sheets_name)
    # A key that is of no use is told at once, not by each project.
    credentials.find(settings.sheets.credentials)
    return run_pass(_by_its_days(settings), project_id)


def _once(settings: Settings, project_id: str | None) -> SyncAnswer:
    token = _calling.set(True)
    try:
        _leave_retries_alone()
        return once(settings, project_id, patience=PATIENCE)
    finally:
        _calling.reset(token)


class _SettingsOfACall(Settings):
    """The settings of a caller who names the database: that of the environment, a daemon's, is not looked at."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As `Settings` has it, but for the database."""
        found = {name: value for name, value in env_settings().items() if name != "database"}
        return InitSettingsSource(settings_cls, found), init_settings


def _settings(where: Location, key: Path | SecretStr | None, sheets_name: str) -> Settings:
    """The settings from the arguments; the environment (SMART_SYNC_SHEETS__API_URL, say) adds to them."""
    given = {"source": "google", "spreadsheet": sheets_name} | ({} if key is None else {"credentials": key})
    try:
        place = {"path": where} if isinstance(where, Path) else {"url": where}
        settings = _SettingsOfACall(database=place, sheets=given)  # type: ignore[arg-type]
        sheets = type(settings.sheets).model_validate(settings.sheets.model_dump() | given)
    except ValidationError as error:
        raise ConfigError(tuple(mistakes.describe(_ARGUMENTS, {}, problem) for problem in error.errors())) from None
    except SettingsError as error:
        raise ConfigError((mistakes.environment_mistake(str(error)),)) from None
    return settings.model_copy(update={"sheets": sheets})


def _by_its_days(settings: Settings) -> Settings:
    """``settings`` with the time zone stored in the database, unless the environment names one."""
    schedule = settings.schedule
    zone = None if "timezone" in schedule.model_fields_set else zone_of(settings.database.where)
    if zone is None:
        return settings
    return settings.model_copy(update={"schedule": schedule.model_copy(update={"timezone": zone})})


def _database(value: object) -> Location:
    """The database's location. Raises `DatabaseError` for a missing file: a new one would be an empty success."""
    if isinstance(value, Server):
        return value
    if isinstance(value, str) and value.startswith(("postgresql://", "postgres://")):
        try:
            return server(value)
        except ValueError as error:
            raise DatabaseError(f"db: {error}") from None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise DatabaseError(
            f"db: expected the path of the SQLite file, or an object with db_path, not {type(value).__name__}",
            trouble="database-missing",
        )
    text = os.fsdecode(os.fspath(value))
    if not os.path.isfile(text):  # noqa: PTH113  never raises
        raise DatabaseError(
            f"{secrets.shown(text)}: there is no database; is this the web app's file?", trouble="database-missing"
        )
    return Path(text)


def _key(value: object) -> Path | SecretStr | None:
    if isinstance(value, Mapping):
        return SecretStr(json.dumps(dict(value), default=str))
    if isinstance(value, os.PathLike):
        return Path(os.fsdecode(os.fspath(value)))
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
    return secrets.path_or_secret(text) if text.strip() else None


def _leave_retries_alone() -> None:
    """Keep the host's stamina hooks from reporting our retries, which are in our own events."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    if not all(isinstance(hook, partial) and hook.func is _call_hosts_hook for hook in hooks):
        stamina.instrumentation.set_on_retry_hooks([partial(_call_hosts_hook, hook) for hook in hooks])


def _call_hosts_hook(hook: Any, details: Any) -> Any:
    return None if _calling.get() else hook(details)
