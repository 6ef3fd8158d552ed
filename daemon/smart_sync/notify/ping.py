"""The dead man's switch: an external service that raises an alarm when no pass reports success any more.

In the convention of healthchecks.io (``URL/start``, ``URL`` for success, ``URL/fail``, with the end of the pass as the
body), or of Uptime Kuma's push monitors: one URL, with ``status`` and ``msg`` in its query.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import stamina

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config import PingSettings
from smart_sync.core.model import Outcome
from smart_sync.core.results.results import PassResult, lines
from smart_sync.errors import NotLeading, SmartSyncError
from smart_sync.logs import emit, printable, redact
from smart_sync.notify import http_post

Signal = Literal["start", "success", "fail"]

#: Seconds for one try, tries for one ping, and signals that wait while another is being sent.
TIMEOUT = 10.0
TRIES = 3
MAX_WAITING = 4
#: Bytes of a body (healthchecks.io keeps 10 kB), and characters of a ``msg``.
MAX_BODY = 9_000
MAX_MESSAGE = 250
#: What a receiver answers that takes no POST: Uptime Kuma 1, some other switches.
_NO_POST = (404, 405, 501)


class Ping(BackgroundTasks):
    """Use as ``async with``. Methods return at once; one task sends the signals in order, best effort."""

    def __init__(self, settings: PingSettings, *, pause: float = 1.0) -> None:
        self._url = settings.url.get_secret_value() if settings.url is not None else ""
        self._is_push = settings.style == "push"
        self._pause = pause
        #: Signals with the lines that tell of the pass.
        self._waiting: deque[tuple[Signal, list[str]]] = deque(maxlen=MAX_WAITING)
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        super().__init__({} if settings.url is None else {"ping": self._run})

    @contextlib.contextmanager
    def watching(self) -> Iterator[Callable[[PassResult], None]]:
        """Run a pass inside; pass its result to the yielded object.

        A failure: it raises, every project failed, one is stale, or there is none because Google cannot be asked.
        """
        if not self._is_push:
            self._signal("start", [])
        try:
            yield self._finished
        except NotLeading:
            raise  # the next leader's pass tells how it went
        except Exception as error:
            reason = str(error) if isinstance(error, SmartSyncError) else type(error).__name__
            self._signal("fail", [f"the pass could not be run: {reason}"])
            raise

    def _finished(self, result: PassResult) -> None:
        failed = bool(result.results) and result.count(Outcome.FAILED) == len(result.results)
        self._signal("fail" if failed or result.stale or result.no_projects_reason else "success", lines(result))

    async def flush(self, seconds: float) -> None:
        """Wait until every signal is sent or given up, at most ``seconds``; for processes that end after a pass."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def _signal(self, signal: Signal, text: list[str]) -> None:
        if not self._url:
            return
        self._waiting.append((signal, [printable(redact(line)) for line in text]))
        self._idle.clear()
        self._awake.set()

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._send(*self._waiting.popleft())
            self._idle.set()
            self._awake.clear()
            await self._awake.wait()

    async def _send(self, signal: Signal, text: list[str]) -> None:
        tries = stamina.retry_context(
            on=http_post.NotReached, attempts=TRIES, timeout=None, wait_initial=self._pause, wait_jitter=self._pause
        )
        try:
            async for attempt in tries:
                with attempt:
                    if self._is_push:
                        await _ask("GET", _pushed(self._url, signal, text))
                    else:
                        body = "\n".join(text).encode()[:MAX_BODY].decode(errors="ignore")
                        await _post(_with(self._url, signal), body.encode())
        except http_post.NotReached as error:
            emit("ping.failed", signal=signal, reason=str(error))


async def _post(url: str, body: bytes) -> None:
    if not body:
        return await _ask("GET", url)
    try:
        await _ask("POST", url, body)
    except _Refused as refused:
        if refused.status not in _NO_POST:
            raise
        await _ask("GET", url)


async def _ask(method: str, url: str, body: bytes = b"") -> None:
    headers = {"Content-Type": "text/plain; charset=utf-8"} if body else None
    try:
        async with asyncio.timeout(TIMEOUT):
            status = await http_post.request_status(method, url, headers=headers, content=body, proxied=True)
    except TimeoutError:
        raise http_post.NotReached(f"no answer within {TIMEOUT:g} s") from None
    if not 200 <= status < 300:
        raise _Refused(status)


class _Refused(http_post.NotReached):
    """The response was no success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status


def _with(url: str, signal: Signal) -> str:
    """The URL of a signal; a query keeps its place."""
    parts = urlsplit(url)
    suffix = "" if signal == "success" else f"/{signal}"
    return parts._replace(path=parts.path.rstrip("/") + suffix).geturl() if suffix else url


def _pushed(url: str, signal: Signal, text: list[str]) -> str:
    """The URL of a push monitor with ``status`` and ``msg``; the rest of its query is kept."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in ("status", "msg")]
    status = "up" if signal == "success" else "down"
    query = urlencode([*kept, ("status", status), ("msg", "; ".join(text)[:MAX_MESSAGE])])
    return parts._replace(query=query).geturl()
