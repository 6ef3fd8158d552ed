"""The meaning of PostgreSQL's errors: by SQLSTATE, or else by the library's message."""

import re
from typing import TYPE_CHECKING

from smart_sync.core.trouble_codes import Code
from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.logs import redact
from smart_sync.store.engine import Busy, Down, Refused, StoreError, TooSlow, table_gone

if TYPE_CHECKING:
    import psycopg

_NO_TABLE = re.compile(r'"(?:[^".]+\.)?([^".]+)"')
_NOT_UNIQUE = "23505"
_CANCELLED = "57014"
_NO_FUNCTION = "42883"
_NO_CONNECTION = "53300"
#: What a pooler answers of its own.
_OF_POOLER = "08P01"
_BUSY = {"55P03", "40P01", "40001", _CANCELLED}
#: In place of an SQLSTATE: the library cannot read the address.
_NO_ADDRESS = "url"
#: Likewise: of the servers of the address, with target_session_attrs, none is the primary.
_NO_PRIMARY = "primary"
#: SQLSTATE, or how it begins → its code in docs/faq.md, and what it means.
_UNUSABLE: dict[str, tuple[Code, str]] = {
    _NO_ADDRESS: ("database-server", "{told}; correct [database] url"),
    "28": ("database-server", "its server refuses the user or the password; correct [database] url"),
    "3D000": (
        "database-server",
        "its server has no such database; create it with createdb, or correct [database] url",
    ),
    "42501": (
        "database-rights",
        (
            "a right is missing ({told}); as the database's owner, to the role of [database] url:"
            " GRANT CREATE, CONNECT ON DATABASE …; GRANT USAGE, CREATE ON SCHEMA …; GRANT SELECT, INSERT, UPDATE,"
            " DELETE ON ALL TABLES IN SCHEMA …"
        ),
    ),
    "25006": (
        "database-rights",
        "read-only, as a replica is; name the primary server in [database] url, or add target_session_attrs=read-write",
    ),
    "XX001": ("database-damaged", "the server reports damaged data ({told}); restore a backup"),
    "XX002": ("database-damaged", "the server reports a damaged index ({told}); REINDEX DATABASE, or restore a backup"),
}
_TROUBLED: dict[str, tuple[Code, str]] = {
    _NO_PRIMARY: (
        "database-server",
        "none of its servers takes writes now ({told}); the next pass goes on by itself, once one is the primary",
    ),
    "53100": ("disk-full", "the server's disk is full; free some space, the next pass writes what is missing"),
    _NO_CONNECTION: (
        "database-server",
        (
            "its server, or the pooler before it, has no connection left; raise max_connections (the pool's size: 10"
            " for each process of Smart Sync), or close some"
        ),
    ),
    "53": ("disk-full", "its server is short of something ({told})"),
    "58": ("database-damaged", "its server's disk refused ({told}); see the server's log"),
    "57P": ("database-server", "its server is shutting down or starting; the next pass goes on by itself"),
    "08": ("database-server", "the connection was lost; the next pass goes on by itself"),
}
#: What a connection fails with has no SQLSTATE.
_CONNECTING = (
    (r"password authentication failed|no password supplied|authentication failed|role .* does not exist|pg_hba", "28"),
    (r"database .* does not exist", "3D000"),
    (
        r"too many clients|too many connections|remaining connection slots|query_wait_timeout|no more connections",
        _NO_CONNECTION,
    ),
    (r"is starting up|is shutting down|in recovery mode", "57P"),
    (r"session is read-only|server is in hot standby mode", _NO_PRIMARY),
    (r"\bURI\b|invalid port number|invalid integer value|invalid \w+ value:", _NO_ADDRESS),
)


def translated(
    error: "psycopg.Error", name: str, *, broken: bool = False, limit: float = 0, code: str = ""
) -> StoreError:
    """``error`` as one of `engine`, for the database called ``name``; ``broken``: the connection is lost.

    ``limit``: the seconds that the statement had, where it is its own fault that they were not enough; ``code``: the
    SQLSTATE, where the library does not tell it.
    """
    from psycopg import InterfaceError, OperationalError

    message = _first_line(error)
    state = error.sqlstate or code
    if state in ("", _OF_POOLER):
        state = _guessed(message) or state
    if limit and state == _CANCELLED:
        message = f"no answer within {limit:g} s ({message})"
        return TooSlow(message, DatabaseError(f"{name}: {message}"))
    if state in _BUSY:
        held = "another session has held what is to be written for too long; find it in pg_stat_activity"
        return Busy(message, DatabaseError(f"{name}: {held}", trouble="database-locked"))
    for kind, known in ((DatabaseUnusable, _UNUSABLE), (DatabaseError, _TROUBLED)):
        for part in (state, state[:3], state[:2]):
            if part in known:
                trouble, meaning = known[part]
                return Down(message, kind(f"{name}: {meaning.format(told=message)}", trouble=trouble))
    if broken or (not state and isinstance(error, OperationalError | InterfaceError)):
        return Down(
            message,
            DatabaseError(
                f"{name}: its server cannot be reached ({message}); is it running, is url right?",
                trouble="database-server",
            ),
        )
    if state == "42P01" and (missing := _NO_TABLE.search(message)):
        return Refused(message, DatabaseError(f"{name}: {table_gone(missing[1])}", trouble="database-columns"))
    if state == _NO_FUNCTION:
        gone = f"{message}; if it is Smart Sync's, start it again: it makes what is missing"
        return Refused(message, DatabaseError(f"{name}: {gone}", trouble="database-columns"))
    return Refused(message, DatabaseError(f"{name}: {message}"))


def no_connection(message: str, name: str) -> Down:
    """The error for the database called ``name`` where another connection would be needed."""
    trouble, meaning = _TROUBLED[_NO_CONNECTION]
    return Down(message, DatabaseError(f"{name}: {meaning}", trouble=trouble))


def _first_line(error: Exception) -> str:
    """The error on one line, with the server's detail; without secrets and caret lines."""
    diag = getattr(error, "diag", None)
    message = getattr(diag, "message_primary", None) or " ".join(str(error).split())
    message = re.sub(r" Is the server running .*", "", message)
    constraint = getattr(diag, "constraint_name", None)
    column = getattr(diag, "column_name", None)
    place = f" (column {column})" if column and str(column) not in message else ""
    place = f" (constraint {constraint})" if constraint and str(constraint) not in message else place
    if getattr(error, "sqlstate", None) == _NOT_UNIQUE and (detail := getattr(diag, "message_detail", None)):
        place += f": {detail}"
    return redact(f"{message}{place}")[:500] or type(error).__name__


def _guessed(message: str) -> str:
    return next((state for pattern, state in _CONNECTING if re.search(pattern, message)), "")
