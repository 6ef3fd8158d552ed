"""Checks of the database: whether it opens, can be read and written, and what other programs have written to it."""

import asyncio
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from smart_sync.admin.checks.findings import OF_DATABASE, Finding
from smart_sync.config import Settings
from smart_sync.config.database_url import Server
from smart_sync.core.wording import counted, shown, unread_snapshots
from smart_sync.errors import DatabaseError, SmartSyncError
from smart_sync.logs import printable
from smart_sync.store.postgres import server_trial
from smart_sync.store.schema import MIGRATIONS, open_database, open_existing, version
from smart_sync.store.sqlite import hidden_snapshots, inventory, scratch_copy
from smart_sync.store.sqlite.driver import connect, databases_beside, explain_reading, version_at_risk
from smart_sync.store.sqlite.inventory import OtherWriter
from smart_sync.store.write_probe import refusals

#: How many snapshots of 0 are named one by one.
_NAMED = 20
#: Seconds that another process may write before that is told: more than a pass or a request of the web app takes.
LOCK_PATIENCE = 10.0


async def check_database(settings: Settings, copy: Path, now: datetime) -> tuple[bool, list[Finding]]:
    """Check the database of ``settings`` and fill ``copy`` with what a pass reads; return whether that was possible."""
    if isinstance(settings.database.where, Server):
        return await _check_server(settings, settings.database.where, copy, now)
    path, empty = settings.database.path, copy.with_name("empty.db")
    findings = list(_sqlite_version())
    try:
        if not await asyncio.to_thread(path.exists):
            return True, [*findings, await asyncio.to_thread(_to_be_made, settings)]
        findings += await asyncio.to_thread(lambda: list(_write_locked(path)))
        await asyncio.to_thread(scratch_copy.copy_schema, path, empty)
        async with open_database(empty, keep_old=False) as database:  # says what opening the real one would say
            account_id = await asyncio.to_thread(scratch_copy.copy_rows, path, copy)
            refused = await refusals(database, account_id, settings.sync, now)
        doubled = await asyncio.to_thread(lambda: list(_doubled_days(path, settings.schedule.timezone, now)))
        doubled += _unread(*await asyncio.to_thread(scratch_copy.unread_snapshots, path))
        if not hidden_snapshots.concerns(settings.parsed.query):  # else what another program writes there is wanted
            doubled += await asyncio.to_thread(lambda: list(_other_writer(path, now)))
    except (DatabaseError, sqlite3.Error) as error:
        if _is_locked(error):
            return False, [*findings, _locked(path, "cannot be read")]
        meant = error if isinstance(error, DatabaseError) else explain_reading(error, path)
        message = str(meant).removeprefix(f"{path}: ").removeprefix(f"{empty}: ")
        return False, [*findings, Finding("error", f"{path}: {message}", OF_DATABASE, meant.trouble)]
    intact = [
        Finding("ok", f"{path}: an intact database", OF_DATABASE),
        *await asyncio.to_thread(lambda: list(_old_file(path))),
    ]
    unwritable = [Finding("error", f"{path}: {line}", OF_DATABASE, "database-columns") for line in refused]
    return True, [*findings, *intact, *unwritable, *doubled]


async def _check_server(settings: Settings, server: Server, copy: Path, now: datetime) -> tuple[bool, list[Finding]]:
    try:
        tried = await server_trial.rehearse(server, copy, settings.sync, now)
        old = await _old_server(server)
    except SmartSyncError as error:
        return False, [Finding("error", str(error), OF_DATABASE, error.trouble)]
    findings = [Finding("ok", f"{server}: can be read and written", OF_DATABASE), *old]
    findings += [Finding("error", f"{server}: {line}", OF_DATABASE, "database-columns") for line in tried.refused]
    findings += [_refusing_index(name, drop) for name, drop in tried.unique]
    # In the copy, which has the snapshots of the last weeks.
    findings += await asyncio.to_thread(lambda: list(_doubled_days(copy, settings.schedule.timezone, now)))
    findings += _unread(*tried.unread)
    if not hidden_snapshots.concerns(settings.parsed.query):
        findings += await asyncio.to_thread(lambda: list(_other_writer(copy, now)))
    return True, findings


