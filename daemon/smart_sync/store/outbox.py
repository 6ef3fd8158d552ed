"""The outbox: queued messages for webhooks, and the project troubles that were reported."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from smart_sync.core.command_answers import DeliveryAnswer
from smart_sync.core.model import Outcome
from smart_sync.core.results.alerts import Trouble
from smart_sync.core.results.webhook_messages import Message
from smart_sync.store.accounts import ACTIVE_PROJECT_IDS
from smart_sync.store.engine import Database, Transaction, upsert

#: Messages that wait for one endpoint; of more than these the oldest are dropped.
MAX_WAITING = 1000
#: Messages of one endpoint that are kept for `recent`, once nothing more is done about them.
MAX_DONE = 500
#: Attempts after which a message that was not accepted says something of who should.
ATTEMPTS = 3
#: Deliveries that are fetched at once.
BATCH = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message due at an endpoint, and the number of attempts."""

    seq: int
    message: Message
    attempts: int
    #: A stamp.
    due_at: str = ""


async def troubles(transaction: Transaction) -> dict[str, Trouble]:
    """The reported troubles by project id; those of inactive projects are deleted."""
    await transaction.execute(f"DELETE FROM project_troubles WHERE project_id NOT IN ({ACTIVE_PROJECT_IDS})")
    rows = await transaction.fetch("SELECT project_id, outcome, since, told, ends FROM project_troubles")
    return {
        project_id: Trouble(Outcome(outcome) if outcome else None, since, bool(told), tuple(ends.split()))
        for project_id, outcome, since, told, ends in rows
    }


async def remember_troubles(transaction: Transaction, changed: Mapping[str, Trouble | None]) -> None:
    """Store the troubles that changed."""
    well = [(project_id,) for project_id, trouble in changed.items() if trouble is None]
    ill = [
        (project_id, one.outcome.value if one.outcome else "", one.since, one.told, " ".join(one.ends))
        for project_id, one in changed.items()
        if one is not None
    ]
    await transaction.execute_many("DELETE FROM project_troubles WHERE project_id = ?", well)
    await transaction.execute_many(
        upsert("project_troubles", "project_id, outcome, since, told, ends", "project_id"), ill
    )


async def add(transaction: Transaction, endpoint: str, messages: Collection[Message], now: str) -> int:
    """Queue ``messages`` for an endpoint, due at once; return how many older ones were dropped for lack of room."""
    await transaction.execute_many(
        "INSERT INTO webhook_deliveries (endpoint, id, type, body, created_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(endpoint, m.id, m.type, m.body, now, now) for m in messages],
    )
    return await transaction.execute(
        "UPDATE webhook_deliveries SET status = 'dropped', due_at = NULL, answer = 'too many were waiting'"
        " WHERE seq IN (SELECT seq FROM webhook_deliveries WHERE endpoint = ? AND due_at IS NOT NULL"
        " ORDER BY seq DESC LIMIT 1000000000 OFFSET ?)",
        (endpoint, MAX_WAITING),
    )


async def bound_waits(transaction: Transaction, endpoint: str, now: str, latest: str) -> None:
    """Make messages due now that would wait beyond ``latest``: a clock that was ahead has queued them."""
    await transaction.execute(
        "UPDATE webhook_deliveries SET due_at = ? WHERE endpoint = ? AND due_at > ?", (now, endpoint, latest)
    )


async def prune(transaction: Transaction, endpoint: str, before: str, long_before: str = "") -> None:
    """Delete messages older than ``before``, and an endpoint's oldest completed ones.

    What was given up goes only before ``long_before``: the next pass after the endpoint accepts something needs it.
    """
    await transaction.execute(
        "DELETE FROM webhook_deliveries WHERE created_at < ?1 AND (status != 'failed' OR created_at < ?2)",
        (before, long_before or before),
    )
    await transaction.execute(
        "DELETE FROM webhook_deliveries WHERE seq IN (SELECT seq FROM webhook_deliveries"
        " WHERE endpoint = ? AND due_at IS NULL ORDER BY seq DESC LIMIT 1000000000 OFFSET ?)",
        (endpoint, MAX_DONE),
    )


