"""The history of passes: ``sync_runs`` and ``sync_project_runs``."""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Any, TypeVar, cast

from smart_sync.core.answers import ProjectRun, Run
from smart_sync.core.counts import Counts, PassCounts, Where, as_json, names
from smart_sync.core.days import seconds_between
from smart_sync.core.history.clock_jumps import GAP
from smart_sync.core.history.timeline import Asked
from smart_sync.core.model import Outcome, Problem, Trigger
from smart_sync.core.project_names import written
from smart_sync.core.results.results import MAX_PROBLEMS, PassResult, ProjectResult
from smart_sync.core.state import as_text
from smart_sync.core.wording import shown
from smart_sync.store.accounts import active_project
from smart_sync.store.engine import Database, Transaction

T = TypeVar("T")

#: The columns of counts.
_COUNTED = tuple(names(Counts, Where.RECORD).values())
_COUNTED_OF_PASS = (*names(PassCounts, Where.TOTAL_RECORD).values(), *names(Counts, Where.TOTAL_RECORD).values())
_OF_PROJECT = (
    "run_id", "project_id", "project_name", "outcome", "error", "finished_at", *_COUNTED,
    "seconds", "stages", "problems",
)  # fmt: skip
_PROJECT_RUN = f"INSERT INTO sync_project_runs ({', '.join(_OF_PROJECT)}) VALUES ({', '.join('?' * len(_OF_PROJECT))})"
_FINISHED = "UPDATE sync_runs SET " + ", ".join(f"{name} = ?" for name in ("finished_at", *_COUNTED_OF_PASS, "calls"))

#: The seconds between good reads: none if the last attempt failed, else as `clock_jumps.counted_seconds` has it.
TICK = (
    "clock = worksheet_reads.clock + CASE WHEN worksheet_reads.interrupted = 0"
    " AND julianday({now}) > julianday(worksheet_reads.read_at)"
    f" AND julianday({{now}}) - julianday(worksheet_reads.read_at) <= {GAP.days}"
    " THEN round((julianday({now}) - julianday(worksheet_reads.read_at)) * 86400, 3) ELSE 0 END, interrupted = 0"
)


async def start_run(database: Database, run_id: str, trigger: Trigger, requested_by: str, started_at: str) -> None:
    """Record the start of a pass; one that never finishes has no ``finished_at``."""
    async with database.transaction() as transaction:
        await transaction.execute(
            'INSERT INTO sync_runs (id, "trigger", requested_by, started_at) VALUES (?, ?, ?, ?)',
            (run_id, trigger.value, requested_by, started_at),
        )


async def finish_run(
    database: Database, result: PassResult, calls: int, also: Callable[[Transaction, PassResult], Awaitable[T]]
) -> T:
    """Record the results of a pass and its projects, and that unchanged worksheets were read.

    All of it or nothing, with what ``also`` writes; returns what it returns.
    """
    confirmed = [r for r in result.results if r.worksheet_read]
    async with database.transaction() as transaction:
        await transaction.execute_many(_PROJECT_RUN, [_project_row(result.id, project) for project in result.results])
        await transaction.execute_many(
            f"UPDATE worksheet_reads SET {TICK.format(now='?1')}, read_at = ?1 WHERE project_id = ?2",
            [(r.timestamp, r.project.id) for r in confirmed],
        )
        await transaction.execute(
            f"{_FINISHED} WHERE id = ?",
            (
                result.timestamp,
                *as_json(result.outcomes, Where.TOTAL_RECORD).values(),
                *as_json(result.counts, Where.TOTAL_RECORD).values(),
                calls,
                result.id,
            ),
        )
        return await also(transaction, result)


def _project_row(run_id: str, result: ProjectResult) -> tuple[Any, ...]:
    # Rows of nobody are on record too: `explain` tells where their link stands.
    name, reason = result.project.name, "no account has this link"
    nobodys = [
        Problem(reason, name, row.row, value=shown(row.link), code="no-account") for row in result.unmatched_rows
    ]
    problems = [asdict(problem) for problem in islice(chain(result.problems, nobodys), MAX_PROBLEMS)]
    return (
        run_id,
        result.project.id,
        result.project.name,
        result.outcome.value,
        result.error,
        result.timestamp,
        *as_json(result.counts, Where.RECORD).values(),
        round(result.seconds, 6),
        json.dumps(dict(result.stages)),
        # A row that another program has spoilt may be no number.
        json.dumps(problems, ensure_ascii=False, default=str),
    )


