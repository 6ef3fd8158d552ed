"""YouTube: Data API v3, by API key. 50 channels per call; a channel known only by its handle takes its own call."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from smart_sync.aio.tasks import each
from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.campaign import Campaign, Video
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account, Metrics, Precision
from smart_sync.core.schedule import pacific_midnight
from smart_sync.errors import ParserFailed
from smart_sync.parsers import error_responses
from smart_sync.parsers import youtube_answers as answers
from smart_sync.parsers.api_client import ApiUrl, CountingSettings, Session
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.failures import AccountFailed, AccountGone, CallFailed, Refused, Throttled
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.parser import Fetched, Paused, RoundOver, Unfetched
from smart_sync.parsers.per_account import Partly, PlatformParser, name_of, split_on_failure
from smart_sync.parsers.response_values import count, mapping, mappings, text, total
from smart_sync.parsers.videos import Page, campaign_numbers, with_followers

PER_CALL = 50

_CHANNEL_ID = re.compile(r"UC[\w-]{22}")
_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_KEY = frozenset({"keyInvalid", "keyExpired", "API_KEY_INVALID"})
#: The key's project may not ask, whatever is asked for; any other refusal is one of the object.
_PROJECT = frozenset(
    {
        *("accessNotConfigured", "SERVICE_DISABLED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED", "ipRefererBlocked"),
        *(f"API_KEY_{what}_BLOCKED" for what in ("SERVICE", "HTTP_REFERRER", "IP_ADDRESS", "ANDROID_APP", "IOS_APP")),
    }
)


class YouTubeSettings(CountingSettings):
    """``[parsers.youtube]``."""

    #: The platforms whose accounts it is asked about.
    platforms: tuple[str, ...] = ("youtube",)
    #: The address of the YouTube Data API.
    api_url: ApiUrl = "https://www.googleapis.com/youtube/v3"
    #: The API key of a Google Cloud project in which the YouTube Data API v3 is enabled.
    key: Secret
    #: Likes and comments are summed over so many of the latest uploads; 0: not asked for. Costs two requests a
    #: channel.
    videos: Annotated[int, Field(ge=0, le=500)] = 0


_NO_CHANNEL = "YouTube has no such channel"
_NO_NAME = "its link is none that YouTube's API can be asked about; put the one with @handle or /channel/ there"


@dataclass(slots=True)
class _Round:
    """One pass: its calls, and why no further one can succeed, if so."""

    session: Session
    failures: list[ParserFailed] = field(default_factory=list)

    @property
    def failure(self) -> ParserFailed | None:
        """Why no further call can succeed; None if one can."""
        return self.failures[-1] if self.failures else None


class YouTube(PlatformParser):
    """Subscribers (rounded by YouTube to three digits), videos and views of channels."""

    settings: ClassVar[type[ParserSettings]] = YouTubeSettings
    terms: ClassVar[str] = (
        "YouTube's developer policies (derived metrics, read in May 2026) forbid keeping its numbers beyond 30 days and"
        " mixing them into other metrics, unless an audited developer has accepted their amendment"
    )

    def __init__(self, settings: YouTubeSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._videos = settings.videos
        self._secret = settings.key

    async def fetch(self, accounts: Sequence[Account], asking: Asking | None = None) -> AsyncIterator[Fetched]:
        """As the base class."""
        async with self._session(asking) as session:
            current, name = _Round(session), f"parser:{self._settings.source}:call"
            work = partial(self._group, current)
            async with aclosing(
                each(self._groups(accounts), work, self._settings.concurrency, name, ends=(RoundOver,))
            ) as results:
                async for fetched in results:
                    for one in fetched:
                        yield one
                    if current.failure is not None and not isinstance(current.failure, RoundOver):
                        raise current.failure
            if current.failure is not None:
                raise current.failure

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Goog-Api-Key": self._secret.get_secret_value()}

    def precision(self, metrics: Metrics) -> Precision:
        """Rounded if the subscribers have at most the three digits YouTube shows.

        It is the row's, unless a campaign is counted: its other figures are taken for rounded too, which matters only
        where the sheet's differ from them by less than their trailing zeros.
        """
        digits = str(metrics.followers or 0)
        return Precision.ROUNDED if len(digits) > 3 and not digits[3:].strip("0") else Precision.EXACT

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """By the reason that YouTube gives for quota, key and permission errors."""
        error = mapping(mapping(error_responses.decoded(answer)).get("error")) if answer.status >= 400 else {}
        reasons = {text(item.get("reason")) for part in ("errors", "details") for item in mappings(error.get(part))}
        table = f"[parsers.{self._settings.source}]"
        message = error_responses.short_text(error.get("message", answer.status))
        if reasons & _QUOTA:
            raise Paused("the YouTube quota of the day is used up", pacific_midnight(now))
        if reasons & _RATE:
            raise Throttled("too many calls, says YouTube", after=error_responses.retry_after(answer, now))
        if reasons & _KEY or (answer.status == 400 and "API key" in message):
            raise Refused(f"YouTube refuses the key: {message}; put a valid one into {table} key")
        if reasons & _PROJECT:
            remedy = f"enable the YouTube Data API v3 for the key of {table}"
            raise Refused(f"YouTube refuses: {message}; {remedy}", trouble="google-api-off")
        return error_responses.judge(answer, now)

    def _groups(self, accounts: Sequence[Account]) -> Iterator[tuple[str, list[Account]]]:
        """Accounts to ask for together: fifty by id, or all accounts of one name; "" if they cannot be asked for."""
        by: dict[str, list[Account]] = {}
        for account in accounts:
            by.setdefault("id" if self._channel_id(account) else _query(account), []).append(account)
        by_id = by.pop("id", [])
        yield from (("id", by_id[start : start + PER_CALL]) for start in range(0, len(by_id), PER_CALL))
        yield from by.items()

    async def _group(self, current: _Round, group: tuple[str, list[Account]]) -> list[Fetched]:
        query, accounts = group
        if not query:
            return [Unfetched(account.id, _NO_NAME) for account in accounts]
        with current.session.about(accounts) as session:
            own = replace(current, session=session)
            if query == "id":
                return await split_on_failure(accounts, partial(self._by_id, own), session)
            return await self._by_name(own, query, accounts)

    async def _by_id(self, current: _Round, accounts: Sequence[Account]) -> list[Fetched]:
        ids = {account.id: self._channel_id(account) for account in accounts}
        channels = await self._channels(current, {"id": ",".join(dict.fromkeys(ids.values()))})
        by_id = {text(channel.get("id")): channel for channel in channels}
        fetched: list[Fetched] = []
        moved: dict[str, list[Account]] = {}
        for account in accounts:
            if (channel := by_id.get(ids[account.id])) is not None:
                fetched += await self._of(current, account, channel)
            elif self.remembered.pop(identity(account.link), None):
                moved.setdefault(_query(account), []).append(account)
            else:
                fetched.append(Unfetched(account.id, _NO_CHANNEL, gone=True, trouble="account-gone"))
        for query, some in moved.items():
            fetched += await self._by_name(current, query, some)
        return fetched

    async def _by_name(self, current: _Round, query: str, accounts: Sequence[Account]) -> list[Fetched]:
        """All accounts of one name; the channel's id is stored, because it does not change."""

        async def ask(some: Sequence[Account]) -> list[Fetched]:
            key, _, name = query.partition("=")
            channel = next(iter(await self._channels(current, {key: name})), None)
            if channel is None:
                return [Unfetched(account.id, _NO_CHANNEL, gone=True, trouble="account-gone") for account in some]
            if _CHANNEL_ID.fullmatch(channel_id := text(channel.get("id"))):
                self.remembered |= {identity(account.link): {"id": channel_id} for account in some}
            return [one for account in some for one in await self._of(current, account, channel)]

        return await split_on_failure(accounts, ask, current.session, may=lambda _failure: False)

    def _channel_id(self, account: Account) -> str:
        """The channel id, from the link or an earlier look-up; "" if there is none."""
        who = identity(account.link)
        channel_id = who.removeprefix("youtube:channel/")
        channel_id = channel_id if channel_id != who else self.remembered.get(who, {}).get("id", "")
        return channel_id if _CHANNEL_ID.fullmatch(channel_id) else ""

    async def _channels(self, current: _Round, wanted: Mapping[str, str]) -> list[Mapping[str, Any]]:
        parts = "statistics,contentDetails" if self._videos or self.counts_campaign else "statistics"
        params = {"part": parts, "maxResults": str(PER_CALL), **wanted}
        return answers.items(
            await current.session.get("channels", params, self._headers), "youtube#channelListResponse"
        )

    async def _of(self, current: _Round, account: Account, channel: Mapping[str, Any]) -> list[Fetched]:
        """An account's result; none if its videos cannot be asked for in this pass."""
        if self.counts_campaign:
            return await self._fetch_campaign(current, account, channel)
        likes = comments = None
        flaw = ""
        if self._videos and current.failure is None:
            try:
                likes, comments = await self._uploads(current.session, channel)
            except (AccountGone, AccountFailed) as failure:
                flaw = f"likes, comments: {failure}"
            except ParserFailed as failure:
                current.failures.append(failure)
        return [self._said(account, Partly(_metrics(channel, likes, comments), flaw))]

    async def _fetch_campaign(self, current: _Round, account: Account, channel: Mapping[str, Any]) -> list[Fetched]:
        if current.failure is not None:
            return []
        try:
            page = partial(self._page, current.session, channel, account.campaign)
            sums = await campaign_numbers(page, account.campaign)
        except ParserFailed as failure:
            current.failures.append(failure)
            current.session.asking.tried.add(account.id)
            return []
        return [self._said(account, with_followers(_metrics(channel, None, None).followers, sums))]

    def _said(self, account: Account, result: Partly) -> Fetched:
        try:
            return self._values(account, *result)
        except AccountFailed as failure:
            return Unfetched(account.id, str(failure), trouble=failure.trouble)

    async def _page(self, session: Session, channel: Mapping[str, Any], campaign: Campaign, token: str | None) -> Page:
        """A page of the uploads, with figures only for videos that may count."""
        if (playlist := answers.playlist(channel)) is None:
            raise CallFailed("the channel's answer does not say where its videos are", retry=False)
        params = {"part": "contentDetails,status", "playlistId": playlist, "maxResults": str(PER_CALL)}
        try:
            body = await session.get("playlistItems", params | ({"pageToken": token} if token else {}), self._headers)
        except AccountGone:
            if token is None and count(mapping(channel.get("statistics")).get("videoCount")) == 0:
                return Page([])  # the list of a channel without videos is not there
            raise
        listed = answers.uploads(body)
        shown: Mapping[str, Video] = {}
        if ids := [one.id for one in listed if campaign.holds(one.published) is not False]:
            params = {"part": "snippet,statistics", "id": ",".join(ids), "maxResults": str(PER_CALL)}
            shown = answers.videos(await session.get("videos", params, self._headers), listed)
        videos = [
            # Of one that is left out nothing is known, unless the list says that nobody sees it.
            shown.get(one.id, Video(one.published, None, id=one.id))
            for one in listed
            if one.id in shown or one.id not in ids or not one.is_hidden
        ]
        times = [shown[one.id].published if one.id in shown else one.published for one in listed]
        return Page(videos, text(mapping(body).get("nextPageToken")) or None, times)

    async def _uploads(self, session: Session, channel: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Likes and comments of the latest uploads. Raises as `Session.get` does."""
        if (playlist := answers.playlist(channel)) is None:
            return None, None
        statistics = [s async for s in self._video_statistics(session, playlist)]
        return total(statistics, "likeCount"), total(statistics, "commentCount")

    async def _video_statistics(self, session: Session, playlist: str) -> AsyncIterator[Mapping[str, Any]]:
        left, page = self._videos, ""
        while left > 0:
            params = {"part": "contentDetails", "playlistId": playlist, "maxResults": str(min(left, PER_CALL))}
            body = await session.get("playlistItems", params | ({"pageToken": page} if page else {}), self._headers)
            items = answers.items(body, "youtube#playlistItemListResponse")
            page = text(mapping(body).get("nextPageToken"))
            ids = [video_id for item in items if (video_id := answers.video_id(item))]
            if ids:
                params = {"part": "statistics", "id": ",".join(ids), "maxResults": str(PER_CALL)}
                body = await session.get("videos", params, self._headers)
                for item in answers.items(body, "youtube#videoListResponse"):
                    yield mapping(item.get("statistics"))
            left -= len(items)
            if not page or not items:
                return


def _query(account: Account) -> str:
    """The query for a channel without a known id, ``forHandle=@name``; "" if its link has no name.

    Which channel a ``/c/name`` is only YouTube's pages know: another may have the name for its handle.
    """
    who = identity(account.link, account.platform)
    if who.startswith("youtube:@"):
        return f"forHandle=@{name_of(account)}"
    return f"forUsername={name_of(account)}" if who.startswith("youtube:user/") else ""


def _metrics(channel: Mapping[str, Any], likes: int | None, comments: int | None) -> Metrics:
    statistics = mapping(channel.get("statistics"))
    followers = None if statistics.get("hiddenSubscriberCount") else count(statistics.get("subscriberCount"))
    return Metrics(followers, likes, comments, count(statistics.get("videoCount")), count(statistics.get("viewCount")))
