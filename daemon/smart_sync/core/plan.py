"""What a pass will do to one project: decided here, done by `smart_sync.store`.

The sheet's side (`core.sheet`) and what SQLite holds (`core.state`) go in; out comes a `Plan` with
every row to write, every count and every problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smart_sync.core.merge import Before, Decision, Strategy, Winner, decide
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Problem, Project, SheetRow
from smart_sync.core.policy import Policy, Rule
from smart_sync.core.sheet import Sheet
from smart_sync.core.state import AccountState
from smart_sync.core.suspects import Change, Doubts, Judgement, judge
from smart_sync.errors import SheetUnavailable


class SheetValue(NamedTuple):
    """A row of ``sheet_metrics`` to write."""

    account_id: str
    metrics: Metrics
    row: int


class Merged(NamedTuple):
    """A row of ``account_metrics`` to write, and the values it had before (None: there was none)."""

    account_id: str
    values: Metrics
    winners: tuple[str | None, ...]
    before: Metrics | None
    conflicts: tuple[str, ...] = ()


class Conflict(NamedTuple):
    """Both sides of a metric under strategy "latest" had changed: the sheet's value counts, ``parsed`` does not."""

    account_id: str
    link: str
    metric: str
    sheet: int | None
    parsed: int | None
    place: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pass will write for a project, and what there is to say about it."""

    project: Project
    #: Ids of the active accounts: each gets its snapshot of the day.
    account_ids: tuple[str, ...]
    trouble: SheetUnavailable | None = None
    sheet: tuple[SheetValue, ...] = ()
    #: Accounts whose row has left the worksheet.
    sheet_gone: tuple[str, ...] = ()
    merged: tuple[Merged, ...] = ()
    #: What strategy "latest" will compare with next time.
    seen: tuple[tuple[str, Metrics], ...] = ()
    problems: tuple[Problem, ...] = ()
    #: Accounts read from the sheet, accounts with parsed values.
    sheet_count: int = 0
    parsed_count: int = 0
    unmatched_rows: tuple[SheetRow, ...] = ()
    #: Links of the accounts that no row matches.
    unmatched_accounts: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    suspects: Judgement = field(default_factory=Judgement)

    @property
    def changed(self) -> tuple[Merged, ...]:
        """The accounts whose merged values differ from what SQLite has."""
        return tuple(row for row in self.merged if row.values != row.before)


class _Chosen(NamedTuple):
    """The rules of one platform's accounts, looked up once."""

    rules: tuple[Rule, ...]
    strategies: tuple[Strategy, ...]
    #: Some of them compare with what the last pass saw.
    compare: bool


def _chosen(rules: tuple[Rule, ...]) -> _Chosen:
    strategies = tuple(rule.function for rule in rules)
    return _Chosen(rules, strategies, any(rule.strategy == "latest" for rule in rules))


class _Decided(NamedTuple):
    """What has been decided about a project's accounts: the rows to write, and each one's side of the sheet."""

    merged: list[Merged]
    sheet: list[SheetValue]
    seen: list[tuple[str, Metrics]]
    sides: dict[str, Metrics]


def make_plan(project: Project, sheet: Sheet, states: Sequence[AccountState], policy: Policy, doubts: Doubts) -> Plan:
    """Decide everything about ``project`` from what its sheet says and what SQLite holds."""
    active = [state for state in states if state.active]
    was_read = sheet.trouble is None
    decided = _decide_each(project, active, sheet, policy)
    by_id = {state.id: state for state in active}
    winners = {row.account_id: row.winners for row in decided.merged}

    def place(account_id: str, metric: str) -> str:
        return _cell(project, sheet, by_id[account_id], metric)

    def place_if_it_won(account_id: str, metric: str) -> str:
        by_hand = winners[account_id][METRICS.index(metric)] not in (None, Winner.PARSED)
        return place(account_id, metric) if by_hand else ""

    return Plan(
        project=project,
        account_ids=tuple(by_id),
        trouble=sheet.trouble,
        sheet=tuple(decided.sheet),
        sheet_gone=tuple(s.id for s in active if was_read and s.sheet is not None and s.id not in sheet.rows),
        merged=tuple(decided.merged),
        seen=tuple(decided.seen),
        problems=sheet.problems,
        sheet_count=sum(state.id in sheet.rows for state in active),
        parsed_count=sum(state.parsed is not None for state in active),
        unmatched_rows=sheet.unmatched,
        unmatched_accounts=tuple(s.link for s in active if was_read and s.id not in sheet.rows),
        conflicts=tuple(
            Conflict(
                row.account_id,
                by_id[row.account_id].link,
                metric,
                getattr(decided.sides[row.account_id], metric),
                getattr(by_id[row.account_id].parsed, metric),
                place(row.account_id, metric),
            )
            for row in decided.merged
            for metric in row.conflicts
        ),
        suspects=judge(_changes(decided.merged, by_id), doubts, place_if_it_won),
    )


