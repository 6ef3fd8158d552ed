"""The control channel's server: HTTP/1.1 over a Unix socket, for routes that are handed in.

`serve` opens the socket and holds a bounded number of clients; `conversation` talks to one of them,
`wire` knows HTTP, `socket_file` the file, `peer` who asks.
"""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from smart_sync.control import socket_file
from smart_sync.control.conversation import Conversation
from smart_sync.control.messages import (
    DEFAULT_LIMITS,
    Answer,
    Limits,
    Refusal,
    Request,
    Route,
    Routes,
    Stream,
    failure,
)
from smart_sync.control.peer import Peer
from smart_sync.logs import emit

__all__ = ["Answer", "Limits", "Peer", "Refusal", "Request", "Route", "Routes", "Stream", "failure", "serve"]

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
        self._clients: dict[Conversation, asyncio.Task[None]] = {}
        self._count = 0
        self._denied: set[int] = set()
        self._open = False
        self._knock = self._loop.call_later(0, self._resume)

    def open_door(self) -> None:
        """Accept whoever comes."""
        self._open = True
        self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    async def leave(self) -> None:
        """No new clients; everyone who is here, or in the queue already, gets an answer.  Bounded by the limits."""
        self._listener.unlink()
        if self._open:
            self._close_door()
            while len(self._clients) < self._places and self._accept_one():
                pass
        self._listener.socket.close()
        for conversation in self._clients:
            conversation.leave()
        if self._clients:
            await asyncio.wait(list(self._clients.values()))

    def _close_door(self) -> None:
        self._open = False
        self._knock.cancel()
        self._loop.remove_reader(self._listener.socket.fileno())

    def _pause(self, seconds: float) -> None:
        """Let the kernel's queue wait, until a client leaves or ``seconds`` have passed."""
        self._loop.remove_reader(self._listener.socket.fileno())
        self._knock.cancel()
        self._knock = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    def _accept(self) -> None:
        """Somebody is at the door: let in as many as there are places for."""
        places = self._places - len(self._clients)
        if places <= 0:
            self._make_room()
        for _ in range(min(_BURST, places)):
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
        self._welcome(connected)
        return True

    def _make_room(self) -> None:
        """While others wait for a place, silence has little time."""
        self._pause(self._limits.patience_seconds)
        for conversation in self._clients:
            conversation.give_way()

    def _welcome(self, connected: socket.socket) -> None:
        self._count += 1
        conversation = Conversation(connected, self._handle, self._limits)
        task = self._group.create_task(conversation.run(), name=f"control:client-{self._count}")
        self._clients[conversation] = task
        task.add_done_callback(lambda ended: self._left(conversation, ended))

    def _left(self, conversation: Conversation, task: asyncio.Task[None]) -> None:
        conversation.drop()  # here: a task that is cancelled before it begins never runs
        del self._clients[conversation]
        if self._open and not task.cancelled() and task.exception() is not None:
            self._close_door()  # a bug: the group ends, and takes no new tasks
        self._resume()

    async def _handle(self, request: Request) -> Answer | Stream:
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