def _write_locked(path: Path) -> Iterator[Finding]:
    """Whether another process holds a write transaction open; found out by beginning one that writes nothing."""
    with (
        # Is open for longer than the other one, whose closing would else write the file (a checkpoint).
        closing(connect(path)) as beside,
        closing(connect(path, "rw", timeout=LOCK_PATIENCE, own_transactions=True)) as writer,
    ):
        beside.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
        except sqlite3.Error as error:  # what else keeps us from writing is reported elsewhere
            if _is_locked(error):
                yield _locked(path, "cannot be written: passes wait for it, two minutes each, and fail")


def _is_locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _locked(path: Path, so: str) -> Finding:
    return Finding(
        "error",
        f"{path}: another process has held the database locked for seconds, it {so}; find it with fuser {path}, and let"
        " it commit, or end it",
        OF_DATABASE,
        trouble="database-locked",
    )


def _old_file(path: Path) -> Iterator[Finding]:
    """What the first pass after an upgrade will do to the file."""
    with closing(connect(path)) as source:
        known = "smart_sync_schema" in scratch_copy.tables(source)
        rows = source.execute("SELECT version FROM smart_sync_schema").fetchall() if known else []
    if rows and rows[0][0] < len(MIGRATIONS):
        message = "the first pass of this version changes them for good, after a copy beside the file"
        yield Finding("ok", f"{path}: its tables are of an earlier version (schema {rows[0][0]}): {message}")


async def _old_server(server: Server) -> list[Finding]:
    """What the first pass after an upgrade will do to a server's database, which only its administrator can back up."""
    async with open_existing(server, read_only=True, checked=False) as database:
        before = await version(database)
    if not 0 < before < len(MIGRATIONS):
        return []
    message = (
        f"the first pass of this version changes them for good; make a backup first: {server.dump_command('FILE')}"
    )
    return [
        Finding(
            "warning",
            f"{server}: its tables are of an earlier version (schema {before}): {message}",
            trouble="database-version",
        )
    ]


def _other_writer(path: Path, now: datetime) -> Iterator[Finding]:
    with closing(connect(path)) as source:
        if other := inventory.other_writer(source, now):
            yield replace(two_masters(other), level="warning")


def two_masters(other: OtherWriter) -> Finding:
    """The finding that another program writes snapshots too: an error if readers see its values."""
    seen = "screens show its values until the next pass" if other.shown else "screens have shown its values in between"
    return Finding(
        "error" if other.shown else "warning",
        f"two programs write snapshots: of {counted(other.accounts, 'account')} the newest row of the other one differs"
        f" from the merged values, such as {printable(other.metric)} of account {printable(other.account_id)}:"
        f" {printable(str(other.theirs))} there at {printable(other.stamp[:16])}, {other.ours} merged; {seen}; switch"
        " the web app's own sync off",
        trouble="two-masters",
    )


def _to_be_made(settings: Settings) -> Finding:
    """A finding for a missing database: fine if the worksheets fill a new one, else the path may be mistyped."""
    path, near = settings.database.path, databases_beside(settings.database.path)
    others = f"; in the same folder there is {', '.join(near)}: is one of them meant?" if near else ""
    if settings.sync.create_missing != "projects":
        message = "there is no database; an empty one will be created at the first start, and nothing fills it"
        return Finding("error", f"{path}: {message}; correct [database] path{others}", OF_DATABASE, "database-missing")
    return Finding(
        "warning" if near else "ok",
        f"{path}: will be created at the first start{others}",
        OF_DATABASE,
        trouble="database-missing",
    )


