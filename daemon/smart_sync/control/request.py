"""The control channel's data types: request, response, route, peer process, and the limits."""

import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

#: Python 3.11 does not name it; Linux does, since 4.13.
_SO_PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)
_CREDENTIALS = struct.Struct("iII")
#: The most that `socket.getsockopt` can take: 256 groups.
_GROUPS_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Peer:
    """A client's process, user, primary group and all its groups, at the time it connected."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int]


def process_of(connected: socket.socket) -> tuple[int, int]:
    """The pid and uid of the process that connected. Raises OSError if it has ended."""
    pid, uid, _ = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def peer_of(connected: socket.socket) -> Peer:
    """The process that connected, with its user and groups.

    A client whose further groups the kernel does not tell (over 256 of them) counts as a member of its
    primary group only: it may lose a right by that, never gain one.  Raises OSError if it is gone already.
    """
    pid, uid, gid = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        raw = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        raw = b""
    return Peer(pid, uid, gid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)}))


_AUTHORITY = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request. ``path`` is as sent, ``query`` decoded; ``body`` may be empty."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    peer: Peer


@dataclass(frozen=True, slots=True)
class Response:
    """One JSON object with an HTTP status; ``text``, if any, is sent instead, as OpenMetrics."""

    status: int
    body: Mapping[str, object]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """JSON lines with status 200, until ``lines`` ends, the client leaves, or the server stops."""

    lines: AsyncIterator[Mapping[str, object]]

    async def close(self) -> None:
        """Tell the source of the lines that nobody reads them any more."""
        if close := getattr(self.lines, "aclose", None):
            await close()


@dataclass(frozen=True, slots=True)
class Route:
    """The handler for a method; ``mutates``: only for root, the daemon's user and members of the socket's group."""

    handler: Callable[[Request], Awaitable[Response | Stream]]
    mutates: bool = False


#: Path → method → route.
Routes = Mapping[str, Mapping[str, Route]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for each client and for all together. Times in seconds, sizes in bytes."""

    #: Of the request line and the headers together.
    head_bytes: int = 16 * 1024
    #: Of a body, which is read to be refused.
    body_bytes: int = 64 * 1024
    #: From the first byte of a request to the last of its body.
    request_seconds: float = 10.0
    #: Without a byte, before the first request or between two.
    idle_seconds: float = 30.0
    #: Until a client takes the next part of its answer.
    stall_seconds: float = 10.0
    #: While stopping: for a handler to finish by itself, and for a client to take its answer.
    grace_seconds: float = 1.0
    #: How long a silent client keeps its connection while others wait for one.
    patience_seconds: float = 1.0
    #: Served at once: a pass holds all its callers, and `status` must still get in.
    connections: int = 1200
    #: Accepted beyond those, until there is a place; of more, the process that has most clients loses its newest.
    waiting: int = 1200
    #: Of the connections, for streams, which stay; more are answered 503.
    streams: int = 64


DEFAULT_LIMITS = Limits()


class Refusal(Exception):
    """The request gets an error response: the client must change it."""

    def __init__(self, status: int, error: str, *, allow: str = "") -> None:
        super().__init__(error)
        self.status = status
        #: The methods that would do, for a 405.
        self.allow = allow


def failure(status: int, error: str) -> Response:
    """The JSON of every error."""
    return Response(status, {"success": False, "error": error})


def parse_target(target: str) -> tuple[str, dict[str, str]]:
    """The path and decoded query of a request target. Raises `Refusal` 400 if it is ambiguous."""
    path, _, query = _AUTHORITY.sub("", target, count=1).partition("?")
    if not path.startswith("/"):
        raise Refusal(400, "the request target must be a path, such as /healthz")
    if _BAD_PERCENT.search(query):
        raise Refusal(400, "the query holds a % that is not followed by two hexadecimal digits")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=32)
    except ValueError:
        raise Refusal(400, "the query must be key=value pairs in UTF-8, joined by &") from None
    if len(dict(pairs)) != len(pairs):
        raise Refusal(400, "the query holds a key twice")
    return path, dict(pairs)


def option(request: Request, name: str) -> str | None:
    """An option of a request, None if it is absent. Raises `Refusal` if it is empty."""
    value = request.query.get(name)
    if value == "":
        raise Refusal(400, f"{name} is empty")
    return value


def refuse_unknown_options(request: Request, *known: str) -> None:
    """Raise `Refusal` for an unknown option or a body, so that a misspelt option is not ignored."""
    if request.body:
        raise Refusal(400, "this endpoint takes no body; options go behind a ? in its address")
    unknown = sorted(set(request.query) - set(known))
    if unknown:
        raise Refusal(400, f"unknown option: {', '.join(unknown)}")
