"""Passes requested from a standby daemon: a row each in ``sync_requests``, answered by the leader.

A row without an answer is done by whichever daemon leads then: it outlives a leader.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from smart_sync.core.days import stamp
from smart_sync.store.engine import Database
from smart_sync.store.postgres.fencing import CHANNEL

#: Requests that are looked at at once.
MOST = 1000
#: Leaders that may end over a request, by a bug say, before it is refused: one must not end all, one after the other.
TRIES = 3
#: For how long an answer is kept that nobody reads, and a request that nobody answers.
KEPT = timedelta(days=1)
_TELL = f"SELECT pg_notify('{CHANNEL}', '')"


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Who asked for a pass over which project (None: all), and whether it is a dry run."""

    id: str
    project_id: str | None
    dry_run: bool
    asked_by: str


async def ask(database: Database, request: SyncRequest, now: datetime) -> None:
    """Store ``request`` for the leader."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO sync_requests (id, project_id, dry_run, asked_by, asked_at) VALUES (?, ?, ?, ?, ?)",
            (request.id, request.project_id, int(request.dry_run), request.asked_by, stamp(now)),
        )
        await transaction.fetch(_TELL)


async def unanswered(database: Database) -> list[SyncRequest]:
    """The requests without an answer, oldest first."""
    rows = await database.glance(
        "SELECT id, project_id, dry_run, asked_by FROM sync_requests WHERE status IS NULL"
        f" ORDER BY asked_at LIMIT {MOST}"
    )
    return [SyncRequest(row[0], row[1], bool(row[2]), row[3]) for row in rows]


async def begin(database: Database, request: SyncRequest) -> int:
    """Begin a try of ``request``; return its number, from 1, or 0 if it is answered already, or gone."""
    async with database.transaction() as transaction:
        tries = await transaction.fetch(
            "UPDATE sync_requests SET answer = CAST(coalesce(CAST(answer AS BIGINT), 0) + 1 AS TEXT)"
            " WHERE id = ? AND status IS NULL RETURNING answer",
            (request.id,),
        )
    return int(tries[0][0]) if tries else 0


async def put_back(database: Database, request: SyncRequest) -> None:
    """Return ``request`` to the queue, because this leader stops or reloads."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "UPDATE sync_requests SET answer = NULL WHERE id = ? AND status IS NULL", (request.id,)
        )


async def answer(database: Database, request: SyncRequest, status: int, text: str, now: datetime) -> None:
    """Store the answer to ``request`` for the daemon that asked, and delete answers that nobody read."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "UPDATE sync_requests SET status = ?, answer = ? WHERE id = ? AND status IS NULL",
            (status, text, request.id),
        )
        await transaction.execute("DELETE FROM sync_requests WHERE asked_at < ?", (stamp(now - KEPT),))
        await transaction.fetch(_TELL)


async def answer_to(database: Database, request: SyncRequest) -> tuple[int, str] | None:
    """The HTTP status and JSON of ``request``'s answer; None while there is none.

    503 where the database has lost the row: nobody will answer it.
    """
    rows = await database.glance("SELECT status, answer FROM sync_requests WHERE id = ?", (request.id,))
    if not rows:
        return 503, json.dumps({"success": False, "error": "the database has lost the request; ask again"})
    return None if rows[0][0] is None else (int(rows[0][0]), str(rows[0][1]))
