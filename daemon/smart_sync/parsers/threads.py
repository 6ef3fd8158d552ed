"""Threads: insights of accounts whose owners granted a token.

Only followers: the API's views and likes are those of a window (a day, unless told), not of a lifetime, and a
window's figure is no candidate for MAX.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import meta_graph
from smart_sync.parsers.api_client import ApiUrl, Session
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.response_values import count, mapping, mappings
from smart_sync.parsers.token_book import Grant
from smart_sync.parsers.tokens import TokensParser, TokensSettings

#: The version at the end of the API's address: tokens are renewed without one.
_VERSION = re.compile(r"/v[0-9.]+$")


class ThreadsAccount(BaseModel):
    """An account whose owner has granted a token, which is renewed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The token of 60 days that the account's owner has granted; it is renewed before it ends.
    token: Secret


class ThreadsSettings(TokensSettings):
    """``[parsers.threads]``."""

    #: The platforms whose accounts it is asked about.
    platforms: tuple[str, ...] = ("threads",)
    #: The address of the Threads API.
    api_url: ApiUrl = "https://graph.threads.net/v1.0"
    #: User name → its token: ``[parsers.threads.accounts."@nova"]``. Smart Sync renews it.
    accounts: dict[str, ThreadsAccount] = Field(default_factory=dict)


class Threads(TokensParser):
    """Followers of the accounts with a configured token."""

    settings: ClassVar[type[ParserSettings]] = ThreadsSettings
    terms: ClassVar[str] = meta_graph.TERMS
    limits_are_own: ClassVar[bool] = True
    tells_of_tokens: ClassVar[bool] = True

    def __init__(self, settings: ThreadsSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._own = settings

    def grants(self) -> list[Grant]:
        """As the base class."""
        settings = self._own
        return [
            Grant(
                name,
                account.token.get_secret_value,
                "threads",
                f'[parsers.{settings.source}.accounts."{name}"] token',
                f"{_VERSION.sub('', settings.api_url)}/refresh_access_token",
            )
            for name, account in settings.accounts.items()
        ]

    async def ask_own(self, session: Session, account: Account, headers: Mapping[str, str]) -> Metrics:
        """As the base class."""
        body = await session.get("me/threads_insights", {"metric": "followers_count"}, headers)
        for metric in mappings(mapping(body).get("data")):
            if metric.get("name") == "followers_count":
                return Metrics(followers=count(mapping(metric.get("total_value")).get("value")))
        return Metrics()

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """As `meta_graph.judge`."""
        return meta_graph.judge(answer, now, f"[parsers.{self._settings.source}]")

    def remark(self, answer: HttpResponse) -> str:
        """As `meta_graph.remark`."""
        return meta_graph.remark(answer, self._settings.api_url)
