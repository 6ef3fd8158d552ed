"""How parsers and webhooks create HTTP clients, and request failures in words."""

import logging
import os
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from smart_sync import __version__

if TYPE_CHECKING:
    import httpx2

#: Seconds.  A server that asks for a longer pause is asked again after a day.
LONGEST_WAIT = 86_400.0
#: What the libraries raise of an answer that is not HTTP, besides the errors that they declare.
UNREADABLE = (ValueError, LookupError, ArithmeticError)


class NoClient(Exception):
    """The environment prevents HTTP requests; the message says where to look."""


def new_client(*, proxied: bool) -> "httpx2.AsyncClient":
    """A client that follows no redirects and has no timeout; ``proxied``: through the environment's proxies.

    The import and the certificates take a tenth of a second, so call it in a thread.  Raises `NoClient`.
    """
    import httpx2

    for library in ("httpx2", "httpcore2"):
        # They log addresses, and an address may hold a secret.
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        return httpx2.AsyncClient(
            verify=ssl.create_default_context(),
            follow_redirects=False,
            timeout=None,
            # Not compressed: an answer is then as large as what was read of it.
            headers={"User-Agent": f"smart-sync/{__version__}", "Accept-Encoding": "identity"},
            trust_env=proxied,
            # A proxy of the environment is not meant for this machine.
            mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")) if proxied else None,
        )
    except (ValueError, OSError, ImportError, httpx2.InvalidURL):
        raise NoClient(
            "no HTTP from this environment; correct HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY or SSL_CERT_FILE"
        ) from None


def cause(error: BaseException) -> str:
    """The innermost reason, e.g. ``Connection refused``; never the error's text, which may hold an address with a
    secret."""
    inner = innermost(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {inner.verify_message}"
    if isinstance(inner, OSError) and inner.errno and inner.errno > 0 and not isinstance(inner, ssl.SSLError):
        return os.strerror(inner.errno)
    return str(getattr(inner, "strerror", None) or type(error).__name__)


def innermost(error: BaseException) -> BaseException:
    """The original exception below all wrappers added by libraries."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds in a ``Retry-After`` header, at most `LONGEST_WAIT`; None if it holds neither seconds nor a date."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError, TypeError, LookupError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)
