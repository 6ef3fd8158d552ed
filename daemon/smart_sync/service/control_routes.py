"""The daemon's control socket, which stays open while the daemon switches between leader and standby."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from smart_sync.config import ControlSettings
from smart_sync.control.request import Route, Routes
from smart_sync.control.server import serve


class ControlRoutes(AsyncExitStack):
    """Use as ``async with``; ``ended`` is set when the daemon stops or reloads."""

    def __init__(self, settings: ControlSettings, ended: asyncio.Event) -> None:
        super().__init__()
        self._settings = settings
        self._ended = ended
        #: Path → method → route: those of the daemon's part at the moment.
        self._routes: dict[str, dict[str, Route]] = {}
        self._is_open = False

    @asynccontextmanager
    async def answering(self, routes: Routes) -> AsyncIterator[None]:
        """Answer by ``routes`` from now on, opening the socket if needed.

        At the end of the block it is closed, and who waits is answered, if the daemon has ended or by an error; else
        it goes on with these until the next.
        """
        self._routes.update({path: dict(methods) for path, methods in routes.items()})
        if not self._is_open:
            settings = self._settings
            await self.enter_async_context(
                serve(settings.socket, self._routes, mode=settings.mode, group=settings.group)
            )
            self._is_open = True
        try:
            yield
        except BaseException:
            self._is_open = False
            if not await self.__aexit__(*sys.exc_info()):
                raise
        else:
            if self._ended.is_set():
                self._is_open = False
                await self.aclose()
