"""Values from parsers and `smart-sync ingest`: the tables ``parsed_values`` and ``doubted_falls``; retention."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from smart_sync.core.campaign import OF_VIDEOS
from smart_sync.core.days import stamp
from smart_sync.core.explain_answer import WithoutVote
from smart_sync.core.merge.suspects import ONE_READ, waits_for_second_read
from smart_sync.core.merge.votes import has_vote, is_outdated
from smart_sync.core.model import METRICS, ParsedMetrics, Precision
from smart_sync.core.parsed import NO_PAST, OWN, Mark, ParsedAccount, ParsedValue, terms
from smart_sync.core.state import as_text
from smart_sync.store.clock_doubts import clock_doubt
from smart_sync.store.engine import Database, Reader, Transaction, upsert
from smart_sync.store.vote_records import gather, save_marks

#: An account, a metric, and who says so.
Place = tuple[str, str, str]

_PUT_FALL = upsert("doubted_falls", "account_id, metric, source, value, parsed_at", "account_id, metric, source")
_FALLS = "SELECT account_id, metric, source, value, parsed_at FROM doubted_falls WHERE account_id IN"


async def read_doubted_falls(source: Reader, account_ids: Iterable[str]) -> dict[Place, ParsedValue]:
    """The doubted falls of some accounts."""
    rows = await source.fetch(f"{_FALLS} (SELECT value FROM json_each(?))", (json.dumps(sorted(account_ids)),))
    return {
        (account_id, metric, who): ParsedValue(metric, value, as_text(at), who, False, "", OWN)
        for account_id, metric, who, value, at in rows
    }


async def keep_doubted_falls(
    transaction: Transaction, waiting: Mapping[Place, ParsedValue], over: Collection[Place]
) -> None:
    """Store the falls that wait for a second read, and delete those that are ``over``."""
    await transaction.execute_many(
        "DELETE FROM doubted_falls WHERE account_id = ? AND metric = ? AND source = ?", sorted(over)
    )
    await transaction.execute_many(_PUT_FALL, [(*place, one.value, one.at or "") for place, one in waiting.items()])


async def account_doubted_falls(database: Database, account_id: str, metrics: Sequence[str]) -> list[WithoutVote]:
    """The doubted falls of an account, in the form of ``explain``'s values without a vote."""
    falls = await read_doubted_falls(database, [account_id])
    return [
        {"metric": metric, "value": one.value, "source": who, "parsed_at": one.at, "reason": ONE_READ}
        for (_, metric, who), one in sorted(falls.items())
        if metric in metrics
    ]


_NOBODY = ParsedAccount("")
_PUT = """
INSERT INTO parsed_values (account_id, metric, source, value, parsed_at, "precision", link, counted)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, metric, source) DO UPDATE SET value = excluded.value, parsed_at = excluded.parsed_at,
    "precision" = excluded."precision", link = excluded.link, counted = excluded.counted
"""
# The same time once more was seen when it was first seen.
_PUT_AHEAD = """
INSERT INTO values_ahead (account_id, metric, place, source, parsed_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, metric, place, source) DO UPDATE SET parsed_at = excluded.parsed_at, seen_at = excluded.seen_at
    WHERE values_ahead.parsed_at != excluded.parsed_at
"""


