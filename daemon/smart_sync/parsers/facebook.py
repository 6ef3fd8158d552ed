"""Facebook: pages in the Graph API, one call per page."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import graph
from smart_sync.parsers.api_client import ApiSettings, ApiUrl, Session
from smart_sync.parsers.counts import count, mapping, mappings, total
from smart_sync.parsers.http import Answer
from smart_sync.parsers.per_account import PlatformParser, name_of
from smart_sync.parsers.rate import ApiRate, Rate

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

    def __init__(self, settings: FacebookSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._fields = "followers_count,fan_count" + f",videos.limit({settings.videos}){{views}}" * (
            settings.videos > 0
        )
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}

    async def ask(self, session: Session, account: Account) -> Metrics | None:
        """As the base class."""
        name = name_of(account)
        if not _PAGE.fullmatch(name):
            return None
        body = mapping(await session.get(name, {"fields": self._fields}, self._headers))
        followers = count(body.get("followers_count"))
        return Metrics(
            followers=count(body.get("fan_count")) if followers is None else followers,
            views=total(mappings(mapping(body.get("videos")).get("data")), "views"),
        )

    def judge(self, answer: Answer, now: datetime) -> Any:
        """As `graph.judge`."""
        return graph.judge(answer, now, f"[parsers.{self._settings.source}]")