async def due(database: Database, endpoint: str, now: str) -> list[Delivery]:
    """The first messages due at an endpoint, in queue order; at most `BATCH`."""
    return await _waiting(database, "endpoint = ?1 AND due_at <= ?2 ORDER BY seq LIMIT ?3", (endpoint, now, BATCH))


async def due_in_order(database: Database, endpoint: str, now: str) -> list[Delivery]:
    """The messages due at an endpoint, and all queued before them that still wait."""
    return await _waiting(
        database,
        "endpoint = ?1 AND due_at IS NOT NULL AND seq <="
        " (SELECT max(seq) FROM webhook_deliveries WHERE endpoint = ?1 AND due_at <= ?2) ORDER BY seq",
        (endpoint, now),
    )


async def _waiting(database: Database, condition: str, parameters: tuple[object, ...]) -> list[Delivery]:
    rows = await database.glance(
        f"SELECT seq, id, type, body, attempts, due_at FROM webhook_deliveries WHERE {condition}", parameters
    )
    return [Delivery(row[0], Message(row[1], row[2], row[3]), row[4], row[5]) for row in rows]


async def to_try_again(transaction: Transaction, types: Collection[str], before: str) -> frozenset[str]:
    """The endpoints that accepted a message after giving up one of ``types``.

    And those for which one was given up before the stamp ``before``: they may be sent nothing else; and those that were
    disabled until now.  None is disabled.
    """
    marks = ", ".join("?" * len(types))
    rows = await transaction.fetch(
        f"SELECT DISTINCT f.endpoint FROM webhook_deliveries f WHERE f.status = 'failed' AND f.type IN ({marks})"
        " AND f.endpoint NOT IN (SELECT endpoint FROM webhooks_disabled WHERE since != '')"
        " AND (f.last_at < ? OR EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = f.endpoint"
        " AND d.status = 'delivered' AND d.last_at > f.last_at))"
        " UNION SELECT endpoint FROM webhooks_disabled WHERE since = ''",
        (*types, before),
    )
    return frozenset(str(row[0]) for row in rows)


async def forget_given_up(transaction: Transaction, endpoint: str, types: Collection[str]) -> None:
    """Delete an endpoint's given-up messages of ``types``."""
    marks = ", ".join("?" * len(types))
    await transaction.execute(
        f"DELETE FROM webhook_deliveries WHERE endpoint = ? AND status = 'failed' AND type IN ({marks})",
        (endpoint, *types),
    )
    await transaction.execute("DELETE FROM webhooks_disabled WHERE endpoint = ? AND since = ''", (endpoint,))


async def postpone(transaction: Transaction, endpoint: str, behind: Delivery, until: str) -> None:
    """Delay an endpoint's messages queued ``behind`` a message to ``until`` at least."""
    await transaction.execute(
        "UPDATE webhook_deliveries SET due_at = ?1 WHERE endpoint = ?2 AND seq > ?3 AND due_at < ?1",
        (until, endpoint, behind.seq),
    )


async def next_due(database: Database, endpoint: str) -> str | None:
    """The stamp at which the next message is due at an endpoint; None if none waits."""
    rows = await database.glance(
        "SELECT min(due_at) FROM webhook_deliveries WHERE endpoint = ? AND due_at IS NOT NULL", (endpoint,)
    )
    stamp: str | None = rows[0][0]
    return stamp


async def attempted(
    transaction: Transaction, delivery: Delivery, status: str, answer: str, now: str, due_at: str | None
) -> None:
    """Record an attempt: its result, and when the next one is due (None: never).

    One before its time that failed leaves those that it still has.
    """
    counts = due_at is None or due_at != delivery.due_at
    await transaction.execute(
        "UPDATE webhook_deliveries SET status = ?, answer = ?, last_at = ?, due_at = ?, attempts = attempts + ?"
        " WHERE seq = ? AND due_at IS NOT NULL",
        (status, answer, now, due_at, int(counts), delivery.seq),
    )


async def disable(transaction: Transaction, endpoint: str, now: str) -> int:
    """Disable an endpoint; return how many messages were dropped."""
    await transaction.execute(
        "INSERT INTO webhooks_disabled (endpoint, since) VALUES (?, ?) ON CONFLICT (endpoint) DO UPDATE SET"
        " since = CASE WHEN webhooks_disabled.since = '' THEN excluded.since ELSE webhooks_disabled.since END",
        (endpoint, now),
    )
    return await transaction.execute(
        "UPDATE webhook_deliveries SET status = 'dropped', due_at = NULL WHERE endpoint = ? AND due_at IS NOT NULL",
        (endpoint,),
    )


