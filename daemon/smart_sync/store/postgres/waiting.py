"""A server asked from outside of any event loop: is the database free, and by which days does it go."""

import time
from typing import TYPE_CHECKING, Any

from smart_sync.config.database_url import Server
from smart_sync.errors import Busy, DatabaseUnusable
from smart_sync.store.postgres.server_connection import CONNECTING, demand_library
from smart_sync.store.postgres.sqlstates import translated

if TYPE_CHECKING:
    import psycopg

#: Seconds between two tries of a caller that waits.
_PAUSE_SECONDS = 0.2
#: Whether an instance has the database to itself, as long as its connection for writing lives.
CLAIM = "pg_try_advisory_lock(hashtextextended('smart-sync ' || current_schema(), 0))"
_HOLDER = """
SELECT a.pid, a.client_addr FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('smart-sync ' || current_schema(), 0)
"""


def wait_until_free(server: Server, patience: float) -> None:
    """Return once no other instance has the database; raises `Busy` if one has it for ``patience`` seconds more."""
    ends = time.monotonic() + patience
    with _connected(server) as connection:
        while not connection.execute(f"SELECT {CLAIM}").fetchall()[0][0]:
            if time.monotonic() >= ends:
                raise busy(server, connection.execute(_HOLDER).fetchall())
            time.sleep(_PAUSE_SECONDS)


def asked(server: Server, sql: str) -> list[Any]:
    """The rows of a query; none where it cannot be answered."""
    import psycopg

    try:
        with _connected(server) as connection:
            return connection.execute(sql).fetchall()
    except (psycopg.Error, DatabaseUnusable):
        return []


def busy(server: Server, holders: list[Any]) -> Busy:
    """What an instance is told that comes second."""
    who = f" (server process {holders[0][0]}, from {holders[0][1] or 'this machine'})" if holders else ""
    return Busy(f"{server}: another instance{who} holds the database; stop it, or ask it with: smart-sync sync")


def _connected(server: Server) -> "psycopg.Connection[Any]":
    demand_library()
    import psycopg

    try:
        return psycopg.connect(
            server.url.get_secret_value(),
            autocommit=True,
            connect_timeout=CONNECTING,
            application_name="smart-sync",
        )
    except psycopg.Error as error:
        raise translated(error, server.name, broken=True).meaning from None
