"""Stored parsed values and votes: read for `core.merge.votes`, and written as it decides."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from smart_sync.core.model import METRICS, Precision
from smart_sync.core.parsed import OWN, AheadSince, Key, Mark, ParsedChanges, ParsedHistory, ParsedValue
from smart_sync.store.engine import Reader, Transaction, upsert

T = TypeVar("T")

#: A time as the inbox or a query has it, as a stamp; NULL where none is given, "" for what is no time.
TIME = (
    "coalesce(strftime('%Y-%m-%dT%H:%M:%f000', {0}), CASE WHEN {0} IS NULL OR CAST({0} AS TEXT) = '' THEN NULL"
    " ELSE '' END)"
)
#: What a person reads about the latter.
NO_TIME = "a parsed_at that is no time; it counts as no value; write it as 2026-03-10 12:00:00"


def _texts(names: str) -> str:
    """Columns of our texts, cast to text in case another program has changed them."""
    return ", ".join(f"CAST({name} AS TEXT)" for name in names.split())


#: What is read of each table, the account's id and then the fields of what it becomes in `known`.
COLUMNS: Mapping[str, str] = {
    "parsed_values": "account_id, metric, value, "
    f"{_texts('parsed_at source')}, \"precision\" = '{Precision.ROUNDED}', CAST(link AS TEXT), '{OWN}',"
    f" {_texts('counted')}",
    "forgotten_values": (
        f"account_id, metric, value, {_texts('source')}, any_source, {_texts('parsed_at until reason')}"
    ),
    "account_link_changes": f"account_id, {_texts('since link')}",
    "values_ahead": f"account_id, {_texts('metric place source parsed_at seen_at')}",
    "values_taken_back": "account_id, metric, place, source, value, parsed_at",
}
#: What of their rows is read: others may write here too, and what is no count is no value.
_SOUND: Mapping[str, str] = {
    "parsed_values": f" AND typeof(value) = 'integer' AND value >= 0 AND metric IN {METRICS!r}",
}
#: The tables that have rows at all: most have none.
_FILLED = "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in COLUMNS)


class VoteRecords(NamedTuple):
    """By account id: our parsers' values, and what is known about votes."""

    said: Mapping[str, Sequence[ParsedValue]]
    past: Mapping[str, ParsedHistory]


NOTHING_KNOWN = VoteRecords({}, {})


async def gather(source: Reader, where: str, parameters: Sequence[Any]) -> VoteRecords:
    """The records of the accounts that match the SQL ``where``."""
    (filled,) = await source.fetch(_FILLED)
    wanted = [table for table, there in zip(COLUMNS, filled, strict=True) if there]
    rows = {table: await source.fetch(statement(table, where), parameters) for table in wanted}
    return await asyncio.to_thread(known, rows) if rows else NOTHING_KNOWN


def statement(table: str, where: str) -> str:
    """The query of a table for `known`."""
    return f"SELECT {COLUMNS[table]} FROM {table} WHERE {where}{_SOUND.get(table, '')} ORDER BY 1, 2"


def known(rows: Mapping[str, Iterable[Any]]) -> VoteRecords:
    """The rows of the tables, as `statement` gives them."""
    values = _grouped(rows.get("parsed_values", ()), ParsedValue._make)
    past: dict[str, ParsedHistory] = {}
    marks = _grouped(rows.get("forgotten_values", ()), Mark._make)
    links = _grouped(rows.get("account_link_changes", ()), lambda row: (row[0], row[1]))
    ahead = _grouped(rows.get("values_ahead", ()), AheadSince._make)
    taken_back = _grouped(rows.get("values_taken_back", ()), Key._make)
    for account_id in {*marks, *links, *ahead, *taken_back}:
        past[account_id] = ParsedHistory(
            tuple(marks.get(account_id, ())),
            tuple(sorted(links.get(account_id, ()))),
            tuple(ahead.get(account_id, ())),
            frozenset(taken_back.get(account_id, ())),
        )
    return VoteRecords(values, past)


def _grouped(rows: Iterable[Any], made: Callable[[Sequence[Any]], T]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(made(row[1:]))
    return groups


async def save(transaction: Transaction, news: Sequence[ParsedChanges], now: str) -> None:
    """Store what a pass found out about votes, once per account."""
    await transaction.execute_many(
        "UPDATE account_metrics SET link = ? WHERE account_id = ?",
        [(one.link, one.account_id) for one in news if one.link is not None],
    )
    await transaction.execute_many(
        upsert("account_link_changes", "account_id, since, link", "account_id, since"),
        [(one.account_id, *row) for one in news for row in one.links],
    )
    await transaction.execute_many(
        upsert(
            "values_ahead",
            "account_id, metric, place, source, parsed_at, seen_at",
            "account_id, metric, place, source",
        ),
        [(one.account_id, *row) for one in news for row in one.ahead],
    )
    await save_marks(transaction, ((one.account_id, mark) for one in news for mark in one.marks), now)
    taken_back = [one for one in news if one.taken_back is not None]
    await transaction.execute_many(
        "DELETE FROM values_taken_back WHERE account_id = ?", [(one.account_id,) for one in taken_back]
    )
    await transaction.execute_many(
        "INSERT INTO values_taken_back (account_id, metric, place, source, value, parsed_at) VALUES (?, ?, ?, ?, ?, ?)",
        [(one.account_id, *row) for one in taken_back for row in sorted(one.taken_back or ())],
    )


async def save_marks(transaction: Transaction, marks: Iterable[tuple[str, Mark]], now: str) -> None:
    """Take back values of accounts (by id); an existing mark is extended."""
    await transaction.execute_many(
        "INSERT INTO forgotten_values (account_id, metric, value, source, any_source, parsed_at, until, reason, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, metric, source, value) DO UPDATE SET"
        " any_source = CASE WHEN forgotten_values.any_source > excluded.any_source THEN forgotten_values.any_source"
        " ELSE excluded.any_source END, parsed_at = excluded.parsed_at, until = CASE WHEN"
        " forgotten_values.until > excluded.until THEN forgotten_values.until ELSE excluded.until END,"
        " reason = excluded.reason, at = excluded.at",
        ((account_id, *mark, now) for account_id, mark in marks),
    )
