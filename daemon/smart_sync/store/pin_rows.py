"""Pinned values: the table ``pins``; ``pin`` and ``unpin`` change it in one short transaction each."""

import json
import pwd
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from smart_sync.core.explain_answer import PinnedAnswer, PinnedNow, PinsAnswer, Unpinned
from smart_sync.core.links.identity import identity
from smart_sync.core.model import MAX_COUNT, METRICS
from smart_sync.core.pins import CELL, COMMAND, Pin
from smart_sync.core.state import as_text
from smart_sync.errors import SmartSyncError
from smart_sync.store import accounts
from smart_sync.store.accounts import KnownAccount
from smart_sync.store.engine import Database, Reader, Transaction, upsert

_COLUMNS = "metric, value, since, place, pinned_by, until, why"
_PUT = upsert("pins", f"account_id, {_COLUMNS}", "account_id, metric, place")


class PinnedAccount(NamedTuple):
    """A pin with its account."""

    account_id: str
    link: str
    project_id: str
    project_name: str
    pin: Pin

    def answer(self) -> PinnedAnswer:
        """The pin in the form of ``smart-sync pins --json``."""
        return {
            "account_id": self.account_id,
            "link": self.link,
            "project_id": self.project_id,
            "project_name": self.project_name,
            **self.pin.answer(),
        }


# Pins are few: they are gone through first, and their accounts looked up.
_IS_OF_PROJECTS = """EXISTS (
    SELECT 1 FROM project_social_accounts a
    WHERE a.id = pins.account_id AND a.project_id IN (SELECT value FROM json_each(?))
)"""
_PINS = f"SELECT account_id, {_COLUMNS} FROM pins WHERE {{}} ORDER BY account_id, metric, place"
_OF_PROJECTS = _PINS.format(_IS_OF_PROJECTS)
_OF_ACCOUNTS = _PINS.format("account_id IN (SELECT value FROM json_each(?))")


async def of_projects(source: Reader, project_ids: Sequence[str]) -> Mapping[str, tuple[Pin, ...]]:
    """The pins of all accounts of some projects, by account id; invalid rows are ignored."""
    return await _by_account(source, _OF_PROJECTS, project_ids)


async def of_accounts(source: Reader, account_ids: Sequence[str]) -> Mapping[str, tuple[Pin, ...]]:
    """The pins of accounts, existing or not, by account id; invalid rows are ignored."""
    return await _by_account(source, _OF_ACCOUNTS, account_ids)


async def _by_account(source: Reader, sql: str, ids: Sequence[str]) -> Mapping[str, tuple[Pin, ...]]:
    pins: dict[str, tuple[Pin, ...]] = {}
    for account_id, *fields in await source.fetch(sql, (json.dumps(ids),)):
        if (pin := _pin(fields)) is not None:
            pins[account_id] = (*pins.get(account_id, ()), pin)
    return pins


async def everything(database: Database) -> list[PinnedAccount]:
    """All pins of existing accounts, by project, account and metric."""
    rows = await database.fetch(
        "SELECT CAST(a.id AS TEXT), a.profile_link, CAST(p.id AS TEXT), p.name, "
        + ", ".join(f"n.{column}" for column in _COLUMNS.split(", "))
        + " FROM pins n JOIN project_social_accounts a ON CAST(a.id AS TEXT) = n.account_id"
        " LEFT JOIN projects p ON p.id = a.project_id ORDER BY p.name, a.profile_link, n.metric, n.place"
    )
    listed = []
    for account_id, link, project_id, name, *fields in rows:
        if (pin := _pin(fields)) is not None:
            listed.append(PinnedAccount(account_id, as_text(link), as_text(project_id), as_text(name), pin))
    return listed


def _pin(fields: Sequence[Any]) -> Pin | None:
    metric, value, since, place, by, until, why = fields
    if metric not in METRICS or type(value) is not int or not 0 <= value <= MAX_COUNT or place not in (CELL, COMMAND):
        return None
    return Pin(metric, value, as_text(since), place, as_text(by), as_text(until) or None, as_text(why))


async def merged_value(database: Database, account_id: str, metric: str) -> int | None:
    """The merged value of an account's metric; None if there is none."""
    rows = await database.fetch(
        f"SELECT {metric} FROM account_metrics WHERE account_id = ? AND {metric}_winner IS NOT NULL", (account_id,)
    )
    return rows[0][0] if rows and type(rows[0][0]) is int else None


async def put(transaction: Transaction, pins: Iterable[tuple[str, Pin]]) -> None:
    """Store pins of accounts (by id); each replaces an earlier one of its metric and place."""
    await transaction.execute_many(
        _PUT, [(account_id, p.metric, p.value, p.since, p.place, p.by, p.until, p.why) for account_id, p in pins]
    )


