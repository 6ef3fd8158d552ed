"""What a pass will do to one project: decided here, done by `smart_sync.store`.

The sheet's side (`core.sheet`) and what SQLite holds (`core.state`) go in; out comes a `Plan` with
every row to write, every count and every problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smart_sync.core.merge import Before, Decision, Winner, decide
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


def make_plan(project: Project, sheet: Sheet, states: Sequence[AccountState], policy: Policy, doubts: Doubts) -> Plan:
    """Decide everything about ``project`` from what its sheet says and what SQLite holds."""
    active = [state for state in states if state.active]
    was_read = sheet.trouble is None
    merged, seen, sides = _merge(project, active, sheet, policy)
    by_id = {state.id: state for state in active}
    changes = (_change(project, sheet, by_id[row.account_id], row) for row in merged if row.before is not None)
    return Plan(
        project=project,
        account_ids=tuple(state.id for state in active),
        trouble=sheet.trouble,
        sheet=tuple(_sheet_changes(active, sides, sheet.rows)),
        sheet_gone=tuple(s.id for s in active if was_read and s.sheet is not None and s.id not in sheet.rows),
        merged=merged,
        seen=seen,
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
                getattr(sides[row.account_id], metric),
                getattr(by_id[row.account_id].parsed, metric),
                _place(project, sheet, by_id[row.account_id], metric),
            )
            for row in merged
            for metric in row.conflicts
        ),
        suspects=judge(changes, doubts),
    )


def _place(project: Project, sheet: Sheet, state: AccountState, metric: str) -> str:
    """The cell of a metric; its row alone where the column is not known, "" where there is no row."""
    row = sheet.rows[state.id].row if state.id in sheet.rows else state.sheet_row
    return "" if row is None else f"{project.name}!{sheet.letters.get(metric, '')}{row}"


def _change(project: Project, sheet: Sheet, state: AccountState, row: Merged) -> Change:
    """What `core.suspects` judges: a value that nobody had given is no history."""
    before = [value if winner else None for value, winner in zip(row.before or NO_METRICS, state.winners, strict=True)]

    def place(metric: str) -> str:
        winner = row.winners[METRICS.index(metric)]
        return "" if winner in (None, Winner.PARSED) else _place(project, sheet, state, metric)

    return Change(row.account_id, state.link, before, row.values, place)


def _side(state: AccountState, row: SheetRow | None, sheet: Sheet) -> tuple[Metrics, frozenset[str]]:
    """The sheet values that count for an account, and the metrics for which an earlier value stands in."""
    known = state.sheet or NO_METRICS
    if sheet.trouble is not None:
        return known, frozenset(METRICS)
    if row is None:
        return NO_METRICS, frozenset()
    standing_in = row.unreadable | sheet.lost_columns
    if not standing_in:
        return row.metrics, standing_in
    values = (known[index] if metric in standing_in else row.metrics[index] for index, metric in enumerate(METRICS))
    return Metrics._make(values), standing_in


def _merge(
    project: Project, states: Iterable[AccountState], sheet: Sheet, policy: Policy
) -> tuple[tuple[Merged, ...], tuple[tuple[str, Metrics], ...], dict[str, Metrics]]:
    """The merged rows that differ from SQLite's, what "latest" saw, and the sheet's side by account id."""
    rules: dict[str, tuple[tuple[Rule, ...], bool]] = {}
    merged: list[Merged] = []
    seen: list[tuple[str, Metrics]] = []
    sides: dict[str, Metrics] = {}
    for state in states:
        if state.platform not in rules:
            chosen = policy.rules(project.name, state.platform)
            rules[state.platform] = chosen, any(rule.strategy == "latest" for rule in chosen)
        chosen, remembers = rules[state.platform]
        side, standing_in = _side(state, sheet.rows.get(state.id), sheet)
        sides[state.id] = side
        decisions = _decide_all(state, side, standing_in, chosen)
        values = Metrics._make([decision.value or 0 for decision in decisions])
        winners = tuple([decision.winner for decision in decisions])
        if values != state.merged or winners != state.winners:
            conflicts = tuple(m for m, decision in zip(METRICS, decisions, strict=True) if decision.conflict)
            merged.append(Merged(state.id, values, winners, state.merged, conflicts))
        if remembers and _last_seen(state) != state.seen:
            seen.append((state.id, _last_seen(state)))
    return tuple(merged), tuple(seen), sides


def _decide_all(
    state: AccountState, side: Metrics, standing_in: frozenset[str], rules: Sequence[Rule]
) -> list[Decision]:
    parsed = state.parsed or NO_METRICS
    if not state.rounded and not standing_in:  # the usual case, in half the time: `decide` would add nothing
        return [
            rule.function(side[index], parsed[index], _before(state, index) if rule.strategy == "latest" else None)
            for index, rule in enumerate(rules)
        ]
    return [
        decide(
            rule.function,
            side[index],
            parsed[index],
            _before(state, index) if rule.strategy == "latest" else None,
            rounded=state.rounded,
            carried=METRICS[index] in standing_in,
        )
        for index, rule in enumerate(rules)
    ]


def foresee(state: AccountState, rules: Sequence[Rule]) -> Metrics:
    """The merged values of a pass that finds the sheet as it was."""
    decisions = _decide_all(state, state.sheet or NO_METRICS, frozenset(), rules)
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


def _sheet_changes(
    states: Iterable[AccountState], sides: Mapping[str, Metrics], rows: Mapping[str, SheetRow]
) -> Iterable[SheetValue]:
    for state in states:
        row = rows.get(state.id)
        if row is not None and (sides[state.id] != state.sheet or row.row != state.sheet_row):
            yield SheetValue(state.id, sides[state.id], row.row)
