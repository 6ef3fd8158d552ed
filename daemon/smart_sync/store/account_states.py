"""The accounts of a project with what the last passes left about them: what is decided from."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.merge.recounted import not_counted, not_counted_since
from smart_sync.core.merge.votes import count, is_counted
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Problem, Project
from smart_sync.core.parsed import (
    INBOX,
    NO_PAST,
    NO_VOTES,
    OWN,
    Counting,
    ParsedAccount,
    ParsedHistory,
    ParsedValue,
    Votes,
    VoteTerms,
    of_row,
)
from smart_sync.core.state import THERE, Absence, AccountState, as_text, is_rounded, sound
from smart_sync.core.wording import counted
from smart_sync.logs import printable
from smart_sync.store import campaigns, parsed_query, pin_rows, vote_records
from smart_sync.store.accounts import active_account
from smart_sync.store.engine import Database
from smart_sync.store.vote_records import VoteRecords

# The web app may keep its ids as numbers; ours are text, and are found by their index only as such.
_ACCOUNTS = f"""
SELECT a.id, a.platform, a.username, a.profile_link, {active_account("a")},
       s.followers, s.likes, s.comments, s.videos, s.views, s."row",
       s.project_id, s.gone_since, s.gone_clock, s.gone_at_once, s.gone_accepted, s.held, {{added_at}},
       p.account_id IS NOT NULL, p.followers, p.likes, p.comments, p.videos, p.views, p."precision", p.source,
       {{parsed_at}},
       m.followers, m.likes, m.comments, m.videos, m.views,
       m.followers_winner, m.likes_winner, m.comments_winner, m.videos_winner, m.views_winner,
       n.account_id IS NOT NULL, n.followers, n.likes, n.comments, n.videos, n.views,
       m.followers_known_since, m.likes_known_since, m.comments_known_since, m.videos_known_since, m.views_known_since,
       m.followers_carried_since, m.likes_carried_since, m.comments_carried_since, m.videos_carried_since,
       m.views_carried_since,
       m.followers_counted, m.likes_counted, m.comments_counted, m.videos_counted, m.views_counted,
       m.left_since, m.link
