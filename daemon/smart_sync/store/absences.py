"""Missing rows, worksheets that could not be used, and what a person has confirmed about them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from smart_sync.core.history.clock_jumps import counted_seconds
from smart_sync.core.matching.doubtful_rows import EarlierDoubt, Elsewhere
from smart_sync.core.merge.plan import Confirmation, Plan
from smart_sync.core.model import METRICS, Account, Project, SheetRow
from smart_sync.core.state import Absence, sound
from smart_sync.store.accounts import active_account, active_project
from smart_sync.store.engine import Database, Transaction
from smart_sync.store.pass_history import TICK

_READ = """
SELECT p.value, coalesce(r.clock, 0), r.interrupted, r.read_at, t.code, t.accepted
FROM json_each(?) p LEFT JOIN worksheet_reads r ON r.project_id = p.value
LEFT JOIN worksheet_troubles t ON t.project_id = p.value
"""
_ELSEWHERE = f"""
SELECT CAST(a.project_id AS TEXT), s.project_id, s.gone_since IS NOT NULL, CAST(a.id AS TEXT),
       coalesce(a.profile_link, ''), coalesce(a.platform, ''), coalesce(p.name, ''), coalesce(r.read_at, ''),
       CASE WHEN t.code = 'missing' THEN 1 ELSE 0 END, s."row", s.followers, s.likes, s.comments, s.videos, s.views
FROM sheet_metrics s JOIN project_social_accounts a ON a.id = s.account_id
JOIN projects p ON p.id = a.project_id AND {active_project("p")}
LEFT JOIN worksheet_reads r ON r.project_id = CAST(a.project_id AS TEXT)
LEFT JOIN worksheet_troubles t ON t.project_id = CAST(a.project_id AS TEXT)
WHERE {active_account("a")} AND s.gone_accepted = 0
ORDER BY s.account_id
"""
_DOUBTS = """
SELECT project_id, link, account_id, reason, since FROM doubtful_rows
WHERE project_id IN (SELECT value FROM json_each(?))
"""


class LastRead(NamedTuple):
    """For how many seconds a worksheet has been read well, and the code of its trouble if a person accepted it."""

    clock: float
    accepted: str


async def last_reads(database: Database, project_ids: Collection[str], now: str) -> dict[str, LastRead]:
    """The `LastRead` of projects' worksheets at ``now`` (a stamp), if they are read well then; by project."""
    reads = {}
    for project_id, clock, interrupted, read_at, code, accepted in await database.fetch(_READ, (_ids(project_ids),)):
        clock = clock if type(clock) is float else 0.0
        if read_at is not None and not interrupted:
            clock += _seconds(read_at, now)
        reads[project_id] = LastRead(clock, str(code) if accepted else "")
    return reads


def _ids(project_ids: Iterable[str]) -> str:
    return json.dumps([*project_ids])


def _seconds(since: object, now: str) -> float:
    try:
        return counted_seconds(datetime.fromisoformat(str(since)), datetime.fromisoformat(now))
    except (ValueError, TypeError):
        return 0.0


@dataclass(frozen=True, slots=True)
class OtherAccounts:
    """Accounts whose rows may appear in other projects' worksheets."""

    rows: Sequence[Any]
    done: Collection[str]
    missing: Mapping[str, Mapping[str, Absence]]
    lost: Collection[str] = ()

    def of(self, project_id: str) -> Iterator[Elsewhere]:
        """The accounts of other projects that a row of ``project_id``'s worksheet may belong to."""
        for own, stood_in, gone, account_id, link, platform, project, read_at, lost, row, *metrics in self.rows:
            if own != project_id:
                missing = self.missing.get(own)
                if missing is not None and account_id in missing and missing[account_id].accepted:
                    continue  # as it will be for the next pass, by what this one writes
                is_gone = account_id in missing if missing is not None else bool(gone) or stood_in == project_id
                known = account_id, link, platform, project, is_gone, read_at, row if stood_in == project_id else None
                is_there = not is_gone and (missing is not None or own in self.done)
                is_lost = own in self.lost or (bool(lost) and missing is None)
                yield Elsewhere(*known, sound(metrics)[0], is_there, is_lost, own)


NO_OTHERS = OtherAccounts((), (), {})


async def other_accounts(
    database: Database, done: Collection[str], missing: Mapping[str, Mapping[str, Absence]], lost: Collection[str]
) -> OtherAccounts:
    """The accounts of all projects, since their rows may appear in others' worksheets.

    ``done`` projects have been brought up to date by this pass: what their worksheets say is known.  ``missing``: of
    the projects whose worksheets are being decided about, the absences of accounts by id, which no row of the database
    says yet; of one that is accepted no row is looked for any more.
    ``lost``: those of them whose worksheets are not in the spreadsheet.
    """
    return OtherAccounts(await database.fetch(_ELSEWHERE), done, missing, lost)


