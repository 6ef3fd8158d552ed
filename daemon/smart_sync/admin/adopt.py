"""``smart-sync adopt``: reports what a web app's database holds, what Smart Sync will write there, and conflicts."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import smart_sync
from smart_sync.admin import init
from smart_sync.admin.checks.database_file import check_database, two_masters
from smart_sync.admin.checks.findings import Finding, Report
from smart_sync.config import Settings
from smart_sync.config.database_url import Location, Server
from smart_sync.core.wording import counted
from smart_sync.errors import DatabaseUnusable
from smart_sync.store.engine import StoreError
from smart_sync.store.postgres import server_inventory
from smart_sync.store.schema import REQUIRED, open_database
from smart_sync.store.sqlite import inventory
from smart_sync.store.sqlite.driver import connect
from smart_sync.store.sqlite.inventory import RECENT, Inventory

#: Clocks of the world differ by quarters of an hour.
_QUARTER = timedelta(minutes=15)
_TOLERANCE = timedelta(minutes=2)
#: Folders that are searched for a module of the web app's that has our name.
_MAX_FOLDERS = 500


async def adopt(where: Location, now: datetime) -> tuple[Report, Inventory]:
    """Inspect the database at ``where`` without changing it; a conflict is an error in the report.

    Raises `DatabaseUnusable` if there is no file, or it is no database; on a server `SmartSyncError`.
    """
    with tempfile.TemporaryDirectory(prefix="smart-sync-adopt-") as folder:
        copy = Path(folder) / "copy.db"
        refusals = await _refusals(where, copy, now)
        inventory = await _take_inventory(where, copy, now)
    clashes = list(_clashes(inventory, now))
    messages = {clash.message for clash in clashes}
    refused = [finding for finding in refusals if finding.message not in messages]
    names = await _name_clashes(where) if isinstance(where, Path) else ()
    return Report((*_contents(inventory), *clashes, *refused, *names, *_plans(inventory))), inventory


def write_configuration(output: Path, database: str, spreadsheet: str, credentials: str) -> None:
    """Write a configuration for the database to ``output``.  Raises `ConfigError` as `init.write` does."""
    place = database if init.is_server(database) else str(Path(database).absolute())
    init.write(output, init.Answers(spreadsheet, credentials, place))


def _contents(inventory: Inventory) -> Iterator[Finding]:
    for table in REQUIRED:
        if table not in inventory.rows:
            yield Finding("ok", f"table {table}: missing; it will be created")
            continue
        types = " and ".join(inventory.id_types.get(table, ()))
        yield Finding(
            "ok", f"table {table}: {counted(inventory.rows[table], 'row')}" + (f", ids are {types}" if types else "")
        )
    if inventory.references:
        yield Finding(
            "ok", f"{', '.join(inventory.references)} refer to these tables; Smart Sync deletes no row of theirs"
        )


def _clashes(inventory: Inventory, now: datetime) -> Iterator[Finding]:
    if inventory.journal_mode not in ("wal", ""):  # "" on a server
        yield Finding(
            "warning",
            f"journal mode {inventory.journal_mode}: readers wait while a pass writes; with every program stopped:"
            " sqlite3 FILE 'PRAGMA journal_mode = WAL' (Smart Sync never changes it)",
            trouble="database-columns",
        )
    for name, table in inventory.triggers.items():
        yield Finding(
            "warning",
            f"trigger {name} on {table} runs for each row that a pass writes; passes take longer with it",
            trouble="database-columns",
        )
    if not inventory.unique_links:
        yield Finding(
            "warning",
            "project_social_accounts has no UNIQUE (project_id, profile_link): a link may be there twice, and the"
            " row of the sheet then goes to one of the accounts",
            trouble="database-columns",
        )
    if inventory.unreadable_stamps:
        yield Finding(
            "warning",
            f"{counted(inventory.unreadable_stamps, 'snapshot')} whose snapshot_time is no text in ISO 8601, such as"
            " 2026-03-10T12:00:00: Smart Sync does not see them, and what it writes there is such text",
            trouble="database-clock",
        )
    yield from _other_clock(inventory)
    yield from _other_writer(inventory, now)


def _other_clock(inventory: Inventory) -> Iterator[Finding]:
    """Findings about snapshots whose times are not in UTC: they name a zone, or lie after the file's last change."""
    if inventory.zoned_stamp:
        yield Finding(
            "warning",
            f"snapshots bear a zone (the newest: {inventory.zoned_stamp}), those of Smart Sync are UTC without one:"
            " where the web app orders them as text the newest is not always the last one; let it write UTC too",
            trouble="database-clock",
        )
    if inventory.newest_at is None or inventory.written_at is None:
        return
    ahead = inventory.newest_at - inventory.written_at
    if ahead > _TOLERANCE:
        hours = round(ahead / _QUARTER) / 4
        yield Finding(
            "warning",
            f"the newest snapshot_time ({inventory.newest_stamp}) is {hours:g} h ahead of the file's last change in"
            " UTC: the web app seems to write local time, Smart Sync writes UTC; let the web app write UTC too, or the"
            " newest snapshot is not always the last one",
            trouble="database-clock",
        )


