"""``docs/reference/database.md``: the tables and views as the SQL files make and explain them."""

import asyncio
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from smart_sync import store
from smart_sync.core.model import METRICS
from smart_sync.store.schema import INBOX, MIGRATIONS, REQUIRED, open_database

_INTRODUCTION = """\
# Database

An SQLite file (or a database of a PostgreSQL server, with the same tables) that may belong to the web app. Smart Sync
creates what is missing, adds only its own tables and views, and never alters, drops or rewrites a table that it did not
create, nor a row that it did not write. Further columns are allowed.

Times are texts: UTC, ISO 8601 with microseconds, no zone. 0 and 1 are false and true. A metric is followers, likes,
comments, videos or views.
"""
#: Table → what others than Smart Sync may do with it; of the rest nothing is promised.
SHARED = {
    "projects": "Shared: the web app reads and writes it.",
    "project_social_accounts": "Shared: the web app reads and writes it.",
    "account_snapshots": "Shared: the web app reads it, and may write rows of its own.",
    "parsed_metrics": "The inbox: the web app, parsers and scripts write it.",
}
READABLE = (
    "account_metrics", "account_growth", "sheet_metrics", "parsed_values", "sheet_edits", "pins", "suspects",
    "carried_stretches", "worksheet_reads", "unread_projects", "sync_runs", "sync_project_runs",
)  # fmt: skip
_TEXTS_OF_VIEWS = {
    "account_growth": (
        "The days of each account: the last snapshot of each day in `[schedule] timezone`, and per metric the"
        " difference to the day before (`_delta`); NULL after a gap, and on the day on which a value becomes known."
        " `ends_carried`: the metrics, comma separated, for which the day ends a stretch of carried values."
    ),
    "parsed_inbox": "The inbox `parsed_metrics` with all its columns, also where others have made it with fewer.",
}


#: ``name: meaning`` or ``name, other: meaning``; ``{metric}`` is each of the metrics.
_ABOUT = re.compile(r"((?:\w|\{metric\})+(?:, \w+)*): ")
#: What a column means in each table, unless the SQL files say otherwise.
_EVERYWHERE = {
    "account_id": "`project_social_accounts.id`",
    "project_id": "`projects.id`",
    "metric": "which metric",
    "version": "the last migration",
}


class Column(NamedTuple):
    """A column of a table, and its meaning if the SQL files say it."""

    name: str
    kind: str
    text: str


class Table(NamedTuple):
    """A table or view with what the SQL files say of it."""

    name: str
    text: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]


@cache
def every_table() -> dict[str, Table]:
    """What a new database has, by name."""
    comments = _comments()
    comments["parsed_inbox"] = comments["parsed_metrics"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.db"
        asyncio.run(_make(path))
        with closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute(_TABLES)]
            return {name: _table(database, name, comments.get(name, [])) for name in names}


_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"


async def _make(path: Path) -> None:
    async with open_database(path):
        pass


def _table(database: sqlite3.Connection, name: str, comments: list[str]) -> Table:
    rows = database.execute(f'PRAGMA table_info("{name}")').fetchall()
    names = [row[1] for row in rows]
    meanings = dict(_meanings(comments, names))
    text = " ".join(line for line in comments if _subject(line, names) is None)
    columns = tuple(
        Column(
            row[1],
            f"{row[2]}{' NOT NULL' if row[3] else ''}".strip(),
            meanings.get(row[1], _EVERYWHERE.get(row[1], "")),
        )
        for row in rows
    )
    key = tuple(row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5])
    return Table(name, _TEXTS_OF_VIEWS.get(name, text), columns, key)


def _comments() -> dict[str, list[str]]:
    """Table → the paragraphs that stand in the SQL files above what makes or alters it.

    A line that begins with the name of a column and a colon begins a paragraph about that column; it may stand within
    the statement, above the column.
    """
    found: dict[str, list[str]] = {}
    for file in ("shared.sql", *MIGRATIONS):
        block: list[str] = []
        table = ""
        for line in resources.files(store).joinpath(file).read_text().splitlines():
            if line.startswith("--"):
                block.append(line.removeprefix("--").strip())
            elif line.startswith("  --"):
                found.setdefault(table, []).append(line.strip(" -"))
            elif made := re.match(r"(?:CREATE TABLE|CREATE VIEW|ALTER TABLE) (\w+)", line):
                table = made[1]
                found.setdefault(made[1], []).extend(_paragraphs(block))
                block = []
            elif not line.strip():
                block = []
    return found


def _paragraphs(block: list[str]) -> list[str]:
    joined: list[str] = []
    for line in block:
        if joined and not _ABOUT.match(line):
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def _subject(paragraph: str, names: list[str]) -> list[str] | None:
    """The columns that a paragraph is about; None: it is about the table."""
    about = _ABOUT.match(paragraph)
    named = about[1].split(", ") if about else []
    if named and "{metric}" in named[0]:
        named = [named[0].replace("{metric}", metric) for metric in METRICS]
    return named if named and set(named) <= set(names) else None


def _meanings(paragraphs: list[str], names: list[str]) -> Iterator[tuple[str, str]]:
    for paragraph in paragraphs:
        for name in _subject(paragraph, names) or ():
            yield name, paragraph.partition(": ")[2]


def as_markdown() -> str:
    """The page."""
    tables = every_table()
    lines = [_INTRODUCTION, "## Shared tables", "", *_needed()]
    for name, rule in SHARED.items():
        lines += _section(tables[name], rule)
    lines += ["## Tables for readers", "", "Made and written by Smart Sync alone; the web app may read them.", ""]
    for name in READABLE:
        lines += _section(tables[name], "")
    lines += ["## Internal tables", "", "Neither to be written nor to be relied on: they change with any version.", ""]
    for name in sorted(tables.keys() - SHARED.keys() - set(READABLE)):
        lines += _section(tables[name], "")
    return "\n".join(lines) + "\n"


def _needed() -> Iterator[str]:
    yield "Made only where they are missing. Of a table that the web app made these columns are needed:"
    yield from ("", "| table | columns |", "|---|---|")
    for name, columns in {**REQUIRED, "parsed_metrics": INBOX}.items():
        made = [column.name for column in every_table()[name].columns]
        yield f"| `{name}` | {', '.join(f'`{column}`' for column in made if column in columns)} |"
    yield ""


def _section(table: Table, rule: str) -> Iterator[str]:
    yield from (f"### {table.name}", "")
    yield from (paragraph for text in (rule, table.text) if text for paragraph in (text, ""))
    if table.key:
        yield from (f"Key: {', '.join(f'`{name}`' for name in table.key)}.", "")
    explained = any(column.text for column in table.columns)
    yield f"| column | type |{' meaning |' if explained else ''}"
    yield f"|---|---|{'---|' if explained else ''}"
    for column in table.columns:
        yield f"| `{column.name}` | {column.kind} |{f' {column.text} |' if explained else ''}"
    yield ""
