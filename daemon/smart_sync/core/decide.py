"""Deciding about accounts, one after the other: which side counts, what is merged, and what of it is new to SQLite."""

from collections.abc import Iterable
from typing import NamedTuple

from smart_sync.core.merge import Before, Decision, Strategy, decide
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Project, SheetRow
from smart_sync.core.policy import Policy, Rule
from smart_sync.core.sheet import Sheet
from smart_sync.core.state import AccountState


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


class _Chosen(NamedTuple):
    """The rules of one platform's accounts, looked up once."""

    rules: tuple[Rule, ...]
    strategies: tuple[Strategy, ...]
    #: Some of them compare with what the last pass saw.
    compare: bool


def _chosen(rules: tuple[Rule, ...]) -> _Chosen:
    strategies = tuple(rule.function for rule in rules)
    return _Chosen(rules, strategies, any(rule.strategy == "latest" for rule in rules))


class Decided(NamedTuple):
    """What has been decided about a project's accounts: the rows to write, and each one's side of the sheet."""

    merged: list[Merged]
    sheet: list[SheetValue]
    seen: list[tuple[str, Metrics]]
    sides: dict[str, Metrics]
    #: The ids of the accounts of which some metric has a value.
    with_value: list[str]


def decide_each(project: Project, states: Iterable[AccountState], sheet: Sheet, policy: Policy) -> Decided:
    """Decide about every one of ``states``, in one loop, for there may be a hundred thousand."""
    decided = Decided([], [], [], {}, [])
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
        if winners != _NOBODY:
            decided.with_value.append(state.id)
        if values != state.merged or winners != state.winners:
            conflicts = tuple([m for m, decision in zip(METRICS, decisions, strict=True) if decision.conflict])
            decided.merged.append(Merged(state.id, values, winners, state.merged, conflicts))
        if chosen.compare and _last_seen(state) != state.seen:
            decided.seen.append((state.id, _last_seen(state)))
    return decided


_ALL, _NONE = frozenset(METRICS), frozenset[str]()
_NOBODY = (None,) * len(METRICS)


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