FROM project_social_accounts a
LEFT JOIN sheet_metrics s ON s.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_inbox p ON p.account_id = CAST(a.id AS TEXT)
LEFT JOIN account_metrics m ON m.account_id = CAST(a.id AS TEXT)
LEFT JOIN parsed_seen n ON n.account_id = CAST(a.id AS TEXT)
WHERE a.project_id = ? AND a.id IS NOT NULL{{wanted}}
ORDER BY a.id
"""
_ONLY = " AND CAST(a.id AS TEXT) IN (SELECT value FROM json_each(?))"


class AccountParsed(NamedTuple):
    """All parsed values of an account, and what their votes depend on."""

    account_id: str
    said: Sequence[ParsedValue]
    past: ParsedHistory
    whose: ParsedAccount


async def read(
    database: Database, project: Project, judged_by: VoteTerms, query: str = "", only: Sequence[str] | None = None
) -> tuple[list[AccountState], list[Problem]]:
    """All accounts of a project with what the last passes left, and what is odd about their parsed values.

    ``query`` is what `parsed_query.prepare` made of ``[parsed] query``; ``only`` these accounts are wanted, and then
    with the origin of each value.
    """
    rows, known, told, problems = await _rows(database, project, query, only)
    pins = await pin_rows.of_accounts(database, *_of_project(project, only))
    campaign, judged_by = await _with_campaign(database, project, judged_by)

    def understood() -> list[AccountState]:
        states = [_state(row, _votes(row, known, told, judged_by, problems, whole=only is not None)) for row in rows]
        return [state._replace(pins=pins[state.id]) if state.id in pins else state for state in states]

    states = await asyncio.to_thread(understood)
    of_campaign = _of_campaign(project, campaign, judged_by.counting, states)
    return states, [*problems, *_ahead(states), *_spoilt(states), *of_campaign]


async def _with_campaign(database: Database, project: Project, judged_by: VoteTerms) -> tuple[Campaign, VoteTerms]:
    """The dates and the KPI of the project as they are now, and the terms that know them."""
    counting = judged_by.counting
    if counting is None:
        return EVERYTHING, judged_by
    campaign = await campaigns.of(database, counting.timezone, project.id)
    return campaign, judged_by._replace(counting=counting._replace(campaign=campaign.key))


def _of_campaign(
    project: Project, campaign: Campaign, counting: Counting | None, states: Sequence[AccountState]
) -> Iterable[Problem]:
    """That which videos count is not clear, and which metrics could not be counted when they were looked at last."""
    active = [state for state in states if state.active] if counting is not None and counting.parsers else []
    if campaign.flaw and counting and any(is_counted(state.link, state.platform, counting) for state in active):
        yield Problem(f"{campaign.flaw}; until then its campaign is not counted", "projects", value=project.name)
    found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for state in active:
        if since := not_counted_since(state.votes):
            found.setdefault(tuple(since), []).append((min(since.values()), state.link or state.id))
    for metrics, several in found.items():
        oldest, link = min(several)
        more = f" and {counted(len(several) - 1, 'other account')}" if len(several) > 1 else ""
        yield Problem(not_counted(metrics, oldest), OWN, value=f"{link}{more}")


async def voiced(
    database: Database, project: Project, query: str = "", only: Sequence[str] | None = None
) -> list[AccountParsed]:
    """The parsed values of all accounts of a project, or of ``only`` these, from wherever they come."""
    rows, known, told, _ = await _rows(database, project, query, only)
    return [_voiced(row, sound(_inbox(row))[0], known, told) for row in rows]


async def _rows(
    database: Database, project: Project, query: str, only: Sequence[str] | None
) -> tuple[list[Any], VoteRecords, Mapping[str, list[ParsedValue]], list[Problem]]:
    wanted, ids = ("", ()) if only is None else (_ONLY, (json.dumps(only),))
    sql = _ACCOUNTS.format(
        wanted=wanted, added_at=await _added_at(database), parsed_at=vote_records.TIME.format("p.parsed_at")
    )
    rows = await database.fetch(sql, (project.id, *ids))
    known = await vote_records.gather(database, *_of_project(project, only))
    told, problems = await parsed_query.read(database, query, project.id) if query else ({}, [])
    return rows, known, told, problems


def _of_project(project: Project, only: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """In SQL, that a row is of one of the accounts that are wanted; and its parameters."""
    wanted, ids = ("", ()) if only is None else (_ONLY, (json.dumps(only),))
    where = "account_id IN (SELECT CAST(a.id AS TEXT) FROM project_social_accounts a WHERE a.project_id = ?"
    return f"{where}{wanted})", (project.id, *ids)


async def _added_at(database: Database) -> str:
    """When an account was added, in SQL: a web app's table may lack the column."""
    there = await database.dialect.columns(database, "project_social_accounts")
    return "datetime(a.added_at)" if "added_at" in there else "NULL"


#: How many columns `_ACCOUNTS` has before those of the inbox.
_WIDTH = 18
_NOTHING_HELD: frozenset[str] = frozenset()
_NOTHING_ROUNDED = NO_VOTES.rounded
_ALL = frozenset(METRICS)


def _absence(row: Sequence[Any]) -> Absence:
    """How a row is missing; what another program has spoilt counts as never written."""
    project_id, since, clock, at_once, accepted = row
    if since is None:
        return Absence(str(project_id))
    return Absence(str(project_id), str(since), clock if type(clock) is float else 0.0, bool(at_once), bool(accepted))


def _inbox(row: Any) -> Sequence[Any]:
    return row[_WIDTH + 1 : _WIDTH + 6]  # type: ignore[no-any-return]


def _votes(
    row: Any,
    known: VoteRecords,
    told: Mapping[str, list[ParsedValue]],
    judged_by: VoteTerms,
    problems: list[Problem],
    *,
    whole: bool,
) -> tuple[Metrics | None, frozenset[str], Votes]:
    """The parsed values of an account that count, those of them that are rounded figures, and what there is to them."""
    account_id, inbox = str(row[0]), None
    if row[_WIDTH]:
        inbox, all_sound = sound(_inbox(row))
        if not all_sound:
            problems.append(_unsound(row))
    at, link, last_link = row[_WIDTH + 8], as_text(row[3]), _last_link(row)
    if not (
        whole
        or account_id in known.said
        or account_id in known.past
        or account_id in told
        or judged_by.oldest is not None
        or (at is not None and at > judged_by.ahead)
        or last_link not in (None, link)
        or (judged_by.counting is not None and as_text(row[_WIDTH + 7]) in judged_by.counting.sources)
    ):  # the usual case of an inbox: nothing can take away its vote
        rounded = _ALL if is_rounded(row[_WIDTH + 6]) else _NOTHING_ROUNDED
        return inbox, rounded, NO_VOTES
    counted = count(*_voiced(row, inbox, known, told), judged_by)
    metrics = counted.metrics if counted.chosen else inbox if inbox == NO_METRICS else None
    return metrics, counted.rounded, counted


