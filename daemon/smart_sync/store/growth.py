"""How numbers have grown from day to day: the one query, of the view ``account_growth`` and of our own screens.

Of several snapshots of a local day the last counts.  A metric is known from the day of its ``known_since`` on (of an
account that no pass has seen yet: from its first snapshot above 0).  A day has a delta if the day before has a snapshot
and the metric was known then, so a gap has none, nor has the day on which a value becomes known.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from smart_sync.core.growth import History
from smart_sync.core.model import METRICS
from smart_sync.store.database import Database
from smart_sync.store.days import local_day, newest_first

#: Snapshots that are older are mistakes.
_OLDEST = "1970-01-01"
#: Days between a moment as it is written, in whatever notation, and its local day, at the most.
_MARGIN = 2


def _each(template: str, metrics: Sequence[str] = METRICS) -> str:
    return ", ".join(template.replace("{m}", metric) for metric in metrics)


# Plain SQL: the view is read by whatever SQLite the web app has.
# A count, as `core.state.sound` has it; some tables hold whole numbers as REAL.
_WHOLE = "typeof({m}) IN ('integer', 'real') AND {m} >= 0 AND {m} = CAST({m} AS INTEGER)"
_COUNT = f"CASE WHEN {_WHOLE} THEN CAST({{m}} AS INTEGER) END AS {{m}}"
_KNOWN = f"SELECT account_id, {_each(local_day('{m}_known_since') + ' AS {m}')} FROM account_metrics"
_KNOWN_SINCE = "CASE WHEN k.account_id IS NULL THEN d.first_{m} ELSE k.{m} END"
_DELTA = (
    f"CASE WHEN d.last_day = date(d.day, '-1 day') AND d.last_day >= {_KNOWN_SINCE}"
    " THEN d.{m} - d.last_{m} END AS {m}_delta"
)
# The metrics of which the day ends a carried stretch, comma separated.
_ENDS = (
    "SELECT group_concat(c.metrics) FROM carried_stretches c"
    f" WHERE c.account_id = CAST(d.account_id AS TEXT) AND {local_day('c.ended_at')} = d.day"
)
_DAYS = f"""labelled AS (
    SELECT account_id, id, snapshot_time, {_each(_COUNT)}, {local_day("snapshot_time")} AS day
    FROM account_snapshots
), last_of_day AS (
    SELECT account_id, day, {_each("{m}")},
           row_number() OVER (PARTITION BY account_id, day ORDER BY {newest_first("snapshot_time")}, id) AS nth
    FROM labelled
), beside_the_last AS (
    SELECT account_id, day, {_each("{m}")},
           lag(day) OVER before AS last_day, {_each("lag({m}) OVER before AS last_{m}")},
           {_each("min(CASE WHEN {m} > 0 THEN day END) OVER (PARTITION BY account_id) AS first_{m}")}
    FROM last_of_day WHERE nth = 1 AND day IS NOT NULL
    WINDOW before AS (PARTITION BY account_id ORDER BY day)
), account_days AS (
    SELECT d.account_id, d.day, {_each("d.{m}")}, {_each(f"d.day >= {_KNOWN_SINCE} AS {{m}}_known")},
           {_each(_DELTA)}, ({_ENDS}) AS ends_carried
    FROM beside_the_last d LEFT JOIN known k ON k.account_id = CAST(d.account_id AS TEXT)
)"""
#: The view, for web apps: where nobody knows a value it has 0, as the snapshot has.
VIEW = (
    f"CREATE VIEW account_growth AS WITH known AS ({_KNOWN}), {_DAYS}\n"
    f"SELECT account_id, day, {_each('{m}, {m}_delta')}, ends_carried FROM account_days"
)

# Of each account the snapshots of so many days up to its newest, and the last one before them with a value of each
# metric.  The plain comparison narrows the search for an index, whatever the notation.
_NEWEST = """
SELECT b.snapshot_time FROM main.account_snapshots b WHERE b.account_id = j.value AND b.snapshot_time < ?3
AND datetime(b.snapshot_time) IS NOT NULL ORDER BY b.snapshot_time DESC LIMIT 1"""
_BASE = f"""coalesce((
    SELECT b.snapshot_time FROM main.account_snapshots b WHERE b.account_id = a.id AND b.snapshot_time < a.start
    AND datetime(b.snapshot_time) IS NOT NULL AND {_WHOLE.replace("{m}", "b.{m}")}
    ORDER BY b.snapshot_time DESC LIMIT 1), a.start)"""
_RANGES = f"""asked AS MATERIALIZED (
    SELECT j.value AS id, date(datetime(({_NEWEST})), ?2) AS start FROM json_each(?1) j
), ranges AS MATERIALIZED (
    SELECT a.id, date(datetime(min({{base}}, a.start)), '-{_MARGIN} days') AS since FROM asked a
    WHERE a.start IS NOT NULL
), account_snapshots AS (
    SELECT s.* FROM ranges r CROSS JOIN main.account_snapshots s
    ON s.account_id = r.id AND s.snapshot_time >= r.since AND s.snapshot_time < ?3
)"""
# Without an index each look would read the whole table; then it is read once.
_ALL = """account_snapshots AS (
    SELECT s.* FROM main.account_snapshots s
    WHERE s.account_id IN (SELECT value FROM json_each(?1))
)"""
_INDEXED = """
SELECT 1 FROM pragma_index_list('account_snapshots') i WHERE NOT i.partial
AND (SELECT name FROM pragma_index_info(i.name) WHERE seqno = 0) = 'account_id' LIMIT 1
"""


async def histories(
    database: Database, account_ids: Collection[object], metrics: Sequence[str], days: int, today: date
) -> dict[str, History]:
    """What is known of ``metrics`` of accounts (ids as the web app has them) up to ``today``: id → history.

    Of each account the last ``days`` days up to its newest snapshot, and whatever tells the values it had before.
    """
    ids = [*account_ids, *(str(one) for one in account_ids if not isinstance(one, str))]
    back, until = f"-{days + _MARGIN} days", (today + timedelta(days=_MARGIN)).isoformat()
    source = _RANGES.format(base=_each(_BASE, metrics)) if await database.fetch(_INDEXED) else _ALL
    rows = await database.fetch(
        f"WITH {source}, known AS MATERIALIZED ({_KNOWN} WHERE account_id IN"
        f" (SELECT CAST(value AS TEXT) FROM json_each(?1))), {_DAYS} {_shown(metrics)}"
        f" WHERE day BETWEEN '{_OLDEST}' AND ?4 ORDER BY account_id, day",
        (json.dumps(ids), back, until, today.isoformat()),
    )
    return {
        str(account_id): _history([row[1:] for row in group], metrics)
        for account_id, group in groupby(rows, key=itemgetter(0))
    }


async def newest_days(database: Database, account_id: str, metrics: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """The newest days of an account, newest first: values, deltas, and the metrics of which a carried stretch ends."""
    rows = await database.fetch(
        f"WITH known AS ({_KNOWN}), {_DAYS} {_shown(metrics)} WHERE account_id = ? ORDER BY day DESC LIMIT ?",
        (account_id, limit),
    )
    names = [*metrics, *(f"{metric}_delta" for metric in metrics)]
    return [
        {"day": row[1], **dict(zip(names, row[2:-1], strict=True)), "ends_carried": _ends(row[-1], metrics)}
        for row in rows
    ]


async def left_out(database: Database, account_ids: Collection[object], today: date) -> int:
    """How many snapshots of accounts have a time that cannot be read, or lies in the future or before 1970."""
    ids = [*account_ids, *(str(one) for one in account_ids if not isinstance(one, str))]
    ((count,),) = await database.fetch(
        "SELECT count(*) FROM account_snapshots WHERE account_id IN (SELECT value FROM json_each(?))"
        f" AND coalesce({local_day('snapshot_time')} NOT BETWEEN '{_OLDEST}' AND ?, 1)",
        (json.dumps(ids), today.isoformat()),
    )
    return int(count)


def _shown(metrics: Sequence[str]) -> str:
    """Our own screens have no value where nobody knows one."""
    values = _each("CASE WHEN {m}_known THEN {m} END", metrics)
    return f"SELECT account_id, day, {values}, {_each('{m}_delta', metrics)}, ends_carried FROM account_days"


def _history(rows: Sequence[Any], metrics: Sequence[str]) -> History:
    width = len(metrics)
    days = [_ordinal(row[0]) for row in rows]
    ends = {
        day: frozenset(metrics.index(metric) for metric in _ends(row[-1], metrics))
        for day, row in zip(days, rows, strict=True)
        if row[-1]
    }
    return History(days, [row[1 : width + 1] for row in rows], [row[width + 1 : -1] for row in rows], ends)


def _ends(told: str | None, metrics: Iterable[str]) -> list[str]:
    there = set(told.split(",")) if told else ()
    return [metric for metric in metrics if metric in there]


@cache
def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()
