"""What the configuration gives to new projects and accounts, held against the tables that they go into."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from smart_sync.core.wording import nearest
from smart_sync.store import scratch_copy
from smart_sync.store.database import Database
from smart_sync.store.schema import shared_tables

#: The tables, as the configuration calls them.
TABLES = {"projects": "projects", "accounts": "project_social_accounts"}
_COLUMNS = "SELECT name FROM pragma_table_info(?)"
Given = Mapping[str, Mapping[str, object]]


async def unknown_in(database: Database, given: Given) -> dict[str, str]:
    """Configuration key → what is wrong with it, for each column in ``given`` that its table does not have."""
    found: dict[str, str] = {}
    for section, values in given.items():
        if values:
            rows = await database.fetch(_COLUMNS, (TABLES[section],))
            found |= dict(_unknown(section, values, [str(row[0]) for row in rows]))
    return found


def unknown_at(path: Path, given: Given) -> dict[str, str]:
    """The same for the file at ``path``, and for the tables that will be made where it lacks them."""
    wanted = {section: values for section, values in given.items() if values}
    if not wanted:
        return {}
    found: dict[str, str] = {}
    try:
        there = _columns_at(path, wanted) if path.is_file() else {}
    except sqlite3.Error:
        return {}  # what is wrong with the file is told where it is opened
    with closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(shared_tables())
        made = _columns(ours, wanted)
    for section, values in wanted.items():
        found |= dict(_unknown(section, values, there.get(section) or made[section]))
    return found


def _columns_at(path: Path, sections: Iterable[str]) -> dict[str, list[str]]:
    with closing(scratch_copy.open_for_reading(path)) as source:
        return _columns(source, sections)


def _columns(source: sqlite3.Connection, sections: Iterable[str]) -> dict[str, list[str]]:
    return {section: [row[0] for row in source.execute(_COLUMNS, (TABLES[section],))] for section in sections}


def _unknown(section: str, values: Iterable[str], columns: list[str]) -> Iterator[tuple[str, str]]:
    there = {column.lower() for column in columns}
    for name in values:
        if name.lower() not in there:
            meant = nearest(name, columns)
            told = f"; did you mean {meant}?" if meant else ""
            yield f"sync.defaults.{section}.{name}", f"the table {TABLES[section]} has no column {name}{told}"
