"""Matches rows of a worksheet to accounts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smart_sync.core.links.identity import by_identity, identity, profile_link
from smart_sync.core.model import METRICS, NO_METRICS, Metrics, Problem, SheetRow, Table
from smart_sync.core.state import AccountState

#: How many of the accounts that are one and the same a problem names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Matches:
    """The rows by account id, the unmatched rows, and the problems found."""

    rows: dict[str, SheetRow]
    unmatched: tuple[SheetRow, ...]
    problems: tuple[Problem, ...]
    #: Active accounts without a row, because it counts for another account of the same identity.
    duplicates: frozenset[str] = frozenset()


def match(table: Table, accounts: Sequence[AccountState]) -> Matches:
    """Match each row to the account whose link has the identity of the row's link.

    A link to one of its videos is none of an account with a profile's link.
    Several accounts of one identity are duplicates: the row counts for the active one; of several active ones for
    the one whose link is written as in the row, else for the oldest.  Active duplicates are reported, and a row that
    is not written as the link of the only active one.
    Several rows for one account are combined (per metric the larger value) and reported.
    """
    groups = by_identity(accounts)
    # A name alone may be a profile on each platform.
    by_link = {account.link: account.id for account in accounts if not account.link.startswith("@")}
    duplicates = {key: group for key, group in groups.items() if len(group) > 1}
    for group in duplicates.values():
        for account in group:
            by_link.pop(account.link, None)
    rows_by_account: dict[str, list[SheetRow]] = {}
    unmatched: list[SheetRow] = []
    for row in table.rows:
        account_id = by_link.get(row.link)  # the usual case, without the price of an identity
        if account_id is None:
            same = groups.get(identity(row.link, row.platform))
            account_id = _claimant(same, row.link).id if same and _shows_profile(row, same) else None
        if account_id is None:
            unmatched.append(row)
        else:
            rows_by_account.setdefault(account_id, []).append(row)
    last = {one.id: one.sheet for one in accounts if len(rows_by_account.get(one.id, ())) > 1}
    rows = {
        account_id: several[0] if len(several) == 1 else combine(several, last[account_id])
        for account_id, several in rows_by_account.items()
    }
    problems = [
        *_duplicates(table.worksheet, {account_id: rows_by_account[account_id] for account_id in last}, rows),
        *_duplicate_accounts(table.worksheet, duplicates.values(), rows_by_account),
    ]
    with_row = [group for group in duplicates.values() if any(account.id in rows_by_account for account in group)]
    without = [account.id for group in with_row for account in group if account.active]
    return Matches(rows, tuple(unmatched), tuple(problems), frozenset(without) - rows_by_account.keys())


def _shows_profile(row: SheetRow, same: Iterable[AccountState]) -> bool:
    """False for a link to a video of an account: its numbers are the video's."""
    return bool(profile_link(row.link, row.platform)) or not any(profile_link(a.link, a.platform) for a in same)


def _claimant(group: Sequence[AccountState], link: str) -> AccountState:
    """The account of ``group``, all of one identity, that a row with ``link`` counts for."""
    if len(group) == 1:
        return group[0]
    several = [account for account in group if account.active] or group
    several = [account for account in several if account.link == link] or several
    return min(several, key=lambda account: (account.added_at is None, account.added_at or "", account.id))


def _duplicate_accounts(
    worksheet: str, groups: Iterable[Sequence[AccountState]], rows_by_account: Mapping[str, Sequence[SheetRow]]
) -> Iterator[Problem]:
    """Accounts of one identity: several active ones, or one whose row is written like an inactive one's link."""
    for group in groups:
        active = [account for account in group if account.active]
        if len(active) > 1 or (active and _is_doubtful(active[0], group, rows_by_account)):
            rows = [f"row {row.row} counts for id {a.id}" for a in group for row in rows_by_account.get(a.id, ())]
            places = ", ".join(rows) or "no row has their link"
            remedy = "; deactivate all but one" if len(active) > 1 else ""
            first = min((row.row for a in group for row in rows_by_account.get(a.id, ())), default=None)
            reason = f"{_named(group)} are one and the same on the platform; {places}{remedy}"
            yield Problem(reason, worksheet, first, code="same-account")


def _is_doubtful(
    active: AccountState, group: Iterable[AccountState], rows_by_account: Mapping[str, Sequence[SheetRow]]
) -> bool:
    """Whether a row of ``active`` is not written like its link, or is written like another's of its ``group`` too."""
    links = {row.link for row in rows_by_account.get(active.id, ())}
    return bool(links - {active.link} or links & {a.link for a in group if a is not active})


def _named(group: Sequence[AccountState]) -> str:
    names = [f"{a.link} (id {a.id}{'' if a.active else ', inactive'})" for a in group[:_NAMED]]
    more = len(group) - len(names)
    return f"accounts {' and '.join(names)}" + (f" and {more:,} more" if more else "")


def _duplicates(
    worksheet: str, groups: Mapping[str, Sequence[SheetRow]], combined: Mapping[str, SheetRow]
) -> Iterable[Problem]:
    for account_id, rows in groups.items():
        numbers = ", ".join(str(row.row) for row in rows)
        reason = f"rows {numbers} are the same account; per metric the larger value counts"
        text = "; ".join([reason, *_exceptions(rows, combined[account_id])])
        yield Problem(text, worksheet, rows[0].row, value=rows[0].link, code="same-account")


def _exceptions(rows: Sequence[SheetRow], combined: SheetRow) -> Iterator[str]:
    """The metrics for which not simply the larger value counts, in words: pinned by a row, or partly unreadable."""
    pinned = combined.pinned
    lost = frozenset().union(*(row.unreadable for row in rows)) - pinned
    stands = {
        m for i, m in enumerate(METRICS) if m in combined.unreadable and any(r.metrics[i] is not None for r in rows)
    }
    for some, which in (
        (pinned, "of those with the mark of a pin"),
        (lost - combined.unreadable, "of the cells that can be read"),
        (stands, "the last known value, larger than that of the cells that can be read"),
    ):
        if some:
            yield f"{', '.join(metric for metric in METRICS if metric in some)}: {which}"


def combine(rows: Sequence[SheetRow], last: Metrics | None = None) -> SheetRow:
    """Merge an account's several rows into one: the larger value per metric, everything else from the first row.

    Where a row pins a metric, only rows that do count for it.  A metric with a cell that cannot be read is unreadable
    where no row gives a value, or none as large as in the ``last`` read: the larger one may stand in that cell.
    There must be at least one row.
    """
    pinned = frozenset().union(*(row.pinned for row in rows))
    counted = [[row.metrics[i] for row in rows if m not in pinned - row.pinned] for i, m in enumerate(METRICS)]
    largest = [max((value for value in several if value is not None), default=None) for several in counted]
    unreadable = frozenset().union(*(row.unreadable for row in rows))
    metrics = Metrics._make(
        None if m in unreadable - pinned and (value or 0) < (before or 0) else value
        for m, value, before in zip(METRICS, largest, last or NO_METRICS, strict=True)
    )
    return rows[0]._replace(
        metrics=metrics,
        unreadable=frozenset(m for m, value in zip(METRICS, metrics, strict=True) if value is None and m in unreadable),
        platform=next((row.platform for row in rows if row.platform), ""),
        username=next((row.username for row in rows if row.username), ""),
        topic=next((row.topic for row in rows if row.topic), ""),
        telegram=next((row.telegram for row in rows if row.telegram), ""),
        pinned=pinned,
    )
