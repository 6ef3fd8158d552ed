"""A client of the control channel for Python programs: our own commands, a web app, a task queue.

`Client` is for coroutines, `request_sync` for everything else.  Each call is one connection.
"""

import asyncio
import socket as sockets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast, overload
from urllib.parse import urlencode

import h11

from smart_sync.aio.tasks import outside_of_loops
from smart_sync.core.answers import PassAnswer, ProjectAnswer, SyncAnswer
from smart_sync.core.daemon_answers import EventFields, StatusAnswer
from smart_sync.core.foreign_text import read_json, storable
from smart_sync.errors import DaemonNotRunning, SmartSyncError

#: Bridges the moment in which a daemon that reloads has no socket.
_RELOAD_SECONDS = 0.5
#: How long a full queue of other clients is waited for.
_BUSY_SECONDS = 30.0
_MAX_SAID = 1500
_PAUSE_SECONDS = 0.02
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_PIECE = 64 * 1024


class Client:
    """Sends requests to the daemon at ``socket``; ``timeout`` bounds each call (seconds), None waits for a pass to end.

    Every call raises `DaemonNotRunning` if nobody answers, and `SmartSyncError` for missing rights, a full
    queue, no answer in time, or a socket that is not Smart Sync's.
    """

    def __init__(self, socket: Path | str, *, timeout: float | None = None) -> None:
        self._path = str(socket)
        self._timeout = timeout

    async def request(self, method: str, target: str) -> tuple[int, dict[str, Any]]:
        """The status and JSON object that the daemon answers to ``method`` on ``target`` (path and query)."""
        status, body = await self._answered(method, target)
        return status, self._decoded(body)

    async def _answered(self, method: str, target: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._timeout), self._asked(method, target) as answer:
                status = await answer.status()
                body = bytearray()
                async for data in answer.data():
                    body += data
                    if len(body) > _MAX_ANSWER_BYTES:
                        raise self._foreign()
                return status, bytes(body)
        except TimeoutError:
            raise SmartSyncError(
                f"{self._path}: no answer within {self._timeout:g} s; see smart-sync status", trouble="control-socket"
            ) from None

    @overload
    async def sync(self, project_id: None = None, *, dry_run: bool = False) -> PassAnswer: ...

    @overload
    async def sync(self, project_id: str, *, dry_run: bool = False) -> ProjectAnswer: ...

    @overload
    async def sync(self, project_id: str | None, *, dry_run: bool = False) -> SyncAnswer: ...

    async def sync(self, project_id: str | None = None, *, dry_run: bool = False) -> SyncAnswer:
        """Run a pass over all projects, or one of them, and return the daemon's answer when it is done.

        The answer says ``success`` and, if that is false, ``error``; a pass may take minutes.
        """
        query: dict[str, str] = {}
        if project_id is not None:
            query["project_id"] = project_id
        if dry_run:
            query["dry_run"] = "true"
        _, answer = await self.request("POST", "/api/admin/smart_sync" + (f"?{urlencode(query)}" if query else ""))
        return cast("SyncAnswer", answer)

    async def status(self) -> StatusAnswer:
        """What the daemon is doing, its last pass and its next one.

        Raises `SmartSyncError` also when it cannot say: it is stopping, or cannot read its database just now.
        """
        code, answer = await self.request("GET", "/api/admin/sync_status")
        if code != 200:
            raise self._refused(code, answer)
        return cast("StatusAnswer", answer)

    async def metrics(self) -> str:
        """The metrics as OpenMetrics. Raises `SmartSyncError` also if the daemon has none."""
        code, body = await self._answered("GET", "/metrics")
        if code != 200:
            raise self._refused(code, self._decoded(body))
        if not body.endswith(b"# EOF\n"):
            raise self._foreign()
        return body.decode(errors="replace")

    async def events(self) -> AsyncGenerator[EventFields, None]:
        """The events of the passes as they happen, until the daemon stops; close it (`aclosing`) to leave earlier."""
        async with self.following() as events:
            async for event in events:
                yield event

    @asynccontextmanager
    async def following(self) -> AsyncIterator[AsyncIterator[EventFields]]:
        """`events`, entered once the daemon has agreed to send them."""
        async with self._asked("GET", "/api/admin/events") as answer:
            status, lines = await answer.status(), self._lines(answer)
            if status != 200:
                raise self._refused(status, await anext(lines, {}))
            yield lines

    async def _lines(self, answer: "_Answering") -> AsyncIterator[EventFields]:
        rest = b""
        async for data in answer.data():
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _MAX_ANSWER_BYTES:
                raise self._foreign()
            for line in lines:
                yield self._decoded(line)
        if rest:  # an answer that is no stream has no line end
            yield self._decoded(rest)

    @asynccontextmanager
    async def _asked(self, method: str, target: str) -> AsyncIterator["_Answering"]:
        connected = await self._connected()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            http = h11.Connection(h11.CLIENT)
            ask = h11.Request(method=method, target=target, headers=[("host", "smart-sync"), ("content-length", "0")])
            writer.write(http.send(ask) + http.send(h11.EndOfMessage()))
            yield _Answering(reader, http)
        except h11.RemoteProtocolError:
            raise self._foreign() from None
        except (ConnectionError, _CutOff):
            raise DaemonNotRunning(f"{self._path}: the daemon stopped before it answered; see its log") from None
        finally:
            writer.transport.abort()

    async def _connected(self) -> sockets.socket:
        """A connected socket. A full queue must be detected here: asyncio takes it for a connection."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            connecting = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
            try:
                connecting.setblocking(False)
                connecting.connect(self._path)
            except OSError as error:
                connecting.close()
                if loop.time() - start >= _patience(error):
                    raise self._explained(error) from None
            else:
                return connecting
            await asyncio.sleep(_PAUSE_SECONDS)

    def _explained(self, error: OSError) -> SmartSyncError:
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return DaemonNotRunning(f"{self._path}: the daemon is not running; start it with: smart-sync run")
        if isinstance(error, PermissionError):
            return SmartSyncError(
                f"{self._path}: permission denied; ask as root, or become a member of its group",
                trouble="control-socket",
            )
        if isinstance(error, BlockingIOError):
            return SmartSyncError(
                f"{self._path}: too many clients wait for the daemon; try again later", trouble="control-socket"
            )
        return SmartSyncError(
            f"{self._path}: cannot connect: {error.strerror or error}; check [control] socket", trouble="control-socket"
        )

    def _decoded(self, body: bytes) -> dict[str, Any]:
        try:
            decoded = read_json(body)
        except ValueError:
            raise self._foreign() from None
        if not isinstance(decoded, dict):
            raise self._foreign()
        return decoded

    def _refused(self, code: int, answer: dict[str, Any]) -> SmartSyncError:
        message = answer.get("error")
        return SmartSyncError(f"{self._path}: {_short(message) if isinstance(message, str) else code}")

    def _foreign(self) -> SmartSyncError:
        return SmartSyncError(
            f"{self._path}: what answers there is not Smart Sync; check [control] socket", trouble="control-socket"
        )


@overload
def request_sync(socket: Path | str, project_id: None = None, *, timeout: float | None = None) -> PassAnswer: ...


@overload
def request_sync(socket: Path | str, project_id: str, *, timeout: float | None = None) -> ProjectAnswer: ...


@overload
def request_sync(socket: Path | str, project_id: str | None, *, timeout: float | None = None) -> SyncAnswer: ...


def request_sync(socket: Path | str, project_id: str | None = None, *, timeout: float | None = None) -> SyncAnswer:
    """As `Client.sync`, blocking: for a task of a task queue, or a script.

    May be called where an event loop is running already, and blocks it.
    """
    return outside_of_loops(lambda: asyncio.run(Client(socket, timeout=timeout).sync(project_id)))


def _short(text: str) -> str:
    """The other side's text on one line: it may not be our daemon."""
    return " ".join(storable(text[:_MAX_SAID]).split())


def _patience(error: OSError) -> float:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return _RELOAD_SECONDS
    return _BUSY_SECONDS if isinstance(error, BlockingIOError) else 0.0


class _CutOff(Exception):
    """The other side closed the connection in the middle of a response."""


class _Answering:
    """A response as it arrives."""

    def __init__(self, reader: asyncio.StreamReader, http: h11.Connection) -> None:
        self._reader = reader
        self._http = http

    async def status(self) -> int:
        """The status code, as soon as it is known."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event.status_code

    async def data(self) -> AsyncIterator[bytes]:
        """The body, in pieces."""
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            yield bytes(cast(h11.Data, event).data)

    async def _event(self) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            received = await self._reader.read(_PIECE)
            if not received:
                raise _CutOff
            self._http.receive_data(received)
        return cast(h11.Event, event)