async def put(database: Database, values: Iterable[ParsedMetrics], now: datetime, *, from_parser: bool = False) -> int:
    """Store parsed values in one transaction; return how many of them added anything.

    A metric without a value keeps the one it had: a parser that could not see it has learned nothing.  Nor does an
    older value replace a newer one of its source.  What comes ``from_parser``, and falls too far to be true, waits for
    a second read (`core.merge.suspects`).
    """
    new_values = list(values)
    vote_terms = terms(stamp(now), None)
    taken: dict[tuple[str, str, str], ParsedValue] = {}
    waiting: dict[tuple[str, str, str], ParsedValue] = {}
    lines = 0
    async with database.transaction() as transaction:
        records = await gather(transaction, "account_id IN (SELECT value FROM json_each(?))", (_ids(new_values),))
        accounts = await _accounts_of(transaction, new_values)
        doubted = await read_doubted_falls(transaction, {one.account_id for one in new_values}) if from_parser else {}
        stored = {(key, one.metric, one.source): one for key, several in records.said.items() for one in several}
        for value in new_values:
            key, past = value.account_id, records.past.get(value.account_id, NO_PAST)
            new = {(key, one.metric, one.source): one for one in _values_of(value)}
            for place, one in list(new.items()):
                last, account = stored.get(place), accounts.get(key, _NOBODY)
                if last is None:
                    continue
                falls = from_parser and waits_for_second_read(last, one, doubted.get(place))
                if is_outdated(one, last, past, account, vote_terms):
                    del new[place]
                elif falls and has_vote(last, past, account, vote_terms):
                    waiting[place] = new.pop(place)
            taken |= new
            stored |= new
            lines += bool(new)
        await transaction.execute_many(_PUT, (_row(key, one) for (key, _, _), one in taken.items()))
        await keep_doubted_falls(transaction, waiting, taken.keys() & doubted.keys())
        ahead = ((key, one) for (key, _, _), one in taken.items() if (one.at or "") > vote_terms.ahead)
        await transaction.execute_many(
            _PUT_AHEAD, ((key, one.metric, OWN, one.source, one.at, vote_terms.now) for key, one in ahead)
        )
    return lines


def _ids(values: Iterable[ParsedMetrics]) -> str:
    return json.dumps(sorted({value.account_id for value in values}))


def _values_of(value: ParsedMetrics) -> Iterable[ParsedValue]:
    at = stamp(value.parsed_at)
    for metric, number in zip(METRICS, value.metrics, strict=True):
        if number is not None:
            counted = value.counted if metric in OF_VIDEOS else ""
            rounded = value.precision_of(metric) is Precision.ROUNDED
            yield ParsedValue(metric, number, at, value.source, rounded, value.link or "", OWN, counted)


async def _accounts_of(transaction: Transaction, values: Iterable[ParsedMetrics]) -> dict[str, ParsedAccount]:
    """The current accounts of the values."""
    sql = (
        "SELECT CAST(id AS TEXT), profile_link, platform FROM project_social_accounts"
        " WHERE id IN (SELECT value FROM json_each(?))"
    )
    rows = await transaction.fetch(sql, (_ids(values),))
    return {row[0]: ParsedAccount(as_text(row[1]), as_text(row[2])) for row in rows}


def _row(account_id: str, one: ParsedValue) -> tuple[object, ...]:
    precision = Precision.ROUNDED if one.rounded else Precision.EXACT
    return account_id, one.metric, one.source, one.value, one.at, precision.value, one.link, one.counted


_OLD = "SELECT account_id, metric, value, parsed_at FROM parsed_values WHERE source = ? AND parsed_at < ?"
# Decided without: nothing is lost with the row but the number itself.
_DECIDED = """
DELETE FROM parsed_values WHERE source = ?1 AND parsed_at < ?2 AND EXISTS (
    SELECT 1 FROM values_taken_back t
    WHERE t.account_id = parsed_values.account_id AND t.metric = parsed_values.metric AND t.place = ?3
      AND t.source = ?1 AND t.value = parsed_values.value AND t.parsed_at = parsed_values.parsed_at
)
"""
_MARKS = """
DELETE FROM forgotten_values WHERE source = ?1 AND reason = ?2 AND NOT EXISTS (
    SELECT 1 FROM parsed_values v WHERE v.account_id = forgotten_values.account_id
      AND v.metric = forgotten_values.metric AND v.source = ?1 AND v.value = forgotten_values.value
)
"""


async def apply_retention(database: Database, source: str, now: datetime, keep: float) -> int:
    """Take back ``source``'s values older than ``keep`` seconds; return how many.

    The next pass decides without them; those that a pass has decided without are deleted.
    """
    limit = stamp(now - timedelta(seconds=keep))
    reason = f"kept no longer than {keep / 86400:g} days"
    async with database.transaction() as transaction:
        if await clock_doubt(transaction, now):
            return 0  # by a clock that has jumped everything would be too old
        await transaction.execute(_DECIDED, (source, limit, OWN))
        await transaction.execute(_MARKS, (source, reason))
        rows = await transaction.fetch(_OLD, (source, limit))
        marks = (
            (account_id, Mark(metric, value, source, False, parsed_at, stamp(now), reason))
            for account_id, metric, value, parsed_at in rows
        )
        await save_marks(transaction, marks, stamp(now))
    return len(rows)
