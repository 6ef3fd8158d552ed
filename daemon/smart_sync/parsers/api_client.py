"""One platform's API as its parser uses it: polite, bounded, and with failures in words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

import stamina
from pydantic import AfterValidator, Field

from smart_sync.aio.rate_limit import RateLimit
from smart_sync.clock import Clock
from smart_sync.config import ParserSettings, urls
from smart_sync.config.values import Seconds
from smart_sync.core.campaign import Count
from smart_sync.errors import ParserFailed
from smart_sync.parsers import budget
from smart_sync.parsers.budget import ApiRate, Budget, Rate
from smart_sync.parsers.error_responses import quota_left
from smart_sync.parsers.failures import AccountFailed, AccountGone, CallFailed, NotReady, Throttled, TokenRefused
from smart_sync.parsers.http import HttpClient, HttpRequest, HttpResponse, borrowed
from smart_sync.parsers.parser import Paused, RoundOver, Usage
from smart_sync.store.engine import StoreError

TRIES = 3
#: So many calls in a row without a usable answer, and the platform counts as away; after the first of them, calls are
#: tried only once.
MAX_AWAY = 12
TRIED_ONCE_AFTER = 3
#: So many accounts in a row refused, and it is no account's trouble any more.
MAX_REFUSED = 25
#: Seconds before the deadline at which a pass whose rate lets nothing more through ends.
MARGIN = 5.0
#: How long a platform is left alone that wants fewer calls and does not say for how long.
REST = timedelta(minutes=5)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe(url: str) -> str:
    """``url`` if a secret may go there.  Raises ValueError unless it is https, or http to this machine."""
    parts = urls.split_public(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("expected https: a secret would travel in the clear")
    return url.rstrip("/")


ApiUrl = Annotated[str, AfterValidator(is_safe)]


class ApiSettings(ParserSettings):
    """What every parser of an API has."""

    #: The address of the API; another one for tests, or for a newer version.
    api_url: ApiUrl = ""
    #: Requests in a window of time at most: ``"10/s"``, ``"600/min"``, ``"200/h"``, ``"5000/d"``.
    rate: ApiRate = Rate(600, 60.0)
    #: Requests in any 24 hours, over restarts and in all processes: ``"8000/d"``; without it as many as the rate
    #: allows.
    budget: Budget | None = None
    #: After so long its values are emptied, unless it has said them again; without it they are kept.
    retention: Seconds | None = None
    #: ``true``: you keep the platform's terms, so `smart-sync check` does not remind of them any more.
    accepted: bool = False
    #: Requests under way at the same time.
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    #: How long one request may take.
    timeout: Seconds = 15.0


class CountingSettings(ApiSettings):
    """What a parser has that may count the campaign of an account's project."""

    #: ``"lifetime"``: all videos; ``"campaign"``: likes, comments, videos and views are of the videos within the
    #: project's dates and KPI. Followers are always of the account.
    count: Count = "lifetime"

    @property
    def shows_videos(self) -> bool:
        """Whether any of its numbers is one of videos: not only followers."""
        return True


class Judge(Protocol):
    """Tells what an answer means: returns its JSON, or raises one of `failures`, or `ParserFailed`."""

    def __call__(self, answer: HttpResponse, now: datetime) -> Any:
        """What the answer holds."""


class ApiClient:
    """Lives as long as its parser: the rate is kept over passes."""

    def __init__(
        self,
        settings: ApiSettings,
        judge: Judge,
        clock: Clock,
        remark: Callable[[HttpResponse], str] = lambda _answer: "",
    ) -> None:
        self.settings = settings
        self.judge = judge
        self.remark = remark
        self.clock = clock
        self.quota = RateLimit(settings.rate.calls, settings.rate.seconds)

    @property
    def usage(self) -> Usage:
        """What the last session that this task began has cost."""
        session = _session.get()
        return session.usage if session is not None and session.api is self else Usage()

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Session"]:
        """For one pass, with a count of its own."""
        async with borrowed() as wire:
            # A little before the pass is cut off: to end by itself is better.
            patience = self.settings.deadline - min(MARGIN, self.settings.deadline / 20)
            session = Session(self, wire, asyncio.get_running_loop().time() + patience)
            _session.set(session)
            yield session


