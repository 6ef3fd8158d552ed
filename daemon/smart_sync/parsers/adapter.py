"""Gives every parser the optional parts of `Parser`, so that `collect` need not look for them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from inspect import signature
from typing import cast

from smart_sync.core.model import Account
from smart_sync.logs import redact
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.parser import Fetched, Parser, Usage
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.token_book import TokenBook


class AdaptedParser:
    """``parser`` with defaults for the optional parts it lacks."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._platform = parser if isinstance(parser, PlatformParser) else None
        self._takes_asking = "asking" in signature(parser.fetch).parameters
        self._serves = getattr(parser, "serves", None)
        #: What the platform asks of those who store its numbers; "" if nothing.
        self.terms = str(getattr(parser, "terms", ""))

    def fetch(self, accounts: Sequence[Account], asking: Asking) -> AsyncGenerator[Fetched, None]:
        """`Parser.fetch`; a parser that takes no ``asking`` uses its own client."""
        if self._platform is not None:
            self._platform.begin(asking)
        fetch: Callable[..., AsyncIterator[Fetched]] = self._parser.fetch
        found = fetch(accounts, asking=asking) if self._takes_asking else fetch(accounts)
        return cast("AsyncGenerator[Fetched, None]", found)  # it is closed with the pass

    def serves(self, account: Account) -> bool:
        """Whether it wants to be asked about ``account``."""
        return self._serves is None or bool(self._serves(account))

    @property
    def flaw(self) -> str:
        """What it could not read of its source in the last pass, although it went on; "" if nothing."""
        return redact(str(getattr(self._parser, "flaw", "")))

    def usage(self, asking: Asking) -> Usage | None:
        """The cost of a pass; None if the parser does not report it."""
        own = asking.usage if self._takes_asking or self._platform is not None else getattr(self._parser, "usage", None)
        return own if isinstance(own, Usage) else None

    @property
    def memory(self) -> dict[str, dict[str, str]] | None:
        """Its stored notes about accounts, by the identity of their links; None if it keeps none."""
        memory = getattr(self._parser, "remembered", None)
        return memory if isinstance(memory, dict) else None

    def cut_off(self, asking: Asking) -> tuple[set[str] | None, set[str]]:
        """The ids of accounts whose requests were interrupted, and of those with a started job.

        None: the parser does not say of whom.
        """
        if self._platform is not None or asking.tried:
            return asking.tried, asking.jobs
        tried, jobs = (getattr(self._parser, name, None) for name in ("tried", "jobs"))
        return tried if isinstance(tried, set) else None, jobs if isinstance(jobs, set) else set()

    @property
    def book(self) -> TokenBook | None:
        """Its token book; None if it has no tokens."""
        return self._platform.book if self._platform is not None else None

    async def inspect_tokens(self, asking: Asking) -> None:
        """Ask the platform about its tokens now, if it has any. Raises `ParserFailed`."""
        if self._platform is not None:
            await self._platform.inspect_all(asking)
