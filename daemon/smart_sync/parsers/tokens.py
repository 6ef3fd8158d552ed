"""The base of parsers for platforms that show figures only to an account's owner: each account has its token."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from smart_sync.clock import Clock, utc_now
from smart_sync.config.secrets import Secret
from smart_sync.core.model import Account, Metrics
from smart_sync.core.parsed import folded_name
from smart_sync.errors import ParserFailed
from smart_sync.parsers.api_client import ApiSettings, Session
from smart_sync.parsers.failures import Refused, TokenEnded, TokenRefused
from smart_sync.parsers.parser import Paused
from smart_sync.parsers.per_account import Partly, PlatformParser, name_of
from smart_sync.parsers.token_book import Grant


class TokensSettings(ApiSettings):
    """The settings of parsers that need a token of each account's owner."""

    #: User name → its access token: ``{ "@nova" = "env:NOVA_TOKEN" }``. Such a token is yours to renew.
    tokens: dict[str, Secret] = Field(default_factory=dict)
    #: User name → a token that Smart Sync renews by itself.
    accounts: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_tokens(self) -> "TokensSettings":
        both = {folded_name(name) for name in self.tokens} & {folded_name(name) for name in self.accounts}
        if both:
            raise ValueError(f"@{min(both)} stands in tokens and in accounts; one of them is enough")
        if not (self.tokens or self.accounts):
            raise ValueError("has no token; add tokens or accounts")
        return self


class TokensParser(PlatformParser):
    """Subclasses define the request for the owner's account (`ask_own`) and how tokens are renewed (`grants`)."""

    #: Whether a platform that wants fewer calls means those with this token, not all.
    limits_are_own: ClassVar[bool] = False

    def __init__(self, settings: TokensSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._tokens = {folded_name(name): token for name, token in settings.tokens.items()}
        self._names = {folded_name(name) for name in settings.accounts} | self._tokens.keys()
        self._fixed = [
            Grant(name, token.get_secret_value, key=f"[parsers.{settings.source}.tokens]")
            for name, token in settings.tokens.items()
        ]

    def grants(self) -> list[Grant]:
        """The tokens that are renewed."""
        raise NotImplementedError

    def tokens(self) -> list[Grant]:
        """As the base class."""
        return [*self.grants(), *self._fixed]

    def serves(self, account: Account) -> bool:
        """False for accounts without a token."""
        return folded_name(name_of(account)) in self._names

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class; a rejected token affects this account only."""
        name = folded_name(name_of(account))
        grant = next((grant for grant in self.tokens() if folded_name(grant.account) == name), None)
        if grant is None:
            return None
        try:
            return await self._ask_with(session, account, grant)
        except Refused as failure:
            raise TokenRefused(str(failure)) from None
        except Paused as pause:
            if not self.limits_are_own:
                raise
            raise TokenRefused(str(pause), pause.until) from None

    async def _ask_with(self, session: Session, account: Account, grant: Grant) -> Metrics | Partly:
        """Ask with the token of ``grant``; if a renewable one is rejected early, renew it and ask once more."""
        if grant.flow is None:
            try:
                result = await self.ask_own(session, account, _bearer(grant.secret()))
            except TokenEnded as failure:
                await self.note(grant, str(failure))
                raise
            await self.note(grant, "")
            return result
        if self.book is None:
            raise ParserFailed(
                f"there is no place to keep the tokens of [parsers.{self._settings.source}.accounts]",
                trouble="token-ended",
            )
        access = await self.book.access(session, grant)
        await self.inspect(session, grant)
        try:
            return await self.ask_own(session, account, _bearer(access))
        except TokenEnded:
            access = await self.book.access(session, grant, refused=access)
            return await self.ask_own(session, account, _bearer(access))

    async def ask_own(self, session: Session, account: Account, headers: Mapping[str, str]) -> Metrics | Partly:
        """The metrics of the account whose token is in ``headers``. Raises as `ask`, and `Refused` for the token."""
        raise NotImplementedError


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
