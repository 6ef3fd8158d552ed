"""Checks of the parsers: a request for one account by each, their tokens, and the terms of the platforms."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from smart_sync.admin.checks.findings import Finding
from smart_sync.clock import Clock, utc_now
from smart_sync.config import Settings
from smart_sync.config.parser_options import options
from smart_sync.core.command_answers import InspectionsAnswer
from smart_sync.core.daemon_answers import ParserTokens, TokensAnswer
from smart_sync.core.days import stamp
from smart_sync.core.merge.counting_changes import sources_of_unknown_videos, unknown_videos
from smart_sync.core.merge.votes import is_campaign_counted
from smart_sync.core.model import Account, ParsedMetrics, Project
from smart_sync.errors import SmartSyncError
from smart_sync.logs import redact
from smart_sync.parsers import budget, http
from smart_sync.parsers.asking import asking
from smart_sync.parsers.budget import Allowance
from smart_sync.parsers.csv_files import CsvSettings
from smart_sync.parsers.inspection import Inspection, inspect, inspect_links
from smart_sync.parsers.parser import Unfetched
from smart_sync.parsers.registry import ConfiguredParser, build, counts, lifetime_parsers
from smart_sync.parsers.token_book import answer_of
from smart_sync.store import account_states, parsed_query, projects
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_database, open_existing

#: So many accounts are tried until one has values.
MAX_ACCOUNTS = 3


async def check_parsers(
    settings: Settings, copy: Path, clock: Clock, query: str = "", *, offline: bool
) -> list[Finding]:
    """Ask each parser for one account of ``copy``, a copy of the database; with ``offline`` ask none.

    ``query`` reads from the copy what ``[parsed] query`` gives.
    """
    try:
        # A file is no platform: what it lacks is found without reading it.
        sources = [one for one in build(settings.parsers, settings.tokens) if not isinstance(one.settings, CsvSettings)]
    except SmartSyncError as error:
        return [Finding("error", str(error), trouble=error.trouble)]
    findings = list(_terms(sources))
    if not sources:
        return findings
    async with open_database(copy) as database:
        accounts = await projects.active_accounts(database)
        accounts = await projects.with_campaigns(database, settings.schedule.timezone, accounts)
        active = await projects.active_projects(database)
        messages = [
            *_campaign_findings(sources, accounts, {project.id: project.name for project in active}),
            *await _unknown_video_findings(database, settings, active, query, stamp(clock())),
        ]
    findings += [Finding("warning", one, trouble="campaign-unclear") for one in messages]
    if offline:
        return [*findings, *await _token_findings(sources, clock)]
    try:
        async with allowances(settings, clock) as allow:
            for source in sources:
                findings.append(await _tried(source, accounts, allow))
    except SmartSyncError as error:
        findings.append(
            Finding("error", f"the parsers are not tried: {error}", trouble=error.trouble or "parser-failed")
        )
    return [*findings, *await _token_findings(sources, clock)]


@asynccontextmanager
async def allowances(settings: Settings, clock: Clock) -> AsyncIterator[Callable[[ConfiguredParser], Allowance | None]]:
    """Yields the function that gives a parser its budgeted requests, counted in the real database if there is one."""
    path = settings.database.where
    if (isinstance(path, Path) and not path.is_file()) or not any(
        budget.daily_requests(table) for table in settings.parsers.values()
    ):
        yield lambda _source: None
        return
    async with open_existing(path, read_only=False) as database:
        yield lambda source: budget.allowance(database, source.table, source.settings, clock)


async def parse_links(settings: Settings, links: Sequence[str], clock: Clock = utc_now) -> InspectionsAnswer:
    """Run `inspect_links` within the parsers' budgets."""
    async with allowances(settings, clock) as allow:
        return await inspect_links(build(settings.parsers, settings.tokens), links, allow)


async def token_overview(settings: Settings, clock: Clock = utc_now) -> TokensAnswer:
    """The tokens of all parsers as plain data, after asking Meta about its own; ``success``: no token is dead."""
    shown: list[ParserTokens] = []
    is_well = True
    async with allowances(settings, clock) as allow:
        for source in build(settings.parsers, settings.tokens):
            failure = ""
            if source.book is not None:
                try:
                    async with http.opened() as client, asking(client, allow(source)) as means:
                        await source.inspect_tokens(means)
                except SmartSyncError as error:
                    failure = redact(str(error))
                await source.book.look()
            reports = source.book.reports if source.book is not None else ()
            tokens = [answer_of(report, clock()) for report in reports]
            is_well = is_well and not any(report.dead for report in reports)
            shown.append({"parser": source.name, "table": source.table, "tokens": tokens, "failure": failure})
    return {"success": is_well, "parsers": shown}