async def enable(transaction: Transaction, endpoint: str) -> bool:
    """Enable an endpoint from the next pass on; return whether it was disabled."""
    # The row stays, without a time, until the endpoint is told of the troubles that it has missed.
    sql = "UPDATE webhooks_disabled SET since = '' WHERE endpoint = ? AND since != ''"
    return await transaction.execute(sql, (endpoint,)) > 0


async def has_tables(database: Database) -> bool:
    """Whether a daemon has created these tables."""
    return bool(await database.dialect.columns(database, "webhooks_disabled"))


async def disabled(source: Database | Transaction) -> frozenset[str]:
    """The disabled endpoints."""
    return frozenset(row[0] for row in await source.fetch("SELECT endpoint FROM webhooks_disabled WHERE since != ''"))


async def recent(database: Database, labels: Mapping[str, str], limit: int) -> list[DeliveryAnswer]:
    """The newest messages of endpoints (each with its label), newest first, without bodies."""
    names = ("endpoint", "id", "type", "status", "created_at", "due_at", "attempts", "last_at", "answer")
    if not labels:
        return []
    marks = ", ".join("?" * len(labels))
    rows = await database.glance(
        f"SELECT {', '.join(names)} FROM webhook_deliveries WHERE endpoint IN ({marks}) ORDER BY seq DESC LIMIT ?",
        (*labels, limit),
    )
    return [
        DeliveryAnswer(
            webhook=labels[row[0]], id=row[1], type=row[2], status=row[3], created_at=row[4], due_at=row[5],
            attempts=row[6], last_at=row[7], answer=row[8],
        )
        for row in rows
    ]  # fmt: skip


async def unreached(database: Database, before: str) -> dict[str, tuple[str, str]]:
    """The endpoints without an accepted message since before ``before``: since when, and their last response."""
    rows = await database.glance(
        "SELECT d.endpoint, d.created_at, d.attempts, d.answer FROM webhook_deliveries d LEFT JOIN"
        " (SELECT endpoint, max(last_at) AS at FROM webhook_deliveries WHERE status = 'delivered' GROUP BY endpoint) a"
        " ON a.endpoint = d.endpoint WHERE d.last_at > coalesce(a.at, '') ORDER BY d.last_at"
    )
    since: dict[str, str] = {}
    answers: dict[str, str] = {}
    for endpoint, created_at, attempts, answer in rows:
        answers[endpoint] = answer
        if attempts >= ATTEMPTS:
            since[endpoint] = min(created_at, since.get(endpoint, created_at))
    return {endpoint: (at, answers[endpoint]) for endpoint, at in since.items() if at < before}


async def remember_failure(transaction: Transaction, now: str) -> None:
    """Record that the failure of passes was reported."""
    if not await transaction.fetch("SELECT 1 FROM failed_passes"):
        await transaction.execute("INSERT INTO failed_passes (since) VALUES (?)", (now,))


async def forget_failure(transaction: Transaction) -> str | None:
    """Record that passes run again; return the stamp since which they failed, if that was reported."""
    rows = await transaction.fetch("SELECT since FROM failed_passes")
    if not rows:
        return None
    await transaction.execute("DELETE FROM failed_passes")
    return str(rows[0][0])


async def is_digest_queued(database: Database, day: str) -> bool:
    """Whether the digest of a day (a label) was queued."""
    return bool(await database.glance("SELECT 1 FROM told_digests WHERE day = ?", (day,)))


async def remember_digest(transaction: Transaction, day: str, now: str) -> bool:
    """Record a day's digest as queued; False if it was already. The oldest days are deleted."""
    is_new = await transaction.execute(
        "INSERT INTO told_digests (day, told_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (day, now)
    )
    await transaction.execute(
        "DELETE FROM told_digests WHERE day IN"
        " (SELECT day FROM told_digests ORDER BY told_at DESC LIMIT 1000000000 OFFSET ?)",
        (MAX_DONE,),
    )
    return is_new > 0
