"""The sheet's side of a project: what its worksheet says about its accounts, or why it is unusable."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from smart_sync.core.links.identity import identity, is_link, owner, profile_link, why_no_profile
from smart_sync.core.links.platforms import known_platform
from smart_sync.core.matching.match import Matches, match
from smart_sync.core.matching.missing import (
    AbsenceTerms,
    Columns,
    Likeness,
    absences,
    likenesses,
    places,
    watch_columns,
)
from smart_sync.core.matching.missing import problems as gone_problems
from smart_sync.core.model import METRICS, NAMESPACE, Account, Problem, Project, SheetRow, Table, Worksheet
from smart_sync.core.state import Absence, AccountState
from smart_sync.core.wording import confirm, counted, quoted, shown
from smart_sync.core.worksheet.problem_list import MAX_PROBLEMS
from smart_sync.core.worksheet.table import NoHeader, read_table
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable

#: Accounts that are created for one link in one project: before the last one, the others have got other links.
MOST_ACCOUNTS = 5

#: What came of reading a worksheet.
Reading = Worksheet | SheetUnavailable


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet's side of a project: rows by account id, or the trouble that prevents them."""

    rows: Mapping[str, SheetRow] = field(default_factory=dict)
    unmatched: tuple[SheetRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    #: Metrics that had values and whose column is gone.
    lost_columns: frozenset[str] = frozenset()
    #: Why the worksheet could not be used and the last sheet values are carried; None if it was read.
    trouble: SheetUnavailable | None = None
    #: Metric → the letters of its column.
    letters: Mapping[str, str] = field(default_factory=dict)
    #: Active accounts without a row, because it counts for another account of the same identity.
    duplicates: frozenset[str] = frozenset()
    #: Account id → its absence, for the active accounts whose row is gone.
    absences: Mapping[str, Absence] = field(default_factory=dict)
    #: Account id → the metrics whose cells were emptied with their whole column.
    emptied: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: Rows or columns gone at once: the project is degraded, the rest of the worksheet was read.
    accidents: tuple[SheetUnavailable, ...] = ()
    #: Rows that match no account and may be those of missing accounts.
    alike: tuple[Likeness, ...] = ()
    #: Missing account → the number of the unmatched row that is where its own would be now.
    places: Mapping[str, int] = field(default_factory=dict)
    #: Whether a person has accepted that there is no worksheet to read.
    accepted: bool = False

    def row_number(self, state: AccountState) -> int | None:
        """The number of an account's row: current, presumed, or last known; None if it never had one."""
        row = self.rows.get(state.id)
        return row.row if row is not None else self.places.get(state.id, state.sheet_row)


def read_sheet(reading: Reading, states: Sequence[AccountState], terms: AbsenceTerms, *, titles: Titles) -> Sheet:
    """What a worksheet says about the accounts of its project.

    ``states`` are all its accounts: the inactive ones are matched too, so that none is created twice.
    A worksheet that is not there, is empty or lacks its header is trouble, unless a person has accepted just that.
    """
    active = [state for state in states if state.active]
    if isinstance(reading, SheetUnavailable):
        return _nothing(reading, active, terms)
    try:
        table = read_table(reading, titles)
    except NoHeader as error:
        return _nothing(_no_header(reading.title, error), active, terms)
    if table.not_understood and not table.columns:
        return _nothing(_no_metric(table, titles), active, terms, table.problems)
    matches = match(table, states)
    missing = _missing(matches, states, active, terms)
    waited_for = [account_id for account_id, absence in missing.items() if not absence.accepted]
    alike = likenesses(table, matches.unmatched, matches.rows, states, waited_for)
    columns = watch_columns(table, matches.rows, active, terms)
    by_id = {state.id: state for state in active}
    problems = (
        *table.problems,
        *matches.problems,
        *columns.problems,
        *_not_understood(table, columns.lost),
        *_no_profiles(table, matches.unmatched),
        *gone_problems(terms, table, missing, by_id, alike),
    )
    return Sheet(
        matches.rows,
        matches.unmatched,
        problems,
        columns.lost,
        letters=table.letters,
        duplicates=matches.duplicates,
        absences=missing,
        emptied=columns.emptied,
        accidents=tuple(_accidents(terms, missing, columns)),
        alike=tuple(alike),
        places=places(alike),
    )


def _missing(
    matches: Matches, states: Sequence[AccountState], active: Sequence[AccountState], terms: AbsenceTerms
) -> dict[str, Absence]:
    """The absences of ``active`` accounts without a row; certain ones are settled at once."""
    missing = absences(active, {*matches.rows, *matches.duplicates}, terms)
    duplicates = [state for state in active if state.id in matches.duplicates and state.id not in matches.rows]
    replaced = _replaced(states, matches.rows, missing, terms)
    return missing | absences([*duplicates, *replaced], (), terms, settled=True)


def _replaced(
    states: Sequence[AccountState], rows: Mapping[str, SheetRow], missing: Mapping[str, Absence], terms: AbsenceTerms
) -> list[AccountState]:
    """Missing accounts created for a wrong link that was corrected to the link of an account that had left."""
    returned = {rows[s.id].row for s in states if not s.active and s.left_since is not None and s.id in rows}
    gone = [s for s in states if s.id in missing and s.absence.gone_since is None] if returned else []
    return [s for s in gone if s.sheet_row in returned and s.id == account_id(terms.project_id, s.link)]


def _nothing(
    trouble: SheetUnavailable, active: Sequence[AccountState], terms: AbsenceTerms, problems: tuple[Problem, ...] = ()
) -> Sheet:
    """An unusable worksheet: all of its values are carried, unless a person has accepted exactly this state."""
    if trouble.code and trouble.code == terms.accepted:
        return Sheet(absences=absences(active, (), terms, settled=True), accepted=True)
    if trouble.code and terms.project_id:
        remedy = f"{trouble.remedy}; if it is meant: {confirm(terms.name)}"
        trouble = SheetUnavailable(trouble.reason, remedy, trouble.code, trouble.step, trouble.trouble)
    return Sheet(trouble=trouble, problems=problems)


def _accidents(terms: AbsenceTerms, missing: Mapping[str, Absence], columns: Columns) -> Iterator[SheetUnavailable]:
    gone = sum(absence.at_once and not absence.accepted for absence in missing.values())
    if gone:
        yield SheetUnavailable(
            f"{counted(gone, 'row')} of worksheet {terms.name!r} {'is' if gone == 1 else 'are'} gone at once; "
            "the last known values are used",
            f"restore the rows from the version history; if it is meant: {confirm(terms.name)}",
            "rows",
            trouble="rows-gone",
        )
    for metric, values in columns.accidents.items():
        yield SheetUnavailable(
            f"the column for {metric} of worksheet {terms.name!r} has lost its values at once; "
            f"{counted(values, 'last value')} {'stands' if values == 1 else 'stand'} in",
            f"restore it from the version history; if it is meant: {confirm(terms.name, metric)}",
            metric,
            trouble="column-emptied",
        )


def missing_accounts(
    project: Project, unmatched: Sequence[SheetRow], doubtful: Sequence[SheetRow] = ()
) -> list[Account]:
    """New accounts for the unmatched rows that are not ``doubtful`` and certainly link to profiles, one per identity.

    Its link is that profile's.  Platform, user name, topic and Telegram user are those typed; the first two, where they
    are missing, those that the link shows.
    """
    unsure = {identity(row.link, row.platform) for row in doubtful}
    rows: dict[str, SheetRow] = {}
    for row in unmatched:
        if (name := identity(row.link, row.platform)) not in unsure and profile_link(row.link, row.platform):
            rows.setdefault(name, row)
    return [
        new_account(project.id, row.link, row.platform, row.username, row.topic, row.telegram) for row in rows.values()
    ]


def account_id(project_id: str, link: str, earlier: int = 0) -> str:
    """The id of an account that Smart Sync creates for ``link``: the same on every machine.

    ``earlier``: how many accounts it has created for it before that have other links or projects now.
    """
    return str(uuid.uuid5(NAMESPACE, f"{project_id}:{identity(link)}" + (f":{earlier}" if earlier else "")))


def new_account(project_id: str, link: str, platform: str, username: str, topic: str, telegram: str) -> Account:
    """The account created for a row with these cells, by a pass or by a person who confirms the row.

    Its link is that of the profile that ``link`` shows; platform and user name are those typed, else those of the link.
    """
    profile = profile_link(link, platform) or link
    seen = owner(profile)
    return Account(
        account_id(project_id, profile),
        project_id,
        known_platform(platform) or platform or seen.platform,
        username or seen.username,
        profile,
        topic,
        telegram,
    )


def _no_header(title: str, error: NoHeader) -> SheetUnavailable:
    if not error.seen:
        return SheetUnavailable(
            f"worksheet {title!r} is empty",
            "restore it from the spreadsheet's version history, or fill it",
            "empty",
            "header",
            trouble="sheet-empty",
        )
    return SheetUnavailable(
        f"worksheet {title!r} has no column for the link",
        f"name it Link or Account URL, or add its name to [sheets.columns]; headers seen: {quoted(error.seen)}",
        "no_header",
        "header",
        trouble="column-missing",
    )


def _no_metric(table: Table, titles: Titles) -> SheetUnavailable:
    titles_of_metrics = [
        name for name in table.not_understood if (said := titles.meaning(name)) and said.field in METRICS
    ]
    remedy = f"take away the texts over or below {quoted(titles_of_metrics)}"
    if not titles_of_metrics:
        remedy = (
            "name them Followers, Likes, Comments, Videos, Views, or add their names to [sheets.columns]; "
            f"headers seen: {quoted(table.headers)}"
        )
    return SheetUnavailable(
        f"worksheet {table.worksheet!r} has no column for any metric",
        remedy,
        "no_header",
        "header",
        trouble="column-missing",
    )


def _not_understood(table: Table, lost: frozenset[str]) -> list[Problem]:
    """Metrics without a column, if a column of counts has a title that was not understood."""
    lacking = [metric for metric in METRICS if metric not in table.columns | lost] if table.not_understood else []
    return [
        Problem(
            f"no column for {metric}; headers seen: {quoted(table.headers)}; "
            f"not understood: {quoted(table.not_understood)}",
            table.worksheet,
            code="column-missing",
        )
        for metric in lacking
    ]


def _no_profiles(table: Table, unmatched: Sequence[SheetRow]) -> list[Problem]:
    """Unmatched rows whose link cell cannot become an account; a label in an otherwise empty row is ignored."""
    no_profiles = [
        row
        for row in unmatched
        if not profile_link(row.link, row.platform)
        and (any(value is not None for value in row.metrics) or row.unreadable or row.username or is_link(row.link))
    ]
    column = table.letters.get("link")
    listed_rows = [
        Problem(
            f"link: {why_no_profile(row.link, row.platform)}",
            table.worksheet,
            row.row,
            column,
            shown(row.link),
            "link-unreadable",
        )
        for row in no_profiles[:MAX_PROBLEMS]
    ]
    if more := len(no_profiles) - len(listed_rows):
        text = f"{more:,} more link cells show no profile"
        listed_rows.append(Problem(text, table.worksheet, code="link-unreadable", count=more))
    return listed_rows
