"""The HTTP transport below Google's libraries: destination, response timeout and size limit.

Everything that leaves for Google passes through an `Adapter`.  With ``api_url`` set there is no way
around it: whatever host a library names, the request goes to ``api_url``.
"""

import contextlib
import io
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, LocationValueError, ReadTimeoutError

from smart_sync.aio.http_client import UNREADABLE

CONNECT_SECONDS = 3.05
MAX_ANSWER_BYTES = 64 * 2**20


class Adapter(HTTPAdapter):
    """Sends to ``api_url`` (if given) and reads the whole response within ``seconds``.

    Requests' own timeout is per ``recv``: an answer that trickles would hold its thread for ever.
    ``received`` is told the bytes of every answer, in the thread that made the request.
    """

    def __init__(self, api_url: str, seconds: float, received: Callable[[int], None]) -> None:
        self._seconds = seconds
        super().__init__()
        self.api_url = api_url
        self._received = received

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As the base class, with connections that bound the time until the end of a response's head."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._seconds)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As the base class; raises `requests.RequestException` also for a response that is too slow or too large."""
        ends = time.monotonic() + self._seconds
        try:
            request.url = route(request.url or "", self.api_url)
        except ValueError as error:
            raise requests.exceptions.InvalidURL("an address that is none", request=request) from error
        try:
            response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        except requests.exceptions.InvalidHeader as error:
            _let_go(error)
            raise requests.exceptions.InvalidJSONError("its head cannot be read", request=request) from error
        except requests.RequestException:
            raise
        except LocationValueError as error:
            raise requests.exceptions.InvalidProxyURL("HTTPS_PROXY or HTTP_PROXY is no address") from error
        except UNREADABLE as error:
            _let_go(error)
            raise requests.exceptions.InvalidJSONError("its head cannot be read", request=request) from error
        try:
            check_redirect(response)
            # What `Response.content` returns, without the two copies that it would make on the way.
            response._content = _read(response, ends)
        except BaseException:
            response.close()
            raise
        self._received(len(response.content))
        return response

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """As the base class, without cookies: no API needs them, and parsing them is unreliable."""
        message = getattr(resp._original_response, "msg", None)
        if message is not None:
            del message["Set-Cookie"]
        return super().build_response(req, resp)


def route(url: str, api_url: str) -> str:
    """``url`` with its host replaced by ``api_url``, path and query kept; unchanged without ``api_url``.

    An address that is already at ``api_url``'s host is left alone: an emulator's own token endpoint.
    """
    requested, base = urlsplit(url), urlsplit(api_url)
    if not api_url or (requested.scheme, requested.netloc) == (base.scheme, base.netloc):
        return url
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + requested.path, requested.query, ""))


def equip(session: requests.Session, adapter: Adapter) -> None:
    """Make ``session`` use only ``adapter`` for the network."""
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if adapter.api_url:
        # Proxies of the environment and .netrc are meant for the real Google.
        session.trust_env = False


class _Impatient:
    """A connection that is cut when a response's head takes too long; the socket timeout restarts at every line."""

    seconds: float
    sock: socket.socket | None
    _is_late = False

    def getresponse(self) -> Any:
        """As the base class."""
        # Later than the timeout of a single wait, which tells more.
        timer = threading.Timer(self.seconds + 1.0, self._cut_off)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()  # type: ignore[misc]  # of the connection that this is mixed into
        finally:
            timer.cancel()
        if self._is_late:  # what was cut off looks like a short head
            response.close()
            raise TimeoutError("the head of the answer took too long")
        return response

    def _cut_off(self) -> None:
        self._is_late = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def _pools(seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("_Plain", (_Impatient, HTTPConnection), {"seconds": seconds})
    encrypted = type("_Encrypted", (_Impatient, HTTPSConnection), {"seconds": seconds})
    return {
        "http": type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_EncryptedPool", (HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
    }


def _let_go(error: BaseException) -> None:
    """Close the connection of a response whose head was refused: only traceback frames still hold it."""
    failure: BaseException | None = error
    while failure is not None:
        traceback.clear_frames(failure.__traceback__)
        failure = failure.__context__


def check_redirect(response: requests.Response) -> None:
    """Refuse a redirect to an invalid address, which requests would try to follow and fail on."""
    if response.is_redirect:
        try:
            location = response.headers["Location"]
            usable = location.isascii() and location.isprintable() and urlsplit(location).port != 0
        except ValueError:
            usable = False
        if not usable:
            raise requests.exceptions.InvalidJSONError("a redirect to what is no address", response=response)


def _read(response: requests.Response, ends: float) -> bytes:
    body = io.BytesIO()
    try:
        while part := response.raw.read1(2**16, decode_content=True):
            body.write(part)
            if body.tell() > MAX_ANSWER_BYTES:
                raise TooLarge(response=response)
            if time.monotonic() > ends:
                raise requests.ReadTimeout("the answer took too long", response=response)
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error, response=response) from error
    except (DecodeError, *UNREADABLE) as error:
        raise requests.exceptions.ContentDecodingError(error, response=response) from error
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error, response=response) from error
    return body.getvalue()


class TooLarge(requests.RequestException):
    """A response beyond `MAX_ANSWER_BYTES`."""


def raise_for_status(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
    """A session's response hook: every refusal becomes `requests.HTTPError`.

    gspread would make an ``APIError`` of it, whose constructor fails on error bodies that are not Google's.
    """
    response.raise_for_status()
