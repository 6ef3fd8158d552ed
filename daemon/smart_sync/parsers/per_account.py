"""The base of parsers that ask a platform's API for one account at a time."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from smart_sync.aio.tasks import each
from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.parser_options import options
from smart_sync.core.campaign import OF_VIDEOS
from smart_sync.core.links.identity import identity, profile_link, username
from smart_sync.core.model import NO_METRICS, Account, Metrics, ParsedMetrics, Precision
from smart_sync.parsers import error_responses
from smart_sync.parsers.api_client import ApiClient, ApiSettings, Session
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.failures import AccountFailed, AccountGone, TokenEnded
from smart_sync.parsers.http import HttpResponse
from smart_sync.parsers.parser import Fetched, RoundOver, Unfetched, Usage
from smart_sync.parsers.token_book import Grant, TokenBook

NAMELESS = "its link does not say which account it is"
#: Identities that hold an id instead of a name.
_NUMBERED = re.compile(r"^(?:youtube:channel/|facebook:profile\.php\?id=)(.+)$")


class Partly(NamedTuple):
    """Metrics, and in words what could not be had."""

    metrics: Metrics
    flaw: str
    #: As `ParsedMetrics.unfinished`.
    unfinished: bool = False


class PlatformParser:
    """Subclasses define the request (`ask`) and how responses are interpreted (`judge`)."""

    settings: ClassVar[type[ParserSettings]] = ApiSettings
    #: What the platform asks of those who store its numbers, in a sentence, and when that was read; "" if nothing.
    terms: ClassVar[str] = ""
    #: Whether all is asked with one token.
    has_one_token: ClassVar[bool] = False
    #: Whether the platform says of a token of which kind it is and when it ends (``debug_token``).
    tells_of_tokens: ClassVar[bool] = False

    def __init__(self, settings: ApiSettings, clock: Clock = utc_now) -> None:
        self._api = ApiClient(settings, self.judge, clock, self.remark)
        self._settings = settings
        self._clock = clock
        self.counts_campaign = options(settings).count == "campaign"
        #: Identity of an account → what is remembered of it for the next pass (see `Parser`).
        self.remembered: dict[str, dict[str, str]] = {}
        #: The pass that was begun last.
        self._last: Asking | None = None
        #: What is known of its tokens; None: nobody keeps it.
        self.book: TokenBook | None = None

    def tokens(self) -> list[Grant]:
        """Its tokens that can expire, or have a kind."""
        return []

    def keep_tokens(self, path: Path, table: str) -> None:
        """Store the tokens' state in the file at ``path``, under the name of the parser's ``table``."""
        if grants := self.tokens():
            self.book = TokenBook(path, table, grants, self._clock)

    async def inspect(self, session: Session, grant: Grant, *, now: bool = False) -> None:
        """Ask the platform about a token, once a day, or ``now``."""
        if self.book is not None and self.tells_of_tokens:
            await self.book.inspect(session, grant, f"{self._settings.api_url}/debug_token", now=now)

    async def inspect_all(self, asking: Asking) -> None:
        """Ask the platform about all tokens, now.  Raises `ParserFailed`."""
        async with self._api.session(asking) as session:
            for grant in self.tokens():
                await self.inspect(session, grant, now=True)

    async def note(self, grant: Grant, dead: str) -> None:
        """Record that the platform rejected a token that is not renewed (``dead``: why), or accepted it ("")."""
        if self.book is not None:
            await self.book.note(grant, dead)

    def begin(self, asking: Asking) -> None:
        """Begin a pass; a subclass whose ``fetch`` does not pass ``asking`` on uses it this way."""
        self._last = asking

    @property
    def usage(self) -> Usage:
        """The cost of the last pass so far."""
        return self._last.usage if self._last is not None else Usage()

    def _session(self, asking: Asking | None) -> AbstractAsyncContextManager[Session]:
        """The session of a pass: that of ``asking``, else of the pass that began last."""
        return self._api.session(asking or self._last)

    async def fetch(self, accounts: Sequence[Account], asking: Asking | None = None) -> AsyncIterator[Fetched]:
        """The platform's values for ``accounts``, as they arrive. Raises `ParserFailed` if it cannot continue."""
        async with self._session(asking) as session, self._with_one_token(session):
            name = f"parser:{self._settings.source}:call"
            one = partial(self._one, session)
            async with aclosing(each(accounts, one, self._settings.concurrency, name, ends=(RoundOver,))) as results:
                async for fetched in results:
                    yield fetched

    @asynccontextmanager
    async def _with_one_token(self, session: Session) -> AsyncIterator[None]:
        """Use the parser's only token inside, if it has one, and record whether it is accepted."""
        (grant,) = self.tokens() if self.has_one_token else (None,)
        if grant is not None:
            await self.inspect(session, grant)
        try:
            yield
        except TokenEnded as failure:
            if grant is not None:
                await self.note(grant, str(failure))
            raise
        else:
            if grant is not None:
                await self.note(grant, "")

    async def ask(self, session: Session, account: Account) -> "Metrics | Partly | None":
        """The account's metrics; None if this parser cannot ask for it.

        Raises `AccountGone` or `AccountFailed` for this account, `ParserFailed` for all.
        """
        raise NotImplementedError

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """Interpret a response: its JSON, or one of `failures`, or `ParserFailed`."""
        return error_responses.judge(answer, now)

    def remark(self, answer: HttpResponse) -> str:
        """What to report about a good response besides its values; "" if nothing."""
        return ""

    def precision(self, metrics: Metrics) -> Precision:
        """How exact the platform's figures are."""
        return Precision.EXACT

    async def _one(self, session: Session, account: Account) -> Fetched:
        try:
            with session.about([account]) as account_session:
                fetched = await self.fetch_one(account_session, account)
        except AccountGone as error:
            session.answered()
            return Unfetched(account.id, str(error), gone=True, trouble=error.trouble)
        except AccountFailed as error:
            session.refused(error)
            return Unfetched(account.id, str(error), until=error.until, trouble=error.trouble)
        session.answered()
        return fetched

    async def fetch_one(self, session: Session, account: Account) -> Fetched:
        """The result of one account. Raises as `ask` does."""
        result = await self.ask(session, account)
        if isinstance(result, Partly):
            return self._values(account, *result)
        return self._values(account, result)

    def _values(self, account: Account, metrics: Metrics | None, flaw: str = "", unfinished: bool = False) -> Fetched:
        """The parsed values. Raises `AccountFailed` if all metrics are missing."""
        if metrics is None:
            return Unfetched(account.id, NAMELESS)
        if metrics == NO_METRICS:
            raise AccountFailed("the answer holds none of the metrics" + (f": {flaw}" if flaw else ""))
        precision = self.precision(metrics)
        values = ParsedMetrics(
            account.id, metrics, self._settings.source, self._clock(), precision, flaw, unfinished=unfinished
        )
        # What is counted video by video is exact, however the followers are shown.
        return (
            replace(values, counted=account.campaign.key, exact=frozenset(OF_VIDEOS))
            if self.counts_campaign
            else values
        )


