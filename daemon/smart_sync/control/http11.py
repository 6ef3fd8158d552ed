"""HTTP/1.1 on one connection: strict about what comes in, plain about what goes out.

h11 parses what a client sends.  Some of what it forgives can be read in two ways by two programs (bare line feeds,
folded lines, two lengths), which is how requests are smuggled past a proxy: that is refused before h11 sees it.
What we send ourselves is a handful of plain headers, and written out here: h11 took twice as long for them as for
the request.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

import h11

from smart_sync.control.request import Limits, Refusal

_PIECE = 16 * 1024
_JSON = json.JSONEncoder(allow_nan=False)
_FRAMING = re.compile(rb"^(content-length|transfer-encoding):[ \t]*(.*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)


def encode(value: Mapping[str, object]) -> bytes:
    """One line of JSON in ASCII: nothing in it can drive a terminal.  Raises TypeError or ValueError."""
    return _JSON.encode(value).encode() + b"\n"


class Http11:
    """Reads requests from ``reader`` and turns answers into bytes; knows whether another request may follow."""

    def __init__(self, reader: asyncio.StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._length = 0
        self._last = False
        #: HTTP/1.0 has no chunks: there, the end of the connection ends a stream.
        self._chunks = True
        #: The request at hand is a HEAD: its answer has no body.
        self.bodiless = False
        #: An answer can still be sent for the request at hand.
        self.unanswered = True

    async def first_byte(self) -> bytes:
        """The byte that a request begins with; empty when the client has no further request."""
        return await self._reader.read(1)

    async def head(self, first: bytes) -> h11.Request:
        """The rest of a request's head.  Raises `Refusal` 400, 413 or 431: nothing more can be read then."""
        raw = await self._line(first)
        while not raw.endswith(b"\r\n\r\n") and raw != b"\r\n":
            line = await self._line()
            if line[:1] in (b" ", b"\t"):
                raise Refusal(400, "a header line must not begin with a space")
            raw += line
            if len(raw) > self._limits.head_bytes:
                raise self._too_long()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        self._http.receive_data(raw)
        request = self._next()
        if not isinstance(request, h11.Request):
            raise Refusal(400, "no request line")
        self.bodiless, self._chunks = request.method == b"HEAD", request.http_version == b"1.1"
        self._check_framing(raw, request)
        return request

    def interim(self) -> bytes:
        """What a client must be told before it sends the body."""
        return b"HTTP/1.1 100 Continue\r\n\r\n" if self._http.they_are_waiting_for_100_continue else b""

    async def body(self) -> bytes:
        """The request's body.  Raises `Refusal` 400 or 413."""
        body = b""
        while True:
            event = self._next()
            if isinstance(event, h11.EndOfMessage):
                # The client wants no second answer on this connection, or speaks HTTP/1.0.
                self._last = self._last or self._http.their_state is h11.MUST_CLOSE
                return body
            if isinstance(event, h11.Data):
                body += event.data
                self._check_size(len(body))
            else:
                # Never beyond this body: what follows it is the next head, and checked as such.
                self._http.receive_data(await self._reader.read(self._length - len(body) if self._length else _PIECE))

    def answer(
        self, status: int, body: bytes, *, allow: str = "", last: bool = False, media_type: str = "application/json"
    ) -> bytes:
        """The bytes of a whole answer; ``last``: the connection is closed after it."""
        self._last = self._last or last
        more = f"allow: {allow}\r\n" if allow else ""
        head = self._head(status, f"content-type: {media_type}\r\ncontent-length: {len(body)}\r\n{more}")
        return head if self.bodiless else head + body

    def stream_head(self) -> bytes:
        """The bytes before a stream's first line."""
        self._last = True
        more = "transfer-encoding: chunked\r\n" if self._chunks else ""
        return self._head(200, f"content-type: application/x-ndjson\r\n{more}")

    def stream_line(self, line: bytes) -> bytes:
        """The bytes of one line of a stream."""
        return b"%x\r\n%b\r\n" % (len(line), line) if self._chunks else line

    def stream_end(self) -> bytes:
        """The bytes that tell a client that the stream is complete; none if the request was a HEAD."""
        return b"0\r\n\r\n" if self._chunks and not self.bodiless else b""

    def next_request(self) -> bool:
        """Make ready for another request on this connection; False if there may be none."""
        self.bodiless, self.unanswered = False, not self._last
        return self.unanswered

    async def discard(self) -> None:
        """Read and forget until the client has nothing more to say."""
        while await self._reader.read(_PIECE):
            pass

    async def _line(self, first: bytes = b"") -> bytes:
        try:
            line = first + await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise self._too_long() from None
        except asyncio.IncompleteReadError:
            raise Refusal(400, "the request ended in its head") from None
        if not line.endswith(b"\r\n") or first == b"\n":
            raise Refusal(400, "a line must end with CR LF")
        return line

    def _too_long(self) -> Refusal:
        return Refusal(431, f"the request's head is longer than {self._limits.head_bytes} bytes")

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise Refusal(400, f"not valid HTTP/1.1: {error}") from None

    def _check_framing(self, raw: bytes, request: h11.Request) -> None:
        """The body's length must be said once, in one way."""
        if request.http_version not in (b"1.0", b"1.1"):
            raise Refusal(400, "only HTTP/1.1 is spoken here")
        said = [(name.lower(), value) for name, value in _FRAMING.findall(raw)]
        if len(said) > 1 or any(b"," in value for _, value in said):
            raise Refusal(400, "the request says its length more than once")
        self._length = 0
        for name, value in said:
            if name == b"content-length":
                self._length = int(value)
                self._check_size(self._length)
            elif request.http_version == b"1.0":
                raise Refusal(400, "HTTP/1.0 has no transfer-encoding")
            else:
                # Whatever could be read in two ways in the chunks, no further request is read after them.
                self._last = True

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise Refusal(413, f"the request's body is longer than {self._limits.body_bytes} bytes")

    def _head(self, status: int, headers: str) -> bytes:
        """The status line, the ``headers`` (each with its line end) and those that every answer has."""
        self.unanswered = False
        close = "connection: close\r\n" if self._last else ""
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"cache-control: no-store\r\ndate: {formatdate(usegmt=True)}\r\n{headers}{close}\r\n"
        ).encode()
