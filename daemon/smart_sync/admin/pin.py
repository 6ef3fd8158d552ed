"""``smart-sync pin``, ``unpin`` and ``pins``: a person fixes a value.

A daemon may be at work: each is one short transaction beside its own, and the next pass goes by it.
"""

import os
from datetime import datetime

from smart_sync.config import Settings
from smart_sync.core.days import day_of, stamp
from smart_sync.core.explain_answer import PinnedNow, PinsAnswer, Unpinned
from smart_sync.store import pin_requests
from smart_sync.store.pin_requests import PinRequest
from smart_sync.store.schema import open_existing


async def pin(settings: Settings, asked: PinRequest, now: datetime) -> PinnedNow:
    """Pin what is asked for, in the name of the user who runs this.

    Raises `NotPinned`, `DatabaseError` and `ConfigError`.
    """
    today = day_of(now, settings.schedule.timezone).label
    async with open_existing(settings.database.where, read_only=False) as database:
        return await pin_requests.pin(database, asked, pin_requests.person(os.getuid()), stamp(now), today)


async def unpin(settings: Settings, sought: str, metric: str | None) -> Unpinned:
    """Take back what was pinned of an account by the command, of one metric or of all.  Raises as `pin` does."""
    async with open_existing(settings.database.where, read_only=False) as database:
        return await pin_requests.unpin(database, sought, metric)


async def listed(settings: Settings) -> PinsAnswer:
    """All pins, those of cells too.  Raises `DatabaseError` and `ConfigError`."""
    async with open_existing(settings.database.where, read_only=True) as database:
        return await pin_requests.listed(database)
