"""Decides about each account: which side counts, the merged values, and what must be written."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from smart_sync.core.matching.sheet_side import Sheet
from smart_sync.core.merge.counting_changes import counted_videos, counts_other_videos, restarted_metrics
from smart_sync.core.merge.pinning import Pinned, pinned, reasons, with_pins
from smart_sync.core.merge.strategies import NO_WINNER, Before, Decision, Policy, Rule, Strategy, Winner, decide
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Project, SheetRow
from smart_sync.core.parsed import ParsedChanges
from smart_sync.core.pins import NO_PINS, Pin, cell_pins, in_force
from smart_sync.core.state import THERE, Absence, AccountState, leaves

_NOTHING_RESUMED: Mapping[str, str] = MappingProxyType({})


class SheetValues(NamedTuple):
    """A row of ``sheet_metrics`` to write, for an account with a row in the worksheet."""

    account_id: str
    metrics: Metrics
    row: int
    #: The metrics whose cells were emptied with their whole column.
    emptied: frozenset[str] = frozenset()


class Edited(NamedTuple):
    """A row's values before and after an edit; those that differ are the edited cells."""

    account_id: str
    old: Metrics
    new: Metrics
    row: int


class MissingRow(NamedTuple):
    """A change of ``sheet_metrics`` for an account whose row is missing, or probably stands in another place."""

    account_id: str
    absence: Absence
    #: The row's number, presumed or last known; None if it never had one.
    row: int | None


class Merged(NamedTuple):
    """A row of ``account_metrics`` to write."""

    account_id: str
    #: 0 where there is no value (the winner is None): the columns of the tables take no NULL.
    values: Metrics
    winners: tuple[str | None, ...]
    #: The previous values; None: there was no such row.
    before: Metrics | None
    #: The metrics of which both sides had changed under "latest".
    conflicts: tuple[str, ...] = ()
    #: The account's link.
    link: str = ""
    #: The videos that the parsed values are of, as `AccountState.counted`.
    counted: tuple[str | None, ...] = (None,) * len(METRICS)
    #: The metrics that are of other videos than before: they begin anew, without growth from what they were.
    restarted: frozenset[str] = frozenset()
    #: The metrics that were carried and have a value of their own again → since when they were carried.
    resumed: Mapping[str, str] = _NOTHING_RESUMED


class _Chosen(NamedTuple):
    """The rules for one platform's accounts, looked up once."""

    rules: tuple[Rule, ...]
    strategies: tuple[Strategy, ...]
    #: Whether one of them compares with what the last pass saw ("latest").
    compare: bool


def _chosen(rules: tuple[Rule, ...]) -> _Chosen:
    strategies = tuple(rule.function for rule in rules)
    return _Chosen(rules, strategies, any(rule.strategy == "latest" for rule in rules))


@dataclass(slots=True)
class Decided:
    """The decisions about a project's accounts; most fields go into the `Plan` field of the same name."""

    merged: list[Merged] = field(default_factory=list)
    sheet: list[SheetValues] = field(default_factory=list)
    edits: list[Edited] = field(default_factory=list)
    absent: list[MissingRow] = field(default_factory=list)
    seen: list[tuple[str, Metrics]] = field(default_factory=list)
    #: Account id → the sheet values that count for it.
    sides: dict[str, Metrics] = field(default_factory=dict)
    parsed_changes: list[ParsedChanges] = field(default_factory=list)
    #: Account id → merged values, for the accounts with at least one value that have not left.
    with_value: dict[str, Metrics] = field(default_factory=dict)
    left: list[AccountState] = field(default_factory=list)
    returned: list[AccountState] = field(default_factory=list)
    #: How many values are carried.
    carried: int = 0
    #: Carried values for which neither side has a vote any more: an account and a metric.
    without_votes: list[tuple[AccountState, str]] = field(default_factory=list)
    accounts_by_winners: Counter[tuple[tuple[str | None, ...], frozenset[str]]] = field(default_factory=Counter)
    pinned: list[tuple[str, Pin]] = field(default_factory=list)
    unpinned: list[tuple[str, Pin]] = field(default_factory=list)
    #: Problems with pins: an account, a metric, a sentence.
    pin_problems: list[tuple[AccountState, str, str]] = field(default_factory=list)


