"""``smart-sync check``: everything that is wrong, at once, and nothing changed.

The projects and accounts are copied into a database in memory's stead (a temporary file), and a dry pass is run
there: the same code reads the same worksheets, and the real file is only ever opened for reading.
"""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from smart_sync import secret
from smart_sync.announcer import Announcer
from smart_sync.config import DatabaseSettings, ParsedSettings, Settings
from smart_sync.core.model import METRICS, Outcome, Trigger
from smart_sync.core.results import PassResult, ProjectResult
from smart_sync.errors import DatabaseUnusable, SheetUnavailable, SmartSyncError
from smart_sync.service import opened
from smart_sync.store import trial
from smart_sync.store.database import sqlite, version_at_risk
from smart_sync.store.schema import open_database
from smart_sync.sync import PassRequest, Sync

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how it is."""

    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]
    #: The resolved strategies: project, platform ("" for all others), and per metric strategy and rule.
    merge: tuple[dict[str, Any], ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if the daemon can run with this, 1 if something needs mending."""
        return 1 if any(finding.level == "error" for finding in self.findings) else 0

    def answer(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "success": self.exit_code == 0,
            "findings": [{"level": finding.level, "message": finding.message} for finding in self.findings],
            "merge": list(self.merge),
        }


async def check(settings: Settings) -> Report:
    """Look at the database, the credentials and the worksheets; the configuration has been read already."""
    findings = [Finding("ok", "the configuration is valid")]
    with tempfile.TemporaryDirectory(prefix="smart-sync-check-") as folder:
        copy = Path(folder) / "copy.db"
        findings += await _check_database(settings.database.path, copy)
        query, problems = await asyncio.to_thread(_copy_query, settings, copy)
        findings += problems
        on_copy = settings.model_copy(
            update={"database": DatabaseSettings(path=copy), "parsed": ParsedSettings(query=query)}
        )
        findings += await _check_worksheets(on_copy)
    findings += await asyncio.to_thread(lambda: list(_open_secrets(settings)))
    return Report(tuple(findings), tuple(_rules(settings)))


async def _check_database(path: Path, copy: Path) -> list[Finding]:
    findings, empty = [], copy.with_name("empty.db")
    if version_at_risk():
        findings.append(
            Finding(
                "warning",
                f"SQLite {sqlite.sqlite_version} can corrupt a WAL file that two processes write; "
                "install smart-sync-daemon[sqlite]",
            )
        )
    try:
        async with open_database(copy):
            pass
        if not await asyncio.to_thread(path.exists):
            return [*findings, *_new_file(path)]
        await asyncio.to_thread(trial.copy_schema, path, empty)
        async with open_database(empty):  # says what opening the real one would say
            pass
        await asyncio.to_thread(trial.copy_rows, path, copy)
    except (DatabaseUnusable, sqlite3.Error, sqlite.Error) as error:
        told = str(error).removeprefix(f"{path}: ").removeprefix(f"{empty}: ")
        return [*findings, Finding("error", f"{path}: {told}")]
    findings += _writable(path)
    return [*findings, *await asyncio.to_thread(lambda: list(_odd_rows(path)))]


def _new_file(path: Path) -> list[Finding]:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Finding("error", f"{path}: does not exist, and {folder} may not be written to")]
    return [Finding("ok", f"{path}: will be created at the first start")]


def _writable(path: Path) -> list[Finding]:
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            return [Finding("error", f"{place}: may not be written to by this user; give the daemon's user the right")]
    return [Finding("ok", f"{path}: an intact database")]


def _copy_query(settings: Settings, copy: Path) -> tuple[str, list[Finding]]:
    """The query that reads from ``copy`` what ``[parsed] query`` gives; empty if there is none to try."""
    path, query = settings.database.path, settings.parsed.query.strip().rstrip(";")
    if not query or not path.exists():
        return "", []
    try:
        return trial.copy_query(path, query, copy), []
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        return "", [Finding("error", f"parsed.query: not a SELECT that this database understands: {error}")]


def _odd_rows(path: Path) -> Iterator[Finding]:
    """What other writers have left: tolerated everywhere, and never deleted."""
    with closing(trial.open_for_reading(path)) as source:
        if "account_snapshots" in trial.tables(source):
            days = source.execute(
                "SELECT count(*) FROM (SELECT 1 FROM account_snapshots"
                " GROUP BY account_id, date(snapshot_time) HAVING count(*) > 1)"
            ).fetchone()[0]
            if days:
                yield Finding(
                    "warning", f"account_snapshots: {days} days of an account have several snapshots; the last counts"
                )


def _open_secrets(settings: Settings) -> Iterator[Finding]:
    """A secret that everybody on the machine may read is none."""
    google = settings.sheets.credentials if settings.sheets.source == "google" else None
    keys = [google] if google is not None and google.exists() and google.stat().st_mode & 0o004 else []
    for path in (*keys, *secret.readable_by_all()):
        yield Finding("warning", f"{path}: everybody on this machine may read the secret; chmod o-r {path}")


async def _check_worksheets(settings: Settings) -> list[Finding]:
    """A dry pass on the copy."""
    announce = Announcer()
    try:
        async with opened(settings, announce) as resources:
            result = await Sync(resources).run(PassRequest(Trigger.CLI, dry_run=True))
            titles = await _unclaimed(resources.sheets, [r.project.name for r in result.results])
    except SmartSyncError as error:
        return [Finding("error", str(error))]
    return [*_of_pass(result, settings), *titles]


async def _unclaimed(sheets: Any, names: Sequence[str]) -> list[Finding]:
    try:
        titles = await sheets.titles()
    except SheetUnavailable as trouble:
        return [Finding("error", str(trouble))]
    return [
        Finding("warning", f"worksheet {title!r} belongs to no active project")
        for title in titles
        if title not in set(names)
    ]


def _of_pass(result: PassResult, settings: Settings) -> Iterator[Finding]:
    if not result.results:
        creates = settings.sync.create_missing == "projects"
        yield Finding(
            "ok" if creates else "warning",
            "there is no active project yet" + ("; they are created from the worksheets" if creates else ""),
        )
    for project in result.results:
        yield from _of_project(project)


def _of_project(result: ProjectResult) -> Iterator[Finding]:
    name = result.project.name
    if result.outcome in (Outcome.FAILED, Outcome.DEGRADED):
        yield Finding("error", f"{name}: {result.error}" + (f"; {result.remedy}" if result.remedy else ""))
    else:
        yield Finding("ok", f"{name}: {result.sheet} of {result.accounts} accounts are in the worksheet")
    for problem in result.problems:
        yield Finding("warning", str(problem))
    for suspect in result.suspects:
        place = suspect.place or name
        yield Finding(
            "warning",
            f"{place}: {suspect.metric} of {suspect.link} jumped from {suspect.old} to {suspect.new}; "
            f"correct it, or: smart-sync confirm {suspect.link}",
        )
    for row in result.unmatched_rows:
        yield Finding("warning", f"{name}!{row.row}: no account has this link ({row.link})")
    for link in result.unmatched_accounts:
        yield Finding("warning", f"{name}: no row has the link of account {link}")


def _rules(settings: Settings) -> Iterator[dict[str, Any]]:
    """The resolved merge rules: a row for each project and platform that has its own, and one for all others."""
    policy = settings.merge.policy()
    for project in (*policy.projects, ""):
        for platform in (*sorted(policy.platforms), ""):
            rules = policy.rules(project, platform)
            yield {
                "project": project,
                "platform": platform,
                **{m: {"strategy": r.strategy, "rule": r.key} for m, r in zip(METRICS, rules, strict=True)},
            }
