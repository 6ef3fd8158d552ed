"""Tokens of single accounts, for platforms that show an account's figures to its owner only."""

from collections.abc import Mapping

from smart_sync.core.model import Account
from smart_sync.parsers.platform import name_of
from smart_sync.secret import Secret


class Tokens:
    """``[parsers.<name>.tokens]``: username → token."""

    def __init__(self, tokens: Mapping[str, Secret]) -> None:
        self._tokens = {_key(name): token for name, token in tokens.items()}

    def headers(self, account: Account) -> dict[str, str] | None:
        """What lets the account's own figures be read; None without a token for it."""
        token = self._tokens.get(_key(name_of(account)))
        return None if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}


def _key(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