def _last_link(row: Any) -> str | None:
    """The link that the last pass decided with; "", which means no profile, where another program has spoilt it."""
    return row[-1] if isinstance(row[-1], str | None) else ""


def _voiced(
    row: Any, inbox: Metrics | None, known: VoteRecords, told: Mapping[str, list[ParsedValue]]
) -> AccountParsed:
    account_id = str(row[0])
    precision, source, at = row[_WIDTH + 6 : _WIDTH + 9]
    said = of_row(inbox or NO_METRICS, at, as_text(source), INBOX, rounded=is_rounded(precision))
    said += [*known.said.get(account_id, ()), *told.get(account_id, ())]
    whose = ParsedAccount(as_text(row[3]), as_text(row[1]), _last_link(row))
    return AccountParsed(account_id, said, known.past.get(account_id, NO_PAST), whose)


def _state(row: Any, parsed: tuple[Metrics | None, frozenset[str], Votes]) -> AccountState:
    sheet, absence, held = None, THERE, _NOTHING_HELD
    if row[10] is not None:
        sheet = sound(row[5:10])[0]
        absence = _absence(row[11:16])
        held = frozenset(str(row[16]).split(",")) & _ALL if row[16] else _NOTHING_HELD
    rest = row[_WIDTH + 9 :]
    merged = _merged(rest[0:5])
    winners = rest[5:10]
    if merged is not None and None in merged:
        winners = tuple(None if value is None else winner for value, winner in zip(merged, winners, strict=True))
    return AccountState(
        str(row[0]),
        as_text(row[1]),
        as_text(row[2]),
        as_text(row[3]),
        bool(row[4]),
        sheet,
        row[10],
        parsed=parsed[0],
        rounded=parsed[1],
        votes=parsed[2],
        merged=merged,
        winners=winners,
        seen=sound(rest[11:16])[0] if rest[10] else None,
        absence=absence,
        held=held,
        known_since=rest[16:21],
        carried_since=rest[21:26],
        counted=rest[26:31],
        left_since=rest[31],
        added_at=row[17],
    )


def _ahead(states: Iterable[AccountState]) -> list[Problem]:
    """One problem for each source whose clock is ahead, with one of the accounts."""
    found: dict[tuple[str, str], set[str]] = {}
    for state in states:
        for one in state.votes.ahead:
            found.setdefault((one.place, one.source), set()).add(state.link or state.id)
    return [
        Problem(
            f"values of {source or 'an unnamed source'} have a parsed_at more than 5 minutes ahead; each counts as of"
            " when it was first seen; set that clock right",
            place,
            value=f"{min(links)}{' and others' if len(links) > 1 else ''}",
        )
        for (place, source), links in sorted(found.items())
    ]


def _merged(row: Sequence[Any]) -> Metrics | None:
    """The merged values; None for one that another program has spoilt: it has no winner, and is written again."""
    return None if row[0] is None and all(value is None for value in row) else sound(row)[0]


def _spoilt(states: Iterable[AccountState]) -> Iterable[Problem]:
    """A problem for each active account of which another program has spoilt merged values: those are written again."""
    for state in states:
        if state.active and state.merged is not None and None in state.merged:
            metrics = ", ".join(m for m, value in zip(METRICS, state.merged, strict=True) if value is None)
            yield Problem(
                f"a program has written what is no count into the merged {metrics}; only Smart Sync may write there;"
                " the value is decided anew",
                "account_metrics",
                value=state.link or f"account {state.id}",
            )


def _unsound(row: Any) -> Problem:
    counts = zip(METRICS, _inbox(row), sound(_inbox(row))[0], strict=True)
    wrong = [f"{m} {printable(str(told), 40)}" for m, told, read in counts if told is not None and read is None]
    return Problem(
        "the inbox holds a value that is no count from 0 to 2^63-1; it counts as no value",
        "parsed_metrics",
        value=f"{as_text(row[3]) or f'account {row[0]}'}: {', '.join(wrong)}",
    )
