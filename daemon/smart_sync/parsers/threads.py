"""Threads: insights of one's own accounts.

Only followers: the API's views and likes are those of a window (a day, unless told), not of a lifetime, and a
window's figure is no candidate for MAX.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import graph
from smart_sync.parsers.api_client import ApiUrl, Session
from smart_sync.parsers.found import count, mapping, mappings
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.tokens import TokensParser, TokensSettings


class ThreadsSettings(TokensSettings):
    """``[parsers.threads]``."""

    platforms: tuple[str, ...] = ("threads",)
    api_url: ApiUrl = "https://graph.threads.net/v1.0"


class Threads(TokensParser):
    """Followers of the accounts whose tokens are at hand."""

    settings: ClassVar[type[ParserSettings]] = ThreadsSettings
    terms: ClassVar[str] = graph.TERMS
    limits_are_own: ClassVar[bool] = True

    async def ask_own(self, session: Session, account: Account, headers: Mapping[str, str]) -> Metrics:
        """As the base class."""
        body = await session.get("me/threads_insights", {"metric": "followers_count"}, headers)
        for metric in mappings(mapping(body).get("data")):
            if metric.get("name") == "followers_count":
                return Metrics(followers=count(mapping(metric.get("total_value")).get("value")))
        return Metrics()

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """As `graph.judge`."""
        return graph.judge(answer, now, f"[parsers.{self._settings.source}.tokens]")

    def remark(self, answer: HttpResponse) -> str:
        """As `graph.remark`."""
        return graph.remark(answer, self._settings.api_url)
