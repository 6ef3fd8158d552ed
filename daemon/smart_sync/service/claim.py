"""How a daemon holds its database across reloads: a lock for an SQLite file, a lease on a server."""

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smart_sync.aio.tasks import BackgroundTasks, until_tick
from smart_sync.config.database_url import Location, Server
from smart_sync.store.instance_lock import InstanceLock
from smart_sync.store.schema import MIGRATIONS

if TYPE_CHECKING:
    from smart_sync.store.postgres.lease import Lease

#: Seconds between two looks whether others see the lock.
LOOK_SECONDS = 10.0


class Claim:
    """Use as ``async with``.  ``lease`` is None for an SQLite file, which has one daemon."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._instance = InstanceLock(daemon=True)
        self._stack = AsyncExitStack()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._instance.release()
        await self._let_go()

    async def take(self, where: Location) -> None:
        """Hold the database at ``where`` instead of the current one, or wait behind its leader.

        Raises `Busy` for a file that another instance holds, and other `SmartSyncError`; goes on with the old one then.
        """
        if isinstance(where, Path):
            self._instance.take(where)
            await self._let_go()
        elif where != self._server:
            await self._take_lease(where)

    async def stay(self) -> None:
        """Lock the file again whenever its lock file was removed, until cancelled.

        Raises `Busy` if another instance has begun to work there meanwhile.
        """
        while True:
            await until_tick(LOOK_SECONDS)
            self._instance.renew()

    async def _take_lease(self, server: Server) -> None:
        from smart_sync.store.postgres.lease import DAEMON, Lease

        if self._server is not None and self._server.url == server.url:
            await self._let_go()  # it would wait for itself
        lease = Lease(server, DAEMON, len(MIGRATIONS))
        try:
            await lease.attempt()
        except BaseException:
            await lease.give_back()
            raise
        await self._let_go()
        self._instance.release()
        self._stack.push_async_callback(lease.give_back)
        await self._stack.enter_async_context(BackgroundTasks({"service:lease": lease.run}))
        self.lease, self._server = lease, server

    async def _let_go(self) -> None:
        self.lease = self._server = None
        await self._stack.aclose()
