"""HTTP for the parsers: one shared client, responses bounded in time and size."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from smart_sync import logs
from smart_sync.aio.http_client import UNREADABLE, NoClient, cause, new_client
from smart_sync.errors import ParserFailed
from smart_sync.parsers.failures import CallFailed

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 4 * 2**20
#: What an `Exchange` shows of a body.
MAX_SHOWN = 20_000


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; secrets belong in ``headers`` if the platform allows it."""

    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    #: Sent as a JSON body by POST; None: a GET, unless there is a form.
    body: Any = None
    #: Sent as a form by POST.
    form: Mapping[str, str] | None = None
    #: Worth another try after a failure that may pass; a job that is paid for would be started again.
    repeat: bool = True
    #: It may start a job, whose number comes with a 202; of any other request a 202 says that there is no answer yet.
    starts_job: bool = False
    #: Seconds until the answer is there; None: as long as the session allows.
    seconds: float | None = None
    max_bytes: int = MAX_ANSWER_BYTES
    #: What a person calls it: "step 2, page 3".
    label: str = ""

    @property
    def method(self) -> str:
        """GET or POST."""
        return "GET" if self.body is None and self.form is None else "POST"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response of any status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: As `HttpRequest`.
    starts_job: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response for a person to read, without secrets."""

    method: str
    url: str
    status: int
    body: str
    label: str = ""


class HttpClient:
    """Sends requests through one client, which is created (and httpx2 imported) at the first one."""

    def __init__(self, *, record: bool = False) -> None:
        self.exchanges: list[Exchange] = []
        self._record = record
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def send(self, request: HttpRequest, seconds: float) -> HttpResponse:
        """The response, read completely within ``seconds``. Raises `CallFailed` (to be retried unless too large).

        Raises `ParserFailed` where the environment keeps us from speaking HTTP.
        """
        client = await self._opened()
        import httpx2

        try:
            async with asyncio.timeout(seconds):
                answer = await _exchange(client, request, seconds)
        except (TimeoutError, httpx2.TimeoutException):
            raise CallFailed(f"no answer within {seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, *UNREADABLE) as error:
            raise CallFailed(f"cannot be reached: {cause(error)}") from None
        if self._record:
            self.exchanges.append(_shown(request, answer))
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _opened(self) -> "httpx2.AsyncClient":
        async with self._opening:
            if self._client is None:
                # The import and the certificates take a tenth of a second, which the loop has not.
                try:
                    self._client = await asyncio.to_thread(partial(new_client, proxied=True))
                except NoClient as error:
                    raise ParserFailed(str(error)) from None
            return self._client


@asynccontextmanager
async def opened(*, record: bool = False) -> AsyncIterator[HttpClient]:
    """Opens an `HttpClient` to be shared; with ``record`` it keeps the exchanges."""
    client = HttpClient(record=record)
    try:
        yield client
    finally:
        await client.close()


async def _exchange(client: "httpx2.AsyncClient", request: HttpRequest, seconds: float) -> HttpResponse:
    url = client.base_url.join(request.url).copy_merge_params(request.params)
    sent: dict[str, Any] = {"data": dict(request.form)} if request.form is not None else {"json": request.body}
    async with client.stream(request.method, url, headers=request.headers, **sent, timeout=seconds) as response:
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > request.max_bytes:
                raise CallFailed(f"the answer is larger than {request.max_bytes} bytes", retry=False)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, bytes(body), request.starts_job)


def _shown(request: HttpRequest, answer: HttpResponse) -> Exchange:
    query = "&".join(f"{key}={value}" for key, value in request.params.items())
    url = f"{request.url}{'&' if '?' in request.url else '?'}{query}" if query else request.url
    body = answer.body[:MAX_SHOWN].decode(errors="replace")
    return Exchange(request.method, logs.redact(url), answer.status, logs.redact(body), request.label)
