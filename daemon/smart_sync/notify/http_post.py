"""One HTTP request whose answer is its status: bounded in time, its body never read, redirects never followed."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from smart_sync.aio.http_client import UNREADABLE, NoClient, cause, new_client


class NotReached(Exception):
    """There was no answer; the message says why and holds neither URL nor secret."""


class NotConnected(NotReached):
    """There was not even a connection: nothing was sent."""


async def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    extensions: Mapping[str, Any] | None = None,
    proxied: bool = False,
    connect: float | None = None,
) -> int:
    """The status of the answer.  Raises `NotReached`; the caller bounds the time.

    ``proxied``: through the proxy of the environment, if it names one; ``connect``: seconds until there must be a
    connection.
    """
    try:
        # The import and the certificates take a tenth of a second, which the loop has not.
        client = await asyncio.to_thread(partial(new_client, proxied=proxied))
    except NoClient as error:
        raise NotReached(str(error)) from None
    import httpx2

    timeout = httpx2.Timeout(None, connect=connect)
    try:
        # A client of its own for each request: a connection is never shared by two host names of one address.
        async with (
            client,
            client.stream(
                method, url, headers=headers, content=content, extensions=dict(extensions or {}), timeout=timeout
            ) as answer,
        ):
            return answer.status_code
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise NotConnected(cause(error)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, *UNREADABLE) as error:
        raise NotReached(cause(error)) from None