async def past_doubts(database: Database, project_ids: Collection[str]) -> dict[str, dict[str, EarlierDoubt]]:
    """The rows of projects that were doubtful in the last pass, by project and link."""
    doubts: dict[str, dict[str, EarlierDoubt]] = {}
    for project_id, link, *fields in await database.fetch(_DOUBTS, (_ids(project_ids),)):
        doubts.setdefault(project_id, {})[link] = EarlierDoubt(*fields)
    return doubts


_SAVE_ABSENCE = (
    "UPDATE sheet_metrics SET gone_since = ?1, gone_clock = ?2, project_id = ?3, gone_at_once = ?4,"
    " gone_accepted = ?5, held = CASE WHEN ?5 = 0 THEN held ELSE '' END,"
    ' "row" = ?6, '
    + ", ".join(f"{metric} = CASE WHEN ?5 = 0 THEN {metric} END" for metric in METRICS)
    + " WHERE account_id = ?7"
)


async def save_accounts(transaction: Transaction, plans: Sequence[Plan], now: str) -> None:
    """Store how accounts' rows are missing, and which accounts have left or are back."""
    await transaction.execute_many(
        _SAVE_ABSENCE,
        (
            (one.absence.gone_since, one.absence.clock, one.absence.project_id, one.absence.at_once,
             one.absence.accepted, one.row, one.account_id)
            for plan in plans for one in plan.absent
        ),
    )  # fmt: skip
    left: list[tuple[str | None, str]] = [(now, account_id) for plan in plans for account_id in plan.left]
    left += [(None, account_id) for plan in plans for account_id in plan.returned]
    await transaction.execute_many("UPDATE account_metrics SET left_since = ? WHERE account_id = ?", left)
    # Only accounts that Smart Sync has created.
    inactive = [(0, account_id) for plan in plans for account_id in plan.deactivated]
    active = [(1, account_id) for plan in plans for account_id in plan.reactivated]
    await transaction.execute_many("UPDATE project_social_accounts SET is_active = ? WHERE id = ?", inactive + active)


async def save_projects(transaction: Transaction, plans: Mapping[str, Plan], now: str, rows: Mapping[str, int]) -> None:
    """Store the state of projects' worksheets, their number of ``rows``, and their doubtful rows.

    All by project id.
    """
    read = {project_id: plan for project_id, plan in plans.items() if plan.trouble is None}
    await transaction.execute_many(
        "INSERT INTO worksheet_reads (project_id, worksheet, read_at, rows, columns) VALUES (?1, ?2, ?3, ?4, ?5)"
        f" ON CONFLICT (project_id) DO UPDATE SET {TICK.format(now='excluded.read_at')}, worksheet ="
        " excluded.worksheet, read_at = excluded.read_at, rows = excluded.rows, columns = excluded.columns",
        [
            (key, plan.project.name, now, rows.get(key, 0), ",".join(f"{m}={c}" for m, c in plan.letters.items()))
            for key, plan in read.items()
        ],
    )
    await transaction.execute_many(
        "DELETE FROM worksheet_troubles WHERE project_id = ?",
        [(key,) for key, plan in read.items() if not plan.accepted],
    )
    await _save_doubts(transaction, read, now)
    await _save_lost_columns(transaction, read)
    troubles = {key: plan.trouble.code for key, plan in plans.items() if plan.trouble is not None}
    await transaction.execute_many(
        "UPDATE worksheet_reads SET interrupted = 1 WHERE project_id = ?", [(key,) for key in troubles]
    )
    await transaction.execute_many(
        "DELETE FROM worksheet_troubles WHERE project_id = ? AND accepted = 0 AND code != ?", list(troubles.items())
    )
    await transaction.execute_many(
        "INSERT INTO worksheet_troubles (project_id, code, since) VALUES (?, ?, ?)"
        " ON CONFLICT (project_id) DO UPDATE SET code = excluded.code, accepted = 0, since = excluded.since"
        " WHERE worksheet_troubles.code != excluded.code",
        [(key, code, now) for key, code in troubles.items() if code],
    )


async def _save_doubts(transaction: Transaction, plans: Mapping[str, Plan], now: str) -> None:
    sql = "SELECT project_id, link FROM doubtful_rows WHERE project_id IN (SELECT value FROM json_each(?))"
    stored = {(row[0], row[1]) for row in await transaction.fetch(sql, (_ids(plans),))}
    current = {(key, doubt.row.link): doubt for key, plan in plans.items() for doubt in plan.doubtful}
    await transaction.execute_many(
        "DELETE FROM doubtful_rows WHERE project_id = ? AND link = ?", sorted(stored - current.keys())
    )
    await transaction.execute_many(
        'INSERT INTO doubtful_rows (project_id, link, "row", platform, username, topic, telegram,'
        " account_id, reason, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, link) DO UPDATE SET"
        ' "row" = excluded."row", account_id = excluded.account_id, reason = excluded.reason',
        [(*key, d.row.row, *_owner(d.row), d.account_id, d.reason, now) for key, d in current.items()],
    )


