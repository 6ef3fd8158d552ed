"""What a pass will do to one project: decided here, done by `smart_sync.store`.

The sheet's side (`core.sheet`) and what SQLite holds (`core.state`) go in; out comes a `Plan` with
every row to write, every count and every problem.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from smart_sync.core.decide import Decided, Merged, SheetValue, decide_each
from smart_sync.core.merge import Winner
from smart_sync.core.model import METRICS, Metrics, Problem, Project, SheetRow
from smart_sync.core.policy import Policy
from smart_sync.core.sheet import Sheet
from smart_sync.core.state import AccountState
from smart_sync.core.suspects import Change, Doubts, Judgement, Place, judge
from smart_sync.errors import SheetUnavailable


class Conflict(NamedTuple):
    """Both sides of a metric under strategy "latest" had changed: the sheet's value counts, ``parsed`` does not."""

    account_id: str
    link: str
    metric: str
    sheet: int | None
    parsed: int | None
    place: str


class Edit(NamedTuple):
    """A cell that says something else than at the last read; None: no value."""

    account_id: str
    metric: str
    old: int | None
    new: int | None
    cell: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pass will write for a project, and what there is to say about it."""

    project: Project
    #: How many active accounts there are, and the ids of those decided about.
    accounts: int
    account_ids: tuple[str, ...]
    #: Those of them of which some metric has a value: each gets its snapshot of the day.
    snapshot_ids: tuple[str, ...] = ()
    trouble: SheetUnavailable | None = None
    sheet: tuple[SheetValue, ...] = ()
    #: What managers have typed since the last read; nothing of rows that are read for the first time.
    edits: tuple[Edit, ...] = ()
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
    #: An earlier sheet value stands in for one that cannot be read now.
    carried: bool = False

    @property
    def changed(self) -> tuple[Merged, ...]:
        """The accounts whose merged values differ from what SQLite has."""
        return tuple(row for row in self.merged if row.values != row.before)

    def without(self, deleted: Container[str]) -> "Plan":
        """The plan without what it would write for some accounts."""
        return replace(
            self,
            account_ids=tuple(account_id for account_id in self.account_ids if account_id not in deleted),
            snapshot_ids=tuple(account_id for account_id in self.snapshot_ids if account_id not in deleted),
            sheet=tuple(row for row in self.sheet if row.account_id not in deleted),
            edits=tuple(edit for edit in self.edits if edit.account_id not in deleted),
            sheet_gone=tuple(account_id for account_id in self.sheet_gone if account_id not in deleted),
            merged=tuple(row for row in self.merged if row.account_id not in deleted),
            seen=tuple(row for row in self.seen if row[0] not in deleted),
            conflicts=tuple(conflict for conflict in self.conflicts if conflict.account_id not in deleted),
            suspects=self.suspects.without(deleted),
        )


def make_plan(
    project: Project,
    sheet: Sheet,
    states: Sequence[AccountState],
    policy: Policy,
    doubts: Doubts,
    *,
    settled: Container[str] = frozenset(),
) -> Plan:
    """Decide everything about ``project`` from what its sheet says and what SQLite holds.

    ``settled`` accounts are as they were decided last, and need not be decided about.
    """
    active = [state for state in states if state.active]
    was_read = sheet.trouble is None
    undecided = [state for state in active if state.id not in settled]
    decided = decide_each(project, undecided, sheet, policy)
    by_id = {state.id: state for state in active}
    winners = {row.account_id: row.winners for row in decided.merged}

    def place(account_id: str, metric: str) -> str:
        return _cell(project, sheet, by_id[account_id], metric)

    def place_if_it_won(account_id: str, metric: str) -> str:
        by_hand = winners[account_id][METRICS.index(metric)] not in (None, Winner.PARSED)
        return place(account_id, metric) if by_hand else ""

    return Plan(
        project=project,
        accounts=len(active),
        account_ids=tuple(state.id for state in undecided),
        snapshot_ids=tuple(decided.with_value),
        trouble=sheet.trouble,
        sheet=tuple(decided.sheet),
        edits=tuple(_edits(decided.sheet, by_id, sheet)),
        sheet_gone=tuple(s.id for s in active if was_read and s.sheet is not None and s.id not in sheet.rows),
        merged=tuple(decided.merged),
        seen=tuple(decided.seen),
        problems=sheet.problems,
        sheet_count=sum(state.id in sheet.rows for state in active),
        parsed_count=sum(state.parsed is not None for state in active),
        unmatched_rows=sheet.unmatched,
        unmatched_accounts=tuple(
            s.link for s in active if was_read and s.id not in sheet.rows and s.id not in sheet.twins
        ),
        conflicts=tuple(_conflicts(decided, by_id, place)),
        suspects=judge(_changes(decided.merged, by_id), doubts, place_if_it_won),
        carried=sheet.trouble is not None or bool(sheet.lost_columns) or any(r.unreadable for r in sheet.rows.values()),
    )


def _edits(values: Iterable[SheetValue], states: Mapping[str, AccountState], sheet: Sheet) -> Iterator[Edit]:
    for value in values:
        last = states[value.account_id].sheet
        if last is None or last == value.metrics:
            continue
        for metric, old, new in zip(METRICS, last, value.metrics, strict=True):
            if old != new:
                yield Edit(value.account_id, metric, old, new, f"{sheet.letters.get(metric, '')}{value.row}")


def _conflicts(decided: Decided, states: Mapping[str, AccountState], place: Place) -> Iterable[Conflict]:
    for row in decided.merged:
        for metric in row.conflicts:
            state, side = states[row.account_id], decided.sides[row.account_id]
            yield Conflict(
                row.account_id,
                state.link,
                metric,
                getattr(side, metric),
                getattr(state.parsed, metric),
                place(row.account_id, metric),
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
