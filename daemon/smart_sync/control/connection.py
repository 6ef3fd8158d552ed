"""One client's connection: every wait is bounded, and each request gets a response."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto

from smart_sync.control.http11 import Http11, encode
from smart_sync.control.request import Limits, Peer, Refusal, Request, Response, Stream, failure, parse_target, peer_of
from smart_sync.core.results.openmetrics import MEDIA_TYPE
from smart_sync.errors import SmartSyncError

_STOPPING = failure(503, "the daemon is stopping; ask again when it runs")
_BUG = failure(500, "internal error; the daemon's log has the details")
_PIECE = 64 * 1024
#: Answers in one go to a client that has sent many requests at once; then others get their turn.
_BURST = 16


class _Wait(Enum):
    """What a connection is waiting for, or waited for last."""

    IDLE = auto()
    REQUEST = auto()
    HANDLER = auto()
    LINE = auto()
    CLIENT = auto()


class Connection:
    """Serves the client at the other end of ``reader`` and ``writer``, and owns both.

    ``handle`` answers requests; it raises `Refusal` or `SmartSyncError` for answers 4xx and 503.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Callable[[Request], Awaitable[Response | Stream]],
        limits: Limits,
    ) -> None:
        self._writer = writer
        self._handle = handle
        self._limits = limits
        self._wire = Http11(reader, limits)
        #: Others wait for a place: silence has little time.
        self._crowded = False
        self._leaving = False
        self._gone = False
        #: From now on this client is sent a stream.
        self.streaming = False
        self._answered = 0
        self._wait: _Wait | None = None
        self._since = 0.0
        self._timeout = asyncio.timeout(None)
        self._bug: Exception | None = None

    async def run(self) -> None:
        """Answer requests until either side ends the connection; call `drop` afterwards in any case.

        Raises whatever bug a handler had, after answering 500.
        """
        with suppress(OSError):  # the client is gone, or takes nothing: there is nobody to tell
            self._peer: Peer = peer_of(self._writer.get_extra_info("socket"))
            await self._converse()
        if self._bug is not None:
            raise self._bug

    def drop(self) -> None:
        """Close the socket at once."""
        self._writer.transport.abort()

    def leave(self) -> None:
        """End soon: a response in progress has a short grace period, streams and idle connections have none."""
        self._leaving = True
        idle = self._wait is _Wait.LINE or (self._wait is _Wait.IDLE and self._answered)
        self._hurry(0 if idle else self._limits.grace_seconds)

    def crowd(self, *, crowded: bool) -> None:
        """Tell whether others wait for a place: then an idle client is disconnected after a moment."""
        self._crowded = crowded
        if crowded and self._wait in (_Wait.IDLE, _Wait.REQUEST):
            elapsed = asyncio.get_running_loop().time() - self._since
            self._hurry(max(0.0, self._limits.patience_seconds - elapsed))

    def _hurry(self, seconds: float) -> None:
        if self._wait is None:
            return
        soon = asyncio.get_running_loop().time() + seconds
        when = self._timeout.when()
        if not self._timeout.expired() and (when is None or soon < when):
            with suppress(RuntimeError):  # the wait is over already, and the next one knows that we leave
                self._timeout.reschedule(soon)

    def bounded(self, wait: _Wait, seconds: float | None) -> asyncio.Timeout:
        """Bound a wait, so that it can also be cut short from outside; never nested."""
        if self._leaving:
            seconds = min(self._limits.grace_seconds, seconds if seconds is not None else float("inf"))
        if self._crowded and seconds is not None and wait in (_Wait.IDLE, _Wait.REQUEST):
            seconds = min(self._limits.patience_seconds, seconds)
        self._wait, self._since = wait, asyncio.get_running_loop().time()
        self._timeout = asyncio.timeout(seconds)
        return self._timeout

    async def _converse(self) -> None:
        while await self._exchange():
            self._answered += 1
            if self._answered % _BURST == 0:
                await asyncio.sleep(0)
        self._writer.close()
        async with self.bounded(_Wait.CLIENT, self._limits.stall_seconds):
            await self._writer.wait_closed()

    async def _exchange(self) -> bool:
        """Serve one request; False if no other can follow."""
        try:
            request = await self._receive()
        except Refusal as refusal:
            await self._send_answer(failure(refusal.status, str(refusal)), last=True)
            if refusal.status not in (408, 503):  # those had their time
                await self._linger()
            return False
        if request is None:
            return False
        try:
            reply = await self._reply(request)
        except Refusal as refusal:
            await self._send_answer(failure(refusal.status, str(refusal)), allow=refusal.allow)
        else:
            await (self._send_stream(reply) if isinstance(reply, Stream) else self._send_answer(reply))
        return self._bug is None and not self._leaving and self._wire.next_request()

    async def _receive(self) -> Request | None:
        """The next request; None if there is none. Raises `Refusal` for an invalid one."""
        try:
            async with self.bounded(_Wait.IDLE, self._limits.idle_seconds):
                first = await self._wire.first_byte()
        except TimeoutError:
            return None
        if not first:
            return None
        try:
            async with self.bounded(_Wait.REQUEST, self._limits.request_seconds):
                head = await self._wire.head(first)
                self._writer.write(self._wire.interim())
                body = await self._wire.body()
        except TimeoutError:
            raise self._too_slow() from None
        path, query = parse_target(head.target.decode())
        return Request(head.method.decode(), path, query, body, self._peer)

    def _too_slow(self) -> Refusal:
        if self._leaving:
            return Refusal(_STOPPING.status, str(_STOPPING.body["error"]))
        return Refusal(408, "the request did not arrive in time")

    async def _reply(self, request: Request) -> Response | Stream:
        if self._leaving:
            return _STOPPING
        try:
            async with self.bounded(_Wait.HANDLER, None) as timeout:
                return await self._handle(request)
        except Refusal:
            raise
        except SmartSyncError as error:
            return failure(503, str(error))
        except asyncio.CancelledError:
            self._say_stopping()
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and timeout.expired():
                return _STOPPING
            self._bug = error
            return _BUG

    def _say_stopping(self) -> None:
        """Send the last bytes to a client that is cut off, as far as the kernel takes them without waiting."""
        if self._wire.unanswered:
            self._writer.write(self._wire.answer(_STOPPING.status, encode(_STOPPING.body), last=True))

    async def _write(self, data: bytes) -> None:
        """Write in chunks, so that a slow reader is served and a stalled one is not."""
        for start in range(0, len(data), _PIECE):
            self._writer.write(data[start : start + _PIECE])
            if not self._writer.transport.get_write_buffer_size():
                continue  # the kernel has taken it all
            async with self.bounded(_Wait.CLIENT, self._limits.stall_seconds):
                await self._writer.drain()

    async def _send_answer(self, answer: Response, *, allow: str = "", last: bool = False) -> None:
        try:
            body = answer.text.encode() or encode(answer.body)
        except (TypeError, ValueError) as error:
            self._bug, answer, body = error, _BUG, encode(_BUG.body)
        last = last or self._leaving or self._bug is not None
        media_type = MEDIA_TYPE if answer.text else "application/json"
        await self._write(self._wire.answer(answer.status, body, allow=allow, last=last, media_type=media_type))

    async def _linger(self) -> None:
        """Read from a refused client for a moment, so that it sees the response before the connection closes."""
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with self.bounded(_Wait.REQUEST, self._limits.grace_seconds):
                await self._wire.discard()

    async def _send_stream(self, stream: Stream) -> None:
        self.streaming = True
        watch = asyncio.create_task(self._notice_leaving(), name=f"{_task_name()}:watch")
        try:
            await self._write(self._wire.stream_head())
            while (line := await self._next_line(stream)) is not None:
                await self._write(self._wire.stream_line(line))
            if self._bug is None:  # a stream without an end tells the client that it is incomplete
                await self._write(self._wire.stream_end())
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            await self._close_lines(stream)

    async def _next_line(self, stream: Stream) -> bytes | None:
        """The stream's next line; None when the stream is over, for any reason."""
        if self._leaving or self._gone or self._wire.bodiless:
            return None
        try:
            async with self.bounded(_Wait.LINE, None) as timeout:
                line = await anext(stream.lines, None)
            return None if line is None else encode(line)
        except SmartSyncError as error:
            return encode(failure(503, str(error)).body)
        except Exception as error:
            if not (isinstance(error, TimeoutError) and timeout.expired()):
                self._bug = error
            return None

    async def _close_lines(self, stream: Stream) -> None:
        try:
            await stream.close()
        except Exception as error:
            self._bug = self._bug or error

    async def _notice_leaving(self) -> None:
        """Return when the client has closed its side of a stream; data it sends is ignored."""
        with suppress(OSError):
            await self._wire.discard()
        self._gone = True
        if self._wait is _Wait.LINE:
            self._hurry(0)


def _task_name() -> str:
    task = asyncio.current_task()
    return task.get_name() if task else ""
