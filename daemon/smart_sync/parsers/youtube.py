"""YouTube: Data API v3, by API key.  50 channels a call; a channel known by its handle takes a call of its own."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.core.links import identity
from smart_sync.core.model import Account, Metrics, Precision
from smart_sync.core.quota import pacific_midnight
from smart_sync.errors import ParserFailed
from smart_sync.parsers import answers
from smart_sync.parsers.api import ApiSettings, ApiUrl, Session
from smart_sync.parsers.counts import count, mapping, mappings, text, total
from smart_sync.parsers.failures import AccountFailed, AccountGone, CallFailed, Refused, Throttled
from smart_sync.parsers.parser import Fetched, Paused, Unfetched
from smart_sync.parsers.platform import PlatformParser, name_of
from smart_sync.parsers.tasks import each
from smart_sync.parsers.wire import Answer
from smart_sync.secret import Secret

PER_CALL = 50

_CHANNEL_ID = re.compile(r"UC[\w-]{22}")
_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_KEY = frozenset({"keyInvalid", "keyExpired", "API_KEY_INVALID"})


class YouTubeSettings(ApiSettings):
    """``[parsers.youtube]``."""

    platforms: tuple[str, ...] = ("youtube",)
    api_url: ApiUrl = "https://www.googleapis.com/youtube/v3"
    key: Secret
    #: Likes and comments are summed over so many of the latest uploads; 0: not asked for.  Costs two calls a channel.
    videos: Annotated[int, Field(ge=0, le=500)] = 0


@dataclass(frozen=True, slots=True)
class _Query:
    """One call for channels: ``{"id": …}`` or ``{"forHandle": …}``, and who is meant."""

    params: Mapping[str, str]
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class _Result:
    """What a query gave, and why no other can succeed, if none can."""

    fetched: list[Fetched]
    failure: ParserFailed | None = None


class YouTube(PlatformParser):
    """Subscribers (rounded by YouTube to three digits), videos and views of channels."""

    settings: ClassVar[type[ParserSettings]] = YouTubeSettings

    def __init__(self, settings: YouTubeSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._videos = settings.videos
        self._headers = {"X-Goog-Api-Key": settings.key.get_secret_value()}

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        """As the base class."""
        async with self._api.session() as session:
            name = f"parser:{self._settings.source}:call"
            work = partial(self._query, session)
            async with aclosing(each(_queries(accounts), work, self._settings.concurrency, name)) as results:
                async for result in results:
                    for fetched in result.fetched:
                        yield fetched
                    if result.failure is not None:
                        raise result.failure

    def precision(self, metrics: Metrics) -> Precision:
        """Rounded, if the subscribers have no more than the three digits YouTube leaves.

        It is the row's: its other figures are taken for rounded too, which matters only where the sheet's differ
        from them by less than their trailing zeros.
        """
        digits = str(metrics.followers or 0)
        return Precision.ROUNDED if len(digits) > 3 and not digits[3:].strip("0") else Precision.EXACT

    def judge(self, answer: Answer, now: datetime) -> Any:
        """Quota, key and permission by the reason that YouTube gives."""
        error = mapping(mapping(answers.decoded(answer)).get("error")) if answer.status >= 400 else {}
        reasons = {text(item.get("reason")) for part in ("errors", "details") for item in mappings(error.get(part))}
        table, told = f"[parsers.{self._settings.source}]", answers.said(error.get("message", answer.status))
        if reasons & _QUOTA:
            raise Paused("the YouTube quota of the day is used up", pacific_midnight(now))
        if reasons & _RATE:
            raise Throttled("too many calls, says YouTube", after=answers.retry_after(answer, now))
        if reasons & _KEY or (answer.status == 400 and "API key" in told):
            raise Refused(f"YouTube refuses the key: {told}; put a valid one into {table} key")
        if answer.status == 403:
            raise Refused(f"YouTube refuses: {told}; enable the YouTube Data API v3 for the key of {table}")
        return answers.judge(answer, now)

    async def _query(self, session: Session, query: _Query) -> _Result:
        parts = "statistics,contentDetails" if self._videos else "statistics"
        params = {"part": parts, "maxResults": str(PER_CALL), **query.params}
        try:
            body = await session.get("channels", params, self._headers)
            channels = _items(body, "youtube#channelListResponse")
        except AccountGone as error:
            return _Result([Unfetched(account.id, str(error), gone=True) for account in query.accounts])
        except AccountFailed as error:
            return _Result([Unfetched(account.id, str(error)) for account in query.accounts])
        return await self._channels(session, query, channels)

    async def _channels(self, session: Session, query: _Query, channels: list[Mapping[str, Any]]) -> _Result:
        by_id = {text(channel.get("id")): channel for channel in channels}
        fetched: list[Fetched] = []
        failure: ParserFailed | None = None
        for account in query.accounts:
            channel = by_id.get(name_of(account)) if "id" in query.params else next(iter(channels), None)
            if channel is None:
                fetched.append(Unfetched(account.id, "YouTube has no such channel", gone=True))
                continue
            likes = comments = None
            if self._videos and failure is None:
                try:
                    likes, comments = await self._uploads(session, channel)
                except ParserFailed as error:
                    failure = error
            fetched.append(self._values(account, _metrics(channel, likes, comments)))
        return _Result(fetched, failure)

    async def _uploads(self, session: Session, channel: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Likes and comments of the latest uploads; None where they cannot be had."""
        playlist = mapping(mapping(channel.get("contentDetails")).get("relatedPlaylists")).get("uploads")
        if not isinstance(playlist, str) or not playlist:
            return None, None
        try:
            statistics = [s async for s in self._video_statistics(session, playlist)]
        except (AccountGone, AccountFailed):
            return None, None
        return total(statistics, "likeCount"), total(statistics, "commentCount")

    async def _video_statistics(self, session: Session, playlist: str) -> AsyncIterator[Mapping[str, Any]]:
        left, page = self._videos, ""
        while left > 0:
            params = {"part": "contentDetails", "playlistId": playlist, "maxResults": str(min(left, PER_CALL))}
            body = await session.get("playlistItems", params | ({"pageToken": page} if page else {}), self._headers)
            items = _items(body, "youtube#playlistItemListResponse")
            page = text(mapping(body).get("nextPageToken"))
            ids = [found for item in items if (found := _video_id(item))]
            if ids:
                params = {"part": "statistics", "id": ",".join(ids), "maxResults": str(PER_CALL)}
                body = await session.get("videos", params, self._headers)
                for item in _items(body, "youtube#videoListResponse"):
                    yield mapping(item.get("statistics"))
            left -= len(items)
            if not page or not items:
                return


