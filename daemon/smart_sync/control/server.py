"""The control channel's server: HTTP/1.1 over a Unix socket, for the routes it is given.

`serve` opens the socket and holds a bounded number of clients; `connection` talks to one of them,
`http11` knows HTTP, `socket_file` the file, `request` the process at the other end.
"""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from smart_sync.aio.tasks import until_tick
from smart_sync.control import socket_file
from smart_sync.control.connection import Connection
from smart_sync.control.request import (
    DEFAULT_LIMITS,
    Limits,
    Refusal,
    Request,
    Response,
    Route,
    Routes,
    Stream,
    process_of,
)
from smart_sync.errors import SocketUnusable
from smart_sync.logs import emit

#: A process by pid and uid.
_Process = tuple[int, int]
#: One place in so many no process takes from the others.
_RESERVED = 16
#: Clients accepted in one turn of the event loop, before those already here get theirs.
_BURST = 16
#: Turns in which asyncio has accepted all that the kernel's queue can hold, and has handed it over.
_TURNS = socket_file.BACKLOG // _BURST + 4
#: Seconds until asyncio tries again where there are no descriptors.
_RETRY_SECONDS = 1.0
_MAX_DENIED = 1000
#: Seconds between two looks whether clients find the socket; with those of `service.claim`, the process wakes up once.
LOOK_SECONDS = 10.0


