"""Projects and accounts: read as they are, created where the sheets have more."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from smart_sync.core.model import METRICS, Account, Metrics, Problem, Project
from smart_sync.core.names import written
from smart_sync.core.state import THERE, Absence, AccountState, as_text, is_rounded, sound
from smart_sync.store import parsed_query
from smart_sync.store.active import active_account, active_project
from smart_sync.store.apart import together_or_apart
from smart_sync.store.database import Database, Transaction

T = TypeVar("T")
NOTHING: Mapping[str, object] = MappingProxyType({})

# The web app may keep its ids as numbers; ours are text, and are found by their index only as such.
_OUTLINE = f"""
SELECT a.id, a.platform, a.username, a.profile_link, {active_account("a")},
       s.followers, s.likes, s.comments, s.videos, s.views, s."row",
       s.project_id, s.gone_since, s.gone_clock, s.gone_at_once, s.gone_accepted, s.held, {{added_at}}"""
_ACCOUNTS = (
    _OUTLINE
    + """,
       p.account_id IS NOT NULL, p.followers, p.likes, p.comments, p.videos, p.views, p."precision",
       m.followers, m.likes, m.comments, m.videos, m.views,
       m.followers_winner, m.likes_winner, m.comments_winner, m.videos_winner, m.views_winner,
       n.account_id IS NOT NULL, n.followers, n.likes, n.comments, n.videos, n.views,
       m.followers_known_since, m.likes_known_since, m.comments_known_since, m.videos_known_since, m.views_known_since,
       m.followers_carried_since, m.likes_carried_since, m.comments_carried_since, m.videos_carried_since,
       m.views_carried_since, m.left_since
FROM project_social_accounts a
LEFT JOIN sheet_metrics s ON s.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_inbox p ON p.account_id = CAST(a.id AS TEXT)
LEFT JOIN account_metrics m ON m.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_seen n ON n.account_id = CAST(a.id AS TEXT)
WHERE a.project_id = ? AND a.id IS NOT NULL{wanted}
ORDER BY a.id
"""
)
_ONLY = " AND CAST(a.id AS TEXT) IN (SELECT value FROM json_each(?))"
_OUTLINES = (
    _OUTLINE
    + """
FROM project_social_accounts a LEFT JOIN sheet_metrics s ON s.account_id = CAST(a.id AS TEXT)
WHERE a.project_id = ? AND a.id IS NOT NULL
ORDER BY a.id
"""
)


async def active_projects(database: Database) -> list[Project]:
    """The active projects, by name."""
    rows = await database.glance(
        "SELECT id, name, google_sheet_name FROM projects"
        f" WHERE {active_project()} AND id IS NOT NULL ORDER BY name, id"
    )
    return [_project(row) for row in rows]


async def overview(database: Database) -> tuple[int, list[Project]]:
    """How many projects there are, and the active ones, by name: in one query, for `sync_status`."""
    rows = await database.glance(
        "SELECT (SELECT count(*) FROM projects), id, name, google_sheet_name FROM (SELECT 1)"
        f" LEFT JOIN projects ON {active_project()} AND id IS NOT NULL ORDER BY name, id"
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


async def account_states(
    database: Database, project: Project, query: str = "", only: Sequence[str] | None = None
) -> tuple[list[AccountState], list[Problem]]:
    """All accounts of a project with what the last passes left, and the parsed values that are no counts.

    ``query`` is what `parsed_query.prepare` made of ``[parsed] query``; ``only`` these accounts are wanted.
    """
    wanted, ids = ("", ()) if only is None else (_ONLY, (json.dumps(only),))
    sql = _ACCOUNTS.format(wanted=wanted, added_at=await _added_at(database))
    rows = await database.fetch(sql, (project.id, *ids))
    states, problems = await asyncio.to_thread(_understood, rows)
    if query:
        told, more = await parsed_query.read(database, query, project.id)
        states = [parsed_query.applied(state, told[state.id]) if state.id in told else state for state in states]
        problems += more
    return states, problems


async def account_ids(source: Transaction, project: Project) -> set[str]:
    """The ids of all accounts of a project."""
    sql = "SELECT CAST(id AS TEXT) FROM project_social_accounts WHERE project_id = ? AND id IS NOT NULL"
    return {row[0] for row in await source.fetch(sql, (project.id,))}


async def outlines(database: Database, project: Project) -> list[AccountState]:
    """All accounts of a project with their last sheet values, and nothing else of what the last passes left."""
    rows = await database.fetch(_OUTLINES.format(added_at=await _added_at(database)), (project.id,))
    return await asyncio.to_thread(lambda: [_outline(row) for row in rows])


async def _added_at(database: Database) -> str:
    """When an account was added, in SQL: a web app's table may lack the column."""
    rows = await database.fetch("SELECT 1 FROM pragma_table_info('project_social_accounts') WHERE name = 'added_at'")
    return "datetime(a.added_at)" if rows else "NULL"


#: How many columns `_OUTLINE` has.
_WIDTH = 18
_NOTHING_HELD: frozenset[str] = frozenset()
_ALL = frozenset(METRICS)


def _outline(row: Any) -> AccountState:
    """A state with what `_OUTLINES` reads of it."""
    sheet, absence, held = None, THERE, _NOTHING_HELD
    if row[10] is not None:
        sheet = sound(row[5:10])[0]
        absence = _absence(row[11:16])
        held = frozenset(str(row[16]).split(",")) & _ALL if row[16] else _NOTHING_HELD
    return AccountState(
        str(row[0]),
        as_text(row[1]),
        as_text(row[2]),
        as_text(row[3]),
        bool(row[4]),
        sheet,
        row[10],
        absence=absence,
        held=held,
        added_at=row[17],
    )


