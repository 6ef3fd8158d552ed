"""Facebook: pages in the Graph API, one call per page."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.campaign import Video
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import meta_graph
from smart_sync.parsers.api_client import ApiUrl, CountingSettings, Session
from smart_sync.parsers.budget import ApiRate, Rate
from smart_sync.parsers.per_account import Partly, name_of
from smart_sync.parsers.response_values import count, mapping, mappings, text, total
from smart_sync.parsers.videos import Page, campaign_numbers, published_at, with_followers

_PAGE = re.compile(r"[A-Za-z0-9.\-]{1,128}")


class FacebookSettings(CountingSettings):
    """``[parsers.facebook]``."""

    #: The platforms whose accounts it is asked about.
    platforms: tuple[str, ...] = ("facebook",)
    #: The address of the Graph API, with its version.
    api_url: ApiUrl = "https://graph.facebook.com/v23.0"
    #: Requests in a window of time at most, such as ``"200/h"``.
    rate: ApiRate = Rate(200, 3600.0)
    #: An access token with the feature "Page Public Content Access", or of the pages' own administrator.
    token: Secret
    #: Views are summed over so many of the latest videos; 0: not asked for.
    videos: Annotated[int, Field(ge=0, le=100)] = 0

    @property
    def shows_videos(self) -> bool:
        """As the base class: the API alone has only followers."""
        return self.videos > 0 or self.count == "campaign"


class Facebook(meta_graph.OneTokenParser):
    """Followers of pages; if a page hides them, the number of people who like it."""

    settings: ClassVar[type[ParserSettings]] = FacebookSettings

    def __init__(self, settings: FacebookSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, settings.token, clock)
        self._videos = settings.videos

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class."""
        name = name_of(account)
        if not _PAGE.fullmatch(name):
            return None

        if self.counts_campaign:
            return await self._fetch_campaign(session, account, name)

        async def get(videos: int) -> Any:
            fields = "followers_count,fan_count" + f",videos.limit({videos}){{views}}" * (videos > 0)
            return await session.get(name, {"fields": fields}, self._headers)

        body, flaw = await meta_graph.with_smaller_pages(get, self._videos, self.remembered, identity(account.link))
        metrics = Metrics(
            followers=_followers(body),
            views=total(mappings(mapping(body.get("videos")).get("data")), "views"),
        )
        return Partly(metrics, flaw)

    async def _fetch_campaign(self, session: Session, account: Account, name: str) -> Partly:
        shown = "id,created_time,views,likes.limit(0).summary(true),comments.limit(0).summary(true)"
        who = identity(account.link)

        async def page_of_followers(size: int, _cursor: str | None) -> Any:
            fields = f"followers_count,fan_count,videos.limit({size}){{{shown}}}"
            return await session.get(name, {"fields": fields}, self._headers)

        async def videos(size: int, cursor: str | None) -> Any:
            params = {"fields": shown, "limit": str(size)} | ({"after": cursor} if cursor is not None else {})
            return await session.get(f"{name}/videos", params, self._headers)

        first = mapping(await meta_graph.read_in_portions(page_of_followers, None, self.remembered, who))

        async def page(cursor: str | None) -> Page:
            if cursor is None and "videos" in first:
                return _page(first["videos"])
            # Left out it may be empty, or not to be seen by this token: asked for by itself, Meta says which.
            return _page(await meta_graph.read_in_portions(videos, cursor, self.remembered, who))

        return with_followers(_followers(first), await campaign_numbers(page, account.campaign))


def _followers(body: Mapping[str, Any]) -> int | None:
    followers = count(body.get("followers_count"))
    return count(body.get("fan_count")) if followers is None else followers


def _page(edge: object) -> Page:
    videos, following = meta_graph.edge(edge, "videos")
    shown = [
        Video(
            published_at(video.get("created_time")),
            count(video.get("views")),
            _sum(video.get("likes")),
            _sum(video.get("comments")),
            text(video.get("id")),
        )
        for video in videos
    ]
    return Page(shown, following)


def _sum(edge: object) -> int | None:
    """An edge's number of objects, from its summary."""
    return count(mapping(mapping(edge).get("summary")).get("total_count"))
