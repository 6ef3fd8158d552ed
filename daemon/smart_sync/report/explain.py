"""``smart-sync explain`` and ``GET /api/admin/explain``: every number of an account, and why. Only reads.

The answer is what passes have left in the database; ``next`` stands where the two sides have changed since, and the
next pass will make another value of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from smart_sync.config import Settings
from smart_sync.core.days import stamp
from smart_sync.core.explain_answer import ExplainAnswer, ExplainedAccount, MetricAnswer, SheetPlace, WithoutVote
from smart_sync.core.history.timeline import Asked, Event, LastMerged, changes, timeline, troubles
from smart_sync.core.links.identity import same_profile
from smart_sync.core.merge.counting_changes import (
    not_counted,
    not_counted_since,
    sources_of_unknown_videos,
    unknown_videos,
)
from smart_sync.core.merge.decisions import foresee
from smart_sync.core.merge.strategies import Policy, Rule
from smart_sync.core.merge.suspects import believed_before
from smart_sync.core.merge.votes import is_campaign_counted
from smart_sync.core.model import METRICS, Account, Precision, Problem
from smart_sync.core.parsed import INBOX, Votes, VoteTerms, terms
from smart_sync.core.state import AccountState
from smart_sync.core.wording import shown
from smart_sync.errors import SmartSyncError
from smart_sync.parsers.registry import ConfiguredParser, build, lifetime_parsers
from smart_sync.report.sentences import sentence
from smart_sync.store import (
    account_states,
    accounts,
    growth_rows,
    parsed_query,
    parsed_values,
    pass_history,
    projects,
    sheet_edits,
    snapshots,
)
from smart_sync.store.accounts import AccountDetails, KnownAccount
from smart_sync.store.clock_changes import day_at
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_existing

#: How much of the past is told unless more is asked for: days; with them passes of the project, and at most so many
#: edits of the sheet or of snapshots.
DAYS = 7
PASSES = 5
EDITS = 2000
#: More days than there are.
ALL_DAYS = 36_500


async def explain(
    settings: Settings, wanted: str, metrics: Sequence[str], now: datetime, days: int = DAYS
) -> ExplainAnswer:
    """The answer of ``smart-sync explain``, with the history of ``days`` days.

    Raises `UnknownAccount`, `DatabaseError` and `ConfigError`.
    """
    async with open_existing(settings.database.where, read_only=True) as database:
        query = await parsed_query.prepare(database, settings.parsed.query)
        return await explanation(database, settings, query, wanted, metrics, now, days)


async def explanation(
    database: Database,
    settings: Settings,
    query: str,
    wanted: str,
    metrics: Sequence[str],
    now: datetime,
    days: int = DAYS,
) -> ExplainAnswer:
    """`explain` on an open database; ``query`` is what `parsed_query.prepare` made. Raises `UnknownAccount`."""
    explainer = Explainer(database, settings.merge.policy(), now, query, settings.vote_terms(stamp(now)), days)
    explanations = await explainer.explain(wanted, metrics)
    sources = build(settings.parsers)
    for account in explanations:
        account["warnings"] = [*await _campaign_warnings(database, settings, sources, account), *account["warnings"]]
    if not explanations:
        rows = unmatched_rows(await pass_history.newest_problems(database), wanted)
        raise UnknownAccount(wanted, rows, await accounts.similar(database, wanted))
    return {"success": True, "accounts": explanations}


async def _campaign_warnings(
    database: Database, settings: Settings, sources: Sequence[ConfiguredParser], explained: ExplainedAccount
) -> list[str]:
    """Warnings if a parser counts the lifetime of an account whose project has dates or a KPI."""
    campaign = await projects.project_campaign(database, settings.schedule.timezone, explained["project_id"])
    account = Account(
        explained["account_id"],
        explained["project_id"],
        explained["platform"],
        explained["username"],
        explained["link"],
    )
    warnings = (campaign.warning(explained["project_name"], table) for table in lifetime_parsers(sources, account))
    flaw = f"{explained['project_name']}: {campaign.flaw}" if campaign.flaw else ""
    return [*filter(None, (*warnings, flaw))]


def unmatched_rows(problems: Iterable[Problem], wanted: str) -> list[str]:
    """Those of ``problems`` that are about a row with the link ``wanted``, which no account has."""
    text = shown(wanted)
    return [str(p) for p in problems if p.value and (p.value == text or same_profile(wanted, p.value))]


class UnknownAccount(SmartSyncError):
    """No account matches."""

    def __init__(self, wanted: str, rows: Sequence[str] = (), similar: Sequence[str] = ()) -> None:
        remedy = "give its link, its id or its name"
        if similar:
            remedy = f"did you mean {' or '.join(similar)}?"
        if rows:
            remedy = f"a row has it: {rows[0]}"
        super().__init__(f"no account matches {wanted!r}; {remedy}")


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the accounts of one database; ``query`` is what `parsed_query.prepare` made."""

    database: Database
    policy: Policy
    now: datetime
    query: str = ""
    #: What parsed values are judged by.
    vote_terms: VoteTerms | None = None
    days: int = DAYS

    async def explain(self, wanted: str, metrics: Sequence[str] = METRICS) -> list[ExplainedAccount]:
        """An explanation for each account that matches a link, id or name; [] if none does."""
        return [await self._explain(known, metrics) for known in await accounts.find(self.database, wanted)]

    async def _explain(self, known: KnownAccount, metrics: Sequence[str]) -> ExplainedAccount:
        account, project = known.account, known.project
        facts = await accounts.details(self.database, known)
        state = await self._state(known)
        rules = self.policy.rules(project.name, account.platform)
        suspects, conflicts = await accounts.open_findings(self.database, account.id, believed_before(self.now))
        values = _values(state, facts, rules, await day_at(self.database, stamp(self.now)))
        passes = await pass_history.project_runs(self.database, project.id, PASSES)
        for metric in METRICS:
            values[metric] |= _origin(metric, state.votes, facts)
            values[metric]["changed_at"] = facts.changed_at[METRICS.index(metric)]
            values[metric]["pins"] = [pin.answer() for pin in state.pins if pin.metric == metric]
            values[metric] |= {"suspect": suspects.get(metric), "conflict": conflicts.get(metric)}
            cell, gone = _cell(facts, state, metric), bool(state.absence.gone_since)
            values[metric]["cell"] = cell
            values[metric]["sentence"] = sentence(metric, values[metric], cell, gone=gone, active=known.active)
        since = stamp(self.now - timedelta(days=self.days))
        problems = _row_problems(await pass_history.newest_problems(self.database, project.id), facts, state)
        return {
            "account_id": account.id,
            "link": account.link,
            "platform": account.platform,
            "username": account.username,
            "project_id": project.id,
            "project_name": project.name,
            "active": known.active,
            "left_since": state.left_since,
            "sheet": _sheet(state, facts),
            "updated_at": facts.updated_at,
            "problems": [str(one) for one in problems],
            "problem_codes": [one.code for one in problems],
            "metrics": {metric: values[metric] for metric in metrics},
            "without_vote": [
                *_without_vote(state.votes, metrics),
                *await parsed_values.account_doubted_falls(self.database, account.id, metrics),
            ],
            "warnings": await self._video_warnings(known, state),
            "unread_snapshots": (await growth_rows.unread(self.database, [known.row_id])).get(account.id),
            "timeline": await self._timeline(known, {metric: values[metric] for metric in metrics}, since),
            "repairs": await snapshots.of_account(self.database, account.id, metrics, EDITS),
            "edits": await sheet_edits.of_account(self.database, account.id, metrics, EDITS, since),
            "days": await growth_rows.newest_days(self.database, known.row_id, metrics, self.days),
            "passes": passes,
        }

    async def _video_warnings(self, account: KnownAccount, state: AccountState) -> list[str]:
        """Warnings about the numbers of an account whose campaign a parser counts."""
        counting = self.vote_terms.counting if self.vote_terms is not None else None
        if counting is None or not is_campaign_counted(state.link, state.platform, counting):
            return []
        campaign = await projects.project_campaign(self.database, counting.timezone, account.project.id)
        unknown = {} if campaign.counts_all else sources_of_unknown_videos(state.votes)
        late: dict[str, list[str]] = {}
        for metric, since in not_counted_since(state.votes).items():
            late.setdefault(since, []).append(metric)
        return [
            *(unknown_videos(account.project.name, campaign, source, some) for source, some in unknown.items()),
            *(not_counted(some, since) for since, some in late.items()),
        ]

    async def _timeline(self, account: KnownAccount, values: Mapping[str, MetricAnswer], since: str) -> list[Event]:
        sights = await accounts.snapshots_of(self.database, account.account.id)
        requests = await pass_history.reasons(
            self.database, [told["changed_at"] for told in values.values() if told["changed_at"]]
        )
        events: list[Event] = []
        for metric, told in values.items():
            at = told["changed_at"]
            # A snapshot has 0 where nobody has a value.
            last = LastMerged(told["value"] or 0 if at else None, at, at and await day_at(self.database, at))
            for event in changes(metric, sights, last, requests.get(at or "", Asked())):
                # Compared as the snapshot's 0, and shown as what it is: no value.
                is_withdrawal = event["event"] == "changed" and told["value"] is None
                events.append(event | {"value": None} if is_withdrawal else event)
            if suspect := told["suspect"]:
                told_of = {**suspect, "event": "suspect", "metric": metric, "at": suspect["since"]}
                events.append(cast("Event", told_of))
            if conflict := told["conflict"]:
                events.append(cast("Event", {**conflict, "event": "conflict", "metric": metric}))
        events += troubles(await pass_history.outcomes(self.database, account.project.id, since))
        return timeline(events, since)

    async def _state(self, account: KnownAccount) -> AccountState:
        vote_terms = self.vote_terms or terms(stamp(self.now), None)
        only = [account.account.id]
        states, _ = await account_states.read(self.database, account.project, vote_terms, self.query, only)
        one = account.account
        # An account that belongs to no project has no state in one.
        return states[0] if states else AccountState(one.id, one.platform, one.username, one.link, active=False)


