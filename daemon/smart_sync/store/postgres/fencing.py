"""Leases on resources: held for some seconds by the server's clock, with a token that rises with each holder.

What writes locks the row against the next holder (KEY SHARE) until it has committed, and finds none once the token is
another: so the late write of one that was thought dead is refused, whatever it believes.  (An advisory lock is held as
long as its session lives: a process that is halted, or cut off, keeps it for ever.)
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from smart_sync.errors import NotLeading
from smart_sync.store.engine import Lost, StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: The resource that an instance holds which runs passes.
LEADER = "leader"
#: What is told through NOTIFY: that something has changed hands, or waits to be done.
CHANNEL = "smart_sync"
TABLE = "smart_sync_leases"

# By its name as well: a replica that takes over may have lost the last of its rows, and gives the same token again.
_HELD = "resource = ? AND token = ? AND holder = ?"
CHECK = f"SELECT 1 FROM {TABLE} WHERE {_HELD} FOR KEY SHARE"
MAKE = (
    "CREATE TABLE IF NOT EXISTS {table} (resource TEXT PRIMARY KEY, token BIGINT NOT NULL, holder TEXT NOT NULL,"
    " kind TEXT NOT NULL, expires_at TIMESTAMP WITH TIME ZONE NOT NULL)"
)
ADD = (
    "INSERT INTO {table} (resource, token, holder, kind, expires_at) VALUES (?, 0, '', '', clock_timestamp())"
    " ON CONFLICT (resource) DO NOTHING"
)
#: No lease is for more than an hour (``[database] takeover``): the server's clock was set back.
_SET_BACK = "expires_at > clock_timestamp() + interval '3610 seconds'"
HAS_TABLES = f"SELECT num_nulls(to_regclass('smart_sync_schema'), to_regclass('{TABLE}')) = 0"
#: The writer holds the row of the schema, so that Smart Sync's transactions never run side by side, and leaves a mark
#: in a row of its own.
TURN = (
    f"INSERT INTO {TABLE} (resource, token, holder, kind, expires_at)"
    " SELECT ?, ?, '', 'commit', clock_timestamp() + interval '1 day' FROM (SELECT FROM smart_sync_schema FOR UPDATE) s"
    " ON CONFLICT (resource) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at"
)
#: Waits for a transaction that has not ended yet.  (`pg_xact_status` would not do: a server that was killed may give a
#: number again whose transaction it has lost.)
MARK = (
    f"INSERT INTO {TABLE} (resource, token, holder, kind, expires_at)"
    " VALUES (?, 0, '', 'commit', clock_timestamp() + interval '1 day')"
    f" ON CONFLICT (resource) DO UPDATE SET token = {TABLE}.token RETURNING token"
)
#: The marks of processes that have long ended.
CLEAN = "DELETE FROM {table} WHERE kind = 'commit' AND expires_at < clock_timestamp()"
LOOK = (
    f"SELECT token, holder, kind, CAST(expires_at AS TEXT), CASE WHEN {_SET_BACK} THEN 0"
    " ELSE CAST(extract(epoch FROM expires_at - clock_timestamp()) AS double precision) END"
    " FROM {table} WHERE resource = ?"
)
_UNTIL = "clock_timestamp() + make_interval(secs => CAST(? AS double precision))"
#: Only if it has not changed since it was seen to be over: one that is still renewed is not taken.
TAKE = (
    f"UPDATE {{table}} SET token = token + 1, holder = ?, kind = ?, expires_at = {_UNTIL} WHERE resource ="
    " (SELECT resource FROM {table} WHERE resource = ? AND token = ? AND CAST(expires_at AS TEXT) = ?"
    " FOR UPDATE SKIP LOCKED)"
    " RETURNING token"
)
RENEW = f"UPDATE {{table}} SET expires_at = {_UNTIL} WHERE {_HELD} RETURNING 1"
GIVE_BACK = (
    f"WITH given AS (UPDATE {{table}} SET holder = '', expires_at = clock_timestamp() WHERE {_HELD}"
    f" RETURNING 1) SELECT pg_notify('{CHANNEL}', '') FROM given"
)
END_SESSION = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = ? AND datname = current_database() AND pid <> pg_backend_pid()"
)

#: While the server waits for the rest of a statement no timeout counts: one that is halted there would keep its locks.
#: (The session of one that has led is ended by the next who leads; a migration is long at one COPY.)
END_HALTED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'smart-sync%'"
    " AND application_name NOT LIKE 'smart-sync leader %' AND datname = current_database() AND state = 'active'"
    " AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - make_interval(secs => ?)"
)


class Watched:
    """Another's lease as seen by one that waits: over once the seconds left have passed on its own clock too.

    A server whose clock was set back would let the lease of one that is dead last for as much longer.
    """

    def __init__(self) -> None:
        self._seen: tuple[object, ...] = ()
        self._until = 0.0

    def left(self, seen: tuple[object, ...], left: float) -> float:
        """The seconds left of a lease that has ``left`` by the server's clock; a renewal changes ``seen``.

        Negative once it is over.
        """
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._until = seen, now + left
        return min(left, self._until - now)


class Fence(Protocol):
    """A check before each write transaction of a process that may have been replaced by another."""

    #: Called when it is lost, with the error for those that still use it.
    ends: list[Callable[[StoreError], None]]

    def session(self, schema: str) -> dict[str, str]:
        """The settings of the writing session."""

    def require_held(self) -> None:
        """Raise `Lost` unless the lease is held, as far as this process knows."""

    async def check(self, connection: "AsyncConnection[Any]") -> None:
        """Raise `Lost` unless the lease is held, and will be until the open transaction has ended."""


def lost(reason: str) -> Lost:
    """The error of a process that writes after losing its lease."""
    return Lost(reason, NotLeading(f"this instance no longer leads: {reason}; the next one that leads goes on"))


def session_name(schema: str, token: int) -> str:
    """The name of the session that writes with the leader's ``token``."""
    return f"smart-sync leader {token} {schema}"[:63]
