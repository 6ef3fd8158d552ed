"""Batches of a configured source: which accounts go into one request, and the row of each in its answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account
from smart_sync.parsers.error_responses import said
from smart_sync.parsers.expressions import missing, search
from smart_sync.parsers.failures import AccountFailed
from smart_sync.parsers.found import folded, told
from smart_sync.parsers.per_account import name_of
from smart_sync.parsers.step_settings import StepSettings


def batches(accounts: Sequence[Account], size: int | None, where: Callable[[Account], str]) -> Iterator[list[Account]]:
    """``accounts`` by so many, each of one platform: a user name in the answer may be another person's on another."""
    filling: dict[str, list[Account]] = {}
    for account in accounts:
        batch = filling.setdefault(where(account), [])
        batch.append(account)
        if len(batch) == size:
            yield batch.copy()
            batch.clear()
    yield from filter(None, filling.values())


class Rows(NamedTuple):
    """The rows of an answer by what their key says: an identity, or a user name in small letters."""

    by_key: Mapping[str, Any]

    def of(self, account: Account) -> Any:
        """The row of ``account``; None if it has none."""
        row = self.by_key.get(identity(account.link, account.platform))
        return row if row is not None else self.by_key.get(folded(name_of(account)))


def read(step: StepSettings, pages: Sequence[Any], accounts: Sequence[Account]) -> Rows:
    """The rows in the ``pages`` of the last ``step``.

    Raises `AccountFailed` where there is no array of rows, and where there are rows and none is of ``accounts``: what
    cannot be told apart says of nobody that he is gone.
    """
    found = search(step.rows or "", pages if step.next is not None else pages[0])
    lack = "" if isinstance(found, list) else f"{step.rows} finds no array of rows"
    if lack := lack or missing(step.rows or "", pages, paged=step.next is not None):
        words = told(pages, paged=True)
        raise AccountFailed(lack + (f": {words}" if words else ""))
    by_key: dict[str, Any] = {}
    first = ""
    for row in found:
        if key := _key(search(step.key or "", row)):
            first = first or key
            by_key.setdefault(identity(key) if "/" in key else folded(key), row)
    rows = Rows(by_key)
    if found and all(rows.of(account) is None for account in accounts):
        says = f'it says "{said(first)}"' if first else "it says neither a text nor a number"
        raise AccountFailed(f"no row's {step.key} names an account of the batch; {says}; correct key")
    return rows


def _key(found: object) -> str:
    """What a row's key says, a number as its digits; "" if it is neither text nor number."""
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
