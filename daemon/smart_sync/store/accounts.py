"""Accounts: the one definition of active, look-ups, and everything known about one account.

New ones are created by `store.projects`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from smart_sync.core.explain_answer import ConflictAnswer, SuspectAnswer
from smart_sync.core.history.timeline import TimedSnapshot
from smart_sync.core.links.identity import owner, same_profile
from smart_sync.core.model import METRICS, Account, Project
from smart_sync.core.state import as_text, sound
from smart_sync.core.wording import nearest_of
from smart_sync.store.clock_changes import IN_ORDER, local_day
from smart_sync.store.engine import Database


def active_project(alias: str = "projects") -> str:
    """The SQL condition that a row of ``projects`` is active."""
    return f"CAST({alias}.is_active AS BIGINT) = 1"


def active_account(alias: str) -> str:
    """The SQL condition that a row of ``project_social_accounts`` is active, whatever its project is."""
    return f"CAST(coalesce({alias}.is_active, 1) AS BIGINT) = 1"


#: What ``is_active`` may say; anything else is not understood, and does not make active.
_FLAGS = "('0', '1', '0.0', '1.0', 'false', '')"


def has_unclear_flag(alias: str) -> str:
    """The SQL condition that ``is_active`` of a row of either table is not 0, 1 or NULL."""
    return f"CAST(coalesce({alias}.is_active, 1) AS TEXT) NOT IN {_FLAGS}"


#: The ids of the active projects, as text.
ACTIVE_PROJECT_IDS = f"SELECT CAST(id AS TEXT) FROM projects WHERE {active_project()} AND id IS NOT NULL"


_NAMES = ", ".join(METRICS)
#: How many names are suggested for one that is none, and how many letters of its beginning are enough.
SIMILAR, _BEGINNING = 3, 3


class KnownAccount(NamedTuple):
    """An account and its project (whose name is "" if the project is gone)."""

    account: Account
    project: Project
    #: Whether it is active, and its project is.
    active: bool
    #: Whether it is active, whatever its project is.
    account_active: bool
    #: Since when it has left, as a stamp: it is in no total.
    left_since: str | None
    #: The id as the web app has it, which may be a number.
    row_id: object

    @property
    def counts(self) -> bool:
        """Whether it counts in its project's totals."""
        return self.account_active and self.left_since is None


class AccountDetails(NamedTuple):
    """What the database knows about an account besides its values. Times are stamps, None where there is none."""

    worksheet: str | None
    read_at: str | None
    confirmed_at: str | None
    #: As the inbox has it.
    parsed_at: str | None
    updated_at: str | None
    #: Per metric the stamp of the pass that changed its value last.
    changed_at: Sequence[str | None]
    #: Per metric the stamp of the pass since which it has a value without a break.
    known_since: Sequence[str | None]
    #: Metric → the letters of its column, as the last good read of the worksheet found them.
    columns: Mapping[str, str]


async def everyone(database: Database) -> list[KnownAccount]:
    """All accounts, including inactive ones."""
    rows = await database.fetch(
        "SELECT a.id, a.project_id, a.platform, a.username, a.profile_link, p.name,"
        f" {active_account('a')}, CASE WHEN {active_project('p')} THEN 1 ELSE 0 END, m.left_since"
        " FROM project_social_accounts a LEFT JOIN projects p ON p.id = a.project_id"
        " LEFT JOIN account_metrics m ON m.account_id = CAST(a.id AS TEXT)"
        " WHERE a.id IS NOT NULL ORDER BY p.name, a.platform, a.id"
    )
    return [
        # Some web apps number their rows: an id is text here, as in our own tables.
        KnownAccount(
            Account(str(row[0]), str(row[1]), as_text(row[2]), as_text(row[3]), as_text(row[4])),
            Project(str(row[1]), as_text(row[5])),
            bool(row[6] and row[7]),
            bool(row[6]),
            row[8],
            row[0],
        )
        for row in rows
    ]


async def of_projects(database: Database, projects: Iterable[Project]) -> list[KnownAccount]:
    """All accounts of some projects, including inactive ones."""
    ids = {project.id for project in projects}
    return [known for known in await everyone(database) if known.project.id in ids]


async def find(database: Database, wanted: str) -> list[KnownAccount]:
    """The accounts that match a link, id or name, with or without ``@``: usually one, or one per project. Ids and
    links go before names."""
    everybody, name = await everyone(database), wanted.removeprefix("@").casefold()
    named = [known for known in everybody if name and name in _names(known.account)]
    if wanted.startswith("@"):
        return named
    exact = [known for known in everybody if wanted in (known.account.id, known.account.link)]
    alike = [known for known in everybody if same_profile(wanted, known.account.link, known.account.platform)]
    return exact or alike or named


