"""The parsers of the configuration, ready to use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from smart_sync.config import ParserSettings
from smart_sync.config.parser_options import options
from smart_sync.config.settings import parser_class
from smart_sync.core.campaign import Count
from smart_sync.core.links.identity import platform_for_parsers
from smart_sync.core.model import Account
from smart_sync.errors import ConfigError
from smart_sync.parsers.adapter import AdaptedParser
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.parser import Parser
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.token_book import TokenBook


@dataclass(frozen=True, slots=True)
class ConfiguredParser:
    """A configured parser and its stored state; lives as long as the configuration."""

    #: What its values carry as their source.
    name: str
    parser: Parser
    settings: ParserSettings
    asked: AskedAccounts
    #: The name of its table, which no other has: what is kept of it in the database goes by it.
    table: str

    #: The same parser with all optional parts.
    adapted: AdaptedParser = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapted", AdaptedParser(self.parser))

    @property
    def memory(self) -> dict[str, dict[str, str]] | None:
        """Its stored notes about accounts, if it keeps any."""
        return self.adapted.memory

    @property
    def needs_everybody(self) -> bool:
        """Whether the times of requests matter also for accounts that have values."""
        return self.asked.every is not None or self.asked.was_cut_off or bool(self.memory)

    @property
    def book(self) -> TokenBook | None:
        """Its token book; None if it has no tokens."""
        return self.adapted.book

    def serves(self, account: Account) -> bool:
        """Whether the parser is for this account: by the link's platform, else the account's."""
        served = self.settings.platforms
        if served and platform_for_parsers(account.link, account.platform) not in served:
            return False
        return self.adapted.serves(account)


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
