"""What a parser is: the contract between `collect` and the parsers, ours and other packages'."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.errors import ParserFailed


@dataclass(frozen=True, slots=True)
class Unfetched:
    """An account that gave no values, and why (for a person)."""

    account_id: str
    reason: str
    #: Private or deleted: asked again ever more rarely, up to daily.
    gone: bool = False
    #: The platform wants this account to be left alone until then.
    until: datetime | None = None


Fetched = ParsedMetrics | Unfetched


class Paused(ParserFailed):
    """The platform wants no more calls before ``until``."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(f"{reason}; asks again at {until:%Y-%m-%d %H:%M} UTC")
        self.until = until


class RoundOver(ParserFailed):
    """No failure: the pass has asked as much as it may; those that it did not come to are asked in a later one.

    ``until``: there is nothing left before; None: the next pass goes on.
    """

    def __init__(self, reason: str, until: datetime | None = None) -> None:
        super().__init__(f"{reason}; asks again at {until:%Y-%m-%d %H:%M} UTC" if until else reason)
        self.until = until


@dataclass(slots=True)
class Usage:
    """What a pass of a parser has cost so far."""

    calls: int = 0
    #: What the platform says is left, in its own unit: ``4100`` calls, ``72%``.
    quota_left: str | None = None
    #: What is to be told of its answers, for a person.
    remark: str = ""


class Parser(Protocol):
    """Collects metrics from one source.  Made with its validated settings; lives as long as the configuration.

    A parser may also have ``usage`` (`Usage`), which is then reported; ``serves(account) -> bool``; ``remembered``, a
    dict from the identity of an account's link to texts, which is kept in the database from pass to pass; and
    ``tried`` and ``jobs``, sets of the ids of accounts whose requests were cut off, and of those of them for which a
    job was started that is paid for.
    """

    #: How ``[parsers.<name>]`` is validated.
    settings: ClassVar[type[ParserSettings]]

    def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        """What the source says of ``accounts``, in any order; those it says nothing of may be left out.

        Raises `ParserFailed` when it cannot go on: what it yielded is kept.
        """
