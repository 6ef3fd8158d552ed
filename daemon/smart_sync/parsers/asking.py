"""What a parser uses for requests in a pass (HTTP client, budget, rate), passed down to each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from smart_sync.aio.rate_limit import Limit
from smart_sync.parsers.budget import Allowance
from smart_sync.parsers.http import HttpClient
from smart_sync.parsers.parser import Usage


@dataclass(frozen=True)
class Asking:
    """What one pass of one parser may use and has used; passes of one parser may overlap."""

    #: The client that all parsers share.
    http: HttpClient
    #: What it may ask of its budget; None: it has none.
    allowance: Allowance | None = None
    #: The rate that it shares with other processes; None: it keeps to its own.
    limit: Limit | None = None
    usage: Usage = field(default_factory=Usage)
    #: The ids of accounts whose requests were cut off, and of those of them for which a job was started.
    tried: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)


@asynccontextmanager
async def asking(
    http: HttpClient, allowance: Allowance | None = None, limit: Limit | None = None
) -> AsyncIterator[Asking]:
    """Opens an `Asking` for a pass; at the end the unused budget is released."""
    try:
        yield Asking(http, allowance, limit)
    finally:
        if allowance is not None:
            await allowance.settle()
