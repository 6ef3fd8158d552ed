"""A copy of what a pass reads, for trials: the real file is only opened for reading."""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from smart_sync.core.days import clock_changes, stamp
from smart_sync.core.model import METRICS
from smart_sync.core.parsed import AHEAD
from smart_sync.core.state import as_text
from smart_sync.store.accounts import has_unclear_flag
from smart_sync.store.clock_changes import NEWEST_FIRST, local_day
from smart_sync.store.engine import Database
from smart_sync.store.growth_rows import ABOVE_ZERO
from smart_sync.store.projects import TABLES, Given, unknown_columns
from smart_sync.store.schema import REQUIRED, shared_tables
from smart_sync.store.sqlite import hidden_snapshots
from smart_sync.store.sqlite.driver import MAX_ASKING, connect, damage
from smart_sync.store.sqlite.sqlite_catalogue import UNTYPED_IDS, untyped

#: Our tables whose content a dry pass needs; the shared ones are in `REQUIRED`.
_OURS = (
    "account_metrics",
    "sheet_metrics",
    "parsed_metrics",
    "parsed_values",
    "parsed_seen",
    "forgotten_values",
    "values_ahead",
    "values_taken_back",
    "account_link_changes",
    "suspects",
    "pins",
    "sheet_edits",
    "doubted_falls",
    "spreadsheet_facts",
    "worksheet_reads",
    "worksheet_troubles",
    "doubtful_rows",
    "lost_columns",
    "unread_projects",
    "parser_states",
)
#: Those whose rows a check copies from elsewhere.
COPIED = (*REQUIRED, *_OURS, "sync_runs")
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"


def copy_rows(path: Path, copy: Path) -> str | None:
    """Fill the tables of ``copy`` with what a pass reads; return the id of an account, if any.

    Raises `DatabaseUnusable` for a file that is damaged, or whose ids have no type.
    """
    with closing(connect(path)) as source:
        if trouble := damage(source, path):
            raise trouble
        existing = tables(source)
        for column, sql in UNTYPED_IDS.items():
            if column.partition(".")[0] in existing and source.execute(sql).fetchone():
                raise untyped(column)
        with closing(connect(copy, "rwc")) as target, target:
            for table in (*REQUIRED, *_OURS):
                if table in existing and table != "account_snapshots":
                    _copy_table(source, target, table)
            account = target.execute("SELECT id FROM project_social_accounts WHERE id IS NOT NULL").fetchone()
            return None if account is None else str(account[0])


def copy_schema(path: Path, empty: Path) -> None:
    """Give ``empty`` the schema of ``path``, without rows and triggers."""
    with closing(connect(path)) as source, closing(connect(empty, "rwc")) as target, target:
        made = source.execute("SELECT sql FROM sqlite_master WHERE type != 'trigger' AND sql > '' ORDER BY rowid")
        for (statement,) in made:
            with contextlib.suppress(sqlite3.Error):  # of virtual tables and their like, which are no matter of ours
                target.execute(statement)
        if target.execute("SELECT 1 FROM pragma_table_info('smart_sync_schema') WHERE name = 'version'").fetchone():
            versions = source.execute("SELECT version FROM smart_sync_schema")
            target.executemany("INSERT INTO smart_sync_schema (version) VALUES (?)", versions)


def copy_query(path: Path, query: str, copy: Path) -> str:
    """Store ``query``'s result in a table of ``copy``; return the query that reads it there.

    Raises the driver's error, or ValueError, for what is no SELECT of this database, or takes too long.
    """
    ends = time.monotonic() + MAX_ASKING
    with closing(connect(path)) as source, closing(connect(copy, "rwc")) as target, target:
        if hidden_snapshots.concerns(query):
            hidden_snapshots.hide(source)
        source.set_progress_handler(lambda: time.monotonic() > ends, 100_000)
        rows = source.execute(f"SELECT * FROM (\n{query}\n)")
        names = ", ".join('"{}"'.format(column[0].replace('"', "")) for column in rows.description)
        marks = ", ".join("?" * len(rows.description))
        target.execute(f"CREATE TABLE parsed_by_query ({names})")
        target.executemany(f"INSERT INTO parsed_by_query VALUES ({marks})", rows)
    return "SELECT * FROM parsed_by_query"


def doubled_days(source: sqlite3.Connection, timezone: str) -> int:
    """The number of accounts' days (in ``timezone``) with several snapshots."""
    if "account_snapshots" not in tables(source):
        return 0
    _set_clocks(source, timezone)
    day = local_day("snapshot_time")
    doubled = (
        "SELECT 1 FROM account_snapshots WHERE datetime(snapshot_time) IS NOT NULL"
        f" GROUP BY account_id, {day} HAVING count(*) > 1"
    )
    return int(source.execute(f"SELECT count(*) FROM ({doubled})").fetchone()[0])


def _set_clocks(source: sqlite3.Connection, timezone: str) -> None:
    # Its own clocks may be those of another zone, or be missing: these stand before them.
    source.execute("DROP TABLE IF EXISTS temp.clock_changes")
    source.execute("CREATE TEMP TABLE clock_changes (since TEXT PRIMARY KEY, ahead TEXT) WITHOUT ROWID")
    source.executemany("INSERT INTO temp.clock_changes VALUES (?, ?)", clock_changes(timezone))


def flags_not_understood(source: sqlite3.Connection) -> list[tuple[str, str]]:
    """The projects whose ``is_active`` is invalid, each with its value."""
    if "projects" not in tables(source):
        return []
    sql = f"SELECT coalesce(p.name, p.id, ''), p.is_active FROM projects p WHERE {has_unclear_flag('p')} ORDER BY 1"
    return [(str(name), str(flag)) for name, flag in source.execute(sql)]


