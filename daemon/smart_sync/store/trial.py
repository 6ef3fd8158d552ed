"""A copy of what a pass reads, to try things on: the real file is only ever opened for reading."""

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path

from smart_sync.errors import DatabaseUnusable
from smart_sync.store.schema import REQUIRED

#: Our tables whose content a dry pass needs; the shared ones are in `REQUIRED`.
_OURS = ("account_metrics", "sheet_metrics", "parsed_metrics", "parsed_seen", "suspects", "spreadsheet_facts")
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"


def copy_rows(path: Path, copy: Path) -> None:
    """Fill the tables of ``copy`` with what a pass reads.  Raises `DatabaseUnusable` for a file that is damaged."""
    with closing(open_for_reading(path)) as source:
        verdict = source.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            told = " ".join(verdict.split())
            raise DatabaseUnusable(f"the file is corrupted ({told}); restore it from a backup")
        there = tables(source)
        with closing(sqlite3.connect(copy)) as target, target:
            for table in (*REQUIRED, *_OURS):
                if table in there and table != "account_snapshots":
                    _copy_table(source, target, table)


def copy_schema(path: Path, empty: Path) -> None:
    """Make ``empty`` as ``path`` is, without its rows and triggers."""
    with closing(open_for_reading(path)) as source, closing(sqlite3.connect(empty)) as target, target:
        made = source.execute("SELECT sql FROM sqlite_master WHERE type != 'trigger' AND sql > '' ORDER BY rowid")
        for (statement,) in made:
            with contextlib.suppress(sqlite3.Error):  # of virtual tables and their like, which are no matter of ours
                target.execute(statement)
        if target.execute("SELECT 1 FROM pragma_table_info('smart_sync_schema') WHERE name = 'version'").fetchone():
            versions = source.execute("SELECT version FROM smart_sync_schema")
            target.executemany("INSERT INTO smart_sync_schema (version) VALUES (?)", versions)


def copy_query(path: Path, query: str, copy: Path) -> str:
    """Keep what ``query`` gives in a table of ``copy``; returns the query that reads it there.

    Raises the driver's error, or ValueError, for what is no SELECT of this database.
    """
    with closing(open_for_reading(path)) as source, closing(sqlite3.connect(copy)) as target, target:
        rows = source.execute(f"SELECT * FROM (\n{query}\n)")
        names = ", ".join('"{}"'.format(column[0].replace('"', "")) for column in rows.description)
        marks = ", ".join("?" * len(rows.description))
        target.execute(f"CREATE TABLE parsed_by_query ({names})")
        target.executemany(f"INSERT INTO parsed_by_query VALUES ({marks})", rows)
    return "SELECT * FROM parsed_by_query"


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, whatever it is told."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)


def tables(connection: sqlite3.Connection) -> set[str]:
    """The names of the tables and views there are."""
    return {row[0] for row in connection.execute(_TABLES)}


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    wanted = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    columns = [column for column in wanted if column in there]
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    rows = source.execute(f"SELECT {names} FROM {table}")
    target.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)
