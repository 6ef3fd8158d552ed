"""The parsers of the configuration, ready to use."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import cast

from smart_sync.config import ParserSettings
from smart_sync.config.parser_options import options
from smart_sync.config.settings import parser_class
from smart_sync.core.campaign import Count
from smart_sync.core.links.identity import platform_for_parsers
from smart_sync.core.model import Account
from smart_sync.errors import ConfigError
from smart_sync.logs import redact
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.parser import Fetched, Parser, Usage
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.token_book import TokenBook


class ConfiguredParser:
    """A configured parser with defaults for the optional parts it lacks, and its stored state.

    It lives as long as the configuration.  The optional parts of a `Parser` are looked for here alone: those that it
    has not are filled in.
    """

    def __init__(self, name: str, parser: Parser, settings: ParserSettings, asked: AskedAccounts, table: str) -> None:
        #: What its values carry as their source.
        self.name = name
        self.settings = settings
        self.asked = asked
        #: The name of its table, which no other has: what is kept of it in the database goes by it.
        self.table = table
        #: What the platform asks of those who store its numbers; "" if nothing.
        self.terms = str(getattr(parser, "terms", ""))
        self.parser = parser
        self._platform = parser if isinstance(parser, PlatformParser) else None
        self._takes_asking = "asking" in signature(parser.fetch).parameters
        self._serves = getattr(parser, "serves", None)

    def fetch(self, accounts: Sequence[Account], asking: Asking) -> AsyncGenerator[Fetched, None]:
        """`Parser.fetch`; a parser that takes no ``asking`` uses its own client."""
        if self._platform is not None:
            self._platform.begin(asking)
        fetch: Callable[..., AsyncIterator[Fetched]] = self.parser.fetch
        found = fetch(accounts, asking=asking) if self._takes_asking else fetch(accounts)
        return cast("AsyncGenerator[Fetched, None]", found)  # it is closed with the pass

    def serves(self, account: Account) -> bool:
        """Whether the parser is for ``account`` (by the link's platform, else the account's) and wants to be asked."""
        served = self.settings.platforms
        if served and platform_for_parsers(account.link, account.platform) not in served:
            return False
        return self._serves is None or bool(self._serves(account))

    @property
    def flaw(self) -> str:
        """What it could not read of its source in the last pass, although it went on; "" if nothing."""
        return redact(str(getattr(self.parser, "flaw", "")))

    def usage(self, asking: Asking) -> Usage | None:
        """The cost of a pass; None if the parser does not report it."""
        own = asking.usage if self._takes_asking or self._platform is not None else getattr(self.parser, "usage", None)
        return own if isinstance(own, Usage) else None

    @property
    def memory(self) -> dict[str, dict[str, str]] | None:
        """Its stored notes about accounts, by the identity of their links; None if it keeps none."""
        memory = getattr(self.parser, "remembered", None)
        return memory if isinstance(memory, dict) else None

    @property
    def needs_everybody(self) -> bool:
        """Whether the times of requests matter also for accounts that have values."""
        return self.asked.every is not None or self.asked.was_cut_off or bool(self.memory)

    def cut_off(self, asking: Asking) -> tuple[set[str] | None, set[str]]:
        """The ids of accounts whose requests were interrupted, and of those with a started job.

        None: the parser does not say of whom.
        """
        if self._platform is not None or asking.tried:
            return asking.tried, asking.jobs
        tried, jobs = (getattr(self.parser, name, None) for name in ("tried", "jobs"))
        return tried if isinstance(tried, set) else None, jobs if isinstance(jobs, set) else set()

    @property
    def book(self) -> TokenBook | None:
        """Its token book; None if it has no tokens."""
        return self._platform.book if self._platform is not None else None

    async def inspect_tokens(self, asking: Asking) -> None:
        """Ask the platform about its tokens now, if it has any. Raises `ParserFailed`."""
        if self._platform is not None:
            await self._platform.inspect_all(asking)


def build(settings: Mapping[str, ParserSettings], tokens: Path | None = None) -> list[ConfiguredParser]:
    """The enabled parsers of ``[parsers]``, which keep their tokens in the file ``tokens``.

    Raises `ConfigError` for one that cannot be made.
    """
    return [
        ConfiguredParser(table.source or name, _made(name, table, tokens), table, _asked_accounts(table), name)
        for name, table in settings.items()
        if table.enabled
    ]


def _made(name: str, table: ParserSettings, tokens: Path | None) -> Parser:
    try:
        parser: Parser = parser_class(table.kind or name)(table)
    except Exception as error:
        raise ConfigError((f"parsers.{name}: cannot be made: {type(error).__name__}: {error}",)) from error
    if tokens is not None and isinstance(parser, PlatformParser):
        parser.keep_tokens(tokens, name)
    return parser


def _asked_accounts(table: ParserSettings) -> AskedAccounts:
    every = timedelta(seconds=table.every) if table.every is not None else None
    return AskedAccounts(every, counts_campaign=counts(table) == "campaign")


def lifetime_parsers(sources: Iterable[ConfiguredParser], account: Account) -> list[str]:
    """The tables of the parsers that count the lifetime of ``account`` although they could count its campaign."""
    return [
        source.table
        for source in sources
        if counts(source.settings) == "lifetime" and options(source.settings).shows_videos and source.serves(account)
    ]


def counts(table: ParserSettings) -> Count | None:
    """What a parser counts; None if it cannot count a campaign."""
    return options(table).count
