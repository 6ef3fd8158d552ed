"""Facebook: pages in the Graph API, one call per page."""

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

_PAGE = re.compile(r"[A-Za-z0-9.\-]{1,128}")


class FacebookSettings(ApiSettings):
    """``[parsers.facebook]``."""

    platforms: tuple[str, ...] = ("facebook",)
    api_url: ApiUrl = "https://graph.facebook.com/v23.0"
    rate: ApiRate = Rate(200, 3600.0)
    #: With the permission "Page Public Content Access", or of the pages' own administrator.
    token: Secret
    #: Views are summed over so many of the latest videos; 0: not asked for.
    videos: Annotated[int, Field(ge=0, le=100)] = 0


class Facebook(PlatformParser):
    """Followers of pages; where a page shows none, the people who like it."""

    settings: ClassVar[type[ParserSettings]] = FacebookSettings
    terms: ClassVar[str] = graph.TERMS

    def __init__(self, settings: FacebookSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._videos = settings.videos
        self._secret = settings.token

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class."""
        name = name_of(account)
        if not _PAGE.fullmatch(name):
            return None

        async def get(videos: int) -> Any:
            fields = "followers_count,fan_count" + f",videos.limit({videos}){{views}}" * (videos > 0)
            return await session.get(name, {"fields": fields}, self._headers)

        body, flaw = await graph.less_and_less(get, self._videos, self.remembered, identity(account.link))
        followers = count(body.get("followers_count"))
        metrics = Metrics(
            followers=count(body.get("fan_count")) if followers is None else followers,
            views=total(mappings(mapping(body.get("videos")).get("data")), "views"),
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
