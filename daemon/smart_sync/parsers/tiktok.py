"""TikTok: Display API v2, for accounts whose owners granted a token."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.campaign import Video
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import error_responses
from smart_sync.parsers.api_client import ApiUrl, CountingSettings, Session
from smart_sync.parsers.failures import (
    AccountFailed,
    AccountGone,
    AccountRefused,
    CallFailed,
    Refused,
    Throttled,
    TokenEnded,
)
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.per_account import Partly
from smart_sync.parsers.response_values import count, mapping, mappings, objects, text, total
from smart_sync.parsers.token_book import Grant
from smart_sync.parsers.tokens import TokensParser, TokensSettings
from smart_sync.parsers.videos import Page, campaign_numbers, published_at, with_followers

PER_CALL = 20

_STRANGE = "the answer is not what it should be"

_PASSING = frozenset({"internal_error", "server_error"})
_ENDED = frozenset({"access_token_invalid", "access_token_expired"})
_CREDENTIALS = frozenset({*_ENDED, "scope_not_authorized", "scope_permission_missed"})


class TikTokAccount(BaseModel):
    """An account whose owner has granted a refresh token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The refresh token that the account's owner has granted; the access tokens are made of it.
    refresh_token: Secret


class TikTokSettings(TokensSettings, CountingSettings):
    """``[parsers.tiktok]``; the tokens need the scopes user.info.stats and (for ``videos``) video.list."""

    #: The platforms whose accounts it is asked about.
    platforms: tuple[str, ...] = ("tiktok",)
    #: The address of TikTok's API.
    api_url: ApiUrl = "https://open.tiktokapis.com/v2"
    #: The client key of your TikTok application, needed by ``accounts``.
    client_key: Secret | None = None
    #: The client secret of your TikTok application, needed by ``accounts``.
    client_secret: Secret | None = None
    #: User name → its refresh token: ``[parsers.tiktok.accounts."@nova"]``. The access tokens are renewed by Smart
    #: Sync.
    accounts: dict[str, TikTokAccount] = Field(default_factory=dict)
    #: Comments and views are summed over so many of the latest videos; 0: not asked for.
    videos: Annotated[int, Field(ge=0, le=500)] = 0

    @model_validator(mode="after")
    def _can_renew(self) -> "TikTokSettings":
        if self.accounts and (self.client_key is None or self.client_secret is None):
            raise ValueError("accounts need client_key and client_secret, those of the application")
        return self


class TikTok(TokensParser):
    """Followers, likes and videos of the accounts with a configured token."""

    settings: ClassVar[type[ParserSettings]] = TikTokSettings

    def __init__(self, settings: TikTokSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._videos = settings.videos
        self._own = settings

    def grants(self) -> list[Grant]:
        """As the base class."""
        settings = self._own
        if settings.client_key is None or settings.client_secret is None:
            return []
        app = settings.client_key.get_secret_value, settings.client_secret.get_secret_value

        def form() -> dict[str, str]:
            return {"client_key": app[0](), "client_secret": app[1]()}

        return [
            Grant(
                name,
                account.refresh_token.get_secret_value,
                "tiktok",
                f'[parsers.{settings.source}.accounts."{name}"] refresh_token',
                f"{settings.api_url}/oauth/token/",
                form,
            )
            for name, account in settings.accounts.items()
        ]

    async def ask_own(self, session: Session, account: Account, headers: Mapping[str, str]) -> Metrics | Partly:
        """As the base class; without the videos if only they are refused."""
        params = {"fields": "follower_count,likes_count,video_count"}
        if self.counts_campaign:
            params = {"fields": "follower_count"}
        user = mapping(mapping(mapping(await session.get("user/info/", params, headers)).get("data")).get("user"))
        if self.counts_campaign:
            sums = await campaign_numbers(partial(self._page, session, headers), account.campaign)
            return with_followers(count(user.get("follower_count")), sums)
        metrics = Metrics(
            followers=count(user.get("follower_count")),
            likes=count(user.get("likes_count")),
            videos=count(user.get("video_count")),
        )
        try:
            videos = [video async for video in self._latest(session, headers)]
        except (Refused, AccountFailed, AccountGone) as failure:
            return Partly(metrics, f"comments, views: {failure} (they need the scope video.list)")
        return metrics._replace(comments=total(videos, "comment_count"), views=total(videos, "view_count"))

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """By ``error.code``, whatever the status: a 200 may contain an error, too."""
        body = error_responses.decoded(answer)
        error = mapping(mapping(body).get("error"))
        code, message = text(error.get("code")), error_responses.short_text(error.get("message", ""))
        if code == "rate_limit_exceeded":
            raise Throttled("too many calls, says TikTok", after=error_responses.retry_after(answer, now))
        if code in _PASSING:
            raise CallFailed(f"TikTok answers: {code}", after=error_responses.retry_after(answer, now))
        if code in _CREDENTIALS:
            table = f"[parsers.{self._settings.source}]"
            failure = TokenEnded if code in _ENDED else Refused
            raise failure(f"TikTok refuses the token: {message or code}; renew the account's token in {table}")
        good = error_responses.judge(answer, now)
        if code != "ok":
            raise AccountRefused(f"TikTok refuses: {message or error_responses.short_text(code) or _STRANGE}")
        return good

    async def _page(self, session: Session, headers: Mapping[str, str], cursor: str | None) -> Page:
        """A page of all videos."""
        wanted = {"max_count": PER_CALL} | ({"cursor": int(cursor)} if cursor is not None else {})
        params = {"fields": "id,create_time,like_count,comment_count,view_count"}
        data = mapping(mapping(await session.post("video/list/", params, headers, wanted)).get("data"))
        videos = [
            Video(
                published_at(video.get("create_time")),
                count(video.get("view_count")),
                count(video.get("like_count")),
                count(video.get("comment_count")),
                text(video.get("id")),
            )
            for video in objects(data.get("videos"), "videos")
        ]
        following, goes_on = data.get("cursor"), data.get("has_more")
        if not isinstance(goes_on, bool):
            raise AccountRefused("the answer does not say whether the list of videos goes on")
        if not goes_on:
            return Page(videos)
        if not isinstance(following, int) or isinstance(following, bool):
            raise AccountRefused("the answer does not say where the list goes on")
        return Page(videos, str(following))

    async def _latest(self, session: Session, headers: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        left, cursor = self._videos, None
        while left > 0:
            wanted = {"max_count": min(left, PER_CALL)} | ({"cursor": cursor} if cursor is not None else {})
            params = {"fields": "id,like_count,comment_count,view_count"}
            data = mapping(mapping(await session.post("video/list/", params, headers, wanted)).get("data"))
            videos = mappings(data.get("videos"))
            for video in videos:
                yield video
            left, cursor = left - len(videos), data.get("cursor")
            if not videos or not data.get("has_more") or not isinstance(cursor, int):
                return
