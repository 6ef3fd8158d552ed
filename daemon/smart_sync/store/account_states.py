"""Reads a project's accounts with everything the last passes stored: the input of decisions."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.merge.odd_values import Brought, note_source_times, odd_values, silent_sources
from smart_sync.core.merge.votes import votes_of
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Problem, Project
from smart_sync.core.parsed import (
    INBOX,
    NO_PAST,
    NO_VOTES,
    ParsedAccount,
    ParsedHistory,
    ParsedValue,
    Votes,
    VoteTerms,
    is_no_time,
    of_row,
)
from smart_sync.core.pins import Pin
from smart_sync.core.state import THERE, Absence, AccountState, as_text, is_rounded, sound
from smart_sync.logs import printable
from smart_sync.store import parsed_query, pin_rows, vote_records
from smart_sync.store.accounts import active_account, has_unclear_flag
from smart_sync.store.engine import Database
from smart_sync.store.projects import load_campaigns

#: What is told of an account whose ``is_active`` is neither 0 nor 1: nobody knows whether it is meant to be synced.
NO_FLAG = "is_active is neither 1 nor 0, so it is not synced"
# The web app may keep its ids as numbers; ours are text, and are found by their index only as such.
ACCOUNTS = f"""
SELECT a.id, a.platform, a.username, a.profile_link,
       CASE WHEN {active_account("a")} THEN 1 WHEN {has_unclear_flag("a")} THEN -1 ELSE 0 END,
       s.followers, s.likes, s.comments, s.videos, s.views, s."row",
       s.project_id, s.gone_since, s.gone_clock, s.gone_at_once, s.gone_accepted, s.held, {{added_at}},
       p.account_id IS NOT NULL, p.followers, p.likes, p.comments, p.videos, p.views, p."precision", p.source,
       {vote_records.TIME.format("p.parsed_at")},
       m.followers, m.likes, m.comments, m.videos, m.views,
       m.followers_winner, m.likes_winner, m.comments_winner, m.videos_winner, m.views_winner,
       n.account_id IS NOT NULL, n.followers, n.likes, n.comments, n.videos, n.views,
       m.followers_carried_since, m.likes_carried_since, m.comments_carried_since, m.videos_carried_since,
       m.views_carried_since,
       m.followers_counted, m.likes_counted, m.comments_counted, m.videos_counted, m.views_counted,
       m.left_since, wanted.value, m.link
FROM {{source}}
LEFT JOIN sheet_metrics s ON s.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_inbox p ON p.account_id = CAST(a.id AS TEXT)
LEFT JOIN account_metrics m ON m.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_seen n ON n.account_id = CAST(a.id AS TEXT)
WHERE {{where}}
ORDER BY a.id
"""
_SHARED = "json_each(?) wanted CROSS JOIN project_social_accounts a"
_OF_PROJECTS = "a.project_id = wanted.value AND a.id IS NOT NULL"
_ONLY = " AND CAST(a.id AS TEXT) IN (SELECT value FROM json_each(?))"


class AccountParsed(NamedTuple):
    """All parsed values of an account, and what their votes depend on."""

    account_id: str
    said: Sequence[ParsedValue]
    past: ParsedHistory
    whose: ParsedAccount


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of some projects' accounts, not yet interpreted: see `states`."""

    rows: dict[str, list[Any]]
    known: vote_records.VoteRecords
    told: Mapping[str, parsed_query.QueryValues]
    pins: Mapping[str, tuple[Pin, ...]]
    campaigns: Mapping[str, Campaign]
    vote_terms: VoteTerms
    #: The accounts that are wanted are named, and are wanted with the origin of each value.
    whole: bool

    def states(self, project: Project) -> tuple[list[AccountState], list[Problem]]:
        """All accounts of a project, and the problems with their parsed values. Computes: call it in a thread."""
        told, problems = self.told.get(project.id, parsed_query.NOTHING_READ)
        problems = list(problems)
        counting = self.vote_terms.counting
        campaign = self.campaigns.get(project.id, EVERYTHING)
        vote_terms = self.vote_terms
        if counting is not None:
            vote_terms = vote_terms._replace(counting=counting._replace(campaign=campaign.key))
        states = []
        brought: dict[str, list[Brought]] = {}
        for row in self.rows.get(project.id, ()):
            state = _state(row, _votes(row, self.known, told, vote_terms, problems, whole=self.whole))
            if row[4] == -1:
                label = state.link or f"account {state.id}"
                problems.append(Problem(NO_FLAG, "project_social_accounts", value=label, code="no-projects"))
            note_source_times(brought, state, row[_WIDTH + 7 : _WIDTH + 9] if row[_WIDTH] else (), vote_terms)
            states.append(state._replace(pins=self.pins[state.id]) if state.id in self.pins else state)
        problems += silent_sources(brought, vote_terms, campaign)
        return states, [*problems, *odd_values(project, campaign, vote_terms.counting, states)]


