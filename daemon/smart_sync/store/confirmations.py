"""Writing down what a person has confirmed, beside a daemon that may be at work."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from smart_sync.core.merge.confirmable import Confirmation
from smart_sync.core.model import METRICS, Account, Project
from smart_sync.store.active import active_project
from smart_sync.store.database import Database, Transaction

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
    """Those of all active projects."""
    rows = await database.fetch(
        "SELECT d.project_id, d.link, d.platform, d.username, d.topic, d.telegram FROM doubtful_rows d"
        f" JOIN projects p ON CAST(p.id AS TEXT) = d.project_id AND {active_project('p')} ORDER BY d.project_id, d.link"
    )
    return [DoubtfulRow(*row) for row in rows]


async def lost_columns(database: Database, project_id: str) -> set[str]:
    """The metrics whose column the worksheet of a project had lost in the last pass."""
    rows = await database.fetch("SELECT metric FROM lost_columns WHERE project_id = ?", (project_id,))
    return {row[0] for row in rows}


async def has_no_worksheet(database: Database, project_id: str) -> bool:
    """Whether the last pass found nothing to read, and nobody has accepted that yet."""
    sql = "SELECT 1 FROM worksheet_troubles WHERE project_id = ? AND NOT accepted"
    return bool(await database.fetch(sql, (project_id,)))


async def suspect_values(database: Database) -> dict[str, dict[str, int]]:
    """All suspect values, by account id and metric."""
    found: dict[str, dict[str, int]] = {}
    for account_id, metric, value in await database.fetch("SELECT account_id, metric, new FROM suspects"):
        found.setdefault(account_id, {})[metric] = value
    return found


async def accept_worksheet(transaction: Transaction, project: Project) -> None:
    """The project has no sheet values as long as its worksheet stays as it is."""
    await transaction.execute("UPDATE worksheet_troubles SET accepted = 1 WHERE project_id = ?", (project.id,))


async def accept_gone(transaction: Transaction, account_ids: Iterable[str]) -> None:
    """The sheet has no vote for these accounts any more."""
    await transaction.execute_many(
        f"UPDATE sheet_metrics SET gone_accepted = 1, gone_at_once = 0, held = '', {_NAMES}"
        " WHERE account_id = ? AND gone_since IS NOT NULL",
        [(account_id,) for account_id in account_ids],
    )


async def accept_cells(transaction: Transaction, account_id: str, metrics: Collection[str]) -> None:
    """The sheet has no value of these metrics, and holds none; the others are as the last pass left them."""
    names = ", ".join(f"{metric} = NULL" for metric in metrics)
    for (held,) in await transaction.fetch("SELECT held FROM sheet_metrics WHERE account_id = ?", (account_id,)):
        stays = ",".join(metric for metric in str(held or "").split(",") if metric not in metrics)
        await transaction.execute(
            f"UPDATE sheet_metrics SET {names}, held = ? WHERE account_id = ?", (stays, account_id)
        )


async def take_back(transaction: Transaction, findings: Iterable[Confirmation]) -> None:
    """Nobody has a vote for values that stand in: the next pass decides without them, and counts what it changes."""
    for finding in findings:
        m = finding.metric
        await transaction.execute(
            f"UPDATE account_metrics SET {m}_winner = NULL, {m}_carried_since = NULL"
            f" WHERE account_id = ? AND {m}_winner = 'carried'",
            (finding.account_id,),
        )


async def forget_doubts(transaction: Transaction, accounts: Iterable[Account]) -> None:
    """The rows of accounts that have been created are doubtful no more."""
    await transaction.execute_many(
        "DELETE FROM doubtful_rows WHERE project_id = ? AND link = ?", [(a.project_id, a.link) for a in accounts]
    )
