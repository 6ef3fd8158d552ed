"""``[parsed] query``: parsed values in an installation's own tables. Only read.

A row of the query counts as a row of the inbox would; one without ``parsed_at`` speaks of now.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from smart_sync.core.model import METRICS, NO_METRICS, Problem
from smart_sync.core.parsed import QUERY, ParsedValue, is_no_time, of_row
from smart_sync.core.state import is_rounded, sound
from smart_sync.errors import ConfigError
from smart_sync.logs import printable
from smart_sync.store.engine import OF_THE_WHOLE, Database, StoreError, TooSlow
from smart_sync.store.vote_records import NO_TIME, TIME

COLUMNS = ("account_id", *METRICS, "source", "parsed_at", "precision")
#: What the values are said to be of where the query has no source.
UNNAMED = "query"
_CODE: Final = "parsed-values"


async def prepare(database: Database, query: str) -> str:
    """The query in the form for `read`, with all possible columns; "" for "".

    Raises `ConfigError` if it is not one SELECT, or has other columns than account_id, metrics, source, parsed_at
    and precision.
    """
    if not query.strip():
        return ""
    inner = query.strip().rstrip(";")
    try:
        # In brackets only a SELECT can stand; the line break ends a comment at its end.
        found = await database.columns(f"SELECT * FROM (\n{inner}\n) q LIMIT 0")
    except (StoreError, ValueError) as error:
        raise ConfigError((f"parsed.query: not a SELECT that this database understands: {error}",)) from None
    if problem := _wrong([name for name, _ in found]):
        raise ConfigError((f"parsed.query: {problem}",))
    reading = dict(found)
    columns = ", ".join(f'{reading.get(name, "NULL")} AS "{name}"' for name in COLUMNS)
    return f"SELECT {columns} FROM (\n{inner}\n) q"


def _wrong(names: list[str]) -> str:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        return f"column {unknown[0]!r} is none of {', '.join(COLUMNS)}; name it with AS, or leave it out"
    if doubled := [name for name in names if names.count(name) > 1]:
        return f"column {doubled[0]!r} is there twice; give one of them another name with AS, or leave it out"
    if "account_id" not in names:
        return "there is no column account_id; name it with AS"
    return "" if set(names) & set(METRICS) else f"there is no metric; name one of {', '.join(METRICS)} with AS"


class QueryValues(NamedTuple):
    """The query's values for a project's accounts, by account id, and its problems."""

    values: Mapping[str, list[ParsedValue]]
    problems: Sequence[Problem]


NOTHING_READ = QueryValues({}, ())


async def read(database: Database, prepared: str, project_ids: Sequence[str]) -> dict[str, QueryValues]:
    """The query's values for the accounts of projects, by project id; a failure is a problem of each."""
    try:
        rows = await _rows(database, prepared, project_ids)
    except StoreError as error:
        if isinstance(error, OF_THE_WHOLE):
            raise
        # The account on which it fails is that of one project; one without an end has none for any.
        if len(project_ids) > 1 and not isinstance(error, TooSlow):
            return {key: one for each in project_ids for key, one in (await read(database, prepared, [each])).items()}
        problem = Problem(f"the query failed, what it would give does not count: {error}", QUERY, code=_CODE)
        return dict.fromkeys(project_ids, QueryValues({}, [problem]))
    results: dict[str, tuple[dict[str, list[ParsedValue]], list[Problem]]] = {key: ({}, []) for key in project_ids}
    for row in rows:
        values, problems = results[row[-1]]
        account_id = str(row[0])
        metrics, all_sound = sound(row[1:6])
        if not all_sound:
            each = zip(METRICS, row[1:6], metrics, strict=True)
            wrong = [f"{m} {printable(str(told), 40)}" for m, told, read in each if told is not None and read is None]
            reason = "a value that is no count from 0 to 2^63-1; it counts as no value"
            problems.append(_problem(reason, account_id, f": {', '.join(wrong)}"))
        if is_no_time(row[9]):
            metrics = NO_METRICS
            text = f"account {account_id}: {printable(str(row[7]), 40)}"
            problems.append(Problem(NO_TIME, QUERY, value=text, code=_CODE))
        if account_id in values:
            problems.append(_problem("an account more than once; only one of its rows counts", account_id))
        values[account_id] = of_row(metrics, row[9], str(row[6] or "") or UNNAMED, QUERY, rounded=is_rounded(row[8]))
    return {key: QueryValues(*one) for key, one in results.items()}


async def _rows(database: Database, prepared: str, project_ids: Sequence[str]) -> list[Any]:
    return await database.ask(
        f"SELECT q.*, {TIME.format('q.parsed_at')}, a.project_id FROM ({prepared}) q"
        " JOIN (SELECT CAST(s.id AS TEXT) AS id, wanted.value AS project_id FROM json_each(?) wanted"
        f" CROSS JOIN project_social_accounts s WHERE {database.dialect.as_text('s.project_id')} = wanted.value) a"
        " ON a.id = CAST(q.account_id AS TEXT)",
        (json.dumps(project_ids),),
    )


def _problem(what: str, account_id: str, values: str = "") -> Problem:
    return Problem(f"the query gives {what}", QUERY, value=f"account {account_id}{values}", code=_CODE)