async def fetch(
    database: Database,
    projects: Sequence[Project],
    vote_terms: VoteTerms,
    query: str = "",
    only: Sequence[str] | None = None,
) -> Stored:
    """Read all accounts of ``projects`` with what the last passes stored, one query per table.

    ``query`` is what `parsed_query.prepare` made of ``[parsed] query``; ``only`` these accounts are wanted.
    """
    ids = [project.id for project in projects]
    rows = await _rows(database, ids, only)
    records = await vote_records.gather(database, *_wanted_accounts_sql(ids, only))
    told = await parsed_query.read(database, query, ids) if query else {}
    pins = await pin_rows.of_projects(database, ids)
    counting = vote_terms.counting
    dates = await load_campaigns(database, counting.timezone if counting else "UTC", ids)
    return Stored(rows, records, told, pins, dates, vote_terms, only is not None)


async def read(
    database: Database, project: Project, vote_terms: VoteTerms, query: str = "", only: Sequence[str] | None = None
) -> tuple[list[AccountState], list[Problem]]:
    """All accounts of one project with what the last passes stored, and the problems with their parsed values.

    ``query`` and ``only`` as `fetch` has them.
    """
    stored = await fetch(database, [project], vote_terms, query, only)
    return await asyncio.to_thread(stored.states, project)


async def parsed_of_project(
    database: Database, project: Project, query: str = "", only: Sequence[str] | None = None
) -> list[AccountParsed]:
    """The parsed values of a project's accounts, or of ``only`` some, from all sources."""
    rows = (await _rows(database, [project.id], only)).get(project.id, ())
    records = await vote_records.gather(database, *_wanted_accounts_sql([project.id], only))
    told = (await parsed_query.read(database, query, [project.id]) if query else {}).get(project.id)
    values = told.values if told is not None else {}
    return [_parsed_of_account(row, sound(_inbox(row))[0], records, values) for row in rows]


async def _rows(database: Database, project_ids: Sequence[str], only: Sequence[str] | None) -> dict[str, list[Any]]:
    """The rows of `ACCOUNTS` by project."""
    wanted, ids = ("", ()) if only is None else (_ONLY, (json.dumps(only),))
    sql = ACCOUNTS.format(source=_SHARED, where=_OF_PROJECTS + wanted, added_at=await _added_at(database))
    rows_by_project: dict[str, list[Any]] = {project_id: [] for project_id in project_ids}
    for row in await database.fetch(sql, (json.dumps(project_ids), *ids)):
        rows_by_project[row[-2]].append(row)
    return rows_by_project


