"""``[parsed] query``: parsed values that an installation keeps in tables of its own.  Read, never written.

A row of the query counts as a row of the inbox would.  Where both have a value the fresher row's counts, and a
query that gives no ``parsed_at`` speaks of now; where the fresher row has no value the other one fills in.
"""

from typing import Any, NamedTuple

from smart_sync.core.model import METRICS, Metrics, Problem
from smart_sync.core.state import AccountState, is_rounded, sound
from smart_sync.errors import ConfigError
from smart_sync.store.database import Database
from smart_sync.store.driver import is_of_the_file, sqlite

COLUMNS = ("account_id", *METRICS, "source", "parsed_at", "precision")
#: What the problems of its values name as their place.
PLACE = "parsed.query"


class QueryRow(NamedTuple):
    """What the query says of one account; ``first``: it is fresher than the inbox."""

    metrics: Metrics
    source: str
    parsed_at: str
    precision: str
    first: bool

    def beside(self, inbox: Metrics | None) -> Metrics:
        """The parsed values that count: the fresher row's, and the other's where it has none."""
        one, other = (self.metrics, inbox) if self.first else (inbox, self.metrics)
        if one is None or other is None:
            return one or other or Metrics()
        return Metrics._make(a if a is not None else b for a, b in zip(one, other, strict=True))


async def prepare(database: Database, query: str) -> str:
    """The query as `read` needs it, with every column there can be; "" for "".

    Raises `ConfigError` if it is not one SELECT, or has other columns than account_id, metrics, source, parsed_at
    and precision.
    """
    if not query.strip():
        return ""
    inner = query.strip().rstrip(";")
    try:
        # In brackets only a SELECT can stand; the line break ends a comment at its end.
        names = await database.columns(f"SELECT * FROM (\n{inner}\n) LIMIT 0")
    except (sqlite.Error, sqlite.Warning, ValueError) as error:
        raise ConfigError((f"parsed.query: not a SELECT that this database understands: {error}",)) from None
    if problem := _wrong(names):
        raise ConfigError((f"parsed.query: {problem}",))
    columns = ", ".join(f'"{name}"' if name in names else f'NULL AS "{name}"' for name in COLUMNS)
    return f"SELECT {columns} FROM (\n{inner}\n)"


def _wrong(names: list[str]) -> str:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        return f"column {unknown[0]!r} is none of {', '.join(COLUMNS)}; name it with AS, or leave it out"
    if "account_id" not in names:
        return "there is no column account_id; name it with AS"
    return "" if set(names) & set(METRICS) else f"there is no metric; name one of {', '.join(METRICS)} with AS"


async def read(database: Database, prepared: str, project_id: str) -> tuple[dict[str, QueryRow], list[Problem]]:
    """What the query says about the accounts of a project, and what is wrong with it: that it failed, too."""
    try:
        rows = await _rows(database, prepared, project_id)
    except sqlite.Error as error:
        if is_of_the_file(error):
            raise
        return {}, [Problem(f"the query failed, the inbox alone counts: {error}", PLACE)]
    found: dict[str, QueryRow] = {}
    problems = []
    for row in rows:
        account_id = str(row[0])
        metrics, all_sound = sound(row[1:6])
        if not all_sound:
            problems.append(_problem("a value that is no count from 0 to 2^63-1; it counts as no value", account_id))
        if account_id in found:
            problems.append(_problem("an account more than once; only one of its rows counts", account_id))
        source, parsed_at, precision = (str(text or "") for text in row[6:9])
        found[account_id] = QueryRow(metrics, source, parsed_at, precision, bool(row[9]))
    return found, problems


async def _rows(database: Database, prepared: str, project_id: str) -> list[Any]:
    return await database.ask(
        f"SELECT q.*, coalesce(datetime(q.parsed_at) >= datetime(p.parsed_at), 1) FROM ({prepared}) q"
        " LEFT JOIN parsed_inbox p ON p.account_id = CAST(q.account_id AS TEXT)"
        " WHERE CAST(q.account_id AS TEXT) IN (SELECT CAST(id AS TEXT) FROM project_social_accounts"
        " WHERE project_id = ?)",
        (project_id,),
    )


def _problem(what: str, account_id: str) -> Problem:
    return Problem(f"the query gives {what}", PLACE, value=f"account {account_id}")


def applied(state: AccountState, row: QueryRow) -> AccountState:
    """``state`` with the query's values beside those of the inbox."""
    rounded = is_rounded(row.precision) if row.first or state.parsed is None else state.rounded
    return state._replace(parsed=row.beside(state.parsed), rounded=rounded)