async def remove(transaction: Transaction, pins: Iterable[tuple[str, Pin]]) -> None:
    """Delete pins of accounts (by id)."""
    await transaction.execute_many(
        "DELETE FROM pins WHERE account_id = ? AND metric = ? AND place = ? AND since = ?",
        [(account_id, pin.metric, pin.place, pin.since) for account_id, pin in pins],
    )


async def remove_past(transaction: Transaction, project_ids: Sequence[str], today: str) -> None:
    """Delete pins by command in these projects that ended before ``today`` (labels)."""
    await transaction.execute(
        f"DELETE FROM pins WHERE {_IS_OF_PROJECTS} AND place = ? AND until < ?",
        (json.dumps(project_ids), COMMAND, today),
    )


async def remove_commands(transaction: Transaction, account_ids: Iterable[str], metric: str | None) -> int:
    """Delete pins by command of accounts, for one metric or all; return how many."""
    return await transaction.execute(
        "DELETE FROM pins WHERE place = ?1 AND account_id IN (SELECT value FROM json_each(?2))"
        " AND (CAST(?3 AS TEXT) IS NULL OR metric = ?3)",
        (COMMAND, json.dumps(sorted(account_ids)), metric),
    )


#: A reason is a sentence, not a letter.
MAX_WHY = 500


class NotPinned(SmartSyncError):
    """The request cannot be pinned, or there is nothing to remove."""


class NobodyToPin(NotPinned):
    """No account matches."""


class PinRequest(NamedTuple):
    """A request to pin: ``value`` None pins the current merged value; ``until`` is the last day that counts."""

    account: str
    metric: str
    value: int | None = None
    until: date | None = None
    why: str = ""


async def pin(database: Database, request: PinRequest, by: str, now: str, today: str) -> PinnedNow:
    """Pin a metric of the matching account in the name of ``by``, from the next pass on.

    ``now`` is a stamp, ``today`` the label of the local day.  Raises `NotPinned`.
    """
    _check(request, today)
    matches = await _find(database, request.account)
    until = request.until.isoformat() if request.until else None
    made = []
    for match in matches:
        value = request.value
        if value is None:
            value = await merged_value(database, match.account.id, request.metric)
        if value is None:
            raise NotPinned(f"{match.account.link} has no {request.metric} yet; give the value to pin")
        made.append((match, Pin(request.metric, value, now, COMMAND, by, until, request.why)))
    async with database.transaction() as transaction:
        await put(transaction, [(known.account.id, pin) for known, pin in made])
    return {"success": True, "pinned": [_of(known, pin).answer() for known, pin in made]}


def _check(request: PinRequest, today: str) -> None:
    if request.metric not in METRICS:
        raise NotPinned(f"{request.metric!r} is no metric; there are {', '.join(METRICS)}")
    if request.until is not None and request.until.isoformat() < today:
        raise NotPinned(f"{request.until.isoformat()} is over; give a day to come, or none")
    if len(request.why) > MAX_WHY or not request.why.isprintable():
        raise NotPinned(f"the reason must be one line of at most {MAX_WHY} signs")


async def unpin(database: Database, wanted: str, metric: str | None) -> Unpinned:
    """Delete an account's pins by command, for one metric or all.

    A mark in a cell is taken away where it was typed.  Raises `NotPinned`, also where there is nothing to take back.
    """
    matches = await _find(database, wanted)
    async with database.transaction() as transaction:
        gone = await remove_commands(transaction, [known.account.id for known in matches], metric)
    if not gone:
        what = f"the {metric} of {wanted}" if metric else wanted
        raise NotPinned(f"{what}: nothing was pinned by command; a mark in a cell is taken away in the worksheet")
    return {"success": True, "accounts": [known.account.link for known in matches], "unpinned": gone}


async def list_pins(database: Database) -> PinsAnswer:
    """All pins, including those in cells."""
    return {"success": True, "pins": [one.answer() for one in await everything(database)]}


async def _find(database: Database, wanted: str) -> Sequence[KnownAccount]:
    """The matching accounts: one, or the same one in several projects."""
    matches = await accounts.find(database, wanted)
    if not matches:
        raise NobodyToPin(f"no account matches {wanted!r}; give its link, its id, or its name as @NAME")
    if len({identity(known.account.link) or known.account.id for known in matches}) > 1:
        links = ", ".join(sorted(known.account.link for known in matches)[:5])
        raise NotPinned(f"{wanted!r} can mean several accounts: {links}; give the link")
    return matches


def _of(account: KnownAccount, pin: Pin) -> PinnedAccount:
    return PinnedAccount(account.account.id, account.account.link, account.project.id, account.project.name, pin)


def person(uid: int) -> str:
    """The name of a user id, for people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"user {uid}"
