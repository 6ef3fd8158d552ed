"""Daily growth and the kinds of values: the SQL of ``account_growth``, and queries for screens.

Of several snapshots of a local day the last counts.  A metric is known from the day of its ``known_since`` on; of an
account that no pass has seen yet, 0 is no value.  A day has a delta if the day before has a snapshot and the metric was
known then: a gap has none, nor has the day on which a value becomes known.  `core.history.growth` has the same in
Python, for what is shown.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from smart_sync.core.answers import UnreadSnapshots
from smart_sync.core.history.growth import History
from smart_sync.core.model import METRICS, Project
from smart_sync.core.parsed import VoteTerms
from smart_sync.core.results.coverage import kind_of
from smart_sync.core.state import AccountState, as_text
from smart_sync.core.wording import shown
from smart_sync.store import account_states, unread_projects
from smart_sync.store.clock_changes import NEWEST_FIRST, local_day
from smart_sync.store.engine import Database

#: Snapshots that are older are mistakes.
_OLDEST = "1970-01-01"
#: Days between a moment as it is written, in whatever notation, and its local day, at the most.
_MARGIN = 2
#: More than there are, and later than all.
_ALL_DAYS, _NEVER = 50_000, date(9000, 1, 1)


def _each(template: str, metrics: Sequence[str] = METRICS) -> str:
    return ", ".join(template.replace("{m}", metric) for metric in metrics)


# The view is read by whatever SQLite the web app has: plain SQL.
#: Whether the web app's ``{m}`` of a snapshot is a number above 0: in SQLite every text is above every number.
ABOVE_ZERO = "(typeof({m}) IN ('integer', 'real') AND {m} > 0)"
# A count, as `core.state.sound` has it; some tables hold whole numbers as REAL.
_WHOLE = "typeof({m}) IN ('integer', 'real') AND {m} >= 0 AND {m} = CAST({m} AS BIGINT)"
_COUNT = f"CASE WHEN {_WHOLE} THEN CAST({{m}} AS BIGINT) END AS {{m}}"
# The first day of each metric; no day is as late as that of a metric without a value.
_FIRST_DAY = f"coalesce({local_day('{m}_known_since')}, '~') AS {{m}}"
_KNOWN = f"SELECT account_id, {_each(_FIRST_DAY)} FROM account_metrics"


def _last_of_day(metrics: Sequence[str] = METRICS, source: str = "account_snapshots") -> str:
    """The table expression ``last_of_day``: snapshots numbered within an account's day, last first."""
    return f"""labelled AS (
    SELECT account_id, id, snapshot_time, {_each(_COUNT, metrics)}, {local_day("snapshot_time")} AS day
    FROM {source}
), last_of_day AS (
    SELECT account_id, day, {_each("{m}", metrics)},
           row_number() OVER (PARTITION BY account_id, day ORDER BY {NEWEST_FIRST}, id) AS nth
    FROM labelled
)"""


_DELTA = (
    "CASE WHEN d.day_before >= coalesce(k.{m}, CASE WHEN d.{m} > 0 AND d.last_{m} > 0 THEN '' END)"
    " THEN d.{m} - d.last_{m} END AS {m}_delta"
)
#: For web apps: where nobody knows a value it has 0, as the snapshot has.  ``ends_carried``: the metrics of which the
#: day ends a carried stretch, comma separated.
VIEW = f"""CREATE VIEW account_growth AS
WITH known AS ({_KNOWN}), {_last_of_day()}, beside_the_last AS (
    SELECT account_id, day, {_each("{m}")}, {_each("lag({m}) OVER before AS last_{m}")},
           CASE WHEN lag(day) OVER before = date(day, '-1 day') THEN lag(day) OVER before END AS day_before
    FROM last_of_day WHERE nth = 1 AND day IS NOT NULL
    WINDOW before AS (PARTITION BY account_id ORDER BY day)
)
SELECT d.account_id, d.day, {_each("d.{m}, " + _DELTA)},
       (SELECT group_concat(c.metrics) FROM carried_stretches c WHERE c.account_id = CAST(d.account_id AS TEXT)
        AND {local_day("c.ended_at")} = d.day) AS ends_carried
FROM beside_the_last d LEFT JOIN known k ON k.account_id = CAST(d.account_id AS TEXT)"""