async def similar(database: Database, wanted: str) -> list[str]:
    """The names (as ``@name``) most similar to ``wanted``, a name or incomplete link; nearest first."""
    everybody = await everyone(database)
    name = (owner(wanted).username if "/" in wanted else wanted.removeprefix("@")).casefold()
    names = {name for known in everybody for name in _names(known.account)} - {""}
    begins = sorted(one for one in names if len(name) >= _BEGINNING and one.startswith(name))
    similar_names = dict.fromkeys([*nearest_of(name, names, SIMILAR), *begins])
    return [f"@{one}" for one in similar_names][:SIMILAR]


def _names(account: Account) -> set[str]:
    name = account.username.removeprefix("@") or owner(account.link).username
    return {name.casefold(), owner(account.link).username.casefold()}


async def details(database: Database, account: KnownAccount) -> AccountDetails:
    """Where an account's values come from."""
    rows = await database.fetch(
        "SELECT s.worksheet, s.read_at, w.read_at, w.columns, p.parsed_at, m.updated_at, "
        + ", ".join(f"m.{metric}_{since}" for since in ("changed_at", "known_since") for metric in METRICS)
        + " FROM (SELECT ?1 AS id) a LEFT JOIN sheet_metrics s ON s.account_id = a.id"
        " LEFT JOIN worksheet_reads w ON w.project_id = ?2 LEFT JOIN parsed_inbox p ON p.account_id = a.id"
        " LEFT JOIN account_metrics m ON m.account_id = a.id",
        (account.account.id, account.project.id),
    )
    worksheet, read_at, confirmed_at, columns, parsed_at, updated_at, *since = rows[0]
    letters = dict(pair.split("=") for pair in as_text(columns).split(",") if pair.count("=") == 1)
    changed_at, known_since = since[: len(METRICS)], since[len(METRICS) :]
    return AccountDetails(worksheet, read_at, confirmed_at, parsed_at, updated_at, changed_at, known_since, letters)


class Place(NamedTuple):
    """The worksheet of an account's sheet values, and the local day of each merged value's last change."""

    worksheet: str = ""
    changed_on: tuple[str | None, ...] = (None,) * len(METRICS)


async def places(database: Database, project: Project) -> dict[str, Place]:
    """The places of a project's accounts, by id."""
    rows = await database.fetch(
        f"SELECT CAST(a.id AS TEXT), s.worksheet, {', '.join(local_day(f'm.{m}_changed_at') for m in METRICS)}"
        " FROM project_social_accounts a LEFT JOIN sheet_metrics s ON s.account_id = CAST(a.id AS TEXT)"
        " LEFT JOIN account_metrics m ON m.account_id = CAST(a.id AS TEXT) WHERE a.project_id = ?",
        (project.id,),
    )
    return {row[0]: Place(as_text(row[1]), tuple(row[2:])) for row in rows}


class Labels(NamedTuple):
    """The web app's categories of an account; "" if not set."""

    topic: str = ""
    #: The ``telegram_user`` who is in charge of it.
    person: str = ""


async def labels(database: Database, project: Project) -> dict[str, Labels]:
    """The labels of a project's accounts, by id."""
    there = await database.dialect.columns(database, "project_social_accounts")
    columns = ", ".join(name if name in there else f"'' AS {name}" for name in ("topic", "telegram_user"))
    rows = await database.fetch(
        f"SELECT CAST(id AS TEXT), {columns} FROM project_social_accounts WHERE project_id = ?", (project.id,)
    )
    return {row[0]: Labels(as_text(row[1]).strip(), as_text(row[2]).strip()) for row in rows}


async def snapshots_of(database: Database, account_id: str) -> list[TimedSnapshot]:
    """All snapshots of an account with a valid time, in order."""
    rows = await database.fetch(
        f"SELECT strftime('%Y-%m-%dT%H:%M:%S', snapshot_time), {local_day('snapshot_time')}, {_NAMES}"
        " FROM account_snapshots WHERE account_id = ? AND datetime(snapshot_time) IS NOT NULL"
        f" ORDER BY {IN_ORDER}, id DESC",
        (account_id,),
    )
    return [TimedSnapshot(at, day, sound(values)[0]) for at, day, *values in rows]


async def open_findings(
    database: Database, account_id: str, believed_before: str
) -> tuple[dict[str, SuspectAnswer], dict[str, ConflictAnswer]]:
    """The suspects (those that have not stood for a day) and the conflicts of an account, by metric."""
    suspects = await database.fetch(
        "SELECT metric, CASE WHEN was_unknown = 0 THEN old END, new, since, place, cause, held FROM suspects"
        " WHERE account_id = ? AND (since > ? OR (held = 1 AND since != ''))",
        (account_id, believed_before),
    )
    conflicts = await database.fetch(
        "SELECT metric, sheet, parsed, at, place FROM conflicts WHERE account_id = ?", (account_id,)
    )
    return {
        r[0]: SuspectAnswer(old=r[1], new=r[2], since=r[3], place=r[4], cause=r[5], held=bool(r[6])) for r in suspects
    }, {r[0]: ConflictAnswer(sheet=r[1], parsed=r[2], at=r[3], place=r[4]) for r in conflicts}
