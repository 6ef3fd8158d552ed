"""One bare HTTP request, for webhooks and ping: returns its status; the body is unread, redirects are not followed.

And to which addresses it may go: public ones, so that no URL reaches into the machine or its network.  Knows nothing of
messages and signatures (`notify.sender`).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from smart_sync.aio.http_client import UNREADABLE, NoClient, cause, new_client


class NotReached(Exception):
    """There was no response; the message says why, without URL or secret."""


class NotConnected(NotReached):
    """There was no connection: nothing was sent."""


async def request_status(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    extensions: Mapping[str, Any] | None = None,
    proxied: bool = False,
    connect: float | None = None,
) -> int:
    """The status of the response. Raises `NotReached`; the caller bounds the time.

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


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Every address of a host name, as text.  Raises `OSError` if there is none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """The host has an address that the configuration forbids; the message names it and the remedy."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses by the system's resolver, which also accepts odd notations (``0x7f.1``). Raises `OSError`."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def is_public(address: str) -> bool:
    """Whether ``address`` is reachable from the whole internet. Raises `ValueError` if it is no address."""
    ip = _mapped_ipv4(ipaddress.ip_address(address))
    # In addition to is_global, because Python's registry of special addresses is as old as Python is.
    odd = ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local or ip.is_unspecified
    return ip.is_global and not odd and not getattr(ip, "is_site_local", False)


def _mapped_ipv4(ip: IPAddress) -> IPAddress:
    """The IPv4 address embedded in an IPv6 one, by any of the mappings."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


async def allowed(host: str, port: int, resolver: Resolve, *, allow_private: bool, encrypted: bool) -> Sequence[str]:
    """The addresses to connect to, in order. All are checked first, so that a mixed answer is refused.

    Without TLS only private addresses are allowed.  Raises `AddressRefused`, or `OSError` if there is no address.
    """
    addresses = await resolver(host, port)
    if not addresses:
        raise OSError("the name has no address")
    for address in addresses:
        public = is_public(address)
        if not public and not allow_private:
            raise AddressRefused(f"{host} has the private address {address}; if it is meant, set allow_private = true")
        if public and not encrypted:
            raise AddressRefused(f"{host} has the public address {address}; use https")
    return addresses
