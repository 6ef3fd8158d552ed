"""Finds what is missing from a worksheet: rows that are gone, and columns that lose their values all at once.

Only found and reported here; `core.merge.decisions` carries the last values of what was found.

Rows that are gone, and emptied columns, are taken for accidents of the worksheet until time or a person says otherwise.
A column is in such an accident if it had values above 0 in `AT_LEAST` rows that are still there, and now all of its
cells are blank, 0 or unreadable, or it has no header any more.  The value of each cell is carried until the cell has a
value above 0 again, or a person says that it is meant.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from smart_sync.core.links.identity import identity
from smart_sync.core.model import METRICS, Problem, SheetRow, Table
from smart_sync.core.state import Absence, AccountState
from smart_sync.core.wording import confirm, quoted, when

#: So many rows gone at once may be an accident of the worksheet; fewer are looked at one by one.
AT_LEAST = 3
#: More pairs of missing accounts and new rows are not compared: then every new row may be one of them.
MAX_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class AbsenceTerms:
    """The terms by which one pass judges a project's missing rows and values."""

    #: The time of the pass, a stamp.
    now: str
    project_id: str
    #: The project's name, which is also its worksheet's title; `smart-sync confirm` takes it.
    name: str
    #: Seconds of good reads that the worksheet has had, this one included.
    clock: float = 0.0
    #: ``[sheets] gone_after``, in seconds of good reads.
    gone_after: float = 7 * 86400.0
    #: ``[sheets] max_vanished``: the share of known rows.
    max_vanished: float = 0.5
    #: The code of the trouble with the worksheet that a person has accepted, "" if none.
    accepted: str = ""


class Why(Enum):
    """Why a row may be that of a missing account."""

    IN_PLACE = "it stands where the row of {link} stood, whose row is gone"
    NEARLY = "its link is nearly that of {link}, whose row is gone"
    TOO_MANY = "so many rows are gone at once that it may be one of them, such as {link}"


class Likeness(NamedTuple):
    """A row that may be the missing one of ``account``, and why."""

    account: AccountState
    row: SheetRow
    why: Why

    @property
    def in_place(self) -> bool:
        """Whether the row is where the account's row would be."""
        return self.why is Why.IN_PLACE


def absences(
    active: Iterable[AccountState], with_row: Collection[str], terms: AbsenceTerms, *, settled: bool = False
) -> dict[str, Absence]:
    """The absence of each account whose row the worksheet had and no longer has.

    ``with_row`` are the ids of those that need no row or have one.  ``settled``: a person has said that all are meant.
    """
    with_sheet = [state for state in active if state.sheet is not None]
    missing = [state for state in with_sheet if state.id not in with_row]
    had = [s for s in with_sheet if s.absence.gone_since is None and s.absence.project_id in ("", terms.project_id)]
    gone = frozenset(state.id for state in had if state.id not in with_row)
    at_once = gone if len(gone) >= AT_LEAST and len(gone) > len(had) * terms.max_vanished else frozenset()
    return {state.id: judge_absence(state, terms, at_once=state.id in at_once, settled=settled) for state in missing}


def judge_absence(state: AccountState, terms: AbsenceTerms, *, at_once: bool, settled: bool) -> Absence:
    """What is known of the absence of an account whose row this worksheet lacks."""
    old = state.absence
    if old.gone_since is None:
        old = Absence(old.project_id or terms.project_id, terms.now, terms.clock, at_once)
    elif old.at_once and old.project_id != terms.project_id:
        # Moved with its account: the accident is that of the other worksheet, and so was its clock.
        old = old._replace(at_once=False, clock=terms.clock)
    if settled or (not old.at_once and terms.clock - old.clock >= terms.gone_after):
        return old._replace(at_once=False, accepted=True)
    return old


