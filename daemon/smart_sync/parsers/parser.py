"""The contract of a parser, ours or another package's, with `collect`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import ClassVar, Literal, Protocol

from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import counted
from smart_sync.errors import ParserFailed


@dataclass(frozen=True, slots=True)
class Unfetched:
    """An account without values, and why (for a person)."""

    account_id: str
    reason: str
    #: Private or deleted: asked again ever more rarely, up to daily.
    gone: bool = False
    #: The platform wants this account to be left alone until then.
    until: datetime | None = None
    #: Its code in docs/faq.md.
    trouble: Code | Literal[""] = "parser-failed"


Fetched = ParsedMetrics | Unfetched


class Paused(ParserFailed):
    """The platform wants no more calls before ``until``."""

    trouble = "parser-quota"

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(f"{reason}; asks again at {until:%Y-%m-%d %H:%M} UTC")
        self.until = until


class RoundOver(ParserFailed):
    """Not a failure: the pass has used up its requests; remaining accounts are asked for in a later one.

    ``until``: there is nothing left before; None: the next pass goes on.
    """

    trouble = "parser-quota"

    def __init__(self, reason: str, until: datetime | None = None) -> None:
        super().__init__(f"{reason}; asks again at {until:%Y-%m-%d %H:%M} UTC" if until else reason)
        self.until = until


@dataclass(slots=True)
class Usage:
    """The cost of a parser's pass so far."""

    calls: int = 0
    #: What the platform says is left, in its own unit: ``4100`` calls, ``72%``.
    quota_left: str | None = None
    #: What is to be told of its answers, for a person.
    remark: str = ""


class Parser(Protocol):
    """Collects metrics from one source. Created with its validated settings; lives as long as the configuration.

    A parser may also have ``usage`` (`Usage`), which is then reported; ``serves(account) -> bool``; ``remembered``, a
    dict from the identity of an account's link to texts, which is kept in the database from pass to pass; ``flaw``, a
    text: what of its source it could not read in the last pass; and ``tried`` and ``jobs``, sets of the ids of accounts
    whose requests were cut off, and of those of them for which a job was started that is paid for.  Its ``fetch`` may
    also take ``asking`` (`asking.Asking`, by name): the HTTP client, the budget and the rate of the pass, and where to
    say what it has used.  All this `registry.ConfiguredParser` looks for.
    """

    #: How ``[parsers.<name>]`` is validated.
    settings: ClassVar[type[ParserSettings]]

    def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        """The source's values for ``accounts``, in any order; accounts without a result may be left out.

        Raises `ParserFailed` when it cannot go on: what it yielded is kept.
        """


#: So many reasons are told, each with an account; accounts with others are counted.
MAX_REASONS = 3


def list_reasons(troubles: Mapping[str, Sequence[str]]) -> str:
    """The reasons, each once, with the first account's link and how many more there are."""
    shown = []
    for reason, links in islice(troubles.items(), MAX_REASONS):
        more = f" (and {counted(len(links) - 1, 'more account')})" if len(links) > 1 else ""
        shown.append(f"{links[0]}: {reason}{more}")
    rest = sum(map(len, troubles.values())) - sum(map(len, islice(troubles.values(), MAX_REASONS)))
    return "; ".join([*shown, f"{counted(rest, 'account')} for other reasons"] if rest else shown)
