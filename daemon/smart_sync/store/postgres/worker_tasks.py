"""Spreadsheets that a pass has given to workers: who works on each, and the results.

A worker holds a token for its spreadsheet (`lease`).  Each pass, and each worker that begins with the spreadsheet,
raises the token, and waits for a write that is under way; what would be written with an older token is refused.
Nothing here waits for the turn of those who write: signs of life must not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smart_sync.core.open_tasks import MAX_TRIES, OpenTask
from smart_sync.store.engine import StoreError, Transaction, upsert
from smart_sync.store.postgres import fencing
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.server_connection import rows
from smart_sync.store.postgres.statements import numbered

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: Milliseconds for which a worker that is halted may keep what it has begun to write.
_IDLE_MS, _STATEMENT_MS = 15_000, 120_000

_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
_RAISE = (
    f"WITH held AS (SELECT resource FROM {fencing.TABLE} WHERE {{which}} FOR UPDATE)"
    f" UPDATE {fencing.TABLE} SET token = token + 1, holder = ?1 FROM held"
    f" WHERE {fencing.TABLE}.resource = held.resource RETURNING token"
)
_OF = "resource IN (SELECT 'spreadsheet:' || s.spreadsheet FROM fan_out_spreadsheets s WHERE {which})"
_WANTED = "s.spreadsheet = ?2 AND s.run_id = ?3 AND s.finished = 0 AND s.tries < ?4"
_TAKE = (
    f"WITH raised AS ({_RAISE.format(which=_OF.format(which=_WANTED))})"
    f" UPDATE fan_out_spreadsheets s SET tries = tries + 1, worker = ?1, seen_at = {_NOW}, trouble = '',"
    f" token = raised.token FROM raised WHERE {_WANTED} RETURNING s.token, s.projects"
)
_BEAT = f"UPDATE fan_out_spreadsheets SET seen_at = {_NOW} WHERE spreadsheet = ? AND token = ? RETURNING 1"
_FINISH = (
    f"UPDATE fan_out_spreadsheets SET finished = 1, seen_at = {_NOW}, trouble = ?3, usage = ?4"
    " WHERE spreadsheet = ?1 AND token = ?2"
)
_LOOK = (
    f"SELECT spreadsheet, tries, worker, {_NOW} - seen_at, finished, trouble, usage FROM fan_out_spreadsheets"
    " WHERE run_id = ? AND finished < 2 ORDER BY spreadsheet"
)
_SEVERAL = "run_id = ?1 AND spreadsheet IN (SELECT value FROM json_each(?2))"
_AGAIN = (
    "UPDATE fan_out_spreadsheets SET finished = 0, seen_at = NULL, trouble = '', usage = '{}'"
    f" WHERE finished < 2 AND {_SEVERAL}"
)

_LEFT = (
    "SELECT run_id, spreadsheet FROM fan_out_spreadsheets WHERE finished = 0 AND seen_at IS NULL AND tries < ?1"
    " AND NOT EXISTS (SELECT 1 FROM fan_out_spreadsheets o WHERE o.worker <> ?2"
    f" AND o.seen_at > {_NOW} - CAST(?3 AS DOUBLE PRECISION)) ORDER BY spreadsheet LIMIT 1"
)


class TaskToken:
    """A worker's token for one spreadsheet, without which it cannot write: the `Fence` of its database."""

    def __init__(self) -> None:
        self.spreadsheet = ""
        self.token = 0
        self.worker = ""
        #: Nothing is called: that it is lost is noticed by the next sign of life, or by what would be written.
        self.ends: list[Callable[[StoreError], None]] = []

    def session(self, schema: str) -> dict[str, str]:
        """The settings of the session that writes with the token."""
        return {
            "application_name": f"smart-sync worker {schema}",
            "idle_in_transaction_session_timeout": str(_IDLE_MS),
            "statement_timeout": str(_STATEMENT_MS),
        }

    def require_held(self) -> None:
        """Nothing: the token does not expire."""

    async def check(self, connection: "AsyncConnection[Any]") -> None:
        """Raise `Lost` if another worker has the spreadsheet; it stays ours until the open transaction has ended."""
        parameters = (_resource(self.spreadsheet), self.token, self.worker)
        if not await rows(connection, numbered(fencing.CHECK), parameters):
            raise self.lost()

    def lost(self) -> StoreError:
        """The error of a worker that writes after losing its spreadsheet."""
        return fencing.lost(f"another has the spreadsheet {self.spreadsheet} now")


def _resource(spreadsheet: str) -> str:
    return f"spreadsheet:{spreadsheet}"


async def begin(database: PostgresDatabase, run_id: str, request: str, groups: Mapping[str, str]) -> None:
    """Begin a pass: workers of earlier ones can no longer write, and ``groups`` (JSON) wait for workers."""
    async with database.transaction() as transaction:
        for table in ("fan_out_passes", "fan_out_spreadsheets", "fan_out_results"):
            await transaction.execute(f"DELETE FROM {table}")
        await transaction.execute("INSERT INTO fan_out_passes (run_id, request) VALUES (?, ?)", (run_id, request))
        await transaction.execute_many(
            "INSERT INTO fan_out_spreadsheets (spreadsheet, run_id, projects) VALUES (?, ?, ?)",
            [(spreadsheet, run_id, projects) for spreadsheet, projects in groups.items()],
        )
        await transaction.execute_many(
            f"INSERT INTO {fencing.TABLE} (resource, token, holder, kind, expires_at)"
            " VALUES (?, 0, '', 'spreadsheet', clock_timestamp()) ON CONFLICT (resource) DO NOTHING",
            [(_resource(spreadsheet),) for spreadsheet in groups],
        )
    # Also of those that were in hand under another name, or are in no spreadsheet now.
    await database.at_once_if_held(_RAISE.format(which="resource LIKE 'spreadsheet:%'"), (run_id,))


