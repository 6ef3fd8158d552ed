"""A parser's requests to one platform's API: within rate and budget, bounded, with failures in words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

import stamina
from pydantic import AfterValidator, Field

from smart_sync.aio.rate_limit import RateLimit
from smart_sync.clock import Clock
from smart_sync.config import ParserSettings, values
from smart_sync.config.values import Seconds
from smart_sync.core.campaign import Count
from smart_sync.core.model import Account
from smart_sync.errors import ParserFailed
from smart_sync.parsers import http
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.budget import ApiRate, Budget, Rate, Turn
from smart_sync.parsers.error_responses import quota_left
from smart_sync.parsers.failures import AccountFailed, AccountGone, CallFailed, NotReady, Throttled, TokenRefused
from smart_sync.parsers.http import HttpRequest, HttpResponse
from smart_sync.parsers.parser import Paused, RoundOver
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
    """``url`` if a secret may be sent to it. Raises ValueError unless it is https, or http to this machine."""
    parts = values.split_public(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("expected https: a secret would travel in the clear")
    return url.rstrip("/")


ApiUrl = Annotated[str, AfterValidator(is_safe)]


class ApiSettings(ParserSettings):
    """The settings of every parser of an API."""

    #: The address of the API; another one for tests, or for a newer version.
    api_url: ApiUrl = ""
    #: Requests in a window of time at most: ``"10/s"``, ``"600/min"``, ``"200/h"``, ``"5000/d"``.
    rate: ApiRate = Rate(600, 60.0)
    #: Requests in any 24 hours, over restarts and in all processes: ``"8000/d"``; without it as many as the rate
    #: allows.
    budget: Budget | None = None
    #: How long a value is kept that the platform has not said again; after it the value is deleted. Without it all are
    #: kept.
    retention: Seconds | None = None
    #: ``true``: you keep the platform's terms, so `smart-sync check` does not remind of them any more.
    accepted: bool = False
    #: Requests under way at the same time.
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    #: How long one request may take.
    timeout: Seconds = 15.0


class CountingSettings(ApiSettings):
    """The settings of parsers that can count the campaign of an account's project."""

    #: ``"lifetime"``: all videos; ``"campaign"``: likes, comments, videos and views are of the videos within the
    #: project's dates and KPI. Followers are always of the account.
    count: Count = "lifetime"

    @property
    def shows_videos(self) -> bool:
        """Whether any of its numbers is a sum over videos: not only followers."""
        return True


class Judge(Protocol):
    """Interprets a response: returns its JSON, or raises one of `failures`, or `ParserFailed`."""

    def __call__(self, answer: HttpResponse, now: datetime) -> Any:
        """What the answer holds."""


class ApiClient:
    """One platform's client; lives as long as its parser, so that the rate is kept across passes."""

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

    @asynccontextmanager
    async def session(self, asking: Asking | None = None) -> AsyncIterator["Session"]:
        """The session of one pass; without ``asking`` with a client of its own and no budget."""
        async with http.opened() if asking is None else nullcontext(asking.http) as client:
            # A little before the pass is cut off: to end by itself is better.
            patience = self.settings.deadline - min(MARGIN, self.settings.deadline / 20)
            yield Session(self, asking or Asking(client), asyncio.get_running_loop().time() + patience)


@dataclass(slots=True)
class _FailureCounts:
    """Consecutive calls without a response, and consecutive accounts that were refused."""

    away: int = 0
    refused: int = 0