def _queries(accounts: Sequence[Account]) -> Iterator[_Query]:
    by_id = [account for account in accounts if _CHANNEL_ID.fullmatch(name_of(account))]
    for start in range(0, len(by_id), PER_CALL):
        some = tuple(by_id[start : start + PER_CALL])
        yield _Query({"id": ",".join(dict.fromkeys(name_of(account) for account in some))}, some)
    by_name: dict[tuple[str, str], list[Account]] = {}
    for account in accounts:
        if (name := name_of(account)) and not _CHANNEL_ID.fullmatch(name):
            key = "forUsername" if identity(account.link).startswith("youtube:user/") else "forHandle"
            by_name.setdefault((key, name), []).append(account)
    for (key, name), some_accounts in by_name.items():
        yield _Query({key: name if key == "forUsername" else f"@{name}"}, tuple(some_accounts))


def _items(body: Any, kind: str) -> list[Mapping[str, Any]]:
    """The items of a list answer; YouTube leaves the key out where there are none."""
    answer = mapping(body)
    if answer.get("kind") != kind or not isinstance(answer.get("items", []), list):
        raise CallFailed("the answer is not what it should be", retry=False)
    return mappings(answer.get("items", []))


def _video_id(item: Mapping[str, Any]) -> str:
    """The video of a playlist's item, in whichever part the answer has it."""
    details, snippet = mapping(item.get("contentDetails")), mapping(item.get("snippet"))
    return text(details.get("videoId")) or text(mapping(snippet.get("resourceId")).get("videoId"))


def _metrics(channel: Mapping[str, Any], likes: int | None, comments: int | None) -> Metrics:
    said = mapping(channel.get("statistics"))
    followers = None if said.get("hiddenSubscriberCount") else count(said.get("subscriberCount"))
    return Metrics(followers, likes, comments, count(said.get("videoCount")), count(said.get("viewCount")))