# Of each account the snapshots of so many days up to its newest, and the last one before them with a value of each
# metric.  The plain comparison narrows the search for an index, whatever the notation.
_NEWEST = """
SELECT b.snapshot_time FROM account_snapshots b WHERE b.account_id = j.value AND b.snapshot_time < ?3
AND datetime(b.snapshot_time) IS NOT NULL ORDER BY b.snapshot_time DESC LIMIT 1"""
_BASE = f"""coalesce((
    SELECT b.snapshot_time FROM account_snapshots b WHERE b.account_id = a.id AND b.snapshot_time < a.start
    AND datetime(b.snapshot_time) IS NOT NULL AND {_WHOLE.replace("{m}", "b.{m}")}
    ORDER BY b.snapshot_time DESC LIMIT 1), a.start)"""
_BOUNDED = f"""asked AS MATERIALIZED (
    SELECT j.value AS id, date(datetime(({_NEWEST})), ?4) AS start FROM json_each(?1) j
), ranges AS MATERIALIZED (
    SELECT a.id, date(datetime((SELECT min(column1) FROM (VALUES {{base}}, (a.start)) v)), '-{_MARGIN} days') AS since
    FROM asked a WHERE a.start IS NOT NULL
), chosen AS (
    SELECT s.* FROM ranges r CROSS JOIN account_snapshots s
    WHERE s.account_id = r.id AND s.snapshot_time >= r.since AND s.snapshot_time < ?3
)"""
# Without an index each look would read the whole table; then it is read once.
_ALL = "chosen AS (SELECT * FROM account_snapshots WHERE account_id IN (SELECT value FROM json_each(?1)))"


async def histories(
    database: Database, account_ids: Collection[object], metrics: Sequence[str], days: int | None, today: date
) -> dict[str, History]:
    """The known values of ``metrics`` of accounts (ids as in the web app) up to ``today``: id → history.

    Of each account the last ``days`` days up to its newest snapshot (None: all), and what tells its values before them.
    """
    back, until = f"-{(days or _ALL_DAYS) + _MARGIN} days", (today + timedelta(days=_MARGIN)).isoformat()
    indexed = await database.dialect.has_index(database, "account_snapshots", "account_id")
    source = _BOUNDED.format(base=_each(f"({_BASE})", metrics)) if indexed else _ALL
    # A server is given no parameter that its statement has not.
    bounds = (until, back) if indexed else ()
    rows = await database.fetch(
        f"WITH {source}, {_last_of_day(metrics, 'chosen')}"
        f" SELECT account_id, day, {_each('{m}', metrics)} FROM last_of_day"
        f" WHERE nth = 1 AND day BETWEEN '{_OLDEST}' AND ?2 ORDER BY account_id, day",
        (_ids(account_ids), today.isoformat(), *bounds),
    )
    known, ends = await _known(database, account_ids, metrics), await _ends(database, account_ids, metrics)
    histories = {}
    for account_id, group in groupby(rows, key=itemgetter(0)):
        several, own = [*group], str(account_id)
        labels = [_ordinal(row[1]) for row in several]
        first, carried = known.get(own, (None, {}))
        histories[own] = History.of(labels, [row[2:] for row in several], first, ends.get(own, {}), carried)
    return histories


def _ids(account_ids: Iterable[object]) -> str:
    """The account ids as a parameter: numbers also as text, since snapshots may hold them so."""
    return json.dumps([*{one: None for several in account_ids for one in (several, str(several))}])


async def _known(
    database: Database, account_ids: Iterable[object], metrics: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], dict[int, int]]]:
    """Account id → the first day of each metric, and since which day those that are carried now (their indexes) are.

    Without accounts that no pass has seen.
    """
    carried = f"CASE WHEN {{m}}_winner = 'carried' THEN {local_day('{m}_carried_since')} END"
    rows = await database.fetch(
        f"SELECT account_id, {_each(_FIRST_DAY, metrics)}, {_each(carried, metrics)} FROM account_metrics"
        " WHERE account_id IN (SELECT CAST(value AS TEXT) FROM json_each(?))",
        (_ids(account_ids),),
    )
    found = {}
    for account_id, *days in rows:
        first, since = days[: len(metrics)], days[len(metrics) :]
        now = {place: _ordinal(day) for place, day in enumerate(since) if day is not None}
        found[account_id] = tuple(_ordinal(day) for day in first), now
    return found


