"""The campaigns of the projects, from ``start_date``, ``end_date`` and ``kpi_views``, where the web app has them."""

import json
from collections.abc import Sequence
from dataclasses import replace

from smart_sync.core import campaign
from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.model import Account
from smart_sync.store.engine import Reader

_COLUMNS = ("start_date", "end_date", "kpi_views")


async def load(source: Reader, timezone: str, project_ids: Sequence[str] | None = None) -> dict[str, Campaign]:
    """The campaigns by the project's id, of all projects or of some; dates are those of ``timezone``."""
    there = {name.casefold(): name for name in await source.dialect.columns(source, "projects")}
    columns = ", ".join(f'"{there[name]}"' if name in there else f"NULL AS {name}" for name in _COLUMNS)
    rows = await source.fetch(
        f"SELECT id, {columns} FROM projects WHERE id IS NOT NULL"
        " AND (CAST(?1 AS TEXT) IS NULL OR id IN (SELECT value FROM json_each(?1)))",
        (None if project_ids is None else json.dumps(project_ids),),
    )
    return {str(row[0]): campaign.read(row[1], row[2], row[3], timezone) for row in rows}


async def of(source: Reader, timezone: str, project_id: str) -> Campaign:
    """The campaign of one project."""
    return (await load(source, timezone, [project_id])).get(project_id, EVERYTHING)


async def target(source: Reader, project_id: str) -> tuple[int, str]:
    """The ``target_views`` of a project (0: none), and why they cannot be read ("" if they can)."""
    if "target_views" not in await source.dialect.columns(source, "projects"):
        return 0, ""
    rows = await source.fetch(
        "SELECT target_views FROM projects WHERE CAST(id AS TEXT) = CAST(?1 AS TEXT)", (project_id,)
    )
    return campaign.target(rows[0][0]) if rows else (0, "")


async def joined(source: Reader, timezone: str, accounts: Sequence[Account]) -> list[Account]:
    """``accounts``, each with the campaign of its project."""
    found = await load(source, timezone)
    return [replace(account, campaign=found.get(account.project_id, EVERYTHING)) for account in accounts]
