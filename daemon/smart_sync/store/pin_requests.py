"""What people ask to be pinned, by the command or the control channel: each one short transaction."""

import pwd
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from smart_sync.core.explain_answer import PinnedNow, PinsAnswer, Unpinned
from smart_sync.core.links.identity import identity
from smart_sync.core.model import METRICS
from smart_sync.core.pins import COMMAND, Pin
from smart_sync.errors import SmartSyncError
from smart_sync.store import accounts, pin_rows
from smart_sync.store.accounts import KnownAccount
from smart_sync.store.engine import Database
from smart_sync.store.pin_rows import PinnedAccount

#: A reason is a sentence, not a letter.
MAX_WHY = 500


class NotPinned(SmartSyncError):
    """What was asked for cannot be pinned, or there is nothing to take back."""


class NobodyToPin(NotPinned):
    """No account is meant."""


class PinRequest(NamedTuple):
    """What is asked for: ``value`` None pins the merged value there is; ``until`` is the last day that counts."""

    account: str
    metric: str
    value: int | None = None
    until: date | None = None
    why: str = ""


async def pin(database: Database, asked: PinRequest, by: str, now: str, today: str) -> PinnedNow:
    """Pin a metric of the account that is meant, for the person ``by``; the next pass goes by it.

    ``now`` is a stamp, ``today`` the label of the local day.  Raises `NotPinned`.
    """
    _check(asked, today)
    found = await _find(database, asked.account)
    until = asked.until.isoformat() if asked.until else None
    made = []
    for known in found:
        value = asked.value
        if value is None:
            value = await pin_rows.merged_value(database, known.account.id, asked.metric)
        if value is None:
            raise NotPinned(f"{known.account.link} has no {asked.metric} yet; give the value to pin")
        made.append((known, Pin(asked.metric, value, now, COMMAND, by, until, asked.why)))
    async with database.transaction() as transaction:
        await pin_rows.put(transaction, [(known.account.id, pin) for known, pin in made])
    return {"success": True, "pinned": [_of(known, pin).answer() for known, pin in made]}


def _check(asked: PinRequest, today: str) -> None:
    if asked.metric not in METRICS:
        raise NotPinned(f"{asked.metric!r} is no metric; there are {', '.join(METRICS)}")
    if asked.until is not None and asked.until.isoformat() < today:
        raise NotPinned(f"{asked.until.isoformat()} is over; give a day to come, or none")
    if len(asked.why) > MAX_WHY or not asked.why.isprintable():
        raise NotPinned(f"the reason must be one line of at most {MAX_WHY} signs")


async def unpin(database: Database, sought: str, metric: str | None) -> Unpinned:
    """Take back what was pinned of an account by the command, of one metric or of all.

    A mark in a cell is taken away where it was typed.  Raises `NotPinned`, also where there is nothing to take back.
    """
    found = await _find(database, sought)
    async with database.transaction() as transaction:
        gone = await pin_rows.remove_commands(transaction, [known.account.id for known in found], metric)
    if not gone:
        what = f"the {metric} of {sought}" if metric else sought
        raise NotPinned(f"{what}: nothing was pinned by command; a mark in a cell is taken away in the worksheet")
    return {"success": True, "accounts": [known.account.link for known in found], "unpinned": gone}


async def listed(database: Database) -> PinsAnswer:
    """All pins, those of cells too."""
    return {"success": True, "pins": [one.answer() for one in await pin_rows.everything(database)]}


async def _find(database: Database, sought: str) -> Sequence[KnownAccount]:
    """The accounts that are meant: one, or the same one in several projects."""
    found = await accounts.find(database, sought)
    if not found:
        raise NobodyToPin(f"no account matches {sought!r}; give its link, its id, or its name as @NAME")
    if len({identity(known.account.link) or known.account.id for known in found}) > 1:
        links = ", ".join(sorted(known.account.link for known in found)[:5])
        raise NotPinned(f"{sought!r} can mean several accounts: {links}; give the link")
    return found


def _of(known: KnownAccount, pin: Pin) -> PinnedAccount:
    return PinnedAccount(known.account.id, known.account.link, known.project.id, known.project.name, pin)


def person(uid: int) -> str:
    """Who a user id is, for people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"user {uid}"
