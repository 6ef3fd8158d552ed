"""Which projects are stale (the table ``unread_projects``), and the overall state in one read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smart_sync.core.answers import Run
from smart_sync.core.model import Project
from smart_sync.core.results.results import PassResult
from smart_sync.core.results.stale import Freshness, Unread, judge_freshness
from smart_sync.core.state import as_text
from smart_sync.store import parser_records, pass_history
from smart_sync.store.accounts import ACTIVE_PROJECT_IDS, active_project, has_unclear_flag
from smart_sync.store.engine import Database, Transaction, upsert
from smart_sync.store.parser_records import FailingParser


@dataclass(frozen=True, slots=True)
class Stale:
    """An active project that is stale; times are stamps."""

    project_id: str
    project_name: str
    #: Its last good read; None: there was none.
    sheet_read_at: str | None
    #: Its first failed attempt after that.
    unread_since: str
    reason: str
    remedy: str


async def foreseen(source: Database | Transaction, result: PassResult, stale_after: float) -> Freshness:
    """Which projects ``result`` would make stale or fresh; nothing is written."""
    rows = await source.fetch("SELECT project_id, since, stale_since, reason, remedy FROM unread_projects")
    before = {row[0]: Unread(*row[1:]) for row in rows}
    read_at = {
        str(row[0]): str(row[1]) for row in await source.fetch("SELECT project_id, read_at FROM worksheet_reads")
    }
    return judge_freshness(result.results, before, read_at, stale_after)


async def remedies(source: Database) -> dict[tuple[str, str], str]:
    """What to do about the projects that could not be read at last: by project id and reason."""
    rows = await source.fetch("SELECT project_id, reason, remedy FROM unread_projects")
    return {(str(project_id), str(reason)): str(remedy) for project_id, reason, remedy in rows}


async def remember(transaction: Transaction, result: PassResult, stale_after: float) -> Freshness:
    """Judge ``result`` and store which projects are stale; inactive ones are deleted."""
    await transaction.execute(f"DELETE FROM unread_projects WHERE project_id NOT IN ({ACTIVE_PROJECT_IDS})")
    freshness = await foreseen(transaction, result, stale_after)
    await write_reasons(transaction, freshness.unread)
    return freshness


async def write_reasons(transaction: Transaction, unread: Mapping[str, Unread | None]) -> None:
    """Record why projects could not be read; None: it was read."""
    read = [(project_id,) for project_id, one in unread.items() if one is None]
    failed = [
        (project_id, one.since, one.stale_since, one.reason, one.remedy)
        for project_id, one in unread.items()
        if one is not None
    ]
    await transaction.execute_many("DELETE FROM unread_projects WHERE project_id = ?", read)
    await transaction.execute_many(
        upsert("unread_projects", "project_id, since, stale_since, reason, remedy", "project_id"),
        failed,
    )


async def is_known(database: Database, reason: str) -> bool:
    """Whether some project already failed to be read for this reason."""
    return bool(await database.glance("SELECT 1 FROM unread_projects WHERE reason = ? LIMIT 1", (reason,)))


async def stale_since(database: Database, project_id: str) -> str | None:
    """The stamp since which a project is stale; None if it is not."""
    rows = await database.glance("SELECT stale_since FROM unread_projects WHERE project_id = ?", (project_id,))
    return rows[0][0] if rows else None


async def read_time(database: Database, project_id: str) -> str | None:
    """The stamp of a project's last good read; None if there was none."""
    rows = await database.glance("SELECT read_at FROM worksheet_reads WHERE project_id = ?", (project_id,))
    return rows[0][0] if rows else None


@dataclass(frozen=True, slots=True)
class Standing:
    """The stored state behind status and health."""

    #: How many projects there are, and the active ones, by name.
    projects: int
    active: list[Project]
    last_pass: Run | None
    stale: Sequence[Stale]
    #: Project id → the stamp of its last good read.
    read_at: Mapping[str, str]
    failing_parsers: Sequence[FailingParser]
    #: When Smart Sync made the file; None if another program did.
    made_at: str | None
    #: The names of the projects whose ``is_active`` is neither 0 nor 1.
    unclear: Sequence[str] = ()


_UNCLEAR = f"SELECT CAST(p.name AS TEXT) AS name FROM projects p WHERE {has_unclear_flag('p')}"
_RUN = f"SELECT * FROM sync_runs WHERE {pass_history.LAST_RUN}"
_ACTIVE = f"""
SELECT CAST(p.id AS TEXT) AS id, CAST(p.name AS TEXT) AS name, CAST(p.google_sheet_name AS TEXT) AS sheet,
       r.read_at, u.stale_since, u.since, u.reason, u.remedy
FROM projects p LEFT JOIN worksheet_reads r ON r.project_id = CAST(p.id AS TEXT)
LEFT JOIN unread_projects u ON u.project_id = CAST(p.id AS TEXT)
WHERE {active_project("p")} AND p.id IS NOT NULL ORDER BY p.name, p.id
"""


async def standing(database: Database) -> Standing:
    """Read the state. Raises `StoreError`."""
    as_json = database.dialect.as_json
    # One query and one row: after each, Python's sqlite3 waits for the interpreter, which a pass has that computes.
    ((total, made_at, unclear, runs, failing, active_json),) = await database.glance(
        "SELECT (SELECT count(*) FROM projects), (SELECT at FROM database_made LIMIT 1),"
        f" (SELECT {as_json('name')} FROM ({_UNCLEAR}) n),"
        f" (SELECT {as_json(pass_history.COLUMNS)} FROM ({_RUN}) r),"
        f" (SELECT {as_json(parser_records.FAILING_COLUMNS)} FROM ({parser_records.FAILING}) f),"
        f" (SELECT {as_json('id, name, sheet, read_at, stale_since, since, reason, remedy')} FROM ({_ACTIVE}) a)"
    )
    active = [(row[0], as_text(row[1]), *row[2:]) for row in json.loads(active_json)]
    return Standing(
        total,
        [Project(row[0], row[1], as_text(row[2])) for row in active],
        next(map(pass_history.run_of, json.loads(runs)), None),
        [Stale(row[0], row[1], row[3], *row[5:]) for row in active if row[4] is not None],
        {row[0]: row[3] for row in active if row[3] is not None},
        [parser_records.FailingParser(*row) for row in json.loads(failing)],
        made_at,
        [as_text(name) for (name,) in json.loads(unclear)],
    )
