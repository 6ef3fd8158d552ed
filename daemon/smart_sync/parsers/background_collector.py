"""Collects in the background: a pass waits a while for the parsers; later results are for the next one."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from smart_sync import logs
from smart_sync.aio.plain_files import FILE_PATIENCE, NO_ANSWER
from smart_sync.aio.rate_limit import Limit
from smart_sync.aio.tasks import DetachedThreads
from smart_sync.config import secrets
from smart_sync.config.parser_options import options
from smart_sync.core.daemon_answers import ParserReport
from smart_sync.core.days import stamp
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.core.results.parser_health import Attempt, ParserState, Verdict, judge_parser
from smart_sync.core.results.webhook_messages import Message, parser_message
from smart_sync.core.wording import listed
from smart_sync.parsers import budget
from smart_sync.parsers.budget import Allowance, Rate
from smart_sync.parsers.collect import EventReporter, collect
from smart_sync.parsers.token_book import answer_of
from smart_sync.store import parsed_values, parser_records, projects
from smart_sync.store.engine import Database, StoreError, Transaction

if TYPE_CHECKING:
    from smart_sync.parsers.registry import ConfiguredParser

#: Seconds after which a long collection writes down whom it has asked: what a crash may cost.
KEEP_EVERY = 30.0


class WebhookQueue(Protocol):
    """Accepts messages for webhooks: `Webhooks`."""

    async def queue(self, transaction: Transaction, messages: Sequence[Message]) -> None:
        """Queue ``messages`` in the transaction that stores what they report."""

    def wake(self) -> None:
        """The transaction has been committed."""


class Collector:
    """Stores the values of ``sources``; use as ``async with``. ``wait``: seconds a pass waits (None: to the end).

    ``say`` reports what becomes of each parser; ``webhooks`` are notified when it begins to fail and when it recovers;
    ``fails_after``: see `core.results.parser_health.judge_parser`; ``timezone``: of the projects' dates.
    """

    def __init__(
        self,
        sources: "Sequence[ConfiguredParser]",
        database: Database,
        clock: Callable[[], datetime],
        wait: float | None,
        say: EventReporter = logs.emit,
        *,
        webhooks: WebhookQueue | None = None,
        fails_after: float = math.inf,
        timezone: str = "UTC",
    ) -> None:
        self._timezone, self._webhooks, self._fails_after = timezone, webhooks, fails_after
        self._sources, self._database = sources, database
        self._clock, self._wait, self._say = clock, wait, say
        self._files = DetachedThreads()
        #: Parser → the last that was said of it.
        self._last: dict[str, ParserReport] = {}
        #: When (the loop's time) what the parsers remember was last written.
        self._kept_at = 0.0
        self._group = asyncio.TaskGroup()
        #: The collections under way → the projects whose accounts each is about (None: all); no two ask about the same
        #: account, for which a job may have been paid.
        self._running: dict[asyncio.Task[None], frozenset[str] | None] = {}
        self._under_question: set[str] = set()
        #: For which a pass has waited as long as passes do.
        self._waited_out: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self._running:
            running.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def collect(self, new: Sequence[Account] | None = None, *, only: frozenset[str] | None = None) -> None:
        """Ask for all due accounts, those of the projects ``only``, or ``new`` ones just created.

        Returns when it is done, or when a pass has waited long enough; then it goes on by itself, and the passes
        that find it at work do not wait for it again.
        """
        if not self._sources:
            return
        running = self._start(new, frozenset()) if new is not None else self._join_or_start(only)
        if running not in self._waited_out:
            _, pending = await asyncio.wait({running}, timeout=self._wait)
            self._waited_out |= pending

    def overview(self) -> list[ParserReport]:
        """Each parser: name, table, budget, tokens, and its last report, if any, as ``parser.finished`` has it.

        ``success``: it went through; ``reported_at``: a stamp.  A parser that was not due since has kept its report.
        """
        return [
            {
                **self._last.get(source.name, ParserReport(parser=source.name)),
                "table": source.table,
                "budget": budget.daily_requests(source.settings),
                "tokens": [answer_of(token, self._clock()) for token in source.book.reports] if source.book else [],
            }
            for source in self._sources
        ]

    def _join_or_start(self, only: frozenset[str] | None) -> asyncio.Task[None]:
        """The running collection if it covers ``only``, else a new one for accounts that no other asks for."""
        for running, scope in self._running.items():
            if scope is None or (only is not None and only <= scope):
                return running
        return self._start(None, only)

    def _start(self, new: Sequence[Account] | None, scope: frozenset[str] | None) -> asyncio.Task[None]:
        running = self._group.create_task(self._run(new, scope), name="parsers:collect")
        self._running[running] = scope
        running.add_done_callback(self._finish)
        return running

    def _finish(self, running: asyncio.Task[None]) -> None:
        del self._running[running]
        self._waited_out.discard(running)

    async def _run(self, new: Sequence[Account] | None, scope: frozenset[str] | None) -> None:
        """Ask about ``new`` accounts, or all of the projects in ``scope``, of whom no other collection asks."""
        ids: set[str] = set()
        try:
            accounts = await self._accounts(scope) if new is None else new
            free = [account for account in accounts if account.id not in self._under_question]
            ids = {account.id for account in free}
            self._under_question |= ids
            await self._ask(free)
        except StoreError as error:
            self._say("parsers.skipped", reason=str(error.meaning))
        finally:
            self._under_question -= ids

    async def _accounts(self, only: frozenset[str] | None) -> list[Account]:
        if only is None:
            return await projects.active_accounts(self._database)
        return [a for key in sorted(only) for a in await projects.active_accounts(self._database, key)]

    async def _ask(self, accounts: Sequence[Account]) -> None:
        accounts = await projects.with_campaigns(self._database, self._timezone, accounts)
        await self._load_state()
        await self._reload_secrets()
        self._kept_at = asyncio.get_running_loop().time()
        try:
            attempts = await collect(
                self._sources,
                accounts,
                self._store,
                self._clock(),
                allow=self._allowance,
                limit=self._limit,
                say=self._note,
            )
        finally:
            await self._keep()
        for source in self._sources:  # what was said longer ago than may be kept is taken back
            if (keep := options(source.settings).retention) is not None:
                await parsed_values.apply_retention(self._database, source.name, self._clock(), keep)
        for verdict, attempt, state in await self._judge(attempts, accounts):
            event = "parser.failing" if verdict is Verdict.FAILED else "parser.recovered"
            reason, concerned = attempt.dead or attempt.reason or None, state.projects or None
            self._say(event, parser=attempt.parser, since=state.since, projects=concerned, reason=reason)

    async def _reload_secrets(self) -> None:
        """Read changed files of secrets again."""
        for source in self._sources:
            for one in secrets.files_in(source.settings):
                try:
                    if await self._files.run(FILE_PATIENCE, one.follow):
                        source.asked.retry_failed()
                except (ValueError, TimeoutError) as error:
                    why = str(error) or NO_ANSWER
                    self._say("secret.unreadable", parser=source.name, path=str(one.path), reason=why)

    async def _load_state(self) -> None:
        """Read the stored state once: while we hold the lock, nobody else writes it."""
        for source in self._sources:
            if not source.asked.is_recalled:
                if source.book is not None:
                    await source.book.look()
                known = await parser_records.load(self._database, source.table)
                source.asked.recall(known.asked, known.paused)
                if (memory := source.memory) is not None:
                    memory |= {identity(known.asked[key].link): dict(ids) for key, ids in known.remembered.items()}

    async def _keep(self) -> None:
        """Store the changes of all parsers in one transaction."""
        self._kept_at = asyncio.get_running_loop().time()
        changes = [
            (source, changed)
            for source in self._sources
            if (changed := source.asked.changes(everybody=source.needs_everybody))
        ]
        if not changes:
            return
        try:
            async with self._database.transaction() as transaction:
                for source, changed in changes:
                    memory = source.memory or {}
                    links = {one.link for one in changed.asked.values()}
                    remembered = {link: memory[who] for link in links if (who := identity(link)) in memory}
                    await parser_records.keep(transaction, source.table, changed.asked, remembered, changed.paused)
                await parser_records.forget_deleted(transaction)
        except StoreError as error:
            self._say("parsers.skipped", reason=str(error.meaning))
            return
        for source, changed in changes:
            source.asked.kept(changed)

    def _allowance(self, source: "ConfiguredParser") -> Allowance | None:
        return budget.allowance(self._database, source.table, source.settings, self._clock)

    def _limit(self, source: "ConfiguredParser") -> Limit | None:
        rate = options(source.settings).rate
        if not isinstance(rate, Rate):
            return None
        return self._database.limit(f"parser {source.table}", rate.calls, rate.seconds)

    async def _judge(
        self, attempts: Sequence[Attempt], accounts: Sequence[Account]
    ) -> list[tuple[Verdict, Attempt, ParserState]]:
        """Decide which parsers began to fail or recovered, store that, and queue the messages."""
        now = stamp(self._clock())
        verdicts, states = [], {}
        async with self._database.transaction() as transaction:
            before = await parser_records.load_states(transaction, [source.name for source in self._sources])
            for attempt in attempts:
                old = before.get(attempt.parser, ParserState())
                new, verdict = judge_parser(attempt, old, now, self._fails_after)
                if verdict is Verdict.FAILED:
                    new = replace(new, projects=await self._projects_of(attempt.parser, accounts))
                if new != old:
                    states[attempt.parser] = new
                if verdict is not None:
                    verdicts.append((verdict, attempt, new if verdict is Verdict.FAILED else old))
            await parser_records.save_states(transaction, states)
            if self._webhooks is not None:
                told = [parser_message(verdict, attempt, state, now) for verdict, attempt, state in verdicts]
                await self._webhooks.queue(transaction, told)
        if self._webhooks is not None and verdicts:
            self._webhooks.wake()
        return verdicts

    async def _projects_of(self, parser: str, accounts: Sequence[Account]) -> str:
        """The names of the projects whose ``accounts`` a parser is asked for."""
        source = next(source for source in self._sources if source.name == parser)
        ids = {account.project_id for account in accounts if source.serves(account)}
        active = await projects.active_projects(self._database)
        return listed([project.name for project in active if project.id in ids])

    def _note(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Remember a parser's report, then announce it."""
        if event in ("parser.finished", "parser.failed"):
            report = {name: value for name, value in fields.items() if value is not None}
            report |= {"success": event == "parser.finished", "reported_at": stamp(self._clock())}
            self._last[report["parser"]] = cast("ParserReport", report)
        self._say(event, exc_info=exc_info, **fields)

    async def _store(self, values: Sequence[ParsedMetrics]) -> None:
        try:
            await parsed_values.put(self._database, values, self._clock(), from_parser=True)
            if asyncio.get_running_loop().time() - self._kept_at > KEEP_EVERY:
                await self._keep()
        except StoreError as error:
            raise error.meaning from None