async def copy_query(settings: Settings, copy: Path) -> tuple[str, list[Finding]]:
    """A query that reads the result of ``[parsed] query`` from ``copy``; "" if there is no valid query."""
    query = settings.parsed.query.strip().rstrip(";")
    if not query:
        return "", []
    where = settings.database.where
    try:
        if isinstance(where, Server):
            return await server_trial.copy_query(where, query, copy), []
        # Where there is no file yet, the first pass makes one like the copy.
        source = where if await asyncio.to_thread(where.exists) else copy
        return await asyncio.to_thread(scratch_copy.copy_query, source, query, copy), []
    except (SmartSyncError, sqlite3.Error, sqlite3.Warning, ValueError, PermissionError) as error:
        return "", [
            Finding(
                "error", f"parsed.query: not a SELECT that this database understands: {error}", trouble="parsed-values"
            )
        ]


def _sqlite_version() -> Iterator[Finding]:
    if version_at_risk():
        yield Finding(
            "warning",
            f"SQLite {sqlite3.sqlite_version} can corrupt a WAL file that two processes write; "
            "install smart-sync-daemon[sqlite]",
            trouble="database-version",
        )


def _unique_snapshots(source: sqlite3.Connection) -> Iterator[Finding]:
    """Report unique indexes that do not allow a second snapshot of a day."""
    for name in inventory.unique_snapshots(source):
        yield _refusing_index(name, f"DROP INDEX {name}")


def _refusing_index(name: str, drop: str) -> Finding:
    return Finding(
        "error",
        f"account_snapshots: the unique index {printable(name)} refuses a row of Smart Sync next to the web app's;"
        f" its snapshots would be missing: {printable(drop)}, or leave snapshots to one program",
        trouble="two-masters",
    )


def _unread(number: int, example: str) -> Iterator[Finding]:
    """The finding that snapshots have an unreadable time."""
    if number:
        told = unread_snapshots(number, shown(example))
        yield Finding("warning", f"account_snapshots: {told}", trouble="database-clock")


def _doubled_days(path: Path, timezone: str, now: datetime) -> Iterator[Finding]:
    """Report days with several snapshots by other writers: they are tolerated and never deleted."""
    with closing(connect(path)) as source:
        for name, flag in scratch_copy.flags_not_understood(source)[:_NAMED]:
            message = f"is_active is neither 1 nor 0, so project {printable(name)} is not synced: {printable(flag, 40)}"
            yield Finding("error", message, OF_DATABASE, "no-projects")
        yield from _unique_snapshots(source)
        days = scratch_copy.doubled_days(source, timezone)
        if days:
            yield Finding(
                "warning",
                f"account_snapshots: {days:,} days of an account have several snapshots; the last counts",
                trouble="two-masters",
            )
        if zeros := scratch_copy.zero_snapshots(source):
            yield Finding(
                "warning",
                f"account_snapshots: {zeros:,} snapshots hold nothing but 0 though the account had values later: "
                "nobody knew them that day, or its row was missing; Smart Sync leaves them as they are",
                trouble="snapshot-zeros",
            )
        ahead, newest = scratch_copy.snapshots_ahead(source, now)
        if ahead:
            yield Finding(
                "warning",
                f"account_snapshots: {counted(ahead, 'snapshot')} dated ahead, the newest {newest[:16]} UTC: a clock"
                " was wrong; until then readers of the newest snapshot see it in place of today's; correct its"
                " snapshot_time",
                trouble="database-clock",
            )
        between = scratch_copy.zeros_between(source, timezone)
        for link, day, metric in between[:_NAMED]:
            yield Finding(
                "warning",
                f"account_snapshots: {printable(link)}: {metric} is 0 on {day} and above before and after; if that is "
                f"Smart Sync's snapshot: smart-sync snapshots repair {shlex.quote(printable(link))} {day} --{metric} N",
                trouble="snapshot-zeros",
            )
        if len(between) > _NAMED:
            yield Finding(
                "warning", f"account_snapshots: {len(between) - _NAMED:,} more such zeros", trouble="snapshot-zeros"
            )
