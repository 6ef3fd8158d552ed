"""The plan of a pass for one project: decided here, written by `smart_sync.store`.

The sheet's side (`core.matching.sheet_side`) and what the database holds (`core.state`) go in; out comes a `Plan` with
every row to write, every count and every problem.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

from smart_sync.core.command_answers import ConfirmedFinding
from smart_sync.core.counts import Counts
from smart_sync.core.matching.doubtful_rows import Doubt, copy_accidents
from smart_sync.core.matching.sheet_side import MOST_ACCOUNTS, Sheet, account_id
from smart_sync.core.merge import suspects
from smart_sync.core.merge.decisions import Decided, Edited, Merged, MissingRow, SheetValues, decide_each, is_left
from smart_sync.core.merge.strategies import Policy, Winner
from smart_sync.core.merge.suspects import NOTHING_JUDGED, Doubts, Judged, MergedChange, Place, SuspectChanges
from smart_sync.core.model import METRICS, Metrics, Problem, Project, SheetRow
from smart_sync.core.parsed import ParsedChanges
from smart_sync.core.pins import Pin
from smart_sync.core.state import AccountState, leaves
from smart_sync.core.wording import confirm, when
from smart_sync.core.worksheet.problem_list import limited
from smart_sync.errors import SheetUnavailable


class Conflict(NamedTuple):
    """Both sides of a metric had changed under "latest": the sheet's value counts, ``parsed`` does not."""

    account_id: str
    link: str
    metric: str
    sheet: int | None
    parsed: int | None
    place: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pass will write for a project, and the problems to report."""

    project: Project
    #: What planning counts; writing adds to it (`core.results.outcomes`).
    counts: Counts
    #: The accounts decided about.
    account_ids: tuple[str, ...]
    #: Account id → merged values, for the accounts with at least one value: each gets the day's snapshot.
    snapshots: Mapping[str, Metrics] = field(default_factory=dict)
    #: Why the worksheet could not be used; None if it was read.
    trouble: SheetUnavailable | None = None
    sheet: tuple[SheetValues, ...] = ()
    #: Rows with cells that have another number than in the last read; none that is read for the first time.
    edits: tuple[Edited, ...] = ()
    #: Accounts without a row whose absence, or presumed row number, has changed since the last pass.
    absent: tuple[MissingRow, ...] = ()
    #: Accounts that have left with this pass: account id → link.
    left: Mapping[str, str] = field(default_factory=dict)
    #: Accounts that had left and are back: account id → link.
    returned: Mapping[str, str] = field(default_factory=dict)
    #: Those of ``left`` that Smart Sync had created: they become inactive.
    deactivated: frozenset[str] = frozenset()
    #: Those of ``returned`` that had been deactivated: they become active again.
    reactivated: frozenset[str] = frozenset()
    merged: tuple[Merged, ...] = ()
    #: Account id and parsed values, with which strategy "latest" will compare next time.
    seen: tuple[tuple[str, Metrics], ...] = ()
    #: Pins to keep: account id and pin.
    pinned: tuple[tuple[str, Pin], ...] = ()
    #: Pins to forget: account id and pin.
    unpinned: tuple[tuple[str, Pin], ...] = ()
    #: Changes to store about parsed values and their votes.
    parsed_changes: tuple[ParsedChanges, ...] = ()
    problems: tuple[Problem, ...] = ()
    unmatched_rows: tuple[SheetRow, ...] = ()
    #: Links of the accounts that no row matches.
    unmatched_accounts: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    suspects: SuspectChanges = field(default_factory=SuspectChanges)
    #: (winners, metrics with a rounded parsed value) → the number of such accounts, without those that have left.
    accounts_by_winners: Mapping[tuple[tuple[str | None, ...], frozenset[str]], int] = field(default_factory=dict)
    #: Why the project is degraded although its worksheet was read.
    accidents: tuple[SheetUnavailable, ...] = ()
    #: Whether the worksheet counts as read only because a person has accepted that there is none to read.
    accepted: bool = False
    #: Rows for which no account is created, because they may be those of missing accounts.
    doubtful: tuple[Doubt, ...] = ()
    #: Metrics that have last values and no column.
    lost_columns: frozenset[str] = frozenset()
    #: Metric → the letters of its column.
    letters: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> tuple[Merged, ...]:
        """The accounts whose merged values differ from what the database has."""
        return tuple(row for row in self.merged if row.values != row.before)

    def only(self, account_ids: Container[str]) -> "Plan":
        """The part of the plan about ``account_ids``, and about the project as a whole."""
        return replace(
            self,
            account_ids=tuple(account_id for account_id in self.account_ids if account_id in account_ids),
            snapshots={key: values for key, values in self.snapshots.items() if key in account_ids},
            sheet=tuple(row for row in self.sheet if row.account_id in account_ids),
            edits=tuple(edit for edit in self.edits if edit.account_id in account_ids),
            absent=tuple(row for row in self.absent if row.account_id in account_ids),
            merged=tuple(row for row in self.merged if row.account_id in account_ids),
            seen=tuple(row for row in self.seen if row[0] in account_ids),
            pinned=tuple(pin for pin in self.pinned if pin[0] in account_ids),
            unpinned=tuple(pin for pin in self.unpinned if pin[0] in account_ids),
            parsed_changes=tuple(one for one in self.parsed_changes if one.account_id in account_ids),
            left={account_id: link for account_id, link in self.left.items() if account_id in account_ids},
            returned={account_id: link for account_id, link in self.returned.items() if account_id in account_ids},
            deactivated=frozenset(account_id for account_id in self.deactivated if account_id in account_ids),
            reactivated=frozenset(account_id for account_id in self.reactivated if account_id in account_ids),
            conflicts=tuple(conflict for conflict in self.conflicts if conflict.account_id in account_ids),
            suspects=self.suspects.only(account_ids),
        )


def make_plan(
    project: Project,
    sheet: Sheet,
    states: Sequence[AccountState],
    policy: Policy,
    doubts: Doubts,
    *,
    doubtful: Sequence[Doubt] = (),
    typed: Judged = NOTHING_JUDGED,
) -> Plan:
    """Decide everything about ``project`` from its sheet and the database.

    For ``doubtful`` rows no account is created; ``typed``: what `core.merge.typed_cells.judge_cells` found.
    """
    revived = frozenset(state.id for state in states if _is_revived(state, project, sheet))
    active = [state for state in states if state.active or state.id in revived]
    decided = decide_each(project, active, sheet, policy, doubts.now, doubts.today)
    by_id = {state.id: state for state in active}
    winners = {row.account_id: row.winners for row in decided.merged}

    def place(account_id: str, metric: str) -> str:
        return _cell(project, sheet, by_id[account_id], metric)

    def place_if_it_won(account_id: str, metric: str) -> str:
        by_hand = winners[account_id][METRICS.index(metric)] not in (None, Winner.PARSED)
        return place(account_id, metric) if by_hand else ""

    alone = [_no_vote_problem(project, sheet, state, metric, doubts.now) for state, metric in decided.without_votes]
    unsure = [doubt.problem(project.name, sheet.letters.get("link")) for doubt in doubtful]
    return Plan(
        project=project,
        counts=Counts(
            accounts=len(active),
            sheet=sum(state.id in sheet.rows for state in active),
            parsed=sum(state.parsed is not None for state in active),
            carried=decided.carried,
        ),
        account_ids=tuple(state.id for state in active),
        snapshots=decided.with_value,
        trouble=sheet.trouble,
        sheet=tuple(decided.sheet),
        edits=tuple(decided.edits),
        absent=tuple(decided.absent),
        left={state.id: state.link for state in decided.left},
        returned={state.id: state.link for state in decided.returned},
        deactivated=frozenset(state.id for state in decided.left if is_ours(state, project)),
        reactivated=revived,
        merged=tuple(decided.merged),
        seen=tuple(decided.seen),
        pinned=tuple(decided.pinned),
        unpinned=tuple(decided.unpinned),
        parsed_changes=tuple(decided.parsed_changes),
        problems=limited((*sheet.problems, *unsure, *alone, *_pin_problems(project, sheet, decided)), project.name),
        unmatched_rows=sheet.unmatched,
        unmatched_accounts=tuple(s.link for s in active if sheet.trouble is None and _is_unmatched(s, sheet)),
        conflicts=tuple(_conflicts(decided, by_id, place)),
        suspects=suspects.find_suspects(_changes(decided.merged, by_id), doubts, place_if_it_won, typed),
        accounts_by_winners=decided.accounts_by_winners,
        accidents=(*sheet.accidents, *copy_accidents(project.name, doubtful)),
        accepted=sheet.accepted,
        doubtful=tuple(doubtful),
        lost_columns=sheet.lost_columns,
        letters=sheet.letters,
    )


def _is_revived(state: AccountState, project: Project, sheet: Sheet) -> bool:
    """Whether an account that had left, and was therefore deactivated, has its row again."""
    return not state.active and state.left_since is not None and state.id in sheet.rows and is_ours(state, project)


def is_ours(state: AccountState, project: Project) -> bool:
    """Whether Smart Sync has created an account for a row of this project."""
    return any(state.id == account_id(project.id, state.link, earlier) for earlier in range(MOST_ACCOUNTS))


def _is_unmatched(state: AccountState, sheet: Sheet) -> bool:
    return state.id not in sheet.rows and state.id not in sheet.duplicates and not is_left(state, sheet)


def _no_vote_problem(project: Project, sheet: Sheet, state: AccountState, metric: str, now: str) -> Problem:
    """The problem of a carried value for which neither side has a vote any more."""
    index = METRICS.index(metric)
    value = state.merged[index] if state.merged else None
    row = sheet.row_number(state)
    return Problem(
        f"{metric}: neither the worksheet nor a parser has a value any more; the last one, {value:,}, is used since"
        f" {when(state.carried_since[index] or now)}; type it again, or if it is meant: {confirm(state.link, metric)}",
        project.name,
        row,
        sheet.letters.get(metric) if row is not None else None,
        state.link,
        "value-carried",
    )


def _pin_problems(project: Project, sheet: Sheet, decided: Decided) -> Iterable[Problem]:
    for state, metric, reason in decided.pin_problems:
        row = sheet.row_number(state)
        column = sheet.letters.get(metric) if row is not None else None
        yield Problem(reason, project.name, row, column, state.link, "pinned")


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
    """The cell of a metric; only its row if the column is unknown, "" without a row."""
    row = sheet.row_number(state)
    return "" if row is None else f"{project.name}!{sheet.letters.get(metric, '')}{row}"


def _changes(merged: Iterable[Merged], states: Mapping[str, AccountState]) -> Iterable[MergedChange]:
    """The changes that `core.merge.suspects` judges."""
    for row in merged:
        if row.before is not None and row.values != row.before:
            state = states[row.account_id]
            # A value that was taken back, or is of other videos, is nothing to judge the next one by; a pin is meant.
            no_history, winners = {*state.votes.taken_back, *row.restarted}, state.winners
            if no_history or Winner.PINNED in winners or Winner.PINNED in row.winners:
                trios = zip(METRICS, state.winners, row.winners, strict=True)
                winners = tuple(None if m in no_history or Winner.PINNED in (o, n) else o for m, o, n in trios)
            yield MergedChange(row.account_id, state.link, row.before, winners, row.values)


class Confirmation(NamedTuple):
    """Something that a person has confirmed."""

    #: "gone" (a row), "emptied" (a cell), "column" (a cell whose column has lost its values), "suspect" (a value),
    #: "doubtful" (a row for which no account was created), "worksheet" (there is none to read).
    kind: str
    project_id: str
    account_id: str = ""
    link: str = ""
    metric: str = ""
    #: The value that is not used any more; for a suspect the one that is believed.
    value: int | None = None

    def answer(self) -> ConfirmedFinding:
        """As `smart-sync confirm --json` prints it: only what is not empty."""
        return cast(
            "ConfirmedFinding", {name: value for name, value in self._asdict().items() if value not in ("", None)}
        )


def confirmable(
    state: AccountState, project_id: str, metric: str | None, lost: Collection[str], suspects: Mapping[str, int]
) -> Iterator[Confirmation]:
    """What can be confirmed about one account; about one metric if it is named.

    ``lost`` are the metrics whose column the worksheet has lost, ``suspects`` the suspect values by metric.
    """
    if not state.active:
        return
    absence = state.absence
    waited_for = absence.gone_since is not None and not absence.accepted
    if waited_for and metric is None:
        yield Confirmation("gone", project_id, state.id, state.link)
    for index, name in enumerate(METRICS):
        if metric not in (None, name):
            continue
        value = state.sheet[index] if state.sheet else None
        merged = state.merged[index] if state.merged else None
        if value is not None and not waited_for and (name in state.emptied or name in lost):
            yield Confirmation("column", project_id, state.id, state.link, name, value)
        elif value is None and state.winners[index] == "carried" and not leaves(absence, state.parsed):
            yield Confirmation("emptied", project_id, state.id, state.link, name, merged)
        if name in suspects:
            yield Confirmation("suspect", project_id, state.id, state.link, name, suspects[name])
