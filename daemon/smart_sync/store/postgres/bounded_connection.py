"""Connections of psycopg with a time limit for every answer: for a halted server, or a dead network link.

A server ends a statement itself after its ``statement_timeout``.  One that is halted does not, nor does one behind a
line into which everything vanishes while its other end still acknowledges what arrives, so that TCP's own limits
(keepalives, ``tcp_user_timeout``) never fire.  Cancelling is no way out either: psycopg then asks the server to cancel,
and waits for it once more.
"""

import asyncio
import contextlib
import os
import socket
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: Seconds that an answer may take on its way, beyond the time that the server has for it.
OVERDUE = 30.0


def shut(connection: "AsyncConnection[Any]") -> None:
    """End the line without a word to the server, which may not answer: what waits for it fails.  Never raises."""
    import psycopg

    # A connection that has been closed meanwhile has no descriptor any more.
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def bounded_connection(milliseconds: str) -> "type[AsyncConnection[Any]]":
    """The class of connections whose server ends a statement after so many ``milliseconds``, "" or "0" if never."""
    return _bounded(int(milliseconds or 0) / 1000 + OVERDUE)


@cache
def _bounded(seconds: float) -> "type[AsyncConnection[Any]]":
    import psycopg

    class Bounded(psycopg.AsyncConnection[Any]):
        async def wait(self, *arguments: Any, **options: Any) -> Any:
            timer = asyncio.get_running_loop().call_later(seconds, shut, self)
            try:
                return await super().wait(*arguments, **options)
            finally:
                timer.cancel()

    return Bounded