def likenesses(
    table: Table, unmatched: Sequence[SheetRow], rows: Mapping[str, SheetRow], states: Sequence[AccountState],
    missing: Collection[str],
) -> list[Likeness]:  # fmt: skip
    """The unmatched rows that may be those of ``missing`` accounts.

    A row may be if it stands where the account's row stood, counted from the worksheet's top or from the row above
    or below it, or if its link is nearly the account's.
    """
    strangers = [*unmatched, *table.without_link]
    gone = [state for state in states if state.id in missing]
    if not strangers or not gone:
        return []
    by_number = {row.row: row for row in strangers}
    places = _Places(states, rows)
    alike = [
        Likeness(state, by_number[number], Why.IN_PLACE)
        for state in gone
        for number in sorted(places.of(state))
        if number in by_number
    ]
    seen = {(one.account.id, one.row.row) for one in alike}
    if len(gone) * len(unmatched) > MAX_PAIRS:
        standing = {one.row.row for one in alike}
        return alike + [Likeness(gone[0], row, Why.TOO_MANY) for row in unmatched if row.row not in standing]
    names = [(row, identity(row.link, row.platform)) for row in unmatched]
    for state in gone:
        own = identity(state.link, state.platform)
        alike += [
            Likeness(state, row, Why.NEARLY)
            for row, name in names
            if (state.id, row.row) not in seen and nearly(own, name)
        ]
    return alike


def places(alike: Iterable[Likeness]) -> dict[str, int]:
    """Where the rows of missing accounts are now, by account.

    The next pass compares with this pass's row numbers: without their new places it would not find those rows again.
    """
    places_by_account: dict[str, int] = {}
    for one in alike:
        if one.in_place:
            places_by_account.setdefault(one.account.id, one.row.row)
    return places_by_account


class _Places:
    """Where the row of a missing account would be now."""

    def __init__(self, states: Iterable[AccountState], rows: Mapping[str, SheetRow]) -> None:
        stood = ((s.sheet_row, rows[s.id].row) for s in states if s.sheet_row is not None and s.id in rows)
        self._moved = sorted(stood)

    def of(self, state: AccountState) -> set[int]:
        """The row numbers where it may be."""
        if state.sheet_row is None:
            return set()
        index = bisect_left(self._moved, (state.sheet_row, 0))
        beside = self._moved[max(index - 1, 0) : index + 1]
        return {state.sheet_row, *(now + state.sheet_row - before for before, now in beside)}


