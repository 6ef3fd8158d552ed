"""The dead man's switch: somebody outside who alarms when no pass reports success any more.

In the convention of healthchecks.io: ``URL/start``, ``URL`` for success, ``URL/fail``.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

import stamina

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config import PingSettings
from smart_sync.core.model import Outcome
from smart_sync.core.results.results import PassResult
from smart_sync.logs import emit
from smart_sync.notify import http_post

Signal = Literal["start", "success", "fail"]

#: Seconds for one try, tries for one ping, and signals that wait while another is being sent.
TIMEOUT = 10.0
TRIES = 3
MAX_WAITING = 4


class Ping:
    """Use as ``async with``.  Its methods return at once; one task sends the signals in their order, best effort."""

    def __init__(self, settings: PingSettings, *, pause: float = 1.0) -> None:
        self._url = settings.url.get_secret_value() if settings.url is not None else ""
        self._pause = pause
        self._waiting: deque[Signal] = deque(maxlen=MAX_WAITING)
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._background = BackgroundTasks({} if settings.url is None else {"ping": self._run})

    async def __aenter__(self) -> Self:
        await self._background.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._background.__aexit__(kind, error, trace)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Callable[[PassResult], None]]:
        """Inside, a pass runs; give its result to what is yielded.

        A failure: it raises, every project failed, or one is stale.
        """
        self._signal("start")
        try:
            yield self._finished
        except Exception:
            self._signal("fail")
            raise

    def _finished(self, result: PassResult) -> None:
        failed = bool(result.results) and result.count(Outcome.FAILED) == len(result.results)
        self._signal("fail" if failed or result.stale else "success")

    async def flush(self, seconds: float) -> None:
        """Wait until every signal is sent or given up, at most ``seconds``; for processes that end after a pass."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def _signal(self, signal: Signal) -> None:
        if not self._url:
            return
        self._waiting.append(signal)
        self._idle.clear()
        self._awake.set()

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._send(self._waiting.popleft())
            self._idle.set()
            self._awake.clear()
            await self._awake.wait()

    async def _send(self, signal: Signal) -> None:
        tries = stamina.retry_context(
            on=http_post.NotReached, attempts=TRIES, timeout=None, wait_initial=self._pause, wait_jitter=self._pause
        )
        try:
            async for attempt in tries:
                with attempt:
                    await _get(_with(self._url, signal))
        except http_post.NotReached as error:
            emit("ping.failed", signal=signal, reason=str(error))


async def _get(url: str) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            status = await http_post.ask("GET", url, proxied=True)
    except TimeoutError:
        raise http_post.NotReached(f"no answer within {TIMEOUT:g} s") from None
    if not 200 <= status < 300:
        raise http_post.NotReached(f"answered {status}")


def _with(url: str, signal: Signal) -> str:
    """The URL of a signal; a query stays where it is."""
    parts = urlsplit(url)
    suffix = "" if signal == "success" else f"/{signal}"
    return parts._replace(path=parts.path.rstrip("/") + suffix).geturl() if suffix else url
