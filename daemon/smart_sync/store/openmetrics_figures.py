"""Reads the figures of ``/metrics`` that come from the database."""

from smart_sync.core.model import METRICS
from smart_sync.core.results.openmetrics import Measured, MeasuredProject
from smart_sync.core.state import as_text
from smart_sync.store.accounts import active_account, active_project
from smart_sync.store.engine import Database

# The index on (project_id, finished_at) finds each project's last pass.
_PROJECTS = f"""
SELECT CAST(p.id AS TEXT), p.name, r.read_at,
       EXISTS (SELECT 1 FROM unread_projects u WHERE u.project_id = CAST(p.id AS TEXT) AND u.stale_since IS NOT NULL),
       (SELECT s.outcome FROM sync_project_runs s WHERE s.project_id = CAST(p.id AS TEXT)
        ORDER BY s.finished_at DESC LIMIT 1)
FROM projects p LEFT JOIN worksheet_reads r ON r.project_id = CAST(p.id AS TEXT)
WHERE {active_project("p")} AND p.id IS NOT NULL ORDER BY p.name, p.id
"""
_CARRIED = " OR ".join(f"m.{metric}_carried_since IS NOT NULL" for metric in METRICS)
_COUNTS = """
SELECT (SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL),
       {size},
       (SELECT count(*) FROM account_metrics m
        JOIN project_social_accounts a ON CAST(a.id AS TEXT) = m.account_id AND {active_account}
        JOIN projects p ON p.id = a.project_id AND {active_project}
        WHERE m.left_since IS NULL AND ({carried}))
"""

_CONDITIONS = {"active_account": active_account("a"), "active_project": active_project("p"), "carried": _CARRIED}


async def measured(database: Database) -> Measured:
    """Read the figures. Raises `StoreError`."""
    projects = await database.glance(_PROJECTS)
    runs = await database.glance(
        "SELECT started_at, finished_at FROM sync_runs WHERE finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1"
    )
    ((waiting, size, carried),) = await database.glance(_COUNTS.format(size=database.dialect.size, **_CONDITIONS))
    started_at, finished_at = runs[0] if runs else (None, None)
    return Measured(
        [
            MeasuredProject(row[0], as_text(row[1]), row[2], bool(row[3]), None if row[4] is None else str(row[4]))
            for row in projects
        ],
        started_at,
        finished_at,
        waiting,
        size,
        carried,
    )
