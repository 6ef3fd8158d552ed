"""A parser as `collect` uses it, whatever it is made of: the optional parts of `Parser` are looked for here alone."""

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
    """``parser`` with all parts that a parser may have: those that it has not are filled in."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._platform = parser if isinstance(parser, PlatformParser) else None
        self._takes_asking = "asking" in signature(parser.fetch).parameters
        self._serves = getattr(parser, "serves", None)
        #: What the platform asks of those who store its numbers; "" if nothing.
        self.terms = str(getattr(parser, "terms", ""))

    def fetch(self, accounts: Sequence[Account], asking: Asking) -> AsyncGenerator[Fetched, None]:
        """As `Parser.fetch`; one that takes no ``asking`` uses what it has itself."""
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
        """What of its source it could not read in the last pass, though it went on; empty if nothing."""
        return redact(str(getattr(self._parser, "flaw", "")))

    def usage(self, asking: Asking) -> Usage | None:
        """What a pass has cost; None: the parser does not say."""
        own = asking.usage if self._takes_asking or self._platform is not None else getattr(self._parser, "usage", None)
        return own if isinstance(own, Usage) else None

    @property
    def memory(self) -> dict[str, dict[str, str]] | None:
        """What it remembers of accounts, by the identity of their links; None: nothing."""
        memory = getattr(self._parser, "remembered", None)
        return memory if isinstance(memory, dict) else None

    def cut_off(self, asking: Asking) -> tuple[set[str] | None, set[str]]:
        """The ids of accounts whose requests were cut off, and of those for which a job was started.

        None: the parser does not say of whom.
        """
        if self._platform is not None or asking.tried:
            return asking.tried, asking.jobs
        tried, jobs = (getattr(self._parser, name, None) for name in ("tried", "jobs"))
        return tried if isinstance(tried, set) else None, jobs if isinstance(jobs, set) else set()

    @property
    def book(self) -> TokenBook | None:
        """What is known of its tokens; None: it has none."""
        return self._platform.book if self._platform is not None else None

    async def inspect_tokens(self, asking: Asking) -> None:
        """Ask the platform about its tokens, now, if it has any.  Raises `ParserFailed`."""
        if self._platform is not None:
            await self._platform.inspect_all(asking)