async def unclaimed(database: PostgresDatabase, worker: str, seconds: float) -> tuple[str, str] | None:
    """A run id and a waiting spreadsheet of it, if no other worker has been alive for ``seconds``."""
    rows = await database.at_once(_LEFT, (MAX_TRIES, worker, seconds))
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


async def mark_parsed(database: PostgresDatabase, run_id: str) -> None:
    """Record that the parsed values are as fresh as the pass waits for."""
    await database.at_once("UPDATE fan_out_passes SET parsed = 1 WHERE run_id = ?", (run_id,))


async def end(database: PostgresDatabase, run_id: str) -> None:
    """End a pass: its workers can no longer write, and none begins."""
    await database.at_once("UPDATE fan_out_spreadsheets SET finished = 2 WHERE run_id = ?", (run_id,))
    await database.at_once_if_held(_RAISE.format(which=_OF.format(which="s.run_id = ?2")), ("", run_id))


async def open_tasks(database: PostgresDatabase, run_id: str) -> list[tuple[OpenTask, str]]:
    """The spreadsheets not collected yet, and the cost of reading them as reported by their workers."""
    rows = await database.at_once(_LOOK, (run_id,))
    return [(OpenTask(row[0], row[1], row[2], row[3], bool(row[4]), row[5]), str(row[6])) for row in rows]


async def return_to_queue(database: PostgresDatabase, run_id: str, spreadsheets: Sequence[str]) -> None:
    """Let other workers take these spreadsheets."""
    await database.at_once(_AGAIN, (run_id, json.dumps(list(spreadsheets))))


async def collect(database: PostgresDatabase, run_id: str, spreadsheets: Sequence[str]) -> dict[str, str]:
    """Project id → the result (JSON) for these spreadsheets, whose workers can no longer write."""
    parameters = (run_id, json.dumps(list(spreadsheets)))
    await database.at_once(f"UPDATE fan_out_spreadsheets SET finished = 2 WHERE {_SEVERAL}", parameters)
    await database.at_once_if_held(_RAISE.format(which=_OF.format(which=_SEVERAL)), parameters)
    rows = await database.at_once(f"SELECT project_id, result FROM fan_out_results WHERE {_SEVERAL}", parameters)
    return {str(row[0]): str(row[1]) for row in rows}


@dataclass(frozen=True, slots=True)
class Task:
    """A spreadsheet that a worker has taken."""

    #: JSON, as `begin` was given it.
    projects: str
    request: str
    #: The ids of projects that an earlier worker has brought up to date, and of those whose worksheets it has read.
    has_results: frozenset[str] = field(default_factory=frozenset)
    read: frozenset[str] = field(default_factory=frozenset)


async def take(database: PostgresDatabase, held: TaskToken, run_id: str, spreadsheet: str, worker: str) -> Task | None:
    """Take a spreadsheet over from the worker that has it, if any; None if the pass no longer wants it."""
    if not await database.dialect.columns(database, "fan_out_spreadsheets"):
        return None  # tables of another version
    taken = await database.at_once(_TAKE, (worker, spreadsheet, run_id, MAX_TRIES))
    if not taken:
        return None
    held.spreadsheet, held.token, held.worker = spreadsheet, int(taken[0][0]), worker
    requests = await database.at_once("SELECT request FROM fan_out_passes WHERE run_id = ?", (run_id,))
    if not requests:
        return None
    # What a late worker of an earlier pass has left is no result of this one.
    rows = await database.at_once(
        "SELECT project_id, worksheet_read, spreadsheet FROM fan_out_results WHERE run_id = ?", (run_id,)
    )
    return Task(
        str(taken[0][1]),
        str(requests[0][0]),
        frozenset(str(row[0]) for row in rows if row[2] == spreadsheet),
        frozenset(str(row[0]) for row in rows if row[1]),
    )


async def heartbeat(database: PostgresDatabase, held: TaskToken) -> None:
    """Record a sign of life. Raises `Lost` if another worker has the spreadsheet."""
    if not await database.at_once(_BEAT, (held.spreadsheet, held.token)):
        raise held.lost()


async def is_parsed(database: PostgresDatabase, run_id: str) -> bool:
    """Whether the parsed values are as fresh as the pass waits for, or the pass no longer exists."""
    rows = await database.at_once("SELECT parsed FROM fan_out_passes WHERE run_id = ?", (run_id,))
    return not rows or bool(rows[0][0])


async def record(
    transaction: Transaction, run_id: str, spreadsheet: str, results: Sequence[tuple[str, bool, str]]
) -> None:
    """Store results (project id, whether its worksheet was read, JSON) in the transaction that they describe."""
    await transaction.execute_many(
        upsert("fan_out_results", "project_id, run_id, spreadsheet, worksheet_read, result", "project_id"),
        [(project_id, run_id, spreadsheet, int(read), result) for project_id, read, result in results],
    )


async def finish(database: PostgresDatabase, held: TaskToken, usage: Mapping[str, Any], trouble: str = "") -> None:
    """Record that a worker is done with its spreadsheet; ``trouble``: why it failed."""
    await database.at_once(_FINISH, (held.spreadsheet, held.token, trouble, json.dumps(dict(usage))))
