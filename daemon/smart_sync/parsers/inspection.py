"""Shows what the parsers get for one account, for the person who configures them. Stores nothing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Literal

from smart_sync import logs
from smart_sync.core.command_answers import InspectionsAnswer, LinkInspection, ParserInspection
from smart_sync.core.links.identity import identity, owner
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.core.trouble_codes import Code
from smart_sync.errors import SmartSyncError
from smart_sync.parsers import http
from smart_sync.parsers.asking import asking
from smart_sync.parsers.budget import Allowance
from smart_sync.parsers.http import Exchange
from smart_sync.parsers.parser import Fetched, Paused, RoundOver, Unfetched
from smart_sync.parsers.registry import ConfiguredParser


@dataclass(frozen=True, slots=True)
class Inspection:
    """One parser's result: the values to be stored, the responses, and what went wrong."""

    parser: str
    fetched: tuple[Fetched, ...]
    #: Requests and raw answers, secrets taken out; none for parsers that do not use our HTTP.
    exchanges: tuple[Exchange, ...]
    #: Why the parser could not go on; empty if it could.
    failure: str = ""
    #: What docs/faq.md has that under.
    trouble: Code | Literal[""] = ""
    #: Requests made, those that had no answer too.
    calls: int = 0
    #: That is no failure: its rate, its budget or the platform wants it to wait.
    has_to_wait: bool = False


def account_of(link: str) -> Account:
    """An account that need not be in the database, from its link."""
    platform, username = owner(link)
    return Account(id=identity(link), project_id="", platform=platform, username=username, link=link)


#: Gives what a parser may ask of its budget.
Allow = Callable[[ConfiguredParser], Allowance | None]


def _without_limit(_source: ConfiguredParser) -> Allowance | None:
    return None


async def inspect_links(
    sources: Sequence[ConfiguredParser], links: Sequence[str], allow: Allow = _without_limit
) -> InspectionsAnswer:
    """Ask every matching parser for every link, as plain data; ``success``: each link has values from some parser."""
    shown: list[LinkInspection] = []
    for link in links:
        inspections = [_as_data(inspection) for inspection in await inspect(sources, account_of(link), allow)]
        shown.append({"link": link, "parsers": inspections})
    return {"success": all(any(p["values"] for p in entry["parsers"]) for entry in shown), "links": shown}


def _as_data(inspection: Inspection) -> ParserInspection:
    values: list[Mapping[str, object]] = [
        {**item.metrics._asdict(), "source": item.source, "precision": item.precision.value}
        | ({"flaw": item.flaw} if item.flaw else {})
        # A link alone belongs to no project.
        | ({"of": "all videos, whatever the dates and the KPI of its project are"} if item.counted else {})
        for item in inspection.fetched
        if isinstance(item, ParsedMetrics)
    ]
    return {
        "parser": inspection.parser,
        "values": values,
        "unfetched": [item.reason for item in inspection.fetched if isinstance(item, Unfetched)],
        "calls": inspection.calls,
        # Once more: what an answer brought may have become known as a secret only after it was recorded.
        "exchanges": [logs.redacted(asdict(exchange)) for exchange in inspection.exchanges],
        "failure": inspection.failure,
    }


async def inspect(
    sources: Sequence[ConfiguredParser], account: Account, allow: Allow = _without_limit
) -> list[Inspection]:
    """Ask every matching parser for ``account`` now, regardless of schedules; ``allow`` gives its budget."""
    return [await _inspect(source, account, allow(source)) for source in sources if source.serves(account)]


async def _inspect(source: ConfiguredParser, account: Account, allowance: Allowance | None) -> Inspection:
    fetched: list[Fetched] = []
    failure, has_to_wait = "", False
    trouble: Code | Literal[""] = ""
    async with http.opened(record=True) as client, asking(client, allowance) as means:
        try:
            async with aclosing(source.fetch((account,), means)) as stream:
                async for item in stream:
                    fetched.append(item)  # noqa: PERF401  what came before a failure is wanted, too
        except SmartSyncError as error:
            failure, trouble, has_to_wait = (
                logs.redact(str(error)),
                error.trouble,
                isinstance(error, RoundOver | Paused),
            )
    usage = source.usage(means)
    calls = usage.calls if usage is not None else len(client.exchanges)
    return Inspection(source.name, tuple(fetched), tuple(client.exchanges), failure, trouble, calls, has_to_wait)