def decide_each(
    project: Project, states: Iterable[AccountState], sheet: Sheet, policy: Policy, now: str = "", today: str = ""
) -> Decided:
    """Decide about all ``states`` in one loop, for there may be a hundred thousand.

    ``now`` (a stamp) is when new pins begin, ``today`` the label of the local day on which pins may end.
    """
    decided = Decided()
    present = Absence(project.id)
    by_platform: dict[str, _Chosen] = {}
    for state in states:
        chosen = by_platform.get(state.platform)
        if chosen is None:
            chosen = by_platform[state.platform] = _chosen(policy.rules(project.name, state.platform))
        row = sheet.rows.get(state.id)
        side, carried = sheet_sides(state, row, sheet)
        decided.sides[state.id] = side
        _record_sheet(decided, state, row, side, sheet, present)
        decisions = _decisions(state, side, carried, chosen)
        if state.pins is not NO_PINS or (row is not None and row.pinned):
            where = f"{project.name}!{sheet.row_number(state) or ''}"
            pins = pinned(state, row, side, carried, now, today, where)
            _record_pins(decided, state, pins, decisions)
            decisions = with_pins(decisions, pins.in_force, carried)
        values = Metrics._make([decision.value or 0 for decision in decisions])
        winners = tuple([decision.winner for decision in decisions])
        if values != state.merged or winners != state.winners or counts_other_videos(state):
            conflicts = _conflicts(decisions) if chosen.compare else ()
            counted = counted_videos(state)
            anew = restarted_metrics(state, winners, counted)
            resumed = _resumed(state, winners)
            decided.merged.append(
                Merged(state.id, values, winners, state.merged, conflicts, state.link, counted, anew, resumed)
            )
        if chosen.compare and _last_seen(state) != state.seen:
            decided.seen.append((state.id, _last_seen(state)))
        if state.votes.news is not None:
            decided.parsed_changes.append(state.votes.news)
        _record_status(decided, state, side, values, winners, sheet)
    return decided


def _conflicts(decisions: Iterable[Decision]) -> tuple[str, ...]:
    return tuple([metric for metric, decision in zip(METRICS, decisions, strict=True) if decision.conflict])


def _resumed(state: AccountState, winners: Sequence[str | None]) -> Mapping[str, str]:
    """The metrics whose carried stretch ends with a value → since when they were carried."""
    if Winner.CARRIED not in state.winners:
        return _NOTHING_RESUMED
    trios = zip(METRICS, state.carried_since, winners, strict=True)
    # Another program may have written something else than a stamp.
    return {m: since for m, since, winner in trios if type(since) is str and winner not in (None, Winner.CARRIED)}


def _record_sheet(
    decided: Decided, state: AccountState, row: SheetRow | None, side: Metrics, sheet: Sheet, present: Absence
) -> None:
    """Record the change of ``sheet_metrics`` about an account, if there is one; ``present``: its row is there."""
    if row is None:
        absence = sheet.absences.get(state.id, state.absence)
        place = sheet.row_number(state)
        if absence != state.absence or place != state.sheet_row:
            decided.absent.append(MissingRow(state.id, absence, place))
        return
    emptied = sheet.emptied.get(state.id, _NONE) if sheet.emptied else _NONE
    if side != state.sheet or row.row != state.sheet_row or state.absence != present or emptied != state.emptied:
        decided.sheet.append(SheetValues(state.id, side, row.row, emptied))
    if state.sheet is not None and side != state.sheet:
        decided.edits.append(Edited(state.id, state.sheet, side, row.row))


def _record_pins(decided: Decided, state: AccountState, pins: Pinned, decisions: Sequence[Decision]) -> None:
    """Record an account's pins and the problems with them."""
    decided.pinned += [(state.id, pin) for pin in pins.kept]
    decided.unpinned += [(state.id, pin) for pin in pins.forgotten]
    pin_reasons = reasons(pins, decisions, state.parsed or NO_METRICS, state.link)
    decided.pin_problems += [(state, metric, reason) for metric, reason in pin_reasons]


def _record_status(
    decided: Decided, state: AccountState, side: Metrics, values: Metrics, winners: tuple[str | None, ...], sheet: Sheet
) -> None:
    """Record whether an account has left or is back, has a value, and which of its values are carried."""
    if is_left(state, sheet):
        if state.left_since is None:
            decided.left.append(state)
        return
    if state.left_since is not None:
        decided.returned.append(state)
    decided.accounts_by_winners[winners, state.rounded] += 1
    if winners == _NO_WINNERS:
        return
    decided.with_value[state.id] = values
    if Winner.CARRIED in winners:
        decided.carried += winners.count(Winner.CARRIED)
        alone = [m for m, mine, w in zip(METRICS, side, winners, strict=True) if w == Winner.CARRIED and mine is None]
        decided.without_votes += [(state, metric) for metric in alone]


