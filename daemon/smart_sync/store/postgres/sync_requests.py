"""Passes that were asked for where a daemon stands by: a row each in ``sync_requests``, which the leader answers.

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
    """Who has asked for a pass over which project (None: all), and whether it shall write."""

    id: str
    project_id: str | None
    dry_run: bool
    asked_by: str


async def ask(database: Database, request: SyncRequest, now: datetime) -> None:
    """Let the leader know of ``request``."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO sync_requests (id, project_id, dry_run, asked_by, asked_at) VALUES (?, ?, ?, ?, ?)",
            (request.id, request.project_id, int(request.dry_run), request.asked_by, stamp(now)),
        )
        await transaction.fetch(_TELL)


async def unanswered(database: Database) -> list[SyncRequest]:
    """The requests that wait for an answer, the oldest first."""
    rows = await database.glance(
        "SELECT id, project_id, dry_run, asked_by FROM sync_requests WHERE status IS NULL"
        f" ORDER BY asked_at LIMIT {MOST}"
    )
    return [SyncRequest(row[0], row[1], bool(row[2]), row[3]) for row in rows]


async def begin(database: Database, request: SyncRequest) -> int:
    """Which try of ``request`` begins, from 1; 0: it is answered already, or gone."""
    async with database.transaction() as transaction:
        tries = await transaction.fetch(
            "UPDATE sync_requests SET answer = CAST(coalesce(CAST(answer AS BIGINT), 0) + 1 AS TEXT)"
            " WHERE id = ? AND status IS NULL RETURNING answer",
            (request.id,),
        )
    return int(tries[0][0]) if tries else 0


async def put_back(database: Database, request: SyncRequest) -> None:
    """A leader that stops, or reloads, has not ended over ``request``."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "UPDATE sync_requests SET answer = NULL WHERE id = ? AND status IS NULL", (request.id,)
        )


async def answer(database: Database, request: SyncRequest, status: int, text: str, now: datetime) -> None:
    """Keep the answer to ``request`` for the daemon that asked, and remove what nobody has read."""
    async with database.transaction() as transaction:
        await transaction.execute(
            "UPDATE sync_requests SET status = ?, answer = ? WHERE id = ? AND status IS NULL",
            (status, text, request.id),
        )
        await transaction.execute("DELETE FROM sync_requests WHERE asked_at < ?", (stamp(now - KEPT),))
        await transaction.fetch(_TELL)


async def answer_to(database: Database, request: SyncRequest) -> tuple[int, str] | None:
    """The HTTP status and the JSON that ``request`` was answered with; None while it is not.

    503 where the database has lost the row: nobody will answer it.
    """
    rows = await database.glance("SELECT status, answer FROM sync_requests WHERE id = ?", (request.id,))
    if not rows:
        return 503, json.dumps({"success": False, "error": "the database has lost the request; ask again"})
    return None if rows[0][0] is None else (int(rows[0][0]), str(rows[0][1]))
