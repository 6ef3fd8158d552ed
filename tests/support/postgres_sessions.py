"""Sessions of a PostgreSQL server that are kept from one pass to the next, as PgBouncer keeps them for a web app.

A new session costs the server more than all the statements of a small pass: it knows nothing yet of the tables.
"""

import select
from collections import defaultdict
from typing import Any

import psycopg
from psycopg import pq

_connect = psycopg.AsyncConnection.connect
#: Sessions of one address that are kept at most: a pass has fewer at a time.
_MOST = 8


class Sessions:
    """`connect` takes the place of `psycopg.AsyncConnection.connect`; what it gives comes back where it is closed.

    A session that comes back is as new: without settings, locks, prepared statements, and what it listened to.
    """

    #: psycopg gives the connection of a pool with this back, in place of closing it.
    close_returns = True

    def __init__(self) -> None:
        #: Address → the server's process of the web app's session, which goes on as well.
        self.beside: dict[str, int] = {}
        self._kept: defaultdict[str, list[pq.abc.PGconn]] = defaultdict(list)

    async def connect(self, conninfo: str, **options: Any) -> "psycopg.AsyncConnection[Any]":
        """A session that was given back, or a new one."""
        kept = self._kept[conninfo]
        while kept:
            session = kept.pop()
            if not select.select([session.socket], [], [], 0)[0]:
                connection = psycopg.AsyncConnection[Any](session)
                connection._autocommit = bool(options["autocommit"])
                connection.cursor_factory = options["cursor_factory"]
                break
            session.finish()  # the server has ended it
        else:
            connection = await _connect(conninfo, **options)
        setattr(connection, "_pool", self)  # noqa: B010  as psycopg_pool does
        setattr(connection, "_address", conninfo)  # noqa: B010
        return connection

    async def putconn(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        """Keep the session of a connection that is not in use any more; the connection is closed."""
        session, connection.pgconn = connection.pgconn, pq.PGconn()
        kept = self._kept[str(vars(connection)["_address"])]
        is_idle = session.status == pq.ConnStatus.OK and session.transaction_status == pq.TransactionStatus.IDLE
        if is_idle and len(kept) < _MOST and session.exec_(b"DISCARD ALL").status == pq.ExecStatus.COMMAND_OK:
            session.notice_handler = session.notify_handler = None
            kept.append(session)
        else:
            session.finish()

    def processes(self, conninfo: str) -> list[int]:
        """The server's processes of the sessions that are kept for an address."""
        beside = self.beside.get(conninfo)
        return [session.backend_pid for session in self._kept[conninfo]] + ([beside] if beside is not None else [])

    def close(self, conninfo: str) -> None:
        """End those that are kept for an address."""
        self.beside.pop(conninfo, None)
        for session in self._kept.pop(conninfo, ()):
            session.finish()


#: Those of this process.
KEPT = Sessions()
