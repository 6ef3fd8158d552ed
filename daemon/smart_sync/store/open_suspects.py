"""What a pass found odd about its own results: suspects and conflicts."""

from datetime import datetime

from smart_sync.core.days import stamp
from smart_sync.core.merge.plan import Plan
from smart_sync.core.merge.suspects import STANDS, Suspect, Suspects
from smart_sync.store.database import Database, Transaction

# The suspects are few: they are gone through first, and their accounts looked up.
_OPEN = """
SELECT s.account_id, a.profile_link, s.metric, s.old, s.new, s.since, s.place
FROM suspects s CROSS JOIN project_social_accounts a ON a.id = s.account_id
WHERE a.project_id = ? AND s.since > ? ORDER BY s.since, s.account_id, s.metric
"""


def believed_before(now: datetime) -> str:
    """The stamp up to which suspects have stood long enough to be believed."""
    return stamp(now - STANDS)


async def open_suspects(database: Database, project_id: str, now: datetime) -> Suspects:
    """The suspects of a project that have not yet stood for a day."""
    rows = await database.fetch(_OPEN, (project_id, believed_before(now)))
    return {(row[0], row[2]): Suspect(row[0], row[1] or "", *row[2:]) for row in rows}


async def save(transaction: Transaction, plan: Plan, now: str) -> None:
    """Keep what ``plan`` found odd, beside what it writes."""
    await transaction.execute_many("DELETE FROM suspects WHERE account_id = ? AND metric = ?", plan.suspects.over)
    await transaction.execute_many(
        "INSERT OR REPLACE INTO suspects (account_id, metric, old, new, since, place) VALUES (?, ?, ?, ?, ?, ?)",
        [(s.account_id, s.metric, s.old, s.new, s.since, s.place) for s in plan.suspects.new],
    )
    await transaction.execute_many(
        "INSERT OR REPLACE INTO conflicts (account_id, metric, sheet, parsed, at, place) VALUES (?, ?, ?, ?, ?, ?)",
        [(c.account_id, c.metric, c.sheet, c.parsed, now, c.place) for c in plan.conflicts],
    )


async def forget_believed(transaction: Transaction, now: datetime) -> None:
    """Remove the suspects that have stood for a day, of all projects."""
    await transaction.execute("DELETE FROM suspects WHERE since <= ?", (believed_before(now),))


async def confirm(transaction: Transaction, account_id: str, metric: str | None) -> int:
    """A person says that the values are meant; returns how many were suspect."""
    return await transaction.execute(
        "DELETE FROM suspects WHERE account_id = ?1 AND (?2 IS NULL OR metric = ?2)", (account_id, metric)
    )