def is_left(state: AccountState, sheet: Sheet) -> bool:
    """Whether an account has left: its row is gone for good, and no parser has a value."""
    absence = sheet.absences.get(state.id, state.absence) if state.id not in sheet.rows else THERE
    return leaves(absence, state.parsed)


_ALL, _NONE = frozenset(METRICS), frozenset[str]()
_NO_WINNERS = (None,) * len(METRICS)


def sheet_sides(state: AccountState, row: SheetRow | None, sheet: Sheet) -> tuple[Metrics, frozenset[str]]:
    """The sheet values that count for an account, and the metrics whose earlier value is carried."""
    if row is None:
        absence = state.absence if sheet.trouble is not None else sheet.absences.get(state.id)
        if absence is None or absence.accepted or state.sheet is None:
            return NO_METRICS, _NONE
        return state.sheet, _ALL
    if not (row.unreadable or sheet.lost_columns or sheet.emptied):  # the usual case
        return row.metrics, _NONE
    carried = row.unreadable | sheet.lost_columns | sheet.emptied.get(state.id, _NONE)
    sides = zip(METRICS, row.metrics, state.sheet or NO_METRICS, strict=True)
    return Metrics._make(known if metric in carried else new for metric, new, known in sides), carried


def _decisions(state: AccountState, side: Metrics, carried: frozenset[str], chosen: _Chosen) -> list[Decision]:
    parsed = state.parsed or NO_METRICS
    if not (state.rounded or carried or chosen.compare):  # the usual case: `decide` would add nothing but time
        trios = zip(chosen.strategies, side, parsed, strict=True)
        decisions = [strategy(ours, theirs, None) for strategy, ours, theirs in trios]
    else:
        decisions = [
            decide(
                rule.function,
                side[index],
                parsed[index],
                _before(state, index) if rule.strategy == "latest" else None,
                rounded=METRICS[index] in state.rounded,
                carried=METRICS[index] in carried,
            )
            for index, rule in enumerate(chosen.rules)
        ]
    if NO_WINNER in decisions and state.winners != _NO_WINNERS:
        return [carried_decision(state, index) if one == NO_WINNER else one for index, one in enumerate(decisions)]
    return decisions


def carried_decision(state: AccountState, index: int) -> Decision:
    """A metric without any vote: its last merged value is carried, unless it was taken back."""
    merged, winner = state.merged, state.winners[index]
    if merged is None or winner is None:
        return NO_WINNER
    if winner == Winner.PINNED and METRICS[index] not in cell_pins(state.pins):  # taken back, or over
        return NO_WINNER
    taken_back = state.votes.taken_back.get(METRICS[index])
    if taken_back and (winner in (Winner.PARSED, Winner.BOTH) or merged[index] in taken_back):
        return NO_WINNER
    return Decision(merged[index], Winner.CARRIED)


def foresee(state: AccountState, rules: tuple[Rule, ...], today: str = "") -> Metrics:
    """The merged values of a pass on ``today`` that finds the sheet unchanged; None where there would be none."""
    gone = Sheet(absences={state.id: state.absence} if state.absence.gone_since else {})
    side, carried = sheet_sides(state, None, gone) if gone.absences else (state.sheet or NO_METRICS, state.emptied)
    decisions = _decisions(state, side, carried, _chosen(rules))
    if state.pins:
        decisions = with_pins(decisions, in_force(state.pins, today), carried)
    return Metrics._make(decision.value for decision in decisions)


def _before(state: AccountState, index: int) -> Before | None:
    """One metric before the pass; None if its parsed value has lost its vote.

    A parsed value that no pass has recorded counts as unchanged.
    """
    if state.merged is None or METRICS[index] in state.votes.taken_back or state.votes.silent(METRICS[index]):
        return None
    seen = state.seen if state.seen is not None else state.parsed or NO_METRICS
    sheet = state.sheet or NO_METRICS
    return Before(sheet[index], seen[index], state.merged[index], state.winners[index])


def _last_seen(state: AccountState) -> Metrics:
    """The parser's last value of each metric; one it no longer reports stays.

    A value without a vote is forgotten, so that the same number counts as a change when it has a vote again.
    """
    parsed, seen = state.parsed or NO_METRICS, state.seen or NO_METRICS
    if state.votes.lost:
        seen = seen._replace(**{metric: None for metric in METRICS if state.votes.silent(metric)})
    return Metrics._make(new if new is not None else old for new, old in zip(parsed, seen, strict=True))