class Session:
    """The calls of one pass."""

    def __init__(self, api: ApiClient, wire: HttpClient, ends: float) -> None:
        self.api = api
        self.usage = Usage()
        self._wire = wire
        self._ends = ends
        self._allowance = budget.borrowed()
        self._rate = budget.shared() or api.quota
        #: Calls in a row that had no answer, and accounts in a row that were refused.
        self._away = 0
        self._refused = 0

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Any:
        """The JSON at ``path`` of the API (or at a whole address).

        Raises `ParserFailed` if no further call makes sense, else `AccountGone` or `AccountFailed`.
        """
        return await self.ask(HttpRequest(path, params, headers))

    async def post(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> Any:
        """As `get`, sending ``body`` as JSON."""
        return await self.ask(HttpRequest(path, params, headers, body))

    async def ask(self, request: HttpRequest) -> Any:
        """As `get`, any request."""
        whole = request.url if "://" in request.url else f"{self.api.settings.api_url}/{request.url}"
        try:
            found = await self._tried(replace(request, url=whole))
        except Throttled as error:
            rest = timedelta(seconds=error.after) if error.after is not None else REST
            raise Paused(str(error), self.api.clock() + rest) from None
        except NotReady:
            self._away = 0
            raise
        except CallFailed as error:
            self._away = self._away + 1 if error.retry else 0
            if self._away >= MAX_AWAY:
                raise ParserFailed(f"{error}, {self._away} times in a row; nothing to do unless it lasts") from None
            raise
        except AccountGone:
            self._away = 0
            raise
        self._away = 0
        return found

    def answered(self) -> None:
        """An account has values, or the platform does not have it: not everybody is refused."""
        self._refused = 0

    def refused(self, failure: AccountFailed) -> None:
        """An account came to nothing.  Raises `ParserFailed` where so many in a row are one trouble."""
        if isinstance(failure, TokenRefused | NotReady) or (isinstance(failure, CallFailed) and failure.retry):
            return
        self._refused += 1
        if self._refused >= MAX_REFUSED:
            raise ParserFailed(
                f"{failure}, {self._refused} times in a row; if that holds for every account, correct"
                f" [parsers.{self.api.settings.source}] or what its credentials may do"
            ) from None

    async def _tried(self, request: HttpRequest) -> Any:
        if not request.repeat or self._away >= TRIED_ONCE_AFTER:
            return await self._once(request)
        async for attempt in stamina.retry_context(
            on=self._is_worth_it, attempts=TRIES, timeout=None, wait_initial=0.5, wait_max=10.0
        ):
            with attempt:
                return await self._once(request)
        raise AssertionError("stamina raises what the last try raised")

    @asynccontextmanager
    async def turn(self, lasts: float = 60.0) -> AsyncIterator[None]:
        """Inside, one request is made, within budget and rate.  Raises `RoundOver` where they let none through.

        ``lasts``: the most seconds that it can take.
        """
        if self._allowance is not None:
            await self._allowance.take()
        try:
            async with self._rate.slot(self._ends, lasts):
                self.usage.calls += 1
                has_asked.set(True)
                yield
        except TimeoutError:
            rate = self.api.settings.rate
            raise RoundOver(f"the rate of {rate} lets no more through before the deadline") from None
        except StoreError as error:
            raise error.meaning from None

    async def _once(self, request: HttpRequest) -> Any:
        seconds = request.seconds or self.api.settings.timeout
        async with self.turn(seconds):
            has_started_job.set(has_started_job.get() or not request.repeat)
            answer = await self._wire.send(request, seconds)
        left = quota_left(answer.headers)
        self.usage.quota_left = left if left is not None else self.usage.quota_left
        found = self.api.judge(answer, self.api.clock())
        self.usage.remark = self.usage.remark or self.api.remark(answer)
        return found

    def _is_worth_it(self, error: Exception) -> bool | float:
        if not isinstance(error, CallFailed) or not error.retry:
            return False
        if error.after is None:
            return True
        return error.after if asyncio.get_running_loop().time() + error.after < self._ends else False


#: Whether this task has made a request, and one that may have started a job that is paid for.
has_asked: ContextVar[bool] = ContextVar("has_asked", default=False)
has_started_job: ContextVar[bool] = ContextVar("has_started_job", default=False)
#: Passes of one parser may overlap, each in a task of its own.
_session: ContextVar[Session | None] = ContextVar("_session", default=None)
