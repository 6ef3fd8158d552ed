"""A parser for a platform that shows an account's figures to its owner only: each account has a token of its own."""

from collections.abc import Mapping
from typing import ClassVar

from smart_sync.clock import Clock, utc_now
from smart_sync.config.secrets import Secret
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers.api_client import ApiSettings, Session
from smart_sync.parsers.failures import Refused, TokenRefused
from smart_sync.parsers.parser import Paused
from smart_sync.parsers.per_account import Partly, PlatformParser, name_of


class TokensSettings(ApiSettings):
    """What such a parser's table has besides."""

    #: Username → its access token.
    tokens: dict[str, Secret]


class TokensParser(PlatformParser):
    """Subclasses say what an owner asks about the own account (`ask_own`)."""

    #: Whether a platform that wants fewer calls means those with this token, not all.
    limits_are_own: ClassVar[bool] = False

    def __init__(self, settings: TokensSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._tokens = {_key(name): token for name, token in settings.tokens.items()}

    def serves(self, account: Account) -> bool:
        """Accounts without a token cannot be asked about."""
        return _key(name_of(account)) in self._tokens

    async def ask(self, session: Session, account: Account) -> Metrics | Partly | None:
        """As the base class; a token that is refused is this account's trouble only."""
        token = self._tokens.get(_key(name_of(account)))
        if token is None:
            return None
        try:
            return await self.ask_own(session, account, {"Authorization": f"Bearer {token.get_secret_value()}"})
        except Refused as failure:
            raise TokenRefused(str(failure)) from None
        except Paused as pause:
            if not self.limits_are_own:
                raise
            raise TokenRefused(str(pause), pause.until) from None

    async def ask_own(self, session: Session, account: Account, headers: Mapping[str, str]) -> Metrics | Partly:
        """The metrics of the account whose token is in ``headers``.  Raises as `ask`, and `Refused` for the token."""
        raise NotImplementedError


def _key(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