@asynccontextmanager
async def serve(
    path: Path, routes: Routes, *, mode: int = 0o660, group: str = "", limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[None]:
    """Serve ``path`` inside the block; on leaving: no new clients, waiting ones get a response, then it closes.

    Mutating routes are for root, this process's user and members of the socket's group; others get 403.
    Raises `SocketUnusable` at the start; a bug in a handler answers 500, cancels the block and is raised
    from it in an ExceptionGroup.  The block's own exceptions come out as they are.
    """
    listen = partial(socket_file.listen, path, mode=mode, group=group)
    listener = await listen()
    failed: Exception | None = None
    try:
        async with asyncio.TaskGroup() as clients:
            server = AccessServer(listener, routes, limits, clients)
            await server.open()
            staying = clients.create_task(server.stay(listen), name="control:file")
            try:
                emit("control.listening", socket=str(path), mode=f"{mode:04o}", gid=listener.gid)
                yield
            except Exception as error:
                failed = error
            finally:
                staying.cancel()
                await server.leave()
                listener = server.listener
    finally:
        listener.unlink()
        listener.socket.close()
    if failed is not None:
        raise failed


class AccessServer:
    """Serves a limited number of clients, lets others wait, and checks their permissions."""

    def __init__(
        self, listener: socket_file.Listener, routes: Routes, limits: Limits, group: asyncio.TaskGroup
    ) -> None:
        self.listener = listener
        self._routes = routes
        self._limits = limits
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._handler_before = self._loop.get_exception_handler()
        # Half the descriptors are for the rest of the daemon.
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        places = min(limits.connections, descriptors // 2)
        self._most = places + min(limits.waiting, descriptors // 4)
        self._places = asyncio.Semaphore(places)
        #: The last places are for others: what one process may hold.
        self._share = places - places // _RESERVED
        self._shares: dict[_Process, asyncio.Semaphore] = {}
        self._clients: dict[Connection, asyncio.Task[None]] = {}
        #: The clients of each process, in order, and how many of all wait for a place.
        self._clients_of: dict[_Process, list[asyncio.Task[None]]] = {}
        self._waiting = 0
        self._count = 0
        self._denied: set[int] = set()
        self._open = self._leaving = False
        self._exhausted_until = 0.0
        self._server: asyncio.Server

    async def open(self) -> None:
        """Accept connections."""
        self._open = True
        self._loop.set_exception_handler(self._tell_of_exhaustion)
        self._server = await asyncio.start_unix_server(
            self._accept, sock=self.listener.socket, limit=self._limits.head_bytes, backlog=_BURST
        )
        self.listener.socket.listen(socket_file.BACKLOG)  # asyncio has one number for both

    async def stay(self, listen: Callable[[], Awaitable[socket_file.Listener]]) -> None:
        """Listen again, until cancelled, if the socket's file was removed (by a tmp cleaner, say)."""
        refused = ""
        while True:
            await until_tick(LOOK_SECONDS)
            if self.listener.is_there():
                refused = ""
                continue
            try:
                listener = await listen()
            except SocketUnusable as error:
                if str(error) != refused:
                    refused = str(error)
                    emit("control.lost", socket=str(self.listener.path), reason=refused)
                continue
            self._server.close()
            self.listener = listener
            emit("control.lost", socket=str(listener.path), reason="the file was removed; it was made anew")
            await self.open()

    async def leave(self) -> None:
        """Take no new clients; connected and queued ones get a response. Bounded by the limits."""
        self.listener.unlink()
        self._leaving = True
        for connection in self._clients:
            connection.leave()
        await asyncio.sleep(self._exhausted_until - self._loop.time())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._open = False
        self._server.close()
        for places in (self._places, *self._shares.values()):
            for _ in self._clients:
                places.release()
        if self._clients:
            await asyncio.wait(list(self._clients.values()))
        self._loop.set_exception_handler(self._handler_before)

    def _tell_of_exhaustion(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report once that file descriptors ran out: asyncio only tells the loop's exception handler, many times."""
        at, error = context.get("socket"), context.get("exception")
        if at is None or at.fileno() != self.listener.socket.fileno() or not isinstance(error, OSError):
            (self._handler_before or type(loop).default_exception_handler)(loop, context)
        elif loop.time() >= self._exhausted_until:
            self._exhausted_until = loop.time() + _RETRY_SECONDS
            emit("control.exhausted", reason=error.strerror)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        process = self._admit(writer)
        if process is None:
            writer.transport.abort()
            return
        self._count += 1
        connection = Connection(reader, writer, self._handle, self._limits)
        connection.crowd(crowded=self._waiting > 0)
        if self._leaving:
            connection.leave()
        task = self._group.create_task(self._serve(connection, process), name=f"control:client-{self._count}")
        self._clients[connection] = task
        self._clients_of.setdefault(process, []).append(task)
        task.add_done_callback(lambda ended: self.client_left(connection, process, ended))

    def _admit(self, writer: asyncio.StreamWriter) -> _Process | None:
        """The client's process if it may come in or wait; if too many wait, the process with most loses its newest."""
        try:
            process = process_of(writer.get_extra_info("socket"))
        except OSError:  # it is gone already
            return None
        if len(self._clients) >= self._most:
            most = max(self._clients_of, key=lambda one: len(self._clients_of[one]))
            if process == most:
                return None
            self._clients_of[most][-1].cancel()
        return process if self._open else None

    async def _serve(self, connection: Connection, process: _Process) -> None:
        share = self._shares.setdefault(process, asyncio.Semaphore(self._share))
        async with self._place(share), self._place(self._places):
            await connection.run()

    @asynccontextmanager
    async def _place(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        """One of ``places``; while a client waits for it, idle ones are disconnected."""
        if places.locked():
            self._count_waiting(1)
            try:
                await places.acquire()
            finally:
                self._count_waiting(-1)
        else:
            await places.acquire()
        try:
            yield
        finally:
            places.release()

    def _count_waiting(self, more: int) -> None:
        before = self._waiting
        self._waiting += more
        if not (before and self._waiting):
            for connection in self._clients:
                connection.crowd(crowded=self._waiting > 0)

    def client_left(self, connection: Connection, process: _Process, task: asyncio.Task[None]) -> None:
        """Forget a client whose task has ended."""
        connection.drop()  # here: a task that is cancelled before it begins never runs
        del self._clients[connection]
        self._clients_of[process].remove(task)
        if not self._clients_of[process]:
            del self._clients_of[process]
            self._shares.pop(process, None)
        if not task.cancelled() and task.exception() is not None:
            self._open = False  # a bug: the group ends, and takes no new tasks

    async def _handle(self, request: Request) -> Response | Stream:
        route = self._route(request)
        if route.mutates:
            self.check_allowed(request)
        reply = await route.handler(request)
        if isinstance(reply, Stream) and sum(one.streaming for one in self._clients) >= self._limits.streams:
            await reply.close()
            raise Refusal(503, f"{self._limits.streams} clients have a stream already; end one of them")
        return reply

    def _route(self, request: Request) -> Route:
        methods = self._routes.get(request.path)
        if methods is None:
            raise Refusal(404, "no such endpoint")
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            allow = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
            raise Refusal(405, f"this endpoint has other methods: {allow}", allow=allow)
        return route

    def check_allowed(self, request: Request) -> None:
        """Check that the peer may change things, by the kernel's credentials. Raises `Refusal` 403."""
        peer, gid = request.peer, self.listener.gid
        who: dict[str, Any] = {"method": request.method, "path": request.path, "pid": peer.pid, "uid": peer.uid}
        if peer.uid in (0, os.geteuid()) or gid in peer.groups:
            emit("control.requested", **who)
            return
        if peer.uid not in self._denied and len(self._denied) < _MAX_DENIED:
            self._denied.add(peer.uid)
            emit("control.denied", **who)
        raise Refusal(403, f"only root, the daemon's user and members of group {gid} may do this")
