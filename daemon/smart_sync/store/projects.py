"""Projects, their campaigns and accounts: reads them, and creates missing ones with the configured defaults."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import TypeVar

from smart_sync.core import campaign
from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.links.identity import identity
from smart_sync.core.matching.sheet_side import MOST_ACCOUNTS, account_id
from smart_sync.core.model import Account, Project
from smart_sync.core.state import as_text
from smart_sync.core.wording import nearest
from smart_sync.store.accounts import active_account, active_project
from smart_sync.store.engine import Database, Reader, Transaction, ignored, write_or_split

T = TypeVar("T")
NOTHING: Mapping[str, object] = MappingProxyType({})
_UNLESS_THERE = " ON CONFLICT DO NOTHING"


async def active_projects(database: Database) -> list[Project]:
    """The active projects, by name."""
    rows = await database.glance(
        "SELECT id, name, google_sheet_name FROM projects"
        f" WHERE {active_project()} AND id IS NOT NULL ORDER BY name, id"
    )
    return [Project(str(row[0]), as_text(row[1]), as_text(row[2])) for row in rows]


async def sizes(database: Database, project_ids: Sequence[str]) -> dict[str, int]:
    """The number of accounts of projects, including inactive ones, by project."""
    rows = await database.fetch(
        "SELECT CAST(project_id AS TEXT), count(*) FROM project_social_accounts"
        " WHERE project_id IN (SELECT value FROM json_each(?)) GROUP BY 1",
        (json.dumps(project_ids),),
    )
    return {row[0]: row[1] for row in rows}


async def accounts_of(source: Transaction, project_ids: Sequence[str]) -> dict[str, set[str]]:
    """The ids of all accounts of projects, by project."""
    rows = await source.fetch(
        "SELECT wanted.value, CAST(a.id AS TEXT) FROM json_each(?) wanted CROSS JOIN project_social_accounts a"
        " WHERE a.project_id = wanted.value AND a.id IS NOT NULL",
        (json.dumps(project_ids),),
    )
    ids_by_project: dict[str, set[str]] = {project_id: set() for project_id in project_ids}
    for project_id, found_id in rows:
        ids_by_project[project_id].add(found_id)
    return ids_by_project


async def active_accounts(database: Database, project_id: str | None = None) -> list[Account]:
    """The active accounts of active projects (of one, if named), for which parsers are asked."""
    rows = await database.fetch(
        "SELECT a.id, a.project_id, a.platform, a.username, a.profile_link FROM project_social_accounts a"
        f" JOIN projects p ON p.id = a.project_id AND {active_project('p')}"
        f" WHERE {active_account('a')} AND a.id IS NOT NULL"
        " AND (CAST(?1 AS TEXT) IS NULL OR a.project_id = ?1) ORDER BY a.id",
        (project_id,),
    )
    return [Account(str(row[0]), str(row[1]), as_text(row[2]), as_text(row[3]), as_text(row[4])) for row in rows]


async def create_projects(
    transaction: Transaction, projects: Sequence[Project], created_at: str, more: Mapping[str, object] = NOTHING
) -> tuple[list[str], dict[str, str]]:
    """Insert projects whose ids do not exist yet (one may have been renamed); ``more``: column → value of each.

    Returns the names of the new ones, and of those that the database refused, with the reason.  Raises as
    `write_or_split` does.
    """

    async def insert(batch: Sequence[Project]) -> list[str]:
        made = []
        for project in batch:
            row = {**more, "id": project.id, "name": project.name, "created_at": created_at, "is_active": 1}
            if await transaction.execute(_insert("projects", row) + _UNLESS_THERE, tuple(row.values())) > 0:
                made.append(project.name)
            elif not await transaction.fetch("SELECT 1 FROM projects WHERE CAST(id AS TEXT) = ?", (project.id,)):
                await _insert_or_explain(transaction, "projects", row)
                made.append(project.name)
        return made

    created, refused = await write_or_split(transaction, projects, _one_by_one, insert)
    return list(chain.from_iterable(created)), {project.name: reason for (project,), reason in refused}


async def with_free_ids(source: Reader, accounts: Sequence[Account]) -> list[Account]:
    """New ``accounts``, each with an id that no other account has.

    One was created for the same link before, and has another link or another project now.
    """
    ids = [[account_id(one.project_id, one.link, earlier) for earlier in range(MOST_ACCOUNTS)] for one in accounts]
    rows = await source.fetch(
        "SELECT CAST(id AS TEXT), CAST(project_id AS TEXT), profile_link, platform FROM project_social_accounts"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps([*chain.from_iterable(ids)]),),
    )
    taken = {row[0]: (row[1], identity(as_text(row[2]), as_text(row[3]))) for row in rows}
    with_ids = []
    for one, several in zip(accounts, ids, strict=True):
        key = one.project_id, identity(one.link, one.platform)
        with_ids.append(replace(one, id=next((id_ for id_ in several if taken.get(id_, key) == key), one.id)))
    return with_ids


async def create_accounts(
    transaction: Transaction, accounts: Sequence[Account], added_at: str, more: Mapping[str, object] = NOTHING
) -> tuple[int, dict[str, str]]:
    """Insert accounts whose id or link does not exist yet; ``more``: column → default value.

    Returns how many were new, and the links of those that the database refused, with the reason.  Raises as
    `write_or_split` does.
    """

    columns = set(await transaction.dialect.columns(transaction, "project_social_accounts"))

    def of(account: Account) -> dict[str, object]:
        # What is not told is left to the column's own default; a table of the web app's may lack the column.
        told = {"topic": account.topic, "telegram_user": account.telegram}
        plain: dict[str, object] = {"id": account.id, "project_id": account.project_id, "platform": account.platform}
        plain |= {"username": account.username, "profile_link": account.link, "added_at": added_at, "is_active": 1}
        return {**more, **plain, **{name: text for name, text in told.items() if text and name in columns}}

    async def insert(batch: Sequence[Account]) -> int:
        alike: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
        for row in map(of, batch):
            alike.setdefault(tuple(row), []).append(tuple(row.values()))
        made = 0
        for names, rows in alike.items():
            made += await transaction.execute_many(_insert("project_social_accounts", names) + _UNLESS_THERE, rows)
        for account in await _missing_from_database(transaction, batch) if made < len(batch) else ():
            await _insert_or_explain(transaction, "project_social_accounts", of(account))
            made += 1
        return made

    created, refused = await write_or_split(transaction, accounts, _one_by_one, insert)
    return sum(created), {account.link: reason for (account,), reason in refused}


async def _missing_from_database(transaction: Transaction, accounts: Sequence[Account]) -> list[Account]:
    """Those of ``accounts`` that their project does not have, by id or link."""
    rows = await transaction.fetch(
        "SELECT CAST(project_id AS TEXT), CAST(id AS TEXT), profile_link FROM project_social_accounts"
        " WHERE project_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted({account.project_id for account in accounts})),),
    )
    existing = {(row[0], name) for row in rows for name in row[1:]}
    return [one for one in accounts if existing.isdisjoint({(one.project_id, one.id), (one.project_id, one.link)})]


async def _insert_or_explain(transaction: Transaction, table: str, row: Mapping[str, object]) -> None:
    """Insert a row. Raises `Refused`, with the reason, if a different row of the table prevents it."""
    if not await transaction.execute(_insert(table, row), tuple(row.values())):
        raise ignored()


def _insert(table: str, columns: Collection[str]) -> str:
    names = ['"{}"'.format(column.replace('"', '""')) for column in columns]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _one_by_one(rows: Sequence[T]) -> list[Sequence[T]]:
    return [[one] for one in rows] if len(rows) > 1 else []


async def project_names(database: Database) -> set[str]:
    """The names of all projects, including inactive ones."""
    return {str(row[0] or "") for row in await database.fetch("SELECT name FROM projects")}


#: The tables, as the configuration calls them.
TABLES = {"projects": "projects", "accounts": "project_social_accounts"}
Given = Mapping[str, Mapping[str, object]]


async def unknown_in(database: Database, defaults: Given) -> dict[str, str]:
    """Configuration key → the error, for each column in ``defaults`` that its table does not have."""
    problems: dict[str, str] = {}
    for section, values in defaults.items():
        if values:
            problems |= dict(
                unknown_columns(section, values, await database.dialect.columns(database, TABLES[section]))
            )
    return problems


def unknown_columns(section: str, values: Iterable[str], columns: list[str]) -> Iterator[tuple[str, str]]:
    """Configuration key and error for each of ``values`` that is none of the ``columns``."""
    existing = {column.lower() for column in columns}
    for name in values:
        if name.lower() not in existing:
            meant = nearest(name, columns)
            hint = f"; did you mean {meant}?" if meant else ""
            yield f"sync.defaults.{section}.{name}", f"the table {TABLES[section]} has no column {name}{hint}"


_CAMPAIGN_COLUMNS = ("start_date", "end_date", "kpi_views")


async def load_campaigns(
    source: Reader, timezone: str, project_ids: Sequence[str] | None = None
) -> dict[str, Campaign]:
    """The campaigns by project id, of all projects or some; dates are in ``timezone``."""
    existing = {name.casefold(): name for name in await source.dialect.columns(source, "projects")}
    columns = ", ".join(f'"{existing[name]}"' if name in existing else f"NULL AS {name}" for name in _CAMPAIGN_COLUMNS)
    rows = await source.fetch(
        f"SELECT id, {columns} FROM projects WHERE id IS NOT NULL"
        " AND (CAST(?1 AS TEXT) IS NULL OR id IN (SELECT value FROM json_each(?1)))",
        (None if project_ids is None else json.dumps(project_ids),),
    )
    return {str(row[0]): campaign.read(row[1], row[2], row[3], timezone) for row in rows}


async def project_campaign(source: Reader, timezone: str, project_id: str) -> Campaign:
    """The campaign of one project."""
    return (await load_campaigns(source, timezone, [project_id])).get(project_id, EVERYTHING)


async def project_target(source: Reader, project_id: str) -> tuple[int, str]:
    """A project's ``target_views`` (0: none), and why they cannot be read ("" if they can)."""
    if "target_views" not in await source.dialect.columns(source, "projects"):
        return 0, ""
    rows = await source.fetch(
        "SELECT target_views FROM projects WHERE CAST(id AS TEXT) = CAST(?1 AS TEXT)", (project_id,)
    )
    return campaign.target(rows[0][0]) if rows else (0, "")


async def with_campaigns(source: Reader, timezone: str, accounts: Sequence[Account]) -> list[Account]:
    """``accounts``, each with the campaign of its project."""
    campaigns = await load_campaigns(source, timezone)
    return [replace(account, campaign=campaigns.get(account.project_id, EVERYTHING)) for account in accounts]
