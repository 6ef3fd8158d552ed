"""HTTP/1.1 on one connection, by h11 in both directions, with strict parsing of requests.

Some of what h11 forgives can be read in two ways by two programs (bare line feeds, folded lines, two lengths), which is
how requests are smuggled past a proxy: that is refused before h11 sees it.
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
    """One line of ASCII JSON, without terminal control characters. Raises TypeError or ValueError."""
    return _JSON.encode(value).encode() + b"\n"


class Http11:
    """Reads requests from ``reader`` and encodes responses; knows whether another request may follow."""

    def __init__(self, reader: asyncio.StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._length = 0
        self._last = False
        #: The request at hand is a HEAD: its answer has no body.
        self.bodiless = False

    @property
    def unanswered(self) -> bool:
        """Whether the current request can still get a response."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    async def first_byte(self) -> bytes:
        """The first byte of a request; empty when the client sends no further request."""
        return await self._reader.read(1)

    async def head(self, first: bytes) -> h11.Request:
        """Read the rest of a request's head. Raises `Refusal` 400, 413 or 431: nothing more can be read then."""
        raw = await self._line(first)
        while not raw.endswith(b"\r\n\r\n") and raw != b"\r\n":
            line = await self._line()
            if line[:1] in (b" ", b"\t"):
                raise Refusal(400, "a header line must not begin with a space")
            raw += line
            if len(raw) > self._limits.head_bytes:
                raise self._too_long()
        self._http.receive_data(raw)
        request = self._next()
        if not isinstance(request, h11.Request):
            raise Refusal(400, "no request line")
        self.bodiless = request.method == b"HEAD"
        self.check_framing(raw, request)
        return request

    def interim(self) -> bytes:
        """The interim response (100 Continue) that a client waits for before it sends the body."""
        if not self._http.they_are_waiting_for_100_continue:
            return b""
        return self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue")) or b""

    async def body(self) -> bytes:
        """Read the request's body. Raises `Refusal` 400 or 413."""
        body = b""
        while not isinstance(event := self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                body += event.data
                self._check_size(len(body))
            else:
                # Never beyond this body: what follows it is the next head, and checked as such.
                self._http.receive_data(await self._reader.read(self._length - len(body) if self._length else _PIECE))
        return body

    def answer(
        self, status: int, body: bytes, *, allow: str = "", last: bool = False, media_type: str = "application/json"
    ) -> bytes:
        """The bytes of a whole response; ``last``: the connection is closed after it."""
        self._last = self._last or last
        headers = [("content-type", media_type), ("content-length", str(len(body)))]
        head = self._head(status, [*headers, ("allow", allow)] if allow else headers)
        return head + (b"" if self.bodiless else self._sent(h11.Data(data=body))) + self._sent(h11.EndOfMessage())

    def stream_head(self) -> bytes:
        """The head of a stream; its framing depends on the client's HTTP version."""
        self._last = True
        return self._head(200, [("content-type", "application/x-ndjson")])

    def stream_line(self, line: bytes) -> bytes:
        """The bytes of one line of a stream."""
        return self._sent(h11.Data(data=line))

    def stream_end(self) -> bytes:
        """The bytes that mark the end of a stream."""
        return self._sent(h11.EndOfMessage())

    def next_request(self) -> bool:
        """Prepare for another request on this connection; False if there may be none."""
        if self._last or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self.bodiless = False
        return True

    async def discard(self) -> None:
        """Read and discard until the client sends no more."""
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

    def check_framing(self, raw: bytes, request: h11.Request) -> None:
        """Require exactly one definition of the body's length."""
        if request.http_version not in (b"1.0", b"1.1"):
            raise Refusal(400, "only HTTP/1.1 is spoken here")
        framing = [(name.lower(), value) for name, value in _FRAMING.findall(raw)]
        if len(framing) > 1 or any(b"," in value for _, value in framing):
            raise Refusal(400, "the request says its length more than once")
        self._length = 0
        for name, value in framing:
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

    def _head(self, status: int, headers: list[tuple[str, str]]) -> bytes:
        """The status line, ``headers``, and the headers of every response."""
        headers += [("cache-control", "no-store"), ("date", formatdate(usegmt=True))]
        if self._last:
            headers.append(("connection", "close"))
        return self._sent(h11.Response(status_code=status, reason=HTTPStatus(status).phrase, headers=headers))

    def _sent(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""
