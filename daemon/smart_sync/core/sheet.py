"""The sheet's side of a project: what its worksheet says about its accounts, or why it says nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from smart_sync.core.links import identity, owner
from smart_sync.core.match import Matches, match
from smart_sync.core.model import METRICS, Account, Problem, Project, SheetRow, Table, Worksheet
from smart_sync.core.state import AccountState
from smart_sync.core.table import NoHeader, read_table
from smart_sync.errors import SheetUnavailable

#: What came of reading a worksheet.
Reading = Worksheet | SheetUnavailable


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet's side of a project: rows by account id, or the trouble because of which there are none."""

    rows: Mapping[str, SheetRow] = field(default_factory=dict)
    unmatched: tuple[SheetRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    #: Metrics that had values and whose column is gone.
    lost_columns: frozenset[str] = frozenset()
    #: Why the last known sheet values stand in; None if the worksheet was read.
    trouble: SheetUnavailable | None = None
    #: Metric → the letters of its column.
    letters: Mapping[str, str] = field(default_factory=dict)
    #: Active accounts without a row, because it counts for another account of the same identity.
    twins: frozenset[str] = frozenset()


def understand(
    reading: Reading,
    states: Sequence[AccountState],
    *,
    synonyms: Mapping[str, Sequence[str]],
    max_vanished: float,
) -> Sheet:
    """What a worksheet says about the accounts of its project.

    ``states`` are all its accounts: the inactive ones are matched too, so that none is made twice.
    A worksheet that is empty, lacks its header or has lost too many links at once is trouble, not a correction.
    """
    if isinstance(reading, SheetUnavailable):
        return Sheet(trouble=reading)
    try:
        table = read_table(reading, synonyms)
    except NoHeader as error:
        return Sheet(trouble=_no_header(reading.title, error))
    active = [state for state in states if state.active]
    matches = match(table, states)
    if trouble := _vanished(reading.title, active, matches, max_vanished):
        return Sheet(trouble=trouble, problems=table.problems)
    lost, lost_problems = _lost_columns(table, active)
    problems = (*table.problems, *matches.problems, *lost_problems)
    return Sheet(matches.rows, matches.unmatched, problems, lost, letters=table.letters, twins=matches.twins)


def edited(sheet: Sheet, states: Sequence[AccountState]) -> list[str] | None:
    """The accounts of which a worksheet says something else than the last sheet values; None: of all, by its trouble.

    A value that cannot be read is something else, unless there was none.
    """
    if sheet.trouble is not None:
        return None
    return [state.id for state in states if state.active and _is_edited(state, sheet.rows.get(state.id))]


def _is_edited(state: AccountState, row: SheetRow | None) -> bool:
    if row is None:
        return state.sheet is not None
    return row.metrics != state.sheet or row.row != state.sheet_row


def missing_accounts(project: Project, unmatched: Sequence[SheetRow], new_id: Callable[[str], str]) -> list[Account]:
    """An account for each identity among the rows that match none; ``new_id`` makes its id from the identity.

    Platform and user name are those typed, where they are missing those that the link shows.
    """
    rows: dict[str, SheetRow] = {}
    for row in unmatched:
        rows.setdefault(identity(row.link), row)
    return [_account(project, row, new_id(name)) for name, row in rows.items()]


def _account(project: Project, row: SheetRow, account_id: str) -> Account:
    shown = owner(row.link)
    return Account(account_id, project.id, row.platform or shown.platform, row.username or shown.username, row.link)


def _no_header(title: str, error: NoHeader) -> SheetUnavailable:
    if not error.seen:
        return SheetUnavailable(
            f"worksheet {title!r} is empty", "restore it from the spreadsheet's version history, or fill it"
        )
    return SheetUnavailable(
        f"worksheet {title!r} has no column for the link",
        f"name it Link or Account URL, or add its name to [sheets.columns]; headers seen: {_listed(error.seen)}",
    )


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(repr(header) for header in headers[:20])


def _vanished(
    title: str, active: Sequence[AccountState], matches: Matches, max_vanished: float
) -> SheetUnavailable | None:
    """So many known links gone at once is an accident, not a correction."""
    known = [state.id for state in active if state.sheet is not None and state.id not in matches.twins]
    gone = sum(account_id not in matches.rows for account_id in known)
    if gone <= len(known) * max_vanished:
        return None
    return SheetUnavailable(
        f"{gone} of the {len(known)} known links have vanished from worksheet {title!r} at once",
        "restore them from the spreadsheet's version history; if it was meant, set [sheets] max_vanished = 1",
    )


def _lost_columns(table: Table, active: Sequence[AccountState]) -> tuple[frozenset[str], list[Problem]]:
    """Metrics whose column is gone although it had values: a renamed header must not wipe what was typed."""
    lost = {
        metric
        for index, metric in enumerate(METRICS)
        if metric not in table.columns and any(state.sheet and state.sheet[index] is not None for state in active)
    }
    problems = [
        Problem(
            f"the column for {metric} is gone; its last known values stand in; headers seen: {_listed(table.headers)}",
            table.worksheet,
        )
        for metric in METRICS
        if metric in lost
    ]
    return frozenset(lost), problems