def zero_snapshots(source: sqlite3.Connection) -> int:
    """The number of snapshots with only zeros although a later one of the account has more."""
    if "account_snapshots" not in tables(source):
        return 0
    above_zero = " OR ".join(ABOVE_ZERO.format(m=metric) for metric in METRICS)
    above = " OR ".join(f"{metric} > 0" for metric in METRICS)
    sql = (
        "SELECT count(*) FROM account_snapshots s JOIN (SELECT account_id, max(datetime(snapshot_time)) AS last"
        f" FROM account_snapshots WHERE {above_zero} GROUP BY account_id) k ON k.account_id = s.account_id"
        f" WHERE NOT coalesce({above}, 0) AND datetime(s.snapshot_time) < k.last"
    )
    return int(source.execute(sql).fetchone()[0])


#: How many snapshots have a time that cannot be read, and what one of them says.
UNREAD = (
    "SELECT count(*), coalesce(min(CAST(snapshot_time AS TEXT)), '') FROM account_snapshots"
    " WHERE datetime(snapshot_time) IS NULL"
)


def unread_snapshots(path: Path) -> tuple[int, str]:
    """The result of `UNREAD` for the file at ``path``."""
    with closing(connect(path)) as source:
        if "account_snapshots" not in tables(source):
            return 0, ""
        count, example = source.execute(UNREAD).fetchone()
    return int(count), as_text(example)


def snapshots_ahead(source: sqlite3.Connection, now: datetime) -> tuple[int, str]:
    """The number of snapshots dated more than `AHEAD` after ``now``, by any writer, and the newest time in UTC."""
    if "account_snapshots" not in tables(source):
        return 0, ""
    count, newest = source.execute(
        "SELECT count(*), coalesce(max(datetime(snapshot_time)), '') FROM account_snapshots"
        " WHERE datetime(snapshot_time) > datetime(?)",
        (stamp(now + AHEAD),),
    ).fetchone()
    return int(count), str(newest)


def zeros_between(source: sqlite3.Connection, timezone: str) -> list[tuple[str, str, str]]:
    """Days whose last snapshot is 0 between higher ones: account (link or id), day in ``timezone``, metric."""
    if not {"account_snapshots", "project_social_accounts"} <= tables(source):
        return []
    _set_clocks(source, timezone)
    queries = (
        f"SELECT coalesce(a.profile_link, s.account_id), {local_day('s.snapshot_time')}, '{metric}'"
        " FROM last_of_day s JOIN (SELECT account_id, min(datetime(snapshot_time)) AS first,"
        f" max(datetime(snapshot_time)) AS last FROM account_snapshots WHERE {ABOVE_ZERO.format(m=metric)}"
        " GROUP BY account_id) k"
        " ON k.account_id = s.account_id LEFT JOIN project_social_accounts a ON a.id = s.account_id"
        f" WHERE s.{metric} = 0 AND datetime(s.snapshot_time) > k.first AND datetime(s.snapshot_time) < k.last"
        for metric in METRICS
    )
    last_of_day = (
        f"SELECT *, row_number() OVER (PARTITION BY account_id, {local_day('snapshot_time')}"
        f" ORDER BY {NEWEST_FIRST}, id DESC) AS nth FROM account_snapshots"
    )
    rows = source.execute(
        f"WITH last_of_day AS (SELECT * FROM ({last_of_day}) WHERE nth = 1) {' UNION '.join(queries)} ORDER BY 1, 2, 3"
    )
    return [(str(link), str(day), metric) for link, day, metric in rows]


class Names(NamedTuple):
    """The names a configuration may use: projects, platforms in lower case, spreadsheets (``google_sheet_name``)."""

    projects: set[str]
    platforms: set[str]
    spreadsheets: set[str]


async def names_in_use(database: Database) -> Names:
    """The names of all projects and accounts, including inactive ones."""
    rows = await database.fetch("SELECT name, google_sheet_name FROM projects")
    platforms = await database.fetch("SELECT DISTINCT platform FROM project_social_accounts")
    return Names(
        {str(name) for name, _ in rows if name},
        {str(row[0]).lower() for row in platforms if row[0]},
        {str(spreadsheet) for _, spreadsheet in rows if spreadsheet},
    )


def unknown_at(path: Path, defaults: Given) -> dict[str, str]:
    """`projects.unknown_in` for the file at ``path``; missing tables count as those that will be created."""
    wanted = {section: values for section, values in defaults.items() if values}
    if not wanted:
        return {}
    if not path.is_file():
        return unknown_among({}, wanted)
    try:
        with closing(connect(path)) as source:
            return unknown_among(_columns_of(source, wanted), wanted)
    except sqlite3.Error:
        return {}  # what is wrong with the file is reported where it is opened


def unknown_among(columns: Mapping[str, list[str]], wanted: Given) -> dict[str, str]:
    """`unknown_at`; ``columns``: the existing tables' columns, by section."""
    problems: dict[str, str] = {}
    with closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(shared_tables())
        made = _columns_of(ours, wanted)
    for section, values in wanted.items():
        problems |= dict(unknown_columns(section, values, columns.get(section) or made[section]))
    return problems


def _columns_of(source: sqlite3.Connection, sections: Iterable[str]) -> dict[str, list[str]]:
    return {
        section: [row[0] for row in source.execute("SELECT name FROM pragma_table_info(?)", (TABLES[section],))]
        for section in sections
    }


def tables(connection: sqlite3.Connection) -> set[str]:
    """The names of all tables and views."""
    return {row[0] for row in connection.execute(_TABLES)}


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    wanted = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    existing = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    columns = [column for column in wanted if column in existing]
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    rows = source.execute(f"SELECT {names} FROM {table}")
    target.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)