def _sheet(state: AccountState, facts: AccountDetails) -> SheetPlace | None:
    """Where the sheet values are, when they were first read, and when they were last confirmed."""
    if state.sheet is None:
        return None
    return {
        "worksheet": facts.worksheet,
        "row": state.sheet_row,
        "read_at": facts.read_at,
        "confirmed_at": facts.confirmed_at,
        "gone_since": state.absence.gone_since,
        "has_vote": not state.absence.accepted,
    }


def _cell(facts: AccountDetails, state: AccountState, metric: str) -> str:
    """The cell of a metric; "" if unknown."""
    column = facts.columns.get(metric)
    return "" if column is None or state.sheet is None or state.sheet_row is None else f"{column}{state.sheet_row}"


def _row_problems(problems: Iterable[Problem], facts: AccountDetails, state: AccountState) -> list[Problem]:
    """The ``problems`` about the account's row."""
    place = (facts.worksheet, state.sheet_row)
    return [] if None in place else [one for one in problems if (one.worksheet, one.row) == place]


def _values(state: AccountState, facts: AccountDetails, rules: tuple[Rule, ...], today: str) -> dict[str, MetricAnswer]:
    """Per metric: both sides, the rule, the result and the winner."""
    coming = foresee(state, rules, today)
    values: dict[str, MetricAnswer] = {}
    for index, (metric, rule) in enumerate(zip(METRICS, rules, strict=True)):
        merged = state.merged[index] if state.merged and state.winners[index] else None
        values[metric] = {
            "sheet": state.sheet[index] if state.sheet else None,
            "parsed": state.parsed[index] if state.parsed else None,
            "strategy": rule.strategy,
            "rule": rule.key,
            "value": merged,
            "winner": state.winners[index],
            "known_since": facts.known_since[index],
            "carried_since": state.carried_since[index],
            "next": None if coming[index] == merged else coming[index],
            "next_is_no_value": merged is not None and coming[index] is None,
        }
    return values


def _origin(metric: str, votes: Votes, facts: AccountDetails) -> MetricAnswer:
    """The source of a parsed value, and its time."""
    chosen = votes.chosen.get(metric)
    if chosen is None:
        return {"source": None, "parsed_at": None, "precision": None}
    precision = Precision.ROUNDED if chosen.rounded else Precision.EXACT
    at = facts.parsed_at if chosen.place == INBOX else chosen.at
    return {"source": chosen.source, "parsed_at": at, "precision": precision.value}


def _without_vote(votes: Votes, metrics: Sequence[str]) -> list[WithoutVote]:
    """The parsed values that do not count, and why."""
    return [
        {"metric": said.metric, "value": said.value, "source": said.source, "parsed_at": said.at, "reason": reason}
        for said, reason in votes.lost
        if said.metric in metrics
    ]
