"""Instagram: business discovery in the Graph API, one call per account; business and creator accounts only."""

import re
from collections.abc import Mapping, Sequence
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

#: What a username may be; anything else would become part of the query's syntax.
_USERNAME = re.compile(r"[A-Za-z0-9._]{1,64}")
#: Media that are no videos.
_PICTURES = ("IMAGE", "CAROUSEL_ALBUM")


class InstagramSettings(CountingSettings):
    """``[parsers.instagram]``."""

    #: The platforms whose accounts it is asked about.
    platforms: tuple[str, ...] = ("instagram",)
    #: The address of the Graph API, with its version.
    api_url: ApiUrl = "https://graph.facebook.com/v23.0"
    #: Requests in a window of time at most, such as ``"200/h"``.
    rate: ApiRate = Rate(200, 3600.0)
    #: An access token of the Instagram business account in whose name is asked.
    token: Secret
    #: The id (digits) of the Instagram business account in whose name is asked.
    user_id: Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
    #: Likes, comments and views are summed over so many of the latest media; 0: not asked for.
    videos: Annotated[int, Field(ge=0, le=100)] = 0


class Instagram(meta_graph.OneTokenParser):
    """Followers and number of media of professional accounts."""

    settings: ClassVar[type[ParserSettings]] = InstagramSettings

    def __init__(self, settings: InstagramSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, settings.token, clock)
        self._user_id = settings.user_id
        self._videos = settings.videos

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class; a sum is None if no medium has the figure."""
        name = name_of(account)
        if not _USERNAME.fullmatch(name):
            return None

        if self.counts_campaign:
            return await self._fetch_campaign(session, account, name)

        async def get(videos: int) -> Any:
            media = f",media.limit({videos}){{like_count,comments_count,view_count}}" * (videos > 0)
            fields = f"business_discovery.username({name}){{followers_count,media_count{media}}}"
            return await session.get(self._user_id, {"fields": fields}, self._headers)

        body, flaw = await meta_graph.with_smaller_pages(get, self._videos, self.remembered, identity(account.link))
        profile = mapping(body.get("business_discovery"))
        media = mappings(mapping(profile.get("media")).get("data"))
        metrics = Metrics(
            followers=count(profile.get("followers_count")),
            likes=total(media, "like_count"),
            comments=total(media, "comments_count"),
            videos=count(profile.get("media_count")),
            views=total(media, "view_count"),
        )
        return Partly(metrics, flaw)

    async def _fetch_campaign(self, session: Session, account: Account, name: str) -> Partly:
        shown = "id,timestamp,media_type,like_count,comments_count,view_count"

        async def get(size: int, cursor: str | None) -> Any:
            after = f".after({cursor})" * (cursor is not None)
            media = f"media{after}.limit({size}){{{shown}}}"
            fields = f"business_discovery.username({name}){{followers_count,media_count,{media}}}"
            return await session.get(self._user_id, {"fields": fields}, self._headers)

        async def page_behind(cursor: str | None) -> Mapping[str, Any]:
            body = await meta_graph.read_in_portions(get, cursor, self.remembered, identity(account.link))
            return mapping(mapping(body).get("business_discovery"))

        first, seen = await page_behind(None), set[str]()

        async def page(cursor: str | None) -> Page:
            answer = first if cursor is None else await page_behind(cursor)
            if "media" not in answer and count(answer.get("media_count")) == len(seen):
                return Page([])  # Meta leaves out a list that is empty
            media, following = meta_graph.edge(answer.get("media"), "media")
            seen.update(text(medium.get("id")) for medium in media)
            return _page(media, following)

        return with_followers(count(first.get("followers_count")), await campaign_numbers(page, account.campaign))


def _page(media: Sequence[Mapping[str, Any]], following: str | None) -> Page:
    """A page of media, without known pictures."""
    videos = [
        Video(
            published_at(medium.get("timestamp")),
            count(medium.get("view_count")),
            count(medium.get("like_count")),
            count(medium.get("comments_count")),
            text(medium.get("id")),
        )
        for medium in media
        if medium.get("media_type") not in _PICTURES
    ]
    return Page(videos, following, [published_at(medium.get("timestamp")) for medium in media])
