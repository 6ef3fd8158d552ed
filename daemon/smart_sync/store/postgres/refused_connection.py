"""The SQLSTATE with which a server refuses a connection.

The library gives only the server's words, which are in the server's language.  The code stands in the answer itself,
which the library writes down when it is to trace what it sends and gets: in memory here, for a password is part of it.
"""

import asyncio
import contextlib
import os
import re
import select
import time
from functools import lru_cache

#: What the library says where the server has answered: ``connection to server at … failed: FATAL:  …``.
_ANSWERED = re.compile(r"failed: [^\s:]+:\s")
_CODE = re.compile(rb'\tErrorResponse\t.*? C "(\w{5})"')


async def code_of(url: str, message: str, seconds: float) -> str:
    """The SQLSTATE of the refusal that the library has told as ``message``; "" if there is none.

    The server is asked again, for so many ``seconds`` at most, but once for each message.
    """
    if not _ANSWERED.search(message):
        return ""
    return await asyncio.to_thread(_asked_again, url, message, seconds)


@lru_cache(maxsize=16)
def _asked_again(url: str, message: str, seconds: float) -> str:
    from psycopg import Error, pq

    ends = time.monotonic() + seconds
    with contextlib.suppress(Error, OSError, AttributeError), os.fdopen(os.memfd_create("trace"), "rb") as traced:
        connection = pq.PGconn.connect_start(url.encode())
        connection.trace(traced.fileno())
        reading, writing = pq.PollingStatus.READING, pq.PollingStatus.WRITING
        status: int = writing
        while status in (reading, writing) and (left := ends - time.monotonic()) > 0 and connection.socket >= 0:
            place = [connection.socket]
            select.select(place if status == reading else [], place if status == writing else [], [], left)
            status = connection.connect_poll()
        connection.untrace()
        connection.finish()
        traced.seek(0)
        codes = _CODE.findall(traced.read())
        return codes[-1].decode() if codes else ""
    return ""
