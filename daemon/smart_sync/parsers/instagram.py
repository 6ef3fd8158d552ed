"""Instagram: business discovery in the Graph API, one call per account; business and creator accounts only."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import graph
from smart_sync.parsers.api_client import ApiSettings, ApiUrl, Session
from smart_sync.parsers.budget import ApiRate, Rate
from smart_sync.parsers.found import count, mapping, mappings, total
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.per_account import Partly, PlatformParser, name_of

#: What a username may be; anything else would become part of the query's syntax.
_USERNAME = re.compile(r"[A-Za-z0-9._]{1,64}")


class InstagramSettings(ApiSettings):
    """``[parsers.instagram]``."""

    platforms: tuple[str, ...] = ("instagram",)
    api_url: ApiUrl = "https://graph.facebook.com/v23.0"
    rate: ApiRate = Rate(200, 3600.0)
    token: Secret
    #: The Instagram business account in whose name is asked.
    user_id: Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
    #: Likes, comments and views are summed over so many of the latest media; 0: not asked for.
    videos: Annotated[int, Field(ge=0, le=100)] = 0


class Instagram(PlatformParser):
    """Followers and number of media of professional accounts."""

    settings: ClassVar[type[ParserSettings]] = InstagramSettings
    terms: ClassVar[str] = graph.TERMS

    def __init__(self, settings: InstagramSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._user_id = settings.user_id
        self._videos = settings.videos
        self._secret = settings.token

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class; a sum is None where no medium shows its figure."""
        name = name_of(account)
        if not _USERNAME.fullmatch(name):
            return None

        async def get(videos: int) -> Any:
            media = f",media.limit({videos}){{like_count,comments_count,view_count}}" * (videos > 0)
            fields = f"business_discovery.username({name}){{followers_count,media_count{media}}}"
            return await session.get(self._user_id, {"fields": fields}, self._headers)

        body, flaw = await graph.less_and_less(get, self._videos, self.remembered, identity(account.link))
        found = mapping(body.get("business_discovery"))
        media = mappings(mapping(found.get("media")).get("data"))
        metrics = Metrics(
            followers=count(found.get("followers_count")),
            likes=total(media, "like_count"),
            comments=total(media, "comments_count"),
            videos=count(found.get("media_count")),
            views=total(media, "view_count"),
        )
        return Partly(metrics, flaw)

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """As `graph.judge`."""
        return graph.judge(answer, now, f"[parsers.{self._settings.source}]")

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._secret.get_secret_value()}"}

    def remark(self, answer: HttpResponse) -> str:
        """As `graph.remark`."""
        return graph.remark(answer, self._settings.api_url)
