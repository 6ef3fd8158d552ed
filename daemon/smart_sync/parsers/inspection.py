"""What the parsers make of one account, for the person who sets them up.  Nothing is stored."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from smart_sync import logs
from smart_sync.core.links import identity, owner
from smart_sync.core.model import Account
from smart_sync.errors import SmartSyncError
from smart_sync.parsers import wire
from smart_sync.parsers.parser import Fetched
from smart_sync.parsers.registry import Source
from smart_sync.parsers.wire import Exchange


@dataclass(frozen=True, slots=True)
class Inspection:
    """One parser's answer: the values as they would be stored, what it was told, what went wrong."""

    parser: str
    fetched: tuple[Fetched, ...]
    #: Requests and raw answers, secrets taken out; none for parsers that do not use our HTTP.
    exchanges: tuple[Exchange, ...]
    #: Why the parser could not go on; empty if it could.
    failure: str = ""


def account_of(link: str) -> Account:
    """An account that need not be in any database, from its link alone."""
    platform, username = owner(link)
    return Account(id=identity(link), project_id="", platform=platform, username=username, link=link)


async def inspect(sources: Sequence[Source], account: Account) -> list[Inspection]:
    """Ask every parser that serves ``account`` about it, now, whatever its schedule says."""
    return [await _inspect(source, account) for source in sources if source.serves(account)]


async def _inspect(source: Source, account: Account) -> Inspection:
    fetched: list[Fetched] = []
    failure = ""
    async with wire.lent(record=True) as wires:
        stream = cast("AsyncGenerator[Fetched, None]", source.parser.fetch((account,)))
        try:
            async with aclosing(stream):
                async for item in stream:
                    fetched.append(item)  # noqa: PERF401  what came before a failure is wanted, too
        except SmartSyncError as error:
            failure = logs.redact(str(error))
    return Inspection(source.name, tuple(fetched), tuple(wires.exchanges), failure)
