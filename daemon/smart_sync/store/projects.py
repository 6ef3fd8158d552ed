"""Projects and accounts: read as they are, created where the sheets have more."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

from smart_sync.core.model import Account, Project
from smart_sync.core.names import written
from smart_sync.core.state import as_text
from smart_sync.store.apart import together_or_apart
from smart_sync.store.database import Database, Transaction

T = TypeVar("T")


async def active_projects(database: Database) -> list[Project]:
    """The active projects, by name."""
    rows = await database.glance(
        "SELECT id, name, google_sheet_name FROM projects WHERE is_active = 1 AND id IS NOT NULL ORDER BY name, id"
    )
    return [_project(row) for row in rows]


async def overview(database: Database) -> tuple[int, list[Project]]:
    """How many projects there are, and the active ones, by name: in one query, for `sync_status`."""
    rows = await database.glance(
        "SELECT (SELECT count(*) FROM projects), id, name, google_sheet_name FROM (SELECT 1)"
        " LEFT JOIN projects ON is_active = 1 AND id IS NOT NULL ORDER BY name, id"
    )
    return rows[0][0], [_project(row[1:]) for row in rows if row[1] is not None]


def _project(row: Sequence[Any]) -> Project:
    return Project(str(row[0]), as_text(row[1]), as_text(row[2]))


async def find(database: Database, id_or_name: str) -> Project | None:
    """The active project with that id, else the one with that name."""
    active = await active_projects(database)
    by_id = [project for project in active if project.id == id_or_name]
    name = written(id_or_name, [project.name for project in active])
    by_name = [project for project in active if project.name == name]
    return next(iter(by_id or by_name), None)


async def account_ids(source: Transaction, project: Project) -> set[str]:
    """The ids of all accounts of a project."""
    sql = "SELECT CAST(id AS TEXT) FROM project_social_accounts WHERE project_id = ? AND id IS NOT NULL"
    return {row[0] for row in await source.fetch(sql, (project.id,))}


async def active_accounts(database: Database, project_id: str | None = None) -> list[Account]:
    """The active accounts of the active projects (of one, if named): what the parsers are asked for."""
    rows = await database.fetch(
        "SELECT a.id, a.project_id, a.platform, a.username, a.profile_link FROM project_social_accounts a"
        " JOIN projects p ON p.id = a.project_id AND p.is_active = 1"
        " WHERE CAST(coalesce(a.is_active, 1) AS INTEGER) = 1 AND a.id IS NOT NULL"
        " AND (?1 IS NULL OR a.project_id = ?1) ORDER BY a.id",
        (project_id,),
    )
    return [Account(str(row[0]), str(row[1]), *map(as_text, row[2:5])) for row in rows]


async def create_projects(
    transaction: Transaction, projects: Sequence[Project], created_at: str
) -> tuple[list[str], dict[str, str]]:
    """Insert projects that are not there yet, by id (one may have been renamed).

    Returns the names of the new ones, and of those that SQLite refused, with the reason.  Raises as
    `together_or_apart` does.
    """

    async def insert(several: Sequence[Project]) -> list[str]:
        sql = "INSERT INTO projects (id, name, created_at, is_active) VALUES (?, ?, ?, 1) ON CONFLICT DO NOTHING"
        return [p.name for p in several if await transaction.execute(sql, (p.id, p.name, created_at)) > 0]

    created, refused = await together_or_apart(transaction, projects, _one_by_one, insert)
    return list(chain.from_iterable(created)), {project.name: reason for (project,), reason in refused}


async def create_accounts(
    transaction: Transaction, accounts: Sequence[Account], added_at: str
) -> tuple[int, dict[str, str]]:
    """Insert accounts that are not there yet, by id or link.

    Returns how many were new, and the links of those that SQLite refused, with the reason.  Raises as
    `together_or_apart` does.
    """

    there = await transaction.fetch("SELECT name FROM pragma_table_info('project_social_accounts')")
    # A table of the web app's may lack them.
    more = [name for name in ("topic", "telegram_user") if name in {row[0] for row in there}]
    sql = (
        f"INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link, added_at,"
        f" is_active{''.join(f', {name}' for name in more)}) VALUES (?, ?, ?, ?, ?, ?, 1{', ?' * len(more)})"
        f" ON CONFLICT DO NOTHING"
    )

    def of(account: Account) -> tuple[object, ...]:
        told = {"topic": account.topic or None, "telegram_user": account.telegram or None}
        plain = (account.id, account.project_id, account.platform, account.username, account.link, added_at)
        return (*plain, *(told[name] for name in more))

    async def insert(several: Sequence[Account]) -> int:
        return await transaction.execute_many(sql, [of(account) for account in several])

    created, refused = await together_or_apart(transaction, accounts, _one_by_one, insert)
    return sum(created), {account.link: reason for (account,), reason in refused}


def _one_by_one(several: Sequence[T]) -> list[Sequence[T]]:
    return [[one] for one in several]


async def project_names(database: Database) -> set[str]:
    """The names of all projects, the inactive ones too."""
    return {str(row[0] or "") for row in await database.fetch("SELECT name FROM projects")}