def name_of(account: Account) -> str:
    """The account's name (without ``@``) or id on its platform; "" if the link has none.

    Only the link says it, by the grammar of `core.links`: the user name in the database may be another account's.
    """
    if name := username(profile_link(account.link, account.platform) or account.link):
        return name
    numbered = _NUMBERED.search(identity(account.link))
    return numbered[1] if numbered else ""


async def split_on_failure(
    accounts: Sequence[Account],
    ask: Callable[[Sequence[Account]], Awaitable[list[Fetched]]],
    session: Session,
    *,
    may: Callable[[AccountGone | AccountFailed], bool] = lambda _failure: True,
) -> list[Fetched]:
    """The results of ``ask`` for many accounts in one request; a failed request is repeated for each half.

    So one account that a platform refuses costs the others nothing.  ``may`` tells after which failures that is done.
    """
    try:
        results = await ask(accounts)
    except (AccountGone, AccountFailed) as error:
        if len(accounts) > 1 and may(error):
            middle = len(accounts) // 2
            first = await split_on_failure(accounts[:middle], ask, session, may=may)
            return first + await split_on_failure(accounts[middle:], ask, session, may=may)
        if isinstance(error, AccountGone):
            session.answered()
        else:
            session.refused(error)
        gone = isinstance(error, AccountGone) and len(accounts) == 1
        return [Unfetched(account.id, str(error), gone=gone, trouble=error.trouble) for account in accounts]
    session.answered()
    return results
