"""Error handling and paging of Meta's Graph API, shared by Instagram, Facebook and Threads."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from smart_sync.aio.http_client import LONGEST_WAIT
from smart_sync.clock import Clock, utc_now
from smart_sync.config.secrets import Secret
from smart_sync.core.foreign_text import read_json
from smart_sync.parsers import error_responses
from smart_sync.parsers.api_client import CountingSettings
from smart_sync.parsers.failures import AccountGone, AccountRefused, CallFailed, Refused, Throttled, TokenEnded, TooMuch
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.response_values import count, mapping, mappings, objects
from smart_sync.parsers.token_book import Grant

TERMS = (
    "Meta's Platform Terms (read in November 2026) ask to delete what is not needed any more, and what the user or Meta"
    " asks to delete"
)
_THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_UNKNOWN = 1
_PASSING = frozenset({_UNKNOWN, 2})
#: Until when versions are served, as Meta has said; after that a newer one answers.
_ENDS = {"v23.0": "8 October 2027"}
#: Videos asked for at once, where all are wanted.
PER_PAGE = 50
#: What a cursor may be: it becomes part of the query's syntax.
_CURSOR = re.compile(r"[A-Za-z0-9_=.~+/-]{1,1024}")
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_TOKEN = frozenset({102, 190})
#: The app or its user is blocked, whatever is asked; 200 only where it says so.
_BLOCKED = frozenset({101, 368})
_ACCESS = 200
#: No such user, alias or object, or moved; 100 only with its subcode "cannot be loaded".
_GONE = frozenset({21, 24, 110, 803})
_CANNOT_BE_LOADED = 33
_INVALID_PARAMETER = 100


def judge(answer: HttpResponse, now: datetime, table: str) -> Any:
    """The JSON of a good response; else a failure by Meta's error code, which is more precise than the status.

    Only what concerns the token or the app is everybody's trouble; any other refusal is one of the object that was
    asked for.  ``table`` is where the credentials stand.  Raises as `answers.judge`.
    """
    body = error_responses.decoded(answer)
    error = mapping(mapping(body).get("error"))
    if error:
        _refused(error, answer, now, table)
    return error_responses.judge(answer, now)


def _refused(error: Mapping[str, Any], answer: HttpResponse, now: datetime, table: str) -> None:
    code = number if isinstance(number := error.get("code"), int) else None
    message = error_responses.short_text(error.get("message", ""))
    if code in _THROTTLED:
        rest = _seconds_to_wait(answer)
        after = error_responses.retry_after(answer, now) if rest is None else rest
        raise Throttled(f"too many calls, says Meta ({code})", after=after)
    if code == _UNKNOWN and "reduce the amount of data" in message:
        raise TooMuch(f"Meta refuses: {message} ({code})")
    if code in _PASSING:
        raise CallFailed(f"Meta answers: {message} ({code})")
    if code in _TOKEN:
        raise TokenEnded(f"Meta refuses the token: {message}; renew the token of {table}")
    if code in _BLOCKED or (code == _ACCESS and "API access" in message):
        raise Refused(f"Meta refuses the app: {message} ({code}); see the app's dashboard for {table}")
    if code in _GONE or (code == _INVALID_PARAMETER and error.get("error_subcode") == _CANNOT_BE_LOADED):
        raise AccountGone(f"Meta does not show it: {message}")
    if answer.status < 500 and answer.status not in {404, 408, 429}:
        raise AccountRefused(f"Meta refuses: {message} ({code})")


def _seconds_to_wait(answer: HttpResponse) -> float | None:
    """The seconds until access is restored, from ``X-Business-Use-Case-Usage``; None if it does not say."""
    try:
        used = mapping(read_json(answer.headers.get("x-business-use-case-usage", "")))
    except ValueError:
        return None
    minutes = [count(one.get("estimated_time_to_regain_access")) for uses in used.values() for one in mappings(uses)]
    longest = max((each for each in minutes if each), default=0)
    return min(longest * 60.0, LONGEST_WAIT) if longest else None


def remark(answer: HttpResponse, api_url: str) -> str:
    """A remark about a good response: it came from a newer version of the API than requested."""
    version, served = _VERSION.search(api_url), _VERSION.fullmatch(answer.headers.get("facebook-api-version", ""))
    if version is None or served is None or version[0] == served[0]:
        return ""
    until = f", which Meta serves until {_ENDS[version[0]]}," if version[0] in _ENDS else ""
    old = f"{version[0]}{until} is not served here any more"
    return f"Meta answers as {served[0]}: {old}; see what is new, then set api_url"


async def read_in_portions(
    get: Callable[[int, str | None], Awaitable[Any]],
    cursor: str | None,
    remembered: dict[str, dict[str, str]],
    who: str,
) -> Any:
    """The response of ``get`` behind ``cursor``, with as many videos as Meta returns at once.

    How many those are of account ``who`` is ``remembered``.  Raises as ``get``.
    """
    size = min(PER_PAGE, count(remembered.get(who, {}).get("page")) or PER_PAGE)
    while True:
        try:
            return await get(size, cursor)
        except TooMuch:
            if size <= 1:
                raise
            size //= 2
            remembered[who] = {**remembered.get(who, {}), "page": str(size)}


def edge(page: object, name: str) -> tuple[list[Mapping[str, Any]], str | None]:
    """The objects of a page of an edge, and the cursor of the next page.

    A page may be empty though others follow, and the last one may have a cursor, behind which there is an empty page
    without one.  Raises `AccountRefused` for what is no such page.
    """
    data = objects(mapping(page).get("data"), name)
    after = mapping(mapping(mapping(page).get("paging")).get("cursors")).get("after")
    if after is None:
        return data, None
    if not isinstance(after, str) or not _CURSOR.fullmatch(after):
        raise AccountRefused(f"the answer does not say where the list of {name} goes on")
    return data, after


async def with_smaller_pages(
    get: Callable[[int], Awaitable[Any]], wanted: int, remembered: dict[str, dict[str, str]], who: str
) -> tuple[Mapping[str, Any], str]:
    """The response of ``get`` for as many of the ``wanted`` latest videos as Meta returns at once; a note if fewer.

    How many those are of account ``who`` is ``remembered``.  Raises as ``get``.
    """
    size = remembered.get(who, {}).get("videos")
    videos = wanted if size is None else min(wanted, count(size) or 0)
    while True:
        try:
            body = mapping(await get(videos))
            break
        except TooMuch:
            if not videos:
                raise
            videos //= 2
            remembered[who] = {"videos": str(videos)}
    flaw = f"Meta gives no more than {videos} of the {wanted} latest videos at once; the sums are of those"
    return body, flaw if videos < wanted else ""


class OneTokenParser(PlatformParser):
    """A parser with one token for all accounts: Instagram's and Facebook's."""

    terms: ClassVar[str] = TERMS
    has_one_token: ClassVar[bool] = True
    tells_of_tokens: ClassVar[bool] = True

    def __init__(self, settings: CountingSettings, token: Secret, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._secret = token

    def tokens(self) -> list[Grant]:
        """As the base class."""
        return [Grant("", self._secret.get_secret_value, key=f"[parsers.{self._settings.source}] token")]

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """As `judge` of this module."""
        return judge(answer, now, f"[parsers.{self._settings.source}]")

    def remark(self, answer: HttpResponse) -> str:
        """As `remark` of this module."""
        return remark(answer, self._settings.api_url)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._secret.get_secret_value()}"}