def nearly(one: str, other: str) -> bool:
    """Whether two identities differ only by a typo: one character in three, three at most."""
    platform, colon, name = one.rpartition(":")
    other_platform, _, other_name = other.rpartition(":")
    if platform != other_platform or not colon:
        return False
    allowed = min(3, max(len(name), len(other_name)) // 3)
    return abs(len(name) - len(other_name)) <= allowed and _distance(name, other_name, allowed) <= allowed


def _distance(one: str, other: str, limit: int) -> int:
    """The edit distance of two texts; beyond ``limit`` any larger number."""
    if one == other:
        return 0
    before = list(range(len(other) + 1))
    for count, sign in enumerate(one, 1):
        row = [count]
        for index, another in enumerate(other, 1):
            row.append(min(before[index] + 1, row[-1] + 1, before[index - 1] + (sign != another)))
        if min(row) > limit:
            return limit + 1
        before = row
    return before[-1]


def problems(
    terms: AbsenceTerms, table: Table, missing: Mapping[str, Absence], states: Mapping[str, AccountState],
    alike: Iterable[Likeness],
) -> Iterator[Problem]:  # fmt: skip
    """A problem for each missing row whose values are carried."""
    looks: dict[str, Likeness] = {}
    for one in alike:
        looks.setdefault(one.account.id, one)
    unreadable = {row.row for row in table.without_link}
    above = {identity(row.link, row.platform): row.row for row in table.above}
    for account_id, absence in missing.items():
        if not absence.accepted:
            state, like = states[account_id], looks.get(account_id)
            if (row := above.get(identity(state.link, state.platform))) is not None:
                yield _above_header(terms, table, state, absence, row)
                continue
            yield _problem(terms, table, state, absence, like, like is not None and like.row.row in unreadable)


def _since(terms: AbsenceTerms, absence: Absence) -> str:
    return f"its last known values are used since {when(absence.gone_since or terms.now)}"


def _above_header(terms: AbsenceTerms, table: Table, state: AccountState, absence: Absence, row: int) -> Problem:
    reason = (
        f"the row stands above the header, in row {row}; {_since(terms, absence)};"
        f" move it below that, or if it is meant: {confirm(state.link)}"
    )
    return Problem(reason, table.worksheet, row, None, state.link, "rows-gone")


def _problem(
    terms: AbsenceTerms, table: Table, state: AccountState, absence: Absence, like: Likeness | None, unreadable: bool
) -> Problem:
    since = _since(terms, absence)
    meant = f"if it is meant: {confirm(state.link.strip() or state.id)}"
    if like is not None and unreadable:
        what = f"its link cell cannot be read, and the row of {state.link} stood here"
        column = table.letters.get("link")
        reason = f"{what}; {since}; correct it, or {meant}"
        return Problem(reason, table.worksheet, like.row.row, column, like.row.link, "rows-gone")
    elsewhere = absence.project_id != terms.project_id
    what = f"no row has the link of {state.link}, which came from another project" if elsewhere else "the row is gone"
    if not identity(state.link, state.platform):
        what = f"account {state.id} has no link in the database, so that no row is its own"
    place = "" if like is None else f"; row {like.row.row}: {like.row.link} may be it"
    number = None if elsewhere else like.row.row if like is not None and like.in_place else state.sheet_row
    reason = f"{what}; {since}{place}; restore it, or {meant}"
    return Problem(reason, table.worksheet, number, None, state.link, "rows-gone")


class Columns(NamedTuple):
    """What has happened to the columns of a worksheet."""

    #: Account id → the metrics whose cells were emptied with their whole column; only accounts with any.
    emptied: Mapping[str, frozenset[str]]
    #: Metrics that have last values and no column.
    lost: frozenset[str]
    #: Metric whose column was emptied or is gone → how many of its values are carried.
    accidents: Mapping[str, int]
    problems: tuple[Problem, ...]


def watch_columns(
    table: Table, rows: Mapping[str, SheetRow], active: Sequence[AccountState], terms: AbsenceTerms
) -> Columns:
    """Compare a worksheet's columns with the last sheet values of the accounts that still have a row."""
    with_sheet = [state for state in active if state.sheet is not None and state.id in rows]
    emptied: dict[str, frozenset[str]] = {}
    lost: set[str] = set()
    accidents: dict[str, int] = {}
    problems = []
    for index, metric in enumerate(METRICS):
        had = [state for state in with_sheet if state.sheet and state.sheet[index]]
        if metric not in table.columns:
            # A cell that was emptied before its column went is so still when the column is back.
            for state in had:
                if metric in state.emptied:
                    emptied[state.id] = emptied.get(state.id, frozenset()) | {metric}
            if any(s.sheet and s.sheet[index] is not None for s in with_sheet):
                lost.add(metric)
                problems.append(_lost(table, metric, terms))
                if len(had) >= AT_LEAST:
                    accidents[metric] = len(had)
            continue
        at_once = len(had) >= AT_LEAST and not any(rows[state.id].metrics[index] for state in with_sheet)
        ids = [s.id for s in had if (at_once or metric in s.emptied) and not rows[s.id].metrics[index]]
        for account_id in ids:
            emptied[account_id] = emptied.get(account_id, frozenset()) | {metric}
        if ids:
            accidents[metric] = len(ids)
            problems += _emptied(table, metric, sorted(ids, key=lambda account_id: rows[account_id].row), rows)
    return Columns(emptied, frozenset(lost), accidents, tuple(problems))


def _lost(table: Table, metric: str, terms: AbsenceTerms) -> Problem:
    return Problem(
        f"the column for {metric} is gone; its last known values are used; headers seen: {quoted(table.headers)};"
        f" name it again, or if it is meant: {confirm(terms.name, metric)}",
        table.worksheet,
        code="column-missing",
    )


def _emptied(table: Table, metric: str, ids: Iterable[str], rows: Mapping[str, SheetRow]) -> Iterable[Problem]:
    for account_id in ids:
        row = rows[account_id]
        if metric not in row.unreadable:  # that is a problem already
            yield Problem(
                f"{metric}: blank or 0 with its whole column; the last known value is used",
                table.worksheet,
                row.row,
                table.letters.get(metric),
                row.link,
                "column-emptied",
            )
