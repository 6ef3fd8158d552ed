"""One HTTP request whose answer is its status: bounded in time, its body never read, redirects never followed."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smart_sync import __version__

if TYPE_CHECKING:
    import httpx2


class NotReached(Exception):
    """There was no answer; the message says why and holds neither URL nor secret."""


async def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    extensions: Mapping[str, Any] | None = None,
    proxied: bool = False,
) -> int:
    """The status of the answer.  Raises `NotReached`; whoever calls bounds the time.

    ``proxied``: through the proxy of the environment, if it names one.
    """
    # The import and the certificates take a tenth of a second, which the loop has not.
    client = await asyncio.to_thread(_new_client, proxied)
    import httpx2

    sent = {"User-Agent": f"smart-sync/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    try:
        # A client of its own for each request: a connection is never shared by two host names of one address.
        async with (
            client,
            client.stream(method, url, headers=sent, content=content, extensions=dict(extensions or {})) as answer,
        ):
            return answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise NotReached(_cause(error)) from None


def _new_client(proxied: bool) -> "httpx2.AsyncClient":
    import httpx2

    return httpx2.AsyncClient(
        verify=ssl.create_default_context(),
        follow_redirects=False,
        timeout=None,
        trust_env=proxied,
        # A proxy of the environment is not meant for this machine.
        mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")) if proxied else None,
    )


def _cause(error: Exception) -> str:
    """The innermost reason, e.g. ``Connection refused``; not its text, which might hold the URL."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {inner.verify_message}"
    return str(getattr(inner, "strerror", None) or type(error).__name__)