def _owner(row: SheetRow) -> tuple[str, str, str, str]:
    return row.platform, row.username, row.topic, row.telegram


async def _save_lost_columns(transaction: Transaction, plans: Mapping[str, Plan]) -> None:
    sql = "SELECT project_id, metric FROM lost_columns WHERE project_id IN (SELECT value FROM json_each(?))"
    stored = {(row[0], row[1]) for row in await transaction.fetch(sql, (_ids(plans),))}
    lost = {(key, metric) for key, plan in plans.items() for metric in plan.lost_columns}
    await transaction.execute_many(
        "DELETE FROM lost_columns WHERE project_id = ? AND metric = ?", sorted(stored - lost)
    )
    await transaction.execute_many("INSERT INTO lost_columns (project_id, metric) VALUES (?, ?)", sorted(lost - stored))


_NAMES = ", ".join(f"{metric} = NULL" for metric in METRICS)


class DoubtfulRow(NamedTuple):
    """A row for which the last pass created no account."""

    project_id: str
    link: str
    platform: str
    username: str
    topic: str
    telegram: str


async def doubtful_rows(database: Database) -> list[DoubtfulRow]:
    """The doubtful rows of all active projects."""
    rows = await database.fetch(
        "SELECT d.project_id, d.link, d.platform, d.username, d.topic, d.telegram FROM doubtful_rows d"
        f" JOIN projects p ON CAST(p.id AS TEXT) = d.project_id AND {active_project('p')} ORDER BY d.project_id, d.link"
    )
    return [DoubtfulRow(*row) for row in rows]


async def lost_columns(database: Database, project_id: str) -> set[str]:
    """The metrics whose column was missing from a project's worksheet in the last pass."""
    rows = await database.fetch("SELECT metric FROM lost_columns WHERE project_id = ?", (project_id,))
    return {row[0] for row in rows}


async def has_no_worksheet(database: Database, project_id: str) -> bool:
    """Whether the last pass found no usable worksheet, and nobody has accepted that yet."""
    sql = "SELECT 1 FROM worksheet_troubles WHERE project_id = ? AND accepted = 0"
    return bool(await database.fetch(sql, (project_id,)))


async def suspect_values(database: Database) -> dict[str, dict[str, int]]:
    """All suspect values, by account id and metric."""
    suspects: dict[str, dict[str, int]] = {}
    for account_id, metric, value in await database.fetch(
        "SELECT account_id, metric, new FROM suspects WHERE since != ''"
    ):
        suspects.setdefault(account_id, {})[metric] = value
    return suspects


async def accept_worksheet(transaction: Transaction, project: Project) -> None:
    """Accept that a project has no sheet values as long as its worksheet stays as it is."""
    await transaction.execute("UPDATE worksheet_troubles SET accepted = 1 WHERE project_id = ?", (project.id,))


async def accept_gone(transaction: Transaction, account_ids: Iterable[str]) -> None:
    """Remove the sheet's vote for these accounts."""
    await transaction.execute_many(
        f"UPDATE sheet_metrics SET gone_accepted = 1, gone_at_once = 0, held = '', {_NAMES}"
        " WHERE account_id = ? AND gone_since IS NOT NULL",
        [(account_id,) for account_id in account_ids],
    )


async def accept_cells(transaction: Transaction, account_id: str, metrics: Collection[str]) -> None:
    """Remove the sheet's values of these metrics; the others stay as the last pass left them."""
    names = ", ".join(f"{metric} = NULL" for metric in metrics)
    for (held,) in await transaction.fetch("SELECT held FROM sheet_metrics WHERE account_id = ?", (account_id,)):
        stays = ",".join(metric for metric in str(held or "").split(",") if metric not in metrics)
        await transaction.execute(
            f"UPDATE sheet_metrics SET {names}, held = ? WHERE account_id = ?", (stays, account_id)
        )


async def take_back(transaction: Transaction, findings: Iterable[Confirmation]) -> None:
    """Remove all votes for carried values: the next pass decides without them, and counts the changes."""
    for finding in findings:
        m = finding.metric
        await transaction.execute(
            f"UPDATE account_metrics SET {m}_winner = NULL, {m}_carried_since = NULL"
            f" WHERE account_id = ? AND {m}_winner = 'carried'",
            (finding.account_id,),
        )


async def forget_doubts(transaction: Transaction, accounts: Iterable[Account]) -> None:
    """Remove the doubts about rows whose accounts have been created."""
    await transaction.execute_many(
        "DELETE FROM doubtful_rows WHERE project_id = ? AND link = ?", [(a.project_id, a.link) for a in accounts]
    )
