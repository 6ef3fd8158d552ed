"""Which row of a worksheet belongs to which account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from smart_sync.core.links import identity
from smart_sync.core.model import Problem, SheetRow, Table
from smart_sync.core.state import AccountState
from smart_sync.core.table import combine


@dataclass(frozen=True, slots=True)
class Matches:
    """The rows by account id, the rows that match nobody, and what was found odd on the way."""

    rows: dict[str, SheetRow]
    unmatched: tuple[SheetRow, ...]
    problems: tuple[Problem, ...]


def match(table: Table, accounts: Sequence[AccountState]) -> Matches:
    """Match by the link as it is written, then by its identity.

    Several rows for one account are combined (per metric the larger value) and reported.
    """
    by_link = {account.link: account.id for account in accounts}
    found: dict[str, list[SheetRow]] = {}
    others: list[SheetRow] = []
    for row in table.rows:
        account_id = by_link.get(row.link)
        if account_id is None:
            others.append(row)
        else:
            found.setdefault(account_id, []).append(row)
    unmatched = _match_by_identity(others, accounts, found) if others else ()
    rows = {account_id: several[0] if len(several) == 1 else combine(several) for account_id, several in found.items()}
    return Matches(rows, tuple(unmatched), tuple(_duplicates(table.worksheet, found.values())))


def _match_by_identity(
    rows: Iterable[SheetRow], accounts: Iterable[AccountState], found: dict[str, list[SheetRow]]
) -> list[SheetRow]:
    """Add ``rows`` to ``found`` where an account has the same identity, an active one first; returns the rest."""
    by_identity: dict[str, str] = {}
    for account in sorted(accounts, key=lambda account: not account.active):
        by_identity.setdefault(identity(account.link), account.id)
    by_identity.pop("", None)
    unmatched = []
    for row in rows:
        account_id = by_identity.get(identity(row.link))
        if account_id is None:
            unmatched.append(row)
        else:
            found.setdefault(account_id, []).append(row)
    return unmatched


def _duplicates(worksheet: str, groups: Iterable[list[SheetRow]]) -> Iterable[Problem]:
    for rows in groups:
        if len(rows) > 1:
            numbers = ", ".join(str(row.row) for row in rows)
            yield Problem(
                f"rows {numbers} are the same account; per metric the larger value counts",
                worksheet,
                rows[0].row,
                value=rows[0].link,
            )
