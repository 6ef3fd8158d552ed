"""``smart-sync check``: finds everything that is wrong in one run and changes nothing.

The projects and accounts are copied into a database in memory's stead (a temporary file), and a dry pass is run
there: the same code reads the same worksheets, and the real file is only ever opened for reading.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from smart_sync.admin.checks.database_file import check_database, copy_query
from smart_sync.admin.checks.drill import drill
from smart_sync.admin.checks.findings import OF_DATABASE, Finding, Report
from smart_sync.admin.checks.parser_trials import check_parsers
from smart_sync.admin.checks.worksheets import check_last_pass, check_worksheets
from smart_sync.admin.webhooks import unreached
from smart_sync.clock import Clock, utc_now
from smart_sync.config import DatabaseSettings, DefaultsSettings, Settings, secrets
from smart_sync.core.command_answers import RulesRow
from smart_sync.core.model import METRICS
from smart_sync.parsers.csv_files import CsvSettings
from smart_sync.service.preflight import obstacles
from smart_sync.store.schema import open_database
from smart_sync.sync.resources import allow_threads

#: Bytes of free space: with fewer a pass will soon fail, and with fewer than `FULL` the next one may.
MIN_FREE = 64 * 2**20
FULL = 2**20


async def check(settings: Settings, clock: Clock = utc_now, *, offline: bool = False, drilled: bool = False) -> Report:
    """Check everything that the configuration names; the file itself has been read already.

    ``offline``: no platform is asked.  ``drilled``: accidents are planted in the copy (`drill`).
    """
    allow_threads()
    wrong = await asyncio.to_thread(obstacles, settings)
    findings = [
        Finding(
            "error",
            f"{key}: {obstacle.reason}",
            OF_DATABASE if key == "database.path" else "",
            obstacle.trouble,
        )
        for key, obstacle in wrong.items()
    ]
    if not findings:
        findings.append(Finding("ok", "the configuration is valid"))
    findings += _missing_files(settings)
    if settings.database.url is None:
        findings += await asyncio.to_thread(lambda: list(_full_disk(settings.database.path)))
    with tempfile.TemporaryDirectory(prefix="smart-sync-check-") as folder:
        copy = Path(folder) / "copy.db"
        was_read, of_database = False, list[Finding]()
        async with open_database(copy):
            pass
        if "database.path" not in wrong:
            was_read, of_database = await check_database(settings, copy, clock())
        query, of_query = await copy_query(settings, copy) if was_read else ("", [])
        on_copy = _on_copy(settings, copy, query)
        of_worksheets = await check_worksheets(
            on_copy, clock, known=was_read, original=settings.database.path if settings.database.url is None else None
        )
        if drilled and was_read:
            of_worksheets += await drill(on_copy, clock)
        of_parsers = await check_parsers(settings, copy, clock, query, offline=offline)
        findings += [*of_database, *of_query, *of_worksheets, *of_parsers]
        if was_read:
            findings += await check_last_pass(settings.database.where, clock())
            findings += [Finding("warning", told) for told in await unreached(settings)]
    findings += await asyncio.to_thread(lambda: list(open_secrets(settings)))
    return Report(tuple(findings), tuple(_rules(settings)))


def _on_copy(settings: Settings, copy: Path, query: str) -> Settings:
    """``settings`` for a dry pass on the copy, which has not all columns of the real tables and makes no rows."""
    project_defaults = settings.sync.defaults.projects
    defaults = DefaultsSettings(
        projects={name: project_defaults[name] for name in project_defaults.keys() & {"google_sheet_name"}}
    )
    return settings.model_copy(
        update={
            "database": DatabaseSettings(path=copy),
            "parsed": settings.parsed.model_copy(update={"query": query}),
            "sync": settings.sync.model_copy(update={"defaults": defaults}),
        }
    )


def _missing_files(settings: Settings) -> Iterator[Finding]:
    """Warn of files that do not exist yet: another program may create them later, so the daemon starts without them."""
    for name, table in settings.parsers.items():
        if isinstance(table, CsvSettings) and not os.path.isfile(table.path):  # noqa: PTH113  never raises
            yield Finding(
                "warning",
                f"parsers.{name}.path: there is no file {table.path}; nothing is parsed before",
                trouble="parsed-values",
            )


def _full_disk(database: Path) -> Iterator[Finding]:
    """Check for free disk space: a pass writes a few pages even when no number changes."""
    with contextlib.suppress(OSError):
        folder = next((parent for parent in database.absolute().parents if parent.exists()), Path("/"))
        free = shutil.disk_usage(folder).free
        if free < MIN_FREE:
            message = (
                f"the disk is full ({free / 2**20:.1f} MB free)" if free < FULL else f"{free / 2**20:.0f} MB are free"
            )
            yield Finding(
                "error" if free < FULL else "warning", f"{folder}: {message}; free some space", trouble="disk-full"
            )


def open_secrets(settings: Settings) -> Iterator[Finding]:
    """Report files with secrets that every user of the machine can read."""
    google = settings.sheets.credentials if settings.sheets.source == "google" else None
    for path in secrets.readable_by_all(*([google] if isinstance(google, Path) else [])):
        yield Finding(
            "warning",
            f"{path}: everybody on this machine may read the secret; chmod o-r {path}",
            trouble="secret-readable",
        )


def _rules(settings: Settings) -> Iterator[RulesRow]:
    """The resolved merge rules: a row for each project and platform with rules of its own, and one for all others."""
    policy = settings.merge.policy()
    for project in (*policy.projects, ""):
        for platform in (*sorted(policy.platforms), ""):
            rules = policy.rules(project, platform)
            yield {
                "project": project,
                "platform": platform,
                **{m: {"strategy": r.strategy, "rule": r.key} for m, r in zip(METRICS, rules, strict=True)},
            }
