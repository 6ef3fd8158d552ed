"""A parser that asks a platform's API about one account at a time."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.core.links import identity, is_link, profile_link, username
from smart_sync.core.model import NO_METRICS, Account, Metrics, ParsedMetrics, Precision
from smart_sync.parsers import answers
from smart_sync.parsers.api import Api, ApiSettings, Session
from smart_sync.parsers.failures import AccountFailed, AccountGone
from smart_sync.parsers.parser import Fetched, Unfetched, Usage
from smart_sync.parsers.tasks import each
from smart_sync.parsers.wire import Answer

#: Identities that hold an id instead of a name.
_NUMBERED = re.compile(r"^(?:youtube:channel/|facebook:profile\.php\?id=)(.+)$")


class PlatformParser:
    """Subclasses say what to ask (`ask`) and what the platform's refusals mean (`judge`)."""

    settings: ClassVar[type[ParserSettings]] = ApiSettings

    def __init__(self, settings: ApiSettings, clock: Clock = utc_now) -> None:
        self._api = Api(settings, self.judge, clock)
        self._settings = settings
        self._clock = clock

    @property
    def usage(self) -> Usage:
        """What the last pass has cost so far."""
        return self._api.usage

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        """What the platform says of ``accounts``, as it comes.  Raises `ParserFailed` when it cannot go on."""
        async with self._api.session() as session:
            name = f"parser:{self._settings.source}:call"
            one = partial(self._one, session)
            async with aclosing(each(accounts, one, self._settings.concurrency, name)) as results:
                async for fetched in results:
                    yield fetched

    async def ask(self, session: Session, account: Account) -> Metrics | None:
        """The account's metrics; None if the account is not one this parser can ask about.

        Raises `AccountGone` or `AccountFailed` for this account, `ParserFailed` for all.
        """
        raise NotImplementedError

    def judge(self, answer: Answer, now: datetime) -> Any:
        """What an answer means: its JSON, or one of `failures`, or `ParserFailed`."""
        return answers.judge(answer, now)

    def precision(self, metrics: Metrics) -> Precision:
        """How exact the platform's figures are."""
        return Precision.EXACT

    async def _one(self, session: Session, account: Account) -> Fetched:
        try:
            metrics = await self.ask(session, account)
        except AccountGone as error:
            return Unfetched(account.id, str(error), gone=True)
        except AccountFailed as error:
            return Unfetched(account.id, str(error))
        return self._values(account, metrics)

    def _values(self, account: Account, metrics: Metrics | None) -> Fetched:
        if metrics is None:
            return Unfetched(account.id, "its link does not say which account it is")
        if metrics == NO_METRICS:
            return Unfetched(account.id, "the answer holds none of the metrics")
        return ParsedMetrics(account.id, metrics, self._settings.source, self._clock(), self.precision(metrics))


def name_of(account: Account) -> str:
    """The account's name (without ``@``) or id on its platform; "" if the link shows nobody.

    The username says it only where there is no link: what a link names, or that it names nobody, is never overruled.
    """
    if name := username(profile_link(account.link, account.platform) or account.link):
        return name
    if is_link(account.link):
        numbered = _NUMBERED.search(identity(account.link))
        return numbered[1] if numbered else ""
    return account.username.strip().removeprefix("@")