_RUN = ("id", "trigger", "requested_by", "started_at", "finished_at", *_COUNTED_OF_PASS, "calls")


#: What `run_of` takes, and which pass is the newest that is finished.
COLUMNS = ", ".join(f'"{name}"' for name in _RUN)
LAST_RUN = "finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1"


def run_of(row: Sequence[Any]) -> Run:
    """A pass in the form of ``sync_status``."""
    return cast("Run", dict(zip(_RUN, row, strict=True)))


async def last_run(database: Database) -> Run | None:
    """The newest finished pass in the form of ``sync_status``."""
    rows = await database.glance(f"SELECT {COLUMNS} FROM sync_runs WHERE {LAST_RUN}")
    return run_of(rows[0]) if rows else None


async def recent_runs(
    database: Database, limit: int, project_id: str | None = None, *, failed: bool = False
) -> list[Run]:
    """The newest passes, newest first; without ``finished_at`` one is running, or was cut off.

    ``project_id``: only passes that this project took part in.  ``failed``: only passes in which a project (this
    one) failed or that were cut off.  Each has ``results``: the project that is asked for, else whatever was not well.
    """
    rows = await database.glance(
        f"SELECT {COLUMNS} FROM sync_runs WHERE"
        " (CAST(?2 AS TEXT) IS NULL OR id IN (SELECT run_id FROM sync_project_runs WHERE project_id = ?2))"
        " AND (?3 = 0 OR (CAST(?2 AS TEXT) IS NULL AND finished_at IS NULL)"
        " OR id IN (SELECT run_id FROM sync_project_runs"
        " WHERE outcome = 'failed' AND (CAST(?2 AS TEXT) IS NULL OR project_id = ?2)))"
        " ORDER BY started_at DESC LIMIT ?1",
        (limit, project_id, failed),
    )
    runs = [run_of(row) for row in rows]
    for run in runs:
        run |= {"outcome": _outcome(run), "seconds": _seconds(run)}
        run["results"] = await _project_runs(
            database,
            "run_id = ?2 AND (project_id = ?3 OR (CAST(?3 AS TEXT) IS NULL AND outcome IN ('failed', 'degraded')))"
            " ORDER BY project_name, project_id",
            (MAX_PROBLEMS, run["id"], project_id),
        )
    return runs


def _outcome(run: Run) -> str:
    """The outcome of a whole pass: its worst project's."""
    if run["finished_at"] is None:
        return "unfinished"
    worst = next((name for name in ("failed", "degraded") if run[name]), None)
    return worst or (Outcome.SYNCED.value if run["changed"] or run["snapshots"] else Outcome.UNCHANGED.value)


def _seconds(run: Run) -> float | None:
    if run["finished_at"] is None:
        return None
    return seconds_between(run["started_at"], run["finished_at"])


async def project_id(database: Database, id_or_name: str) -> str | None:
    """The recorded project with that id, else the one that last had that name."""
    names = [row[0] for row in await database.glance("SELECT DISTINCT project_name FROM sync_project_runs")]
    rows = await database.glance(
        "SELECT project_id FROM sync_project_runs WHERE project_id = ?1 OR project_name = ?2"
        " ORDER BY project_id = ?1 DESC, finished_at DESC LIMIT 1",
        (id_or_name, written(id_or_name, names)),
    )
    return rows[0][0] if rows else None


async def project_runs(database: Database, project_id: str, limit: int) -> list[ProjectRun]:
    """The newest passes of one project, newest first."""
    return await _project_runs(database, "project_id = ?2 ORDER BY finished_at DESC", (limit, project_id))


async def last_of_project(database: Database, project_id: str) -> tuple[ProjectRun | None, tuple[Problem, ...]]:
    """The newest pass of a project with its result; None if there was none."""
    rows = await database.glance(
        f"SELECT {', '.join(_OF_PROJECT)} FROM sync_project_runs WHERE project_id = ?"
        " ORDER BY finished_at DESC LIMIT 1",
        (project_id,),
    )
    if not rows:
        return None, ()
    return _project_run(rows[0]), tuple(_problems(rows[0][-1]))


#: The newest pass of each project.
_NEWEST = (
    "(SELECT project_id, max(finished_at) AS at FROM sync_project_runs GROUP BY project_id) n"
    " JOIN sync_project_runs r ON r.project_id = n.project_id AND r.finished_at = n.at"
)


