"""``smart-sync pin``, ``unpin`` and ``pins``, and the same of the control channel: a person fixes a value."""

import os
import pwd
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from smart_sync.config import Settings
from smart_sync.core.days import day_of, stamp
from smart_sync.core.links.identity import identity
from smart_sync.core.merge.pins import COMMAND, Pin
from smart_sync.core.model import METRICS
from smart_sync.errors import SmartSyncError
from smart_sync.store import accounts, pins
from smart_sync.store.accounts import KnownAccount
from smart_sync.store.database import Database
from smart_sync.store.schema import open_existing

#: A reason is a sentence, not a letter.
MAX_WHY = 500


class NotPinned(SmartSyncError):
    """What was asked cannot be pinned, or there is nothing to take back."""


class UnknownAccount(NotPinned):
    """No account is meant."""


async def pin(
    settings: Settings, sought: str, metric: str, value: int | None, until: date | None, why: str, now: datetime
) -> dict[str, Any]:
    """Pin a metric of the account that ``sought`` means to ``value``, or to the merged value that it has.

    A daemon may be at work: this is one short transaction beside its own; the next pass goes by it.
    Raises `NotPinned`, `DatabaseError` and `ConfigError`.
    """
    async with open_existing(settings.database.path, read_only=False) as database:
        return await pin_in(database, settings, sought, metric, value, until, why, user(os.getuid()), now)


async def pin_in(
    database: Database,
    settings: Settings,
    sought: str,
    metric: str,
    value: int | None,
    until: date | None,
    why: str,
    by: str,
    now: datetime,
) -> dict[str, Any]:
    """The same in an open database, for the person ``by``."""
    if until is not None and until.isoformat() < day_of(now, settings.schedule.timezone).label:
        raise NotPinned(f"{until.isoformat()} is over; give a day to come, or none")
    if metric not in METRICS:
        raise NotPinned(f"{metric!r} is no metric; there are {', '.join(METRICS)}")
    if len(why) > MAX_WHY or not why.isprintable():
        raise NotPinned(f"the reason must be one line of at most {MAX_WHY} signs")
    found = await _find(database, sought)
    last = None if until is None else until.isoformat()
    made = []
    async with database.transaction() as transaction:
        for known in found:
            fixed = value if value is not None else await _merged(database, known, metric)
            made.append((known.account.id, Pin(metric, fixed, stamp(now), COMMAND, by, last, why)))
        await pins.put(transaction, made)
    return {"success": True, "pinned": [_answer(known, one) for known, (_, one) in zip(found, made, strict=True)]}


async def unpin(settings: Settings, sought: str, metric: str | None) -> dict[str, Any]:
    """Take back what the command has pinned of an account, of one metric or of all.

    A mark in a cell goes where it was typed.  Raises as `pin` does.
    """
    async with open_existing(settings.database.path, read_only=False) as database:
        return await unpin_in(database, sought, metric)


async def unpin_in(database: Database, sought: str, metric: str | None) -> dict[str, Any]:
    """The same in an open database."""
    found = await _find(database, sought)
    async with database.transaction() as transaction:
        gone = await pins.remove_commands(transaction, [known.account.id for known in found], metric)
    if not gone:
        what = f"the {metric} of {sought}" if metric else sought
        raise NotPinned(f"{what}: nothing is pinned by the command; a mark in a cell is taken out of the cell")
    return {"success": True, "accounts": [known.account.link for known in found], "unpinned": gone}


async def listed(settings: Settings) -> dict[str, Any]:
    """All pins, those of cells too.  Raises `DatabaseError` and `ConfigError`."""
    async with open_existing(settings.database.path, read_only=True) as database:
        return await listed_in(database)


async def listed_in(database: Database) -> dict[str, Any]:
    """The same in an open database."""
    return {"success": True, "pins": [one.answer() for one in await pins.everything(database)]}


async def _find(database: Database, sought: str) -> Sequence[KnownAccount]:
    """The accounts that are meant: one, or the same one in several projects."""
    found = await accounts.find(database, sought)
    if not found:
        raise UnknownAccount(f"no account matches {sought!r}; give its link, its id, or its name as @NAME")
    if len({identity(known.account.link) or known.account.id for known in found}) > 1:
        links = ", ".join(sorted(known.account.link for known in found)[:5])
        raise NotPinned(f"{sought!r} can mean several accounts: {links}; give the link")
    return found


async def _merged(database: Database, known: KnownAccount, metric: str) -> int:
    value = await pins.merged_value(database, known.account.id, metric)
    if value is None:
        raise NotPinned(f"{known.account.link} has no {metric} yet; give the value to pin")
    return value


def _answer(known: KnownAccount, pin: Pin) -> dict[str, Any]:
    return pins.PinnedAccount(known.account.id, known.account.link, known.project.id, known.project.name, pin).answer()


def user(uid: int) -> str:
    """Who a user id is, for people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"user {uid}"