async def _token_findings(sources: Sequence[ConfiguredParser], clock: Clock) -> list[Finding]:
    """A finding for each token, with the time it ends."""
    findings = []
    for source in sources:
        if source.book is None:
            continue
        await source.book.look()
        for token in source.book.reports:
            what = f"parser {source.name}: "
            if warning := token.warning(clock()):
                findings.append(
                    Finding(
                        "error" if token.dead else "warning", f"{what}{warning}; grant a new one", trouble="token-ended"
                    )
                )
                continue
            subject, kind = f"the token of {token.account}" if token.account else "the token", token.kind
            findings.append(Finding("ok", f"{what}{subject}{f' ({kind})' if kind else ''} {token.words()}"))
    return findings


async def _tried(
    source: ConfiguredParser, accounts: Sequence[Account], allow: Callable[[ConfiguredParser], Allowance | None]
) -> Finding:
    """Ask a parser for one account; if it is refused for another one, since the refusal may be about the first."""
    finding = Finding(
        "warning",
        f"parser {source.name}: there is no active account that it is for, so it is not tried",
        trouble="parser-failed",
    )
    for served in islice((account for account in accounts if source.serves(account)), MAX_ACCOUNTS):
        try:
            (inspection,) = await inspect([source], served, allow)
        except Exception as error:
            return Finding(
                "error",
                f"parser {source.name} has a bug: {type(error).__name__}; report it to its author",
                trouble="parser-failed",
            )
        finding = _finding(served.link, inspection)
        if inspection.failure or any(isinstance(one, ParsedMetrics) for one in inspection.fetched):
            break
    return finding


def _finding(link: str, inspection: Inspection) -> Finding:
    what = f"parser {inspection.parser}: {link}"
    for one in inspection.fetched:
        if isinstance(one, ParsedMetrics):
            values = ", ".join(f"{name} {value}" for name, value in one.metrics._asdict().items() if value is not None)
            return (
                Finding("warning", f"{what}: {values}; {one.flaw}", trouble="parser-failed")
                if one.flaw
                else Finding("ok", f"{what}: {values}")
            )
        if isinstance(one, Unfetched):
            return Finding("warning" if one.gone else "error", f"{what}: {one.reason}", trouble=one.trouble)
    if inspection.failure:
        return Finding(
            "warning" if inspection.has_to_wait else "error",
            f"{what}: {inspection.failure}",
            trouble=inspection.trouble,
        )
    return Finding("warning", f"{what}: the source says nothing of it", trouble="parser-failed")


def _campaign_findings(
    sources: Sequence[ConfiguredParser], accounts: Sequence[Account], names: Mapping[str, str]
) -> Iterator[str]:
    """Projects with dates or a KPI whose numbers are lifetime totals, or whose campaign is not clear; each once."""
    messages = dict[str, None]()
    for account in accounts:
        name, campaign = names.get(account.project_id, account.project_id), account.campaign
        messages |= dict.fromkeys(campaign.warning(name, table) for table in lifetime_parsers(sources, account))
        if campaign.flaw and any(counts(s.settings) == "campaign" and s.serves(account) for s in sources):
            messages[f"{name}: {campaign.flaw}; until then its campaign cannot be counted"] = None
    yield from filter(None, messages)


async def _unknown_video_findings(
    database: Database, settings: Settings, active: Sequence[Project], query: str, now: str
) -> list[str]:
    """Values that count in projects with a campaign although their source does not say which videos they are from."""
    vote_terms = settings.vote_terms(now)
    if vote_terms.counting is None or not vote_terms.counting.parsers:
        return []
    prepared = await parsed_query.prepare(database, query)
    messages = dict[str, None]()
    for project in active:
        campaign = await projects.project_campaign(database, settings.schedule.timezone, project.id)
        if campaign.counts_all:
            continue
        every = [account.id for account in await projects.active_accounts(database, project.id)]
        states, _ = await account_states.read(database, project, vote_terms, prepared, every)
        for state in states:
            if is_campaign_counted(state.link, state.platform, vote_terms.counting):
                for source, metrics in sources_of_unknown_videos(state.votes).items():
                    messages[unknown_videos(project.name, campaign, source, metrics)] = None
    return list(messages)


def _terms(sources: Sequence[ConfiguredParser]) -> Iterator[Finding]:
    """What a platform's terms require for storing its numbers, until the configuration accepts them."""
    for source in sources:
        terms = source.terms
        if terms and not options(source.settings).accepted:
            silence = f"if you keep to that: [parsers.{source.table}] accepted = true"
            yield Finding("warning", f"parser {source.name}: {terms}; {silence}", trouble="parser-terms")
