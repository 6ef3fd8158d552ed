"""Doubtful rows: they may belong to an account whose row is missing, so no account is created for them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from smart_sync.core.links.identity import identity, profile_link
from smart_sync.core.matching.missing import AT_LEAST, MAX_PAIRS, nearly
from smart_sync.core.matching.sheet_side import Sheet
from smart_sync.core.model import NO_METRICS, Metrics, Problem, SheetRow
from smart_sync.core.wording import confirm, counted
from smart_sync.errors import SheetUnavailable

_COPIED = "with the same numbers, so this worksheet looks like a copy"
_RENAMED = "with the same numbers, and its worksheet is gone, so this one looks like it, renamed"


class Doubt(NamedTuple):
    """A row for which no account is created, because it may belong to account ``account_id``."""

    row: SheetRow
    account_id: str
    reason: str
    #: The project of whose worksheet this one, as a whole, looks like a copy.
    copied_from: str = ""
    #: That project's worksheet is not there: this one is no copy, it is the worksheet itself.
    is_renamed: bool = False

    def problem(self, worksheet: str, column: str | None) -> Problem:
        """The problem that a manager reads about it."""
        remedy = f"correct the link, or if it is another account: {confirm(self.row.link)}"
        if self.copied_from:
            remedy = self.remedy_of_copy(worksheet)
        reason = f"no account is created for this row: {self.reason}; {remedy}"
        return Problem(reason, worksheet, self.row.row, column, self.row.link, "no-account")

    def remedy_of_copy(self, worksheet: str) -> str:
        """What a manager does about a ``worksheet`` that looks like a copy of another project's."""
        if self.is_renamed:
            return f"name it {self.copied_from!r} again, or if it is another project: {confirm(worksheet)}"
        return f"delete the copy, or if both are meant: {confirm(worksheet)}"


class Elsewhere(NamedTuple):
    """An account of another project."""

    account_id: str
    link: str
    platform: str
    project: str
    #: Its row is gone from the worksheet it was in.
    gone: bool
    #: The last good read of its project's worksheet, a stamp.
    read_at: str
    #: Where its row stood, if that was in this project's worksheet.
    stood: int | None = None
    #: What its row said in the last read.
    metrics: Metrics = NO_METRICS
    #: Its row has been looked for in this pass, and is where it was.
    found: bool = False
    #: The worksheet of its project is gone.
    is_lost: bool = False
    project_id: str = ""


class EarlierDoubt(NamedTuple):
    """A row that an earlier pass found doubtful: since when (a stamp), and why."""

    account_id: str
    reason: str
    since: str


def find_doubtful(
    sheet: Sheet, elsewhere: Iterable[Elsewhere], earlier: Mapping[str, EarlierDoubt]
) -> tuple[Doubt, ...]:
    """The unmatched rows of ``sheet`` for which no account may be created; ``earlier`` by link."""
    others = list(elsewhere)
    missed = [other for other in others if not other.found]
    doubts: dict[int, Doubt] = {}
    # The first reason counts.
    for doubt in chain(
        _like_missing(sheet),
        _still_doubtful(sheet, earlier),
        _copied_rows(sheet, others, earlier),
        _moved_accounts(sheet, missed, earlier),
    ):
        doubts.setdefault(doubt.row.row, doubt)
    return tuple(one for _, one in sorted(doubts.items()) if profile_link(one.row.link, one.row.platform))


def renamed_from(sheet: Sheet, elsewhere: Iterable[Elsewhere], lost: Collection[str]) -> str | None:
    """The project whose worksheet ``sheet`` is, under another name; of ``lost`` ones, whose own is not there.

    Half of its rows have that project's accounts, whatever their numbers: as long as the worksheet is not there, none
    of them would get an account here.
    """
    rows = [identity(row.link, row.platform) for row in sheet.unmatched if profile_link(row.link, row.platform)]
    others = {identity(one.link, one.platform): one.project_id for one in elsewhere if one.project_id in lost}
    found = Counter(others[name] for name in rows if name in others)
    if not found or 2 * found.total() < len(rows):
        return None
    return found.most_common(1)[0][0]


def copy_accidents(worksheet: str, doubts: Collection[Doubt]) -> Iterator[SheetUnavailable]:
    """Why a project whose worksheet looks like a copy is degraded: its accounts wait for a person."""
    of_project = {one.copied_from: one for one in doubts if one.copied_from}
    rows = Counter(one.copied_from for one in doubts)
    for project, one in sorted(of_project.items()):
        unseen = f"no account is created for {counted(rows[project], 'row')} of it"
        copied = f"worksheet {worksheet!r} looks like a copy of project {project}'s: {unseen}"
        renamed = f"worksheet {worksheet!r} looks like project {project}'s, renamed: {unseen}"
        yield SheetUnavailable(
            renamed if one.is_renamed else copied,
            one.remedy_of_copy(worksheet),
            "copy",
            trouble="sheet-missing" if one.is_renamed else "no-account",
        )


