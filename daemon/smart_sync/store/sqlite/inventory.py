"""Inspects a web app's database before Smart Sync writes to it; read-only."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smart_sync.core.days import stamp
from smart_sync.core.merge.day_snapshot import OwnSnapshots
from smart_sync.core.model import METRICS
from smart_sync.store.clock_changes import NEWEST_FIRST
from smart_sync.store.schema import REQUIRED
from smart_sync.store.sqlite import scratch_copy
from smart_sync.store.sqlite.driver import connect

_NAMES = ", ".join(METRICS)
#: Snapshots that are no older than this tell that another program still writes them.
RECENT = timedelta(days=2)
_LATELY = f"""
SELECT account_id, id, snapshot_time, {_NAMES} FROM account_snapshots WHERE datetime(snapshot_time) >= datetime(?)
ORDER BY {NEWEST_FIRST}, id
"""


@dataclass(frozen=True, slots=True)
class OtherWriter:
    """Another program that wrote snapshots since our first pass, with values that differ from the merged ones."""

    #: The number of accounts for which its newest row differs.
    accounts: int
    #: The id of one of them.
    account_id: str
    #: A metric of that account that differs.
    metric: str
    #: The other program's value of it.
    theirs: object
    #: Our merged value of it.
    ours: int
    #: The time of the other program's row.
    stamp: str
    #: It is the newest row of all that the account has, so that readers see it.
    shown: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """The relevant facts about a shared database."""

    journal_mode: str
    #: Shared tables that are there → their number of rows.
    rows: Mapping[str, int]
    #: The same → how their ids are stored ("text", "integer", …).
    id_types: Mapping[str, tuple[str, ...]]
    #: Our own tables are there already.
    adopted: bool = False
    #: Accounts of a project cannot have one link twice.
    unique_links: bool = True
    #: Trigger → the shared table it is on.
    triggers: Mapping[str, str] = field(default_factory=dict)
    #: Tables whose rows refer to shared tables, as ``table.column``.
    references: tuple[str, ...] = ()
    #: What projects have as ``google_sheet_name``, the most frequent first.
    spreadsheets: tuple[str, ...] = ()
    #: The newest ``snapshot_time`` as it is written.
    newest_stamp: str = ""
    #: The same as a moment, if its zone is UTC.
    newest_at: datetime | None = None
    #: The number of snapshots whose time SQLite cannot read as text in ISO 8601.
    unreadable_stamps: int = 0
    #: The newest ``snapshot_time`` that bears a zone.
    zoned_stamp: str = ""
    #: When the file was last written.
    written_at: datetime | None = None
    #: Who else writes snapshots.
    other: OtherWriter | None = None


def take(path: Path, now: datetime) -> Inventory:
    """Inspect the database at ``path``. Raises sqlite3.Error for a file that is no database, or damaged."""
    with closing(connect(path)) as source:
        existing = scratch_copy.tables(source)
        shared = [table for table in REQUIRED if table in existing]
        columns = _columns(source, shared)
        has_stamps = "snapshot_time" in columns.get("account_snapshots", ())
        newest = _newest_stamp(source) if has_stamps else ""
        adopted = "account_metrics" in existing and "smart_sync_schema" in existing
        return Inventory(
            journal_mode=str(source.execute("PRAGMA journal_mode").fetchone()[0]).lower(),
            rows={table: source.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in shared},
            id_types={table: _types(source, table) for table in shared if "id" in columns[table]},
            adopted=adopted,
            unique_links=_has_unique_links(source) if "project_social_accounts" in existing else True,
            triggers=_triggers(source, shared),
            references=tuple(_references(source, existing)),
            spreadsheets=_spreadsheets(source) if "google_sheet_name" in columns.get("projects", ()) else (),
            newest_stamp=newest,
            newest_at=moment_of(newest),
            unreadable_stamps=_unreadable_stamps(source) if has_stamps else 0,
            zoned_stamp=_zoned_stamp(source) if has_stamps else "",
            written_at=_written_at(path),
            other=other_writer(source, now),
        )


def _columns(source: sqlite3.Connection, tables: list[str]) -> dict[str, set[str]]:
    return {table: {row[1] for row in source.execute(f"PRAGMA table_info({table})")} for table in tables}


def _types(source: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[0] for row in source.execute(f"SELECT DISTINCT typeof(id) FROM {table} ORDER BY 1"))


def _has_unique_links(source: sqlite3.Connection) -> bool:
    indexes = source.execute(
        "SELECT name FROM pragma_index_list('project_social_accounts') WHERE \"unique\""
    ).fetchall()
    named = ({row[0] for row in source.execute("SELECT name FROM pragma_index_info(?)", index)} for index in indexes)
    return {"project_id", "profile_link"} in list(named)


def unique_snapshots(source: sqlite3.Connection) -> list[str]:
    """The unique indexes of ``account_snapshots`` without its id: they can refuse our snapshots."""
    rows = source.execute("SELECT name FROM pragma_index_list('account_snapshots') WHERE \"unique\" ORDER BY name")
    columns = {
        name: [row[0] for row in source.execute("SELECT name FROM pragma_index_info(?)", (name,))]
        for (name,) in rows.fetchall()
    }
    return [name for name, named in columns.items() if "id" not in named]


def _triggers(source: sqlite3.Connection, shared: list[str]) -> dict[str, str]:
    rows = source.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    return {name: table for name, table in rows if table in shared}


def _references(source: sqlite3.Connection, tables: set[str]) -> list[str]:
    columns = []
    for table in sorted(tables):
        rows = source.execute('SELECT "table", "from" FROM pragma_foreign_key_list(?)', (table,))
        columns += [f"{table}.{column}" for target, column in rows if target in REQUIRED]
    return columns


def _spreadsheets(source: sqlite3.Connection) -> tuple[str, ...]:
    rows = source.execute(
        "SELECT google_sheet_name FROM projects WHERE google_sheet_name > '' GROUP BY 1 ORDER BY count(*) DESC, 1"
    )
    return tuple(str(row[0]) for row in rows)


def _newest_stamp(source: sqlite3.Connection) -> str:
    row = source.execute(
        "SELECT snapshot_time FROM account_snapshots WHERE datetime(snapshot_time) IS NOT NULL"
        f" ORDER BY {NEWEST_FIRST} LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else ""


def _unreadable_stamps(source: sqlite3.Connection) -> int:
    unread = "typeof(snapshot_time) != 'text' OR datetime(snapshot_time) IS NULL"
    return int(source.execute(f"SELECT count(*) FROM account_snapshots WHERE {unread}").fetchone()[0])


def _zoned_stamp(source: sqlite3.Connection) -> str:
    row = source.execute(
        "SELECT max(snapshot_time) FROM account_snapshots WHERE snapshot_time GLOB '*[-+][0-9][0-9]:[0-9][0-9]'"
        " AND snapshot_time NOT GLOB '*[-+]00:00'"
    ).fetchone()
    return str(row[0] or "")


def other_writer(source: sqlite3.Connection, now: datetime) -> OtherWriter | None:
    """Other writers of snapshots since our first pass, within `RECENT`, that differ from the merged values.

    One whose rows are shown goes before one whose rows are not.
    """
    if not {"account_snapshots", "account_metrics", "sync_runs"} <= scratch_copy.tables(source):
        return None
    first = source.execute("SELECT min(started_at) FROM sync_runs").fetchone()[0]
    if first is None:
        return None
    since = max(str(first), stamp(now - RECENT))
    ours = {str(row[0]): row[1:] for row in source.execute(f"SELECT account_id, {_NAMES} FROM account_metrics")}
    is_own, newest, judged = OwnSnapshots(), set[str](), set[str]()
    writers: list[OtherWriter] = []
    for account_id, row_id, at, *values in source.execute(_LATELY, (since,)):
        account = str(account_id)
        shown = account not in newest
        newest.add(account)
        if account in judged or account not in ours or is_own(row_id, account, at):
            continue
        judged.add(account)
        pairs = zip(METRICS, values, ours[account], strict=True)
        unequal = [(metric, theirs, own) for metric, theirs, own in pairs if theirs != own]
        writers += [OtherWriter(0, account, *first_of, str(at), shown) for first_of in unequal[:1]]
    writers.sort(key=lambda one: not one.shown)
    return replace(writers[0], accounts=len(writers)) if writers else None


def moment_of(stamp: str) -> datetime | None:
    """Another program's time, in UTC unless it has a zone; None if it is invalid."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written_at(path: Path) -> datetime | None:
    """When the file or its WAL was last written."""
    times = [file.stat().st_mtime for file in (path, path.with_name(path.name + "-wal")) if file.is_file()]
    return datetime.fromtimestamp(max(times), UTC) if times else None
