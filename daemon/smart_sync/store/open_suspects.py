"""What was reported before, kept across restarts: suspects, conflicts and worksheet problems."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from smart_sync.core.days import stamp
from smart_sync.core.merge.plan import Plan
from smart_sync.core.merge.suspects import Suspect, Suspects, believed_before
from smart_sync.core.model import Problem
from smart_sync.core.parsed import AHEAD
from smart_sync.core.results.results import ProjectResult
from smart_sync.store.engine import Database, Transaction, upsert

# The suspects are few: they are gone through first, and their accounts looked up.
_OPEN = """
SELECT CAST(a.project_id AS TEXT), s.account_id, a.profile_link, s.metric,
       CASE WHEN s.was_unknown = 0 THEN s.old END, s.new, s.since, s.place, s.cause, s.typed, s.held
FROM suspects s CROSS JOIN project_social_accounts a
WHERE a.id = s.account_id AND a.project_id IN (SELECT value FROM json_each(?)) AND (s.since > ? OR s.held = 1)
ORDER BY s.since, s.account_id, s.metric
"""
_COLUMNS = "account_id, metric, old, was_unknown, new, since, place, cause, typed, held, told"


async def of_projects(database: Database, project_ids: Sequence[str], now: datetime) -> dict[str, Suspects]:
    """Suspects by project: those younger than a day, and held ones of any age."""
    rows = await database.fetch(_OPEN, (json.dumps(project_ids), believed_before(now)))
    suspects: dict[str, dict[tuple[str, str], Suspect]] = {}
    for project_id, account_id, link, *fields, typed, held in rows:
        one = Suspect._make((account_id, link or "", *fields, bool(typed), bool(held)))
        suspects.setdefault(project_id, {})[account_id, one.metric] = one
    return {project_id: suspects.get(project_id, {}) for project_id in project_ids}


async def save(transaction: Transaction, plans: Sequence[Plan], now: str) -> None:
    """Store the suspects and conflicts of ``plans``; they are not reported yet."""
    await transaction.execute_many(
        "DELETE FROM suspects WHERE account_id = ? AND metric = ?", [key for p in plans for key in p.suspects.ended]
    )
    await transaction.execute_many(
        upsert("suspects", _COLUMNS, "account_id, metric"),
        (
            (
                *(s.account_id, s.metric, s.old or 0, int(s.old is None), s.new, s.since, s.place, s.cause),
                *(int(s.typed), int(s.held), 0),
            )
            for plan in plans
            for s in plan.suspects.new
        ),
    )
    await transaction.execute_many(
        upsert("conflicts", "account_id, metric, sheet, parsed, at, place", "account_id, metric"),
        ((c.account_id, c.metric, c.sheet, c.parsed, now, c.place) for plan in plans for c in plan.conflicts),
    )


async def forget_believed(transaction: Transaction, now: datetime) -> None:
    """Delete suspects older than a day, in all projects; the age of one from a clock ahead starts now."""
    await transaction.execute("UPDATE suspects SET since = ?1 WHERE since > ?2", (stamp(now), stamp(now + AHEAD)))
    await transaction.execute("DELETE FROM suspects WHERE since <= ? AND held = 0", (believed_before(now),))


async def confirm(transaction: Transaction, account_id: str, metric: str | None) -> int:
    """Accept the suspect values of an account; return how many there were."""
    where = "account_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR metric = ?2)"
    # One that is held stays until a pass has taken its value.
    held = await transaction.execute(f"UPDATE suspects SET since = '' WHERE held = 1 AND {where}", (account_id, metric))
    gone = await transaction.execute(f"DELETE FROM suspects WHERE held = 0 AND {where}", (account_id, metric))
    return held + gone


#: Problems of one project that are remembered; of more than these only the number is told.
MAX_KEPT = 1000


class ReportedFindings:
    """What was reported for each project. In each pass: `load`, `with_news` per result, `keep` in its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Project id → the keys of the problems that were told; None before `load`.
        self._told: dict[str, frozenset[bytes]] | None = None
        #: Project id → the problems of its last result, and their keys: they are mostly the same as before.
        self._keys: dict[str, tuple[tuple[Problem, ...], dict[bytes, Problem]]] = {}
        #: The suspects, by account id and metric, that an earlier pass has written and did not live to tell.
        self._untold: frozenset[tuple[str, str]] = frozenset()

    async def load(self) -> None:
        """Read what was reported; the problems only once. Raises `StoreError`."""
        untold = await self._database.fetch("SELECT account_id, metric FROM suspects WHERE told = 0")
        self._untold = frozenset((account_id, metric) for account_id, metric in untold)
        if self._told is not None:
            return
        keys_by_project: dict[str, set[bytes]] = {}
        for project_id, key in await self._database.fetch("SELECT project_id, problem FROM told_problems"):
            keys_by_project.setdefault(project_id, set()).add(bytes(key))
        self._told = {project_id: frozenset(keys) for project_id, keys in keys_by_project.items()}

    def with_news(self, result: ProjectResult) -> ProjectResult:
        """``result`` with the problems and suspects that were not reported yet."""
        reported = (self._told or {}).get(result.project.id, frozenset())
        problems = tuple(problem for key, problem in self._keyed(result).items() if key not in reported)
        new = frozenset(result.new_suspects)
        late = (one for one in result.suspects if (one.account_id, one.metric) in self._untold and one not in new)
        return replace(result, new_problems=problems, new_suspects=(*late, *result.new_suspects))

    def _keyed(self, result: ProjectResult) -> dict[bytes, Problem]:
        problems, keys = self._keys.get(result.project.id, ((), {}))
        if problems is not result.problems:
            keys = {_key(problem): problem for problem in result.problems[:MAX_KEPT]}
            self._keys[result.project.id] = result.problems, keys
        return keys

    async def keep(self, transaction: Transaction, results: Iterable[ProjectResult]) -> None:
        """Store what is reported with these results.

        Of a worksheet that was not read, what was known before is no news when it is back.
        """
        reported = self._told if self._told is not None else {}
        results = tuple(results)
        await transaction.execute_many(
            "UPDATE suspects SET told = 1 WHERE account_id = ? AND metric = ?",
            [(one.account_id, one.metric) for result in results for one in result.new_suspects],
        )
        for result in results:
            project_id = result.project.id
            before = reported.get(project_id, frozenset())
            now = frozenset(self._keyed(result))
            if not result.worksheet_read:
                now |= before
            if now == before:
                continue
            over, new = before - now, now - before
            await transaction.execute_many(
                "DELETE FROM told_problems WHERE project_id = ? AND problem = ?", [(project_id, key) for key in over]
            )
            await transaction.execute_many(
                "INSERT INTO told_problems (project_id, problem) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(project_id, key) for key in new],
            )
            # If the transaction is given up, they are reported once more after the next start: better than never.
            reported[project_id] = now


def _key(problem: Problem) -> bytes:
    parts = (problem.worksheet, problem.row, problem.column, problem.reason, problem.value)
    return hashlib.blake2b(repr(parts).encode(errors="surrogatepass"), digest_size=12).digest()