def _other_writer(inventory: Inventory, now: datetime) -> Iterator[Finding]:
    if inventory.other is not None:
        yield two_masters(inventory.other)
    elif inventory.newest_at is not None and not inventory.adopted and abs(now - inventory.newest_at) <= RECENT:
        yield Finding(
            "warning",
            f"another program has written snapshots lately (the newest: {inventory.newest_stamp}); if it is the web"
            " app's own sync, switch it off before the daemon starts",
            trouble="two-masters",
        )


async def _take_inventory(where: Location, copy: Path, now: datetime) -> Inventory:
    """Read what the database holds; fill ``copy`` with what a pass would read."""
    if isinstance(where, Server):
        try:
            taken = await server_inventory.take(where, now)
        except StoreError as error:
            raise error.meaning from None
        with closing(connect(copy)) as source:
            return replace(taken, other=inventory.other_writer(source, now))
    try:
        return await asyncio.to_thread(inventory.take, where, now)
    except sqlite3.Error as error:
        raise DatabaseUnusable(
            f"{where}: not a database that can be read: {error}", trouble="database-missing"
        ) from None


async def _refusals(where: Location, copy: Path, now: datetime) -> list[Finding]:
    """Find out what opening and writing to the database would do, on a copy, or in a transaction that is rolled
    back."""
    if isinstance(where, Path) and not await asyncio.to_thread(where.is_file):
        raise DatabaseUnusable(
            f"{where}: there is no such file; name the web app's database", trouble="database-missing"
        )
    place = {"path": where} if isinstance(where, Path) else {"url": where}
    # No worksheet is read: any folder will do.
    sections: dict[str, Any] = {"database": place, "sheets": {"source": "csv", "directory": copy.parent}}
    async with open_database(copy):
        pass
    _, findings = await check_database(Settings(**sections), copy, now)
    return [finding for finding in findings if finding.level != "ok"]


async def _name_clashes(path: Path) -> list[Finding]:
    modules = await asyncio.to_thread(lambda: list(_modules_of_our_name(path.absolute().parent)))
    return [
        Finding(
            "warning",
            f"{module}: a module of the web app's is named smart_sync; in its process 'import smart_sync' finds that"
            " one; rename it before the web app uses Smart Sync's functions",
            trouble="database-columns",
        )
        for module in modules
    ]


def _modules_of_our_name(folder: Path) -> Iterator[Path]:
    """Find a foreign module or package ``smart_sync`` in ``folder``, its two parents, and their subfolders."""
    ours = Path(smart_sync.__file__).resolve()
    seen: set[Path] = set()
    for place in (folder, *islice(folder.parents, 2)):
        try:
            below = [entry for entry in islice(place.iterdir(), _MAX_FOLDERS) if entry.is_dir()]
        except OSError:
            below = []
        for candidate in (place, *sorted(below)):
            for module in (candidate / "smart_sync.py", candidate / "smart_sync" / "__init__.py"):
                if module not in seen and os.path.isfile(module) and module.resolve() != ours:  # noqa: PTH113  total
                    seen.add(module)
                    yield module


def _plans(inventory: Inventory) -> Iterator[Finding]:
    """List what a running daemon will write."""
    tables = "its own tables are there already" if inventory.adopted else "tables and views of its own will be added"
    yield Finding("ok", f"{tables} (account_metrics has the merged values); no table of the web app's is altered")
    yield Finding("ok", "account_snapshots gets one row per account and day; rows of others are left alone")
