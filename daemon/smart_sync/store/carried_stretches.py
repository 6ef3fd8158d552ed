"""The table ``carried_stretches``: the days that end one hold the growth of several days."""

from smart_sync.core.merge.plan import Plan
from smart_sync.store.database import Transaction
from smart_sync.store.snapshots import Writing


async def save(transaction: Transaction, plan: Plan, writing: Writing) -> None:
    """Note the stretches that end with this pass; one that began on the same day is no matter of growth."""
    ended = (
        (row.account_id, writing.now, ",".join(m for m, since in row.resumed.items() if since < writing.day.start))
        for row in plan.merged
        if row.resumed
    )
    await transaction.execute_many(
        "INSERT INTO carried_stretches (account_id, ended_at, metrics) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [row for row in ended if row[-1]],
    )