def _wanted_accounts_sql(project_ids: Sequence[str], only: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """The SQL condition that a row belongs to a wanted account, and its parameters."""
    wanted, ids = ("", ()) if only is None else (_ONLY, (json.dumps(only),))
    where = (
        "account_id IN (SELECT CAST(a.id AS TEXT) FROM project_social_accounts a"
        " WHERE a.project_id IN (SELECT value FROM json_each(?))"
    )
    return f"{where}{wanted})", (json.dumps(project_ids), *ids)


async def _added_at(database: Database) -> str:
    """The SQL for an account's creation time: a web app's table may lack the column."""
    columns = await database.dialect.columns(database, "project_social_accounts")
    return "datetime(a.added_at)" if "added_at" in columns else "NULL"


#: Where in `ACCOUNTS` the columns of the inbox begin, those of ``account_metrics`` and of ``parsed_seen``.
_WIDTH, _MERGED, _SEEN = 18, 27, 37
_NOTHING_HELD: frozenset[str] = frozenset()
_NOTHING_ROUNDED = NO_VOTES.rounded
_ALL, _NOTHING_MERGED = frozenset(METRICS), (None,) * len(METRICS)


def _absence(row: Sequence[Any]) -> Absence:
    """How a row is missing; invalid data of another program counts as never written."""
    project_id, since, clock, at_once, accepted = row
    if since is None:
        return Absence(str(project_id))
    return Absence(str(project_id), str(since), clock if type(clock) is float else 0.0, bool(at_once), bool(accepted))


def _inbox(row: Any) -> Sequence[Any]:
    return row[_WIDTH + 1 : _WIDTH + 6]  # type: ignore[no-any-return]


def _votes(
    row: Any,
    records: vote_records.VoteRecords,
    told: Mapping[str, list[ParsedValue]],
    vote_terms: VoteTerms,
    problems: list[Problem],
    *,
    whole: bool,
) -> tuple[Metrics | None, frozenset[str], Votes]:
    """An account's parsed values that count, the rounded ones among them, and the problems."""
    account_id, inbox = str(row[0]), None
    if row[_WIDTH]:
        inbox, all_sound = sound(_inbox(row))
        if not all_sound:
            problems.append(_invalid_values(row))
    at, link, last_link = row[_WIDTH + 8], as_text(row[3]), _last_link(row)
    if inbox is not None and is_no_time(at):
        inbox = NO_METRICS
        problems.append(_no_time(row))
    if not (
        whole
        or account_id in records.said
        or account_id in records.past
        or account_id in told
        or vote_terms.oldest is not None
        or (at is not None and at > vote_terms.ahead)
        or last_link not in (None, link)
        or (vote_terms.counting is not None and as_text(row[_WIDTH + 7]) in vote_terms.counting.sources)
    ):  # the usual case of an inbox: nothing can take away its vote
        rounded = _ALL if is_rounded(row[_WIDTH + 6]) else _NOTHING_ROUNDED
        return inbox, rounded, NO_VOTES
    counted = votes_of(*_parsed_of_account(row, inbox, records, told), vote_terms)
    metrics = counted.metrics if counted.chosen else inbox if inbox == NO_METRICS else None
    return metrics, counted.rounded, counted


def _last_link(row: Any) -> str | None:
    """The link used by the last pass; "", which means no profile, if another program has changed it to no text."""
    return row[-1] if row[-1] is None or isinstance(row[-1], str) else ""


def _parsed_of_account(
    row: Any, inbox: Metrics | None, records: vote_records.VoteRecords, told: Mapping[str, list[ParsedValue]]
) -> AccountParsed:
    account_id = str(row[0])
    precision, source, at = row[_WIDTH + 6 : _WIDTH + 9]
    values = of_row(inbox or NO_METRICS, at, as_text(source), INBOX, rounded=is_rounded(precision))
    values += [*records.said.get(account_id, ()), *told.get(account_id, ())]
    account = ParsedAccount(as_text(row[3]), as_text(row[1]), _last_link(row))
    return AccountParsed(account_id, values, records.past.get(account_id, NO_PAST), account)


def _state(row: Any, parsed: tuple[Metrics | None, frozenset[str], Votes]) -> AccountState:
    sheet, absence, held = None, THERE, _NOTHING_HELD
    if row[10] is not None:
        sheet = sound(row[5:10])[0]
        absence = _absence(row[11:16])
        held = frozenset(str(row[16]).split(",")) & _ALL if row[16] else _NOTHING_HELD
    merged = _merged(row[_MERGED : _MERGED + 5])
    winners = row[_MERGED + 5 : _MERGED + 10]
    if merged is not None and None in merged:
        winners = tuple(None if value is None else winner for value, winner in zip(merged, winners, strict=True))
    metrics, rounded, votes = parsed
    return AccountState(  # by place: by name it takes half as long again
        str(row[0]),
        as_text(row[1]),
        as_text(row[2]),
        as_text(row[3]),
        row[4] == 1,
        sheet,
        row[10],
        metrics,
        rounded,
        merged,
        winners,
        sound(row[_SEEN + 1 : _SEEN + 6])[0] if row[_SEEN] else None,
        absence,
        held,
        row[_SEEN + 6 : _SEEN + 11],
        row[_SEEN + 11 : _SEEN + 16],
        votes,
        row[_SEEN + 16],
        added_at=row[17],
    )


def _merged(row: Sequence[Any]) -> Metrics | None:
    """The merged values; None for one that another program has damaged: it has no winner and is written again."""
    return None if row == _NOTHING_MERGED else sound(row)[0]


def _no_time(row: Any) -> Problem:
    return Problem(
        vote_records.NO_TIME, "parsed_metrics", value=as_text(row[3]) or f"account {row[0]}", code="parsed-values"
    )


def _invalid_values(row: Any) -> Problem:
    counts = zip(METRICS, _inbox(row), sound(_inbox(row))[0], strict=True)
    wrong = [f"{m} {printable(str(told), 40)}" for m, told, read in counts if told is not None and read is None]
    return Problem(
        "the inbox holds a value that is no count from 0 to 2^63-1; it counts as no value",
        "parsed_metrics",
        value=f"{as_text(row[3]) or f'account {row[0]}'}: {', '.join(wrong)}",
        code="parsed-values",
    )