class Session:
    """The calls of one pass, or those for one account or batch (`about`)."""

    def __init__(
        self,
        api: ApiClient,
        asking: Asking,
        ends: float,
        strain: _FailureCounts | None = None,
        turn: Turn | None = None,
    ) -> None:
        self.api = api
        self.asking = asking
        self._ends = ends
        self._strain = strain or _FailureCounts()
        self._turn = turn

    @contextmanager
    def about(self, accounts: Sequence[Account]) -> Iterator["Session"]:
        """The session for requests about ``accounts``, which records whether they were interrupted."""
        if self._turn is not None:
            yield self
            return
        turn, asking = Turn(), self.asking
        try:
            with nullcontext() if asking.allowance is None else asking.allowance.under_way(turn):
                yield Session(self.api, asking, self._ends, self._strain, turn)
        except (ParserFailed, asyncio.CancelledError):
            ids = {account.id for account in accounts}
            asking.tried.update(ids if turn.has_asked else ())
            asking.jobs.update(ids if turn.has_started_job else ())
            raise

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Any:
        """The JSON at ``path`` of the API (or at a full address).

        Raises `ParserFailed` if no further call makes sense, else `AccountGone` or `AccountFailed`.
        """
        return await self.ask(HttpRequest(path, params, headers))

    async def post(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> Any:
        """`get`, sending ``body`` as JSON."""
        return await self.ask(HttpRequest(path, params, headers, body))

    async def ask(self, request: HttpRequest) -> Any:
        """As `get`, any request."""
        whole = request.url if "://" in request.url else f"{self.api.settings.api_url}/{request.url}"
        try:
            body = await self._tried(replace(request, url=whole))
        except Throttled as error:
            rest = timedelta(seconds=error.after) if error.after is not None else REST
            raise Paused(str(error), self.api.clock() + rest) from None
        except NotReady:
            self._strain.away = 0
            raise
        except CallFailed as error:
            self._strain.away = self._strain.away + 1 if error.retry else 0
            if self._strain.away >= MAX_AWAY:
                raise ParserFailed(
                    f"{error}, {self._strain.away} times in a row; nothing to do unless it lasts"
                ) from None
            raise
        except AccountGone:
            self._strain.away = 0
            raise
        self._strain.away = 0
        return body

    def answered(self) -> None:
        """Record a result for an account, so that refusals are not of all accounts."""
        self._strain.refused = 0

    def refused(self, failure: AccountFailed) -> None:
        """Record a refused account. Raises `ParserFailed` after so many in a row."""
        if isinstance(failure, TokenRefused | NotReady) or (isinstance(failure, CallFailed) and failure.retry):
            return
        self._strain.refused += 1
        if self._strain.refused >= MAX_REFUSED:
            raise ParserFailed(
                f"{failure}, {self._strain.refused} times in a row; if that holds for every account, correct"
                f" [parsers.{self.api.settings.source}] or what its credentials may do",
                trouble="parser-key",
            ) from None

    async def _tried(self, request: HttpRequest) -> Any:
        if not request.repeat or self._strain.away >= TRIED_ONCE_AFTER:
            return await self._once(request)
        async for attempt in stamina.retry_context(
            on=self._may_retry, attempts=TRIES, timeout=None, wait_initial=0.5, wait_max=10.0
        ):
            with attempt:
                return await self._once(request)
        raise AssertionError("stamina raises what the last try raised")

    @asynccontextmanager
    async def turn(self, lasts: float = 60.0) -> AsyncIterator[None]:
        """Make one request inside, within budget and rate. Raises `RoundOver` if they allow none.

        ``lasts``: the most seconds that it can take.
        """
        if self.asking.allowance is not None:
            await self.asking.allowance.take(self._turn)
        try:
            async with (self.asking.limit or self.api.quota).slot(self._ends, lasts):
                self.asking.usage.calls += 1
                if self._turn is not None:
                    self._turn.has_asked = True
                yield
        except TimeoutError:
            rate = self.api.settings.rate
            raise RoundOver(f"the rate of {rate} lets no more through before the deadline") from None
        except StoreError as error:
            raise error.meaning from None

    async def _once(self, request: HttpRequest) -> Any:
        seconds = request.seconds or self.api.settings.timeout
        async with self.turn(seconds):
            if self._turn is not None:
                self._turn.has_started_job |= not request.repeat
            answer = await self.asking.http.send(request, seconds)
        usage, left = self.asking.usage, quota_left(answer.headers)
        usage.quota_left = left if left is not None else usage.quota_left
        body = self.api.judge(answer, self.api.clock())
        usage.remark = usage.remark or self.api.remark(answer)
        return body

    def _may_retry(self, error: Exception) -> bool | float:
        if not isinstance(error, CallFailed) or not error.retry:
            return False
        if error.after is None:
            return True
        return error.after if asyncio.get_running_loop().time() + error.after < self._ends else False