def _like_missing(sheet: Sheet) -> Iterator[Doubt]:
    """Rows that resemble those of missing accounts."""
    numbers = {row.row for row in sheet.unmatched}
    for one in sheet.alike:
        if one.row.row in numbers:
            yield Doubt(one.row, one.account.id, one.why.value.format(link=one.account.link.strip() or one.account.id))


def _still_doubtful(sheet: Sheet, earlier: Mapping[str, EarlierDoubt]) -> Iterator[Doubt]:
    """Rows doubtful before whose possible account is still missing: other rows may have moved since."""
    waited_for = {account_id for account_id, absence in sheet.absences.items() if not absence.accepted}
    for row in sheet.unmatched:
        doubt = earlier.get(row.link)
        if doubt is not None and doubt.account_id in waited_for:
            yield Doubt(row, doubt.account_id, doubt.reason)


def _copied_rows(sheet: Sheet, elsewhere: Iterable[Elsewhere], earlier: Mapping[str, EarlierDoubt]) -> Iterator[Doubt]:
    """The rows of another project's accounts in a worksheet that was copied from it as a whole.

    Three rows and half of all say the same numbers.  Numbers go apart later: it is a copy until a person confirms it.
    """
    others = {name: one for one in elsewhere if not one.gone and (name := identity(one.link, one.platform))}
    pairs = [(row, others.get(identity(row.link, row.platform))) for row in sheet.unmatched] if others else []
    rows = [(row, other, _like_its_worksheet(other)) for row, other in pairs if other]
    alike = Counter(reason for row, other, reason in rows if any(row.metrics) and row.metrics == other.metrics)
    least = max(AT_LEAST, (len(sheet.unmatched) + len(sheet.rows)) / 2)
    for row, other, reason in rows:
        doubt = earlier.get(row.link)
        was_copy = (
            doubt is not None and doubt.account_id == other.account_id and doubt.reason.endswith((_COPIED, _RENAMED))
        )
        if alike[reason] >= least or was_copy:
            yield Doubt(row, other.account_id, reason, other.project, other.is_lost)


def _like_its_worksheet(other: Elsewhere) -> str:
    return f"project {other.project} has this account; {_RENAMED if other.is_lost else _COPIED}"


def _moved_accounts(
    sheet: Sheet, elsewhere: Iterable[Elsewhere], earlier: Mapping[str, EarlierDoubt]
) -> Iterator[Doubt]:
    """Rows of other projects' accounts, unless both worksheets had them, one after the other."""
    left_last = sorted(elsewhere, key=lambda other: other.gone)
    others = {name: other for other in left_last if (name := identity(other.link, other.platform))}
    left_behind = _RowsOfMovedAccounts(others, len(sheet.unmatched))
    for row in sheet.unmatched if others else ():
        name, doubt = identity(row.link, row.platform), earlier.get(row.link)
        other = others.get(name) or left_behind.by(row, name, doubt)
        if other is None:
            continue
        if other.gone:
            yield Doubt(row, other.account_id, f"it may be the row of {other.link} that project {other.project} misses")
        elif doubt is None or not doubt.since < other.read_at:
            reason = f"project {other.project} has this account; its worksheet has yet to be read again"
            yield Doubt(row, other.account_id, reason)


class _RowsOfMovedAccounts:
    """Finds the account that was moved to another project and left a row behind, though its link has changed."""

    def __init__(self, others: Mapping[str, Elsewhere], rows: int) -> None:
        """``others`` by identity; ``rows`` are asked about."""
        self._moved = [(name, other) for name, other in others.items() if other.stood is not None]
        self._by_id = {other.account_id: other for _, other in self._moved}
        self._by_place = {other.stood: other for _, other in reversed(self._moved)}
        self._too_many = len(self._moved) * rows > MAX_PAIRS

    def by(self, row: SheetRow, name: str, doubt: EarlierDoubt | None) -> Elsewhere | None:
        """The account that ``row`` (of identity ``name``, ``doubt`` from an earlier pass) may belong to.

        If there are too many to compare, it may be any of theirs.
        """
        sure = self._by_id.get(doubt.account_id) if doubt is not None else None
        if moved := sure or self._by_place.get(row.row):
            return moved
        if self._too_many:
            return self._moved[0][1]
        return next((other for own, other in self._moved if nearly(own, name)), None)
