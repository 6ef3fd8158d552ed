"""Who is at the other end of a Unix socket, as the kernel knows it: nothing a client sends can change it."""

import socket
import struct
from dataclasses import dataclass

#: Python 3.11 does not name it; Linux does, since 4.13.
_SO_PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)
_CREDENTIALS = struct.Struct("iII")
#: The most that `socket.getsockopt` can take: 256 groups.
_GROUPS_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Peer:
    """A client's process, user, primary group and all its groups, at the moment it connected."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int]


def process_of(connected: socket.socket) -> tuple[int, int]:
    """Which process of which user connected: pid and uid.  Raises OSError if it is gone already."""
    pid, uid, _ = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def peer_of(connected: socket.socket) -> Peer:
    """Who connected.

    A client whose further groups the kernel does not tell (over 256 of them) counts as a member of its
    primary group only: it may lose a right by that, never gain one.  Raises OSError if it is gone already.
    """
    pid, uid, gid = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        raw = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        raw = b""
    return Peer(pid, uid, gid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)}))
