"""The control channel's server: HTTP/1.1 over a Unix socket, for routes that are handed in.

`serve` opens the socket and holds a bounded number of clients; `connection` talks to one of them,
`wire` knows HTTP, `socket_file` the file, `peer` who asks.
"""

import asyncio
import os
import resource
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from smart_sync.control import socket_file
from smart_sync.control.connection import Connection
from smart_sync.control.peer import Peer, process_of
from smart_sync.control.request import (
    DEFAULT_LIMITS,
    Limits,
    Refusal,
    Request,
    Response,
    Route,
    Routes,
    Stream,
    failure,
)
from smart_sync.logs import emit

__all__ = ["Limits", "Peer", "Refusal", "Request", "Response", "Route", "Routes", "Stream", "failure", "serve"]

#: A process by pid and uid.
_Process = tuple[int, int]
#: One place in so many is kept for processes that hold few.
_RESERVED = 16
#: Clients accepted in one go, before those already here get their turn.
_BURST = 64
_RETRY_SECONDS = 1.0
_MAX_DENIED = 1000


@asynccontextmanager
async def serve(
    path: Path, routes: Routes, *, mode: int = 0o660, group: str = "", limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[None]:
    """Answer at ``path`` inside the block; on leaving it: no new clients, an answer for those that wait, then closed.

    Mutating routes are for root, this process's user and members of the socket's group; others get 403.
    Raises `SocketUnusable` at the start; a bug in a handler answers 500, cancels the block and is raised
    from it in an ExceptionGroup.  The block's own exceptions come out as they are.
    """
    listener = await socket_file.listen(path, mode=mode, group=group)
    failed: Exception | None = None
    try:
        async with asyncio.TaskGroup() as clients:
            server = _Server(listener, routes, limits, clients)
            server.open_door()
            try:
                emit("control.listening", socket=str(path), mode=f"{mode:04o}", gid=listener.gid)
                yield
            except Exception as error:
                failed = error
            finally:
                await server.leave()
    finally:
        listener.unlink()
        listener.socket.close()
    if failed is not None:
        raise failed


class _Server:
    """Accepts clients, holds at most so many of them, and knows who may ask for what."""

    def __init__(
        self, listener: socket_file.Listener, routes: Routes, limits: Limits, group: asyncio.TaskGroup
    ) -> None:
        self._listener = listener
        self._routes = routes
        self._limits = limits
        self._group = group
        self._loop = asyncio.get_running_loop()
        #: Half the descriptors are for the rest of the daemon.
        self._places = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        #: The last places are for processes that hold few: one process alone never takes all.
        self._reserved = self._places // _RESERVED
        self._max_waiting = min(limits.waiting, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._clients: dict[Connection, asyncio.Task[None]] = {}
        #: How many places each process holds, and its connections that wait for one.
        self._held: Counter[_Process] = Counter()
        self._waiting: dict[_Process, deque[socket.socket]] = {}
        self._crowded = False
        self._count = 0
        self._denied: set[int] = set()
        self._open = False
        self._knock = self._loop.call_later(0, self._resume)

    def open_door(self) -> None:
        """Accept connections."""
        self._open = True
        self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    async def leave(self) -> None:
        """No new clients; everyone who is here, or in the queue already, gets an answer.  Bounded by the limits."""
        self._listener.unlink()
        if self._open:
            self._close_door()
            for _ in range(self._places):
                if not self._accept_one():
                    break
        self._listener.socket.close()
        for process, line in self._waiting.items():
            for connected in line:
                if len(self._clients) < self._places:
                    self._welcome(connected, process)
                else:
                    connected.close()
        self._waiting.clear()
        for connection in self._clients:
            connection.leave()
        if self._clients:
            await asyncio.wait(list(self._clients.values()))

    def _close_door(self) -> None:
        self._open = False
        self._knock.cancel()
        self._loop.remove_reader(self._listener.socket.fileno())

    def _pause(self, seconds: float) -> None:
        """Let the kernel's queue wait for ``seconds``."""
        self._loop.remove_reader(self._listener.socket.fileno())
        self._knock.cancel()
        self._knock = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    def _accept(self) -> None:
        """Accept who comes, at once: in the kernel's queue an honest client would stand behind all of a rude one's."""
        for _ in range(_BURST):
            if not self._accept_one():
                break

    def _accept_one(self) -> bool:
        try:
            connected, _ = self._listener.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:  # no descriptors, no memory: the queue keeps until there are some
            emit("control.exhausted", reason=error.strerror)
            self._pause(_RETRY_SECONDS)
            return False
        try:
            process = process_of(connected)
        except OSError:  # it is gone already
            connected.close()
            return True
        if self._has_place(process) and process not in self._waiting:
            self._welcome(connected, process)
        else:
            self._queue(connected, process)
        return True

    def _has_place(self, process: _Process) -> bool:
        free = self._places - len(self._clients)
        return free > self._reserved or (free > 0 and self._held[process] < self._reserved)

    def _queue(self, connected: socket.socket, process: _Process) -> None:
        self._waiting.setdefault(process, deque()).append(connected)
        if sum(map(len, self._waiting.values())) > self._max_waiting:
            most = max(self._waiting, key=lambda one: len(self._waiting[one]))
            self._next_of(most, newest=True).close()
        if not self._crowded:
            self._make_room()

    def _next_of(self, process: _Process, *, newest: bool = False) -> socket.socket:
        line = self._waiting[process]
        connected = line.pop() if newest else line.popleft()
        if not line:
            del self._waiting[process]
        return connected

    def _admit(self) -> None:
        """Give the free places to those who wait: to the processes that hold the fewest first."""
        while self._open and self._waiting:
            process = min(self._waiting, key=lambda one: self._held[one])
            if not self._has_place(process):
                return
            self._welcome(self._next_of(process), process)

    def _make_room(self) -> None:
        """While others wait for a place, silence has little time."""
        self._crowded = bool(self._waiting) and self._open
        if self._crowded:
            for connection in self._clients:
                connection.give_way()
            self._loop.call_later(self._limits.patience_seconds, self._make_room)

    def _welcome(self, connected: socket.socket, process: _Process) -> None:
        self._count += 1
        self._held[process] += 1
        connection = Connection(connected, self._handle, self._limits)
        task = self._group.create_task(connection.run(), name=f"control:client-{self._count}")
        self._clients[connection] = task
        task.add_done_callback(lambda ended: self._left(connection, process, ended))

    def _left(self, connection: Connection, process: _Process, task: asyncio.Task[None]) -> None:
        connection.drop()  # here: a task that is cancelled before it begins never runs
        del self._clients[connection]
        self._held[process] -= 1
        if not self._held[process]:
            del self._held[process]
        if self._open and not task.cancelled() and task.exception() is not None:
            self._close_door()  # a bug: the group ends, and takes no new tasks
        self._admit()

    async def _handle(self, request: Request) -> Response | Stream:
        route = self._route(request)
        if route.mutates:
            self._allow(request)
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
            allow = ", ".join(_allowed(methods))
            raise Refusal(405, f"this endpoint has other methods: {allow}", allow=allow)
        return route

    def _allow(self, request: Request) -> None:
        """Whether the kernel's word about the client is enough for a change.  Raises `Refusal` 403."""
        peer, gid = request.peer, self._listener.gid
        who: dict[str, Any] = {"method": request.method, "path": request.path, "pid": peer.pid, "uid": peer.uid}
        if peer.uid in (0, os.geteuid()) or gid in peer.groups:
            emit("control.requested", **who)
            return
        if peer.uid not in self._denied and len(self._denied) < _MAX_DENIED:
            self._denied.add(peer.uid)
            emit("control.denied", **who)
        raise Refusal(403, f"only root, the daemon's user and members of group {gid} may do this")


def _allowed(methods: Iterable[str]) -> list[str]:
    return sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