async def newest_problems(database: Database, project_id: str | None = None) -> list[Problem]:
    """The worksheet problems in the newest pass of each project, or of one."""
    rows = await database.glance(
        f"SELECT r.problems FROM {_NEWEST} WHERE CAST(?1 AS TEXT) IS NULL OR r.project_id = ?1 ORDER BY r.project_id",
        (project_id,),
    )
    return [one for row in rows for one in _problems(row[0])]


async def refused_by_database(database: Database) -> list[tuple[str, str, str]]:
    """Name, error and time of active projects' newest passes in which the database refused something."""
    rows = await database.glance(
        f"SELECT p.name, r.outcome, r.error, r.problems, r.finished_at FROM {_NEWEST}"
        f" JOIN projects p ON CAST(p.id AS TEXT) = n.project_id AND {active_project('p')}"
        " WHERE r.outcome IN ('failed', 'degraded') ORDER BY p.name, n.project_id"
    )
    of_database = [
        row
        for row in rows
        if row[1] == Outcome.FAILED.value or any(problem.code == "database-columns" for problem in _problems(row[3]))
    ]
    return [(as_text(name), error, at) for name, _, error, _, at in of_database]


async def outcomes(database: Database, project_id: str, since: str) -> list[tuple[str, str, str]]:
    """Outcome, error and time of all passes of a project since a stamp, oldest first."""
    rows = await database.glance(
        "SELECT outcome, error, finished_at FROM sync_project_runs WHERE project_id = ? AND finished_at >= ?"
        " ORDER BY finished_at",
        (project_id, since),
    )
    return [tuple(row) for row in rows]


async def reasons(database: Database, started_at: Collection[str]) -> dict[str, Asked]:
    """The triggers of the passes that started at these moments, and who asked for them."""
    if not started_at:
        return {}
    rows = await database.glance(
        'SELECT started_at, "trigger", requested_by FROM sync_runs'
        f" WHERE started_at IN ({', '.join('?' * len(started_at))})",
        tuple(started_at),
    )
    return {started_at: Asked(trigger, requested_by) for started_at, trigger, requested_by in rows}


async def _project_runs(database: Database, condition: str, parameters: tuple[Any, ...]) -> list[ProjectRun]:
    rows = await database.glance(
        f"SELECT {', '.join(_OF_PROJECT)} FROM sync_project_runs WHERE {condition} LIMIT ?1", parameters
    )
    return [_project_run(row) for row in rows]


def _project_run(row: Sequence[Any]) -> ProjectRun:
    run = dict(zip(_OF_PROJECT, row, strict=True))
    run |= {"stages": json.loads(run["stages"]), "problems": _problem_texts(run["problems"])}
    if run["problem_count"] is None:
        run["problem_count"] = len(run["problems"])
    return cast("ProjectRun", run)


def _problems(recorded: str) -> list[Problem]:
    """The recorded problems. The texts that 0.1.0 stored have no known place, and are replaced by the next pass."""
    return [Problem(**one) for one in json.loads(recorded) if isinstance(one, dict)]


def _problem_texts(recorded: str) -> list[str]:
    """The recorded problems as texts; 0.1.0 stored texts."""
    return [one if isinstance(one, str) else str(Problem(**one)) for one in json.loads(recorded)]


#: Passes dated ahead of a stamp, where most are not: those of a clock that was ahead, not those before one behind.
_AHEAD = (
    "started_at > ?1 AND (SELECT count(*) * 2 FROM sync_runs WHERE started_at > ?1) < (SELECT count(*) FROM sync_runs)"
)


async def prune(database: Database, before: str, ahead: str = "9", batch: int = 500) -> int:
    """Delete passes that started before the stamp ``before``; return how many.

    And of those that a clock has dated later than ``ahead``, or they would be the last ones until then.  In small
    batches, each its own transaction, so that nobody waits long for the file.
    """
    pruned = 0
    for where, limit in ((_AHEAD, ahead), ("started_at < ?1", before)):
        while True:
            async with database.transaction() as transaction:
                ids = await transaction.fetch(f"SELECT id FROM sync_runs WHERE {where} LIMIT ?2", (limit, batch))
                await transaction.execute_many("DELETE FROM sync_project_runs WHERE run_id = ?", ids)
                await transaction.execute_many("DELETE FROM sync_runs WHERE id = ?", ids)
            pruned += len(ids)
            if len(ids) < batch:
                break
    return pruned
