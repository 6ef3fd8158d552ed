"""The history of passes: ``sync_runs`` and ``sync_project_runs``."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from smart_sync.core.model import Outcome, Trigger
from smart_sync.core.results import MAX_PROBLEMS, PassResult, ProjectResult
from smart_sync.store.database import Database, Transaction

#: What else is kept together with the result of a pass, in its transaction.
Beside = Callable[[Transaction, PassResult], Awaitable[None]]

_PROJECT_RUN = """
INSERT INTO sync_project_runs (run_id, project_id, project_name, outcome, error, finished_at, accounts, sheet, parsed,
                               updated, changed, snapshots, seconds, stages, problems)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


async def start_run(database: Database, run_id: str, trigger: Trigger, requested_by: str, started_at: str) -> None:
    """Note that a pass has begun; one that never finishes stays without ``finished_at``."""
    async with database.transaction() as transaction:
        await transaction.execute(
            'INSERT INTO sync_runs (id, "trigger", requested_by, started_at) VALUES (?, ?, ?, ?)',
            (run_id, trigger.value, requested_by, started_at),
        )


async def finish_run(database: Database, result: PassResult, calls: int, beside: Beside) -> None:
    """Note what became of a pass and of each project, and that the worksheets read are still as they were.

    All of it or nothing, with whatever ``beside`` writes.
    """
    failed, degraded = result.count(Outcome.FAILED), result.count(Outcome.DEGRADED)
    confirmed = [r for r in result.results if r.outcome in (Outcome.SYNCED, Outcome.UNCHANGED)]
    async with database.transaction() as transaction:
        await transaction.execute_many(_PROJECT_RUN, [_project_row(result.id, project) for project in result.results])
        await transaction.execute_many(
            "UPDATE worksheet_reads SET read_at = ? WHERE project_id = ?",
            [(r.timestamp, r.project.id) for r in confirmed],
        )
        await transaction.execute(
            "UPDATE sync_runs SET finished_at = ?, projects = ?, succeeded = ?, failed = ?, degraded = ?, accounts = ?,"
            " updated = ?, changed = ?, snapshots = ?, calls = ? WHERE id = ?",
            (
                result.timestamp,
                len(result.results),
                len(result.results) - failed,
                failed,
                degraded,
                *(sum(getattr(r, name) for r in result.results) for name in _SUMS),
                calls,
                result.id,
            ),
        )
        await beside(transaction, result)


_SUMS = ("accounts", "updated", "changed", "snapshots")


def _project_row(run_id: str, result: ProjectResult) -> tuple[Any, ...]:
    problems = [str(problem) for problem in result.problems[:MAX_PROBLEMS]]
    return (
        run_id,
        result.project.id,
        result.project.name,
        result.outcome.value,
        result.error,
        result.timestamp,
        result.accounts,
        result.sheet,
        result.parsed,
        result.updated,
        result.changed,
        result.snapshots,
        round(result.seconds, 6),
        json.dumps(dict(result.stages)),
        json.dumps(problems, ensure_ascii=False),
    )


async def last_run(database: Database) -> dict[str, Any] | None:
    """The newest finished pass, as ``sync_status`` and ``history`` show it."""
    runs = await recent_runs(database, 1)
    return runs[0] if runs else None


async def recent_runs(database: Database, limit: int) -> list[dict[str, Any]]:
    """The newest finished passes, newest first."""
    names = (
        "id", "trigger", "requested_by", "started_at", "finished_at", "projects", "succeeded", "failed", "degraded",
        *_SUMS, "calls",
    )  # fmt: skip
    columns = ", ".join(f'"{name}"' for name in names)
    rows = await database.glance(
        f"SELECT {columns} FROM sync_runs WHERE finished_at IS NOT NULL ORDER BY started_at DESC LIMIT ?",
        (limit,),
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


async def prune(database: Database, before: str, batch: int = 500) -> int:
    """Delete the history of passes that started before the stamp ``before``; returns how many passes went.

    In small batches, each its own transaction, so that nobody waits long for the file.
    """
    pruned = 0
    while True:
        async with database.transaction() as transaction:
            ids = await transaction.fetch("SELECT id FROM sync_runs WHERE started_at < ? LIMIT ?", (before, batch))
            await transaction.execute_many("DELETE FROM sync_project_runs WHERE run_id = ?", ids)
            await transaction.execute_many("DELETE FROM sync_runs WHERE id = ?", ids)
        pruned += len(ids)
        if len(ids) < batch:
            return pruned
