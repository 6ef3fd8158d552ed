"""A standby daemon: it answers at its socket, and takes over once the lease is free."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Self

from smart_sync.config import Settings
from smart_sync.control.request import Routes
from smart_sync.control.standby import Standby
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.service import systemd
from smart_sync.store.engine import StoreError
from smart_sync.store.postgres.lease import Lease
from smart_sync.store.schema import MIGRATIONS
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import first_error, standing_by

#: Seconds for which one that could not begin to lead leaves that to others.
RESTING = 5.0


class StandingBy(AsyncExitStack):
    """Use as ``async with``: inside, it can answer at any time while another daemon leads."""

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        announce: Reporter,
        reload: Callable[[], Awaitable[None]],
        started: float,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._lease = lease
        self._announce = announce
        self._reload = reload
        self._started = started
        self._before = ""

    async def __aenter__(self) -> Self:
        resources = await self.enter_async_context(standing_by(self._settings, self._announce))
        self._standby = Standby(resources, self._lease, self._reload, self._started)
        return self

    def routes(self) -> Routes:
        """Path → method → route, while another daemon leads."""
        return self._standby.routes()

    async def until_leading(self, ended: asyncio.Event) -> None:
        """Return when this daemon leads, or ``ended`` is set; log who leads meanwhile."""
        reported: tuple[str, int] | None = None
        while not (ended.is_set() or self._lease.held):
            news, seen = self._lease.news, (self._lease.leader, self._lease.outdated)
            if seen != reported:
                self._tell(*seen, newly_outdated=reported is None or reported[1] != seen[1])
                reported = seen
            await _wait_for_first(ended, self._lease.taken, news)

    def _tell(self, leader: str, outdated: int, *, newly_outdated: bool) -> None:
        self._before = leader or self._before
        if outdated and newly_outdated:
            self._announce("standby.outdated", version=outdated, known=len(MIGRATIONS), leader=leader or None)
        if leader:
            self._announce("standby.began", leader=leader)
        waits = f"its tables are newer (schema {outdated}); upgrade this one" if outdated else "standing by"
        systemd.notify(f"STATUS={waits}; {leader or 'nobody'} leads")

    @contextlib.contextmanager
    def leading(self, has_started: Callable[[], bool]) -> Iterator[None]:
        """Use around the time in which this daemon leads: logs its begin and its loss.

        A database that is in trouble only ends that time; before the daemon ``has_started``, or where it cannot be
        worked with at all, it is raised.
        """
        lease = self._lease
        self._announce("leader.taken", leader=lease.holder, before=self._before or None)
        self._before = lease.holder
        try:
            yield
        except Exception as error:
            trouble = _meaning(error)
            if trouble is None:
                raise
            if lease.held and (not has_started() or isinstance(trouble, DatabaseUnusable)):
                raise trouble from None
            self._announce("leader.lost", leader=lease.leader or None, reason=lease.reason or str(trouble))
        else:
            if not lease.held and lease.reason:
                self._announce("leader.lost", leader=lease.leader or None, reason=lease.reason)

    async def rest(self, ended: asyncio.Event) -> None:
        """After `leading`: if the lease is still held, and not for a reload, let another daemon take it."""
        if self._lease.held and not ended.is_set():
            await self._lease.give_back(RESTING)


def _meaning(error: Exception) -> DatabaseError | None:
    """The database error in ``error``, also inside groups; None for any other error."""
    if isinstance(error, ExceptionGroup) and error.split((DatabaseError, StoreError))[1] is not None:
        return None
    inner = first_error(error)
    meaning = inner.meaning if isinstance(inner, StoreError) else inner
    return meaning if isinstance(meaning, DatabaseError) else None


async def _wait_for_first(*events: asyncio.Event) -> None:
    """Wait until one of ``events`` is set."""
    waiting = {asyncio.create_task(event.wait(), name="standby:first") for event in events}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
