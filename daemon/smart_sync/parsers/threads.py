"""Threads: insights of one's own accounts.

Only followers: the API's views and likes are those of a window (a day, unless told), not of a lifetime, and a
window's figure is no candidate for MAX.
"""

from datetime import datetime
from typing import Any, ClassVar

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import graph
from smart_sync.parsers.api import ApiSettings, ApiUrl, Session
from smart_sync.parsers.counts import count, mapping, mappings
from smart_sync.parsers.failures import AccountFailed, Refused
from smart_sync.parsers.platform import PlatformParser
from smart_sync.parsers.tokens import Tokens
from smart_sync.parsers.wire import Answer
from smart_sync.secret import Secret


class ThreadsSettings(ApiSettings):
    """``[parsers.threads]``."""

    platforms: tuple[str, ...] = ("threads",)
    api_url: ApiUrl = "https://graph.threads.net/v1.0"
    #: Username → its access token.
    tokens: dict[str, Secret]


class Threads(PlatformParser):
    """Followers of the accounts whose tokens are at hand."""

    settings: ClassVar[type[ParserSettings]] = ThreadsSettings

    def __init__(self, settings: ThreadsSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._tokens = Tokens(settings.tokens)

    def serves(self, account: Account) -> bool:
        """Accounts without a token cannot be asked about."""
        return self._tokens.headers(account) is not None

    async def ask(self, session: Session, account: Account) -> Metrics | None:
        """As the base class; a token that is refused is this account's trouble only."""
        headers = self._tokens.headers(account)
        if headers is None:
            return None
        try:
            body = await session.get("me/threads_insights", {"metric": "followers_count"}, headers)
        except Refused as failure:
            raise AccountFailed(str(failure)) from None
        for metric in mappings(mapping(body).get("data")):
            if metric.get("name") == "followers_count":
                return Metrics(followers=count(mapping(metric.get("total_value")).get("value")))
        return Metrics()

    def judge(self, answer: Answer, now: datetime) -> Any:
        """As `graph.judge`."""
        return graph.judge(answer, now, f"[parsers.{self._settings.source}.tokens]")