def _cell(project: Project, sheet: Sheet, state: AccountState, metric: str) -> str:
    """The cell of a metric; its row alone where the column is not known, "" where there is no row."""
    row = sheet.rows[state.id].row if state.id in sheet.rows else state.sheet_row
    return "" if row is None else f"{project.name}!{sheet.letters.get(metric, '')}{row}"


def _changes(merged: Iterable[Merged], states: Mapping[str, AccountState]) -> Iterable[Change]:
    """What `core.suspects` judges."""
    for row in merged:
        if row.before is not None and row.values != row.before:
            state = states[row.account_id]
            yield Change(row.account_id, state.link, row.before, state.winners, row.values)


def _decide_each(project: Project, states: Iterable[AccountState], sheet: Sheet, policy: Policy) -> _Decided:
    """Account by account: one loop, for there may be a hundred thousand."""
    decided = _Decided([], [], [], {})
    by_platform: dict[str, _Chosen] = {}
    for state in states:
        chosen = by_platform.get(state.platform)
        if chosen is None:
            chosen = by_platform[state.platform] = _chosen(policy.rules(project.name, state.platform))
        row = sheet.rows.get(state.id)
        side, standing_in = _side(state, row, sheet)
        decided.sides[state.id] = side
        if row is not None and (side != state.sheet or row.row != state.sheet_row):
            decided.sheet.append(SheetValue(state.id, side, row.row))
        decisions = _decisions(state, side, standing_in, chosen)
        values = Metrics._make([decision.value or 0 for decision in decisions])
        winners = tuple([decision.winner for decision in decisions])
        if values != state.merged or winners != state.winners:
            conflicts = tuple([m for m, decision in zip(METRICS, decisions, strict=True) if decision.conflict])
            decided.merged.append(Merged(state.id, values, winners, state.merged, conflicts))
        if chosen.compare and _last_seen(state) != state.seen:
            decided.seen.append((state.id, _last_seen(state)))
    return decided


_ALL, _NONE = frozenset(METRICS), frozenset[str]()


def _side(state: AccountState, row: SheetRow | None, sheet: Sheet) -> tuple[Metrics, frozenset[str]]:
    """The sheet values that count for an account, and the metrics for which an earlier value stands in."""
    if sheet.trouble is not None:
        return state.sheet or NO_METRICS, _ALL
    if row is None:
        return NO_METRICS, _NONE
    if not (row.unreadable or sheet.lost_columns):  # the usual case
        return row.metrics, _NONE
    standing_in = row.unreadable | sheet.lost_columns
    sides = zip(METRICS, row.metrics, state.sheet or NO_METRICS, strict=True)
    return Metrics._make(known if metric in standing_in else new for metric, new, known in sides), standing_in


def _decisions(state: AccountState, side: Metrics, standing_in: frozenset[str], chosen: _Chosen) -> list[Decision]:
    parsed = state.parsed or NO_METRICS
    if not (state.rounded or standing_in or chosen.compare):  # the usual case: `decide` would add nothing but time
        trios = zip(chosen.strategies, side, parsed, strict=True)
        return [strategy(ours, theirs, None) for strategy, ours, theirs in trios]
    return [
        decide(
            rule.function,
            side[index],
            parsed[index],
            _before(state, index) if rule.strategy == "latest" else None,
            rounded=state.rounded,
            carried=METRICS[index] in standing_in,
        )
        for index, rule in enumerate(chosen.rules)
    ]


def foresee(state: AccountState, rules: tuple[Rule, ...]) -> Metrics:
    """The merged values of a pass that finds the sheet as it was."""
    decisions = _decisions(state, state.sheet or NO_METRICS, _NONE, _chosen(rules))
    return Metrics._make(decision.value or 0 for decision in decisions)


def _before(state: AccountState, index: int) -> Before | None:
    """How one metric was.  Parsed values nobody has looked at yet count as unchanged, not as news."""
    if state.merged is None:
        return None
    seen = state.seen if state.seen is not None else state.parsed or NO_METRICS
    sheet = state.sheet or NO_METRICS
    return Before(sheet[index], seen[index], state.merged[index], state.winners[index])


def _last_seen(state: AccountState) -> Metrics:
    """What the parser last said of each metric: one that it has stopped saying stays as it was."""
    parsed, seen = state.parsed or NO_METRICS, state.seen or NO_METRICS
    return Metrics._make(new if new is not None else old for new, old in zip(parsed, seen, strict=True))
