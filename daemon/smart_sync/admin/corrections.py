"""``smart-sync pin``, ``unpin``, ``pins`` and ``snapshots repair``: a person sets a value.

A daemon may be running: each is one short transaction of its own, and the next pass uses its result.
"""

import os
from collections.abc import Mapping
from datetime import date, datetime

from smart_sync.config import Settings
from smart_sync.core.command_answers import RepairedAnswer
from smart_sync.core.days import day_of, stamp
from smart_sync.core.explain_answer import PinnedNow, PinsAnswer, Unpinned
from smart_sync.core.model import METRICS
from smart_sync.errors import SmartSyncError
from smart_sync.report.explain import UnknownAccount
from smart_sync.store import accounts, growth_rows, pin_rows, snapshots
from smart_sync.store.clock_changes import day_at
from smart_sync.store.pin_rows import PinRequest
from smart_sync.store.schema import open_existing


async def pin(settings: Settings, request: PinRequest, now: datetime) -> PinnedNow:
    """Pin the requested value in the name of the user who runs this.

    Raises `NotPinned`, `DatabaseError` and `ConfigError`.
    """
    today = day_of(now, settings.schedule.timezone).label
    async with open_existing(settings.database.where, read_only=False) as database:
        return await pin_rows.pin(database, request, pin_rows.person(os.getuid()), stamp(now), today)


async def unpin(settings: Settings, wanted: str, metric: str | None) -> Unpinned:
    """Remove the pins that the command set on an account, for one metric or all. Raises as `pin` does."""
    async with open_existing(settings.database.where, read_only=False) as database:
        return await pin_rows.unpin(database, wanted, metric)


async def list_pins(settings: Settings) -> PinsAnswer:
    """List all pins, including those in cells. Raises `DatabaseError` and `ConfigError`."""
    async with open_existing(settings.database.where, read_only=True) as database:
        return await pin_rows.list_pins(database)


class NothingToRepair(SmartSyncError):
    """There is no snapshot of ours to correct, or it has these values already."""


async def repair(
    settings: Settings, wanted: str, day: date, values: Mapping[str, int], now: datetime
) -> RepairedAnswer:
    """Set the ``values`` (counts by metric) of our snapshot of a past ``day``.

    Days are those of the time zone that the database was last opened with, as on every screen.

    A daemon may be at work: this is one short transaction of its own.  Raises `NothingToRepair`, `UnknownAccount`
    and `DatabaseError`.
    """
    label = day.isoformat()
    async with open_existing(settings.database.where, read_only=False) as database:
        if label >= await day_at(database, stamp(now)):
            raise NothingToRepair(
                f"{label} is not over: its snapshot follows the passes; correct the cell, or what the parser reads"
            )
        matches = await accounts.find(database, wanted)
        if not matches:
            raise UnknownAccount(wanted)
        if len(matches) > 1:
            ids = ", ".join(known.account.id for known in matches)
            raise NothingToRepair(f"{wanted!r} means several accounts; give the id of one: {ids}")
        account = matches[0].account
        async with database.transaction() as transaction:
            changes = await snapshots.repair(transaction, account.id, label, values, stamp(now))
        if changes is None:
            raise NothingToRepair(f"{account.link}: Smart Sync has written no snapshot of {label}")
        if not changes:
            raise NothingToRepair(f"{account.link}: the snapshot of {label} has these values already")
        days = await growth_rows.newest_days(database, matches[0].row_id, METRICS)
        shown = {row["day"]: row for row in days}
    counts = all(shown.get(label, {}).get(metric) == new for metric, (_, new) in changes.items())
    return {
        "success": True,
        "account_id": account.id,
        "link": account.link,
        "day": label,
        "changes": {metric: {"old": old, "new": new} for metric, (old, new) in changes.items()},
        "counts": counts,
    }