async def _ends(
    database: Database, account_ids: Iterable[object], metrics: Sequence[str]
) -> dict[str, dict[int, frozenset[int]]]:
    """Account id → the days that end a carried stretch → the indexes of the metrics that were carried."""
    rows = await database.fetch(
        f"SELECT account_id, {local_day('ended_at')}, metrics FROM carried_stretches"
        f" WHERE account_id IN (SELECT CAST(value AS TEXT) FROM json_each(?))"
        f" AND {local_day('ended_at')} >= '{_OLDEST}'",
        (_ids(account_ids),),
    )
    ends: dict[str, dict[int, frozenset[int]]] = {}
    for account_id, day, told in rows:
        carried = frozenset(metrics.index(metric) for metric in as_text(told).split(",") if metric in metrics)
        of_account = ends.setdefault(account_id, {})
        of_account[_ordinal(day)] = of_account.get(_ordinal(day), frozenset()) | carried
    return ends


async def newest_days(
    database: Database, account_id: object, metrics: Sequence[str], limit: int | None = None
) -> list[Mapping[str, Any]]:
    """An account's newest days, newest first, as the view has them, including future ones.

    Each has the values, the deltas and the metrics of which it ends a carried stretch.
    """
    history = (await histories(database, [account_id], metrics, None, _NEVER)).get(str(account_id), History())
    days = zip(history.days, history.values, history.deltas, strict=True)
    names = [f"{metric}_delta" for metric in metrics]
    told: list[Mapping[str, Any]] = [
        {
            "day": date.fromordinal(day).isoformat(),
            **dict(zip(metrics, values, strict=True)),
            **dict(zip(names, deltas, strict=True)),
            "ends_carried": [metrics[place] for place in sorted(history.ends.get(day, ()))],
        }
        for day, values, deltas in days
    ]
    return told[::-1][:limit]


async def left_out(database: Database, account_ids: Collection[object], today: date) -> int:
    """The number of accounts' snapshots whose time is unreadable, in the future, or before 1970."""
    ((count,),) = await database.fetch(
        "SELECT count(*) FROM account_snapshots WHERE account_id IN (SELECT value FROM json_each(?))"
        f" AND coalesce({local_day('snapshot_time')}, '') NOT BETWEEN '{_OLDEST}' AND ?",
        (_ids(account_ids), today.isoformat()),
    )
    return int(count)


async def unread(database: Database, account_ids: Collection[object]) -> dict[str, UnreadSnapshots]:
    """Account id → its snapshots with an unreadable time, which count in no growth; only accounts that have some."""
    rows = await database.fetch(
        "SELECT CAST(account_id AS TEXT), count(*), coalesce(min(CAST(snapshot_time AS TEXT)), '')"
        " FROM account_snapshots WHERE account_id IN (SELECT value FROM json_each(?))"
        " AND datetime(snapshot_time) IS NULL GROUP BY CAST(account_id AS TEXT)",
        (_ids(account_ids),),
    )
    return {as_text(one): {"count": int(count), "example": shown(as_text(example))} for one, count, example in rows}


@cache
def _ordinal(day: str) -> int:
    """The ordinal of a day's label; ``~`` is later than all days, and any label before `_OLDEST` is 0."""
    if day == "~":
        return date.max.toordinal() + 1
    return date.fromisoformat(day).toordinal() if day >= _OLDEST else 0


#: Account id → metric → the kind of its value (`core.results.coverage`).
Kinds = Mapping[str, Mapping[str, str]]


async def account_kinds(database: Database, projects: Iterable[Project], vote_terms: VoteTerms) -> Kinds:
    """The kinds of the values of all accounts of ``projects``, as the last passes left them."""
    kinds: dict[str, Mapping[str, str]] = {}
    for project in projects:
        states, _ = await account_states.read(database, project, vote_terms)
        stale = await unread_projects.stale_since(database, project.id) is not None
        kinds |= {state.id: value_kinds(state, stale=stale) for state in states}
    return kinds


def value_kinds(state: AccountState, *, stale: bool) -> dict[str, str]:
    """The kinds of an account's values; carried ones are stale if the project is."""
    kinds = {
        metric: kind_of(winner, rounded=metric in state.rounded)
        for metric, winner in zip(METRICS, state.winners, strict=True)
    }
    return {metric: "stale" if stale and kind == "carried" else kind for metric, kind in kinds.items()}
