"""The parsers that the configuration asks for, ready to be asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from smart_sync.config import ParserSettings
from smart_sync.config.settings import parser_class
from smart_sync.core.campaign import Count
from smart_sync.core.links.identity import asked_platform
from smart_sync.core.model import Account
from smart_sync.errors import ConfigError
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.parser import Parser


@dataclass(frozen=True, slots=True)
class ConfiguredParser:
    """A configured parser and what it has to remember; lives as long as the configuration."""

    #: What its values carry as their source.
    name: str
    parser: Parser
    settings: ParserSettings
    asked: AskedAccounts
    #: The name of its table, which no other has: what is kept of it in the database goes by it.
    table: str

    def serves(self, account: Account) -> bool:
        """Whether the parser is for accounts like this one: the link says the platform, else the account does."""
        served = self.settings.platforms
        if served and asked_platform(account.link, account.platform) not in served:
            return False
        choosy = getattr(self.parser, "serves", None)
        return choosy is None or bool(choosy(account))


def build(settings: Mapping[str, ParserSettings]) -> list[ConfiguredParser]:
    """The enabled parsers of ``[parsers]``.  Raises `ConfigError` for one that cannot be made."""
    return [
        ConfiguredParser(table.source or name, _made(name, table), table, _agenda(table), name)
        for name, table in settings.items()
        if table.enabled
    ]


def _made(name: str, table: ParserSettings) -> Parser:
    try:
        parser: Parser = parser_class(table.kind or name)(table)
    except Exception as error:
        raise ConfigError((f"parsers.{name}: cannot be made: {type(error).__name__}: {error}",)) from error
    return parser


def _agenda(table: ParserSettings) -> AskedAccounts:
    every = timedelta(seconds=table.every) if table.every is not None else None
    return AskedAccounts(every, counts_campaign=counts(table) == "campaign")


def of_lifetime(sources: Iterable[ConfiguredParser], account: Account) -> list[str]:
    """The tables of the parsers that count the lifetime of ``account``, and could count the campaign of its project."""
    return [
        source.table
        for source in sources
        if counts(source.settings) == "lifetime"
        and getattr(source.settings, "shows_videos", True)
        and source.serves(account)
    ]


def counts(table: ParserSettings) -> Count | None:
    """What a parser counts; None for one that cannot count a campaign."""
    found: Count | None = getattr(table, "count", None)
    return found
