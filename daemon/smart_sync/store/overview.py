"""How things stand, in one look: the projects, which of them are stale, which parsers fail, who made the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smart_sync.core.model import Project
from smart_sync.store import parser_states, pass_history, projects, unread_projects
from smart_sync.store.database import Database
from smart_sync.store.parser_states import FailingParser
from smart_sync.store.unread_projects import Stale


@dataclass(frozen=True, slots=True)
class Standing:
    """What status and health are told from."""

    #: How many projects there are, and the active ones, by name.
    projects: int
    active: list[Project]
    last_pass: dict[str, Any] | None
    stale: Sequence[Stale]
    #: Project id → the stamp of its last good read.
    read_at: Mapping[str, str]
    failing_parsers: Sequence[FailingParser]
    #: When Smart Sync made the file; None if somebody else did.
    made_at: str | None


async def standing(database: Database) -> Standing:
    """Read all of it.  Raises the driver's errors."""
    total, active = await projects.overview(database)
    made = await database.glance("SELECT at FROM database_made LIMIT 1")
    return Standing(
        total,
        active,
        await pass_history.last_run(database),
        await unread_projects.stale_projects(database),
        await unread_projects.read_times(database),
        await parser_states.failing(database),
        made[0][0] if made else None,
    )