def _absence(row: Sequence[Any]) -> Absence:
    """How a row is missing; what somebody has spoilt counts as never written."""
    project_id, since, clock, at_once, accepted = row
    if since is None:
        return Absence(str(project_id))
    return Absence(str(project_id), str(since), clock if type(clock) is float else 0.0, bool(at_once), bool(accepted))


def _understood(rows: Iterable[Any]) -> tuple[list[AccountState], list[Problem]]:
    states, problems = [], []
    for row in rows:
        parsed, all_sound = sound(row[_WIDTH + 1 : _WIDTH + 6]) if row[_WIDTH] else (None, True)
        if not all_sound:
            problems.append(_unsound(row))
        states.append(_state(row, parsed))
    return states, problems


def _state(row: Any, parsed: Metrics | None) -> AccountState:
    rest = row[_WIDTH + 6 :]
    return _outline(row)._replace(
        parsed=parsed,
        rounded=is_rounded(rest[0]),
        merged=_merged(rest[1:6]),
        winners=rest[6:11],
        seen=sound(rest[12:17])[0] if rest[11] else None,
        known_since=rest[17:22],
        carried_since=rest[22:27],
        left_since=rest[27],
    )


def _merged(row: Sequence[Any]) -> Metrics | None:
    """The merged values; a row that somebody has spoilt is as none, and written anew."""
    metrics = sound(row)[0]
    return None if None in metrics else metrics


def _unsound(row: Any) -> Problem:
    return Problem(
        "the inbox holds a value that is no count from 0 to 2^63-1; it counts as no value",
        "parsed_metrics",
        value=f"account {row[0]}",
    )


async def active_accounts(database: Database, project_id: str | None = None) -> list[Account]:
    """The active accounts of the active projects (of one, if named): what the parsers are asked for."""
    rows = await database.fetch(
        "SELECT a.id, a.project_id, a.platform, a.username, a.profile_link FROM project_social_accounts a"
        f" JOIN projects p ON p.id = a.project_id AND {active_project('p')}"
        f" WHERE {active_account('a')} AND a.id IS NOT NULL"
        " AND (?1 IS NULL OR a.project_id = ?1) ORDER BY a.id",
        (project_id,),
    )
    return [Account(str(row[0]), str(row[1]), *map(as_text, row[2:5])) for row in rows]


async def create_projects(
    transaction: Transaction, projects: Sequence[Project], created_at: str, more: Mapping[str, object] = NOTHING
) -> tuple[list[str], dict[str, str]]:
    """Insert projects that are not there yet, by id (one may have been renamed); ``more``: column → value of each.

    Returns the names of the new ones, and of those that SQLite refused, with the reason.  Raises as
    `together_or_apart` does.
    """

    async def insert(several: Sequence[Project]) -> list[str]:
        sql = _insert("projects", ("id", "name", "created_at", "is_active", *more))
        row = (created_at, 1, *more.values())
        return [p.name for p in several if await transaction.execute(sql, (p.id, p.name, *row)) > 0]

    created, refused = await together_or_apart(transaction, projects, _one_by_one, insert)
    return list(chain.from_iterable(created)), {project.name: reason for (project,), reason in refused}


async def create_accounts(
    transaction: Transaction, accounts: Sequence[Account], added_at: str, more: Mapping[str, object] = NOTHING
) -> tuple[int, dict[str, str]]:
    """Insert accounts that are not there yet, by id or link; ``more``: column → value of each, where no row tells it.

    Returns how many were new, and the links of those that SQLite refused, with the reason.  Raises as
    `together_or_apart` does.
    """

    there = await transaction.fetch("SELECT name FROM pragma_table_info('project_social_accounts')")
    columns = {row[0] for row in there}

    def of(account: Account) -> dict[str, object]:
        # What is not told is left to the column's own default; a table of the web app's may lack the column.
        told = {"topic": account.topic, "telegram_user": account.telegram}
        plain: dict[str, object] = {"id": account.id, "project_id": account.project_id, "platform": account.platform}
        plain |= {"username": account.username, "profile_link": account.link, "added_at": added_at, "is_active": 1}
        return {**more, **plain, **{name: text for name, text in told.items() if text and name in columns}}

    async def insert(several: Sequence[Account]) -> int:
        alike: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
        for row in map(of, several):
            alike.setdefault(tuple(row), []).append(tuple(row.values()))
        made = [
            await transaction.execute_many(_insert("project_social_accounts", names), rows)
            for names, rows in alike.items()
        ]
        return sum(made)

    created, refused = await together_or_apart(transaction, accounts, _one_by_one, insert)
    return sum(created), {account.link: reason for (account,), reason in refused}


def _insert(table: str, columns: Iterable[str]) -> str:
    names = ['"{}"'.format(column.replace('"', '""')) for column in columns]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) ON CONFLICT DO NOTHING"


def _one_by_one(several: Sequence[T]) -> list[Sequence[T]]:
    return [[one] for one in several]


async def project_names(database: Database) -> set[str]:
    """The names of all projects, the inactive ones too."""
    return {str(row[0] or "") for row in await database.fetch("SELECT name FROM projects")}
