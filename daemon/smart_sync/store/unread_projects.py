"""Which projects are stale (the table ``unread_projects``), and how everything stands, in one look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smart_sync.core.answers import Run
from smart_sync.core.model import Project
from smart_sync.core.results.results import PassResult
from smart_sync.core.results.stale import Freshness, Unread, judge
from smart_sync.store import parser_records, pass_history, projects
from smart_sync.store.accounts import ACTIVE_PROJECT_IDS, active_project
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
    """What ``result`` means for its projects; nothing is written."""
    rows = await source.fetch("SELECT project_id, since, stale_since, reason, remedy FROM unread_projects")
    before = {row[0]: Unread(*row[1:]) for row in rows}
    read_at = {
        str(row[0]): str(row[1]) for row in await source.fetch("SELECT project_id, read_at FROM worksheet_reads")
    }
    return judge(result.results, before, read_at, stale_after)


async def remember(transaction: Transaction, result: PassResult, stale_after: float) -> Freshness:
    """Judge ``result`` and keep what follows; projects that are no longer active are forgotten."""
    await transaction.execute(f"DELETE FROM unread_projects WHERE project_id NOT IN ({ACTIVE_PROJECT_IDS})")
    freshness = await foreseen(transaction, result, stale_after)
    await _write(transaction, freshness.unread)
    return freshness


async def _write(transaction: Transaction, unread: Mapping[str, Unread | None]) -> None:
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


async def stale_projects(database: Database) -> list[Stale]:
    """The active projects that are stale, by name."""
    rows = await database.glance(
        "SELECT CAST(p.id AS TEXT), p.name, r.read_at, u.since, u.reason, u.remedy"
        f" FROM unread_projects u JOIN projects p ON CAST(p.id AS TEXT) = u.project_id AND {active_project('p')}"
        " LEFT JOIN worksheet_reads r ON r.project_id = u.project_id"
        " WHERE u.stale_since IS NOT NULL ORDER BY p.name, p.id"
    )
    return [Stale(str(row[0]), str(row[1] or ""), *row[2:]) for row in rows]


async def is_known(database: Database, reason: str) -> bool:
    """Whether a project could not be read for this reason already."""
    return bool(await database.glance("SELECT 1 FROM unread_projects WHERE reason = ? LIMIT 1", (reason,)))


async def read_times(database: Database) -> dict[str, str]:
    """Project id → the stamp of its last good read."""
    rows = await database.glance("SELECT project_id, read_at FROM worksheet_reads")
    return {str(row[0]): str(row[1]) for row in rows}


async def stale_since(database: Database, project_id: str) -> str | None:
    """Since when a project has been stale; None: it is not."""
    rows = await database.glance("SELECT stale_since FROM unread_projects WHERE project_id = ?", (project_id,))
    return rows[0][0] if rows else None


async def read_time(database: Database, project_id: str) -> str | None:
    """The stamp of a project's last good read; None: there was none."""
    rows = await database.glance("SELECT read_at FROM worksheet_reads WHERE project_id = ?", (project_id,))
    return rows[0][0] if rows else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What status and health are told from."""

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


async def standing(database: Database) -> Standing:
    """Read all of it.  Raises the driver's errors."""
    total, active = await projects.overview(database)
    made = await database.glance("SELECT at FROM database_made LIMIT 1")
    return Standing(
        total,
        active,
        await pass_history.last_run(database),
        await stale_projects(database),
        await read_times(database),
        await parser_records.failing(database),
        made[0][0] if made else None,
    )
