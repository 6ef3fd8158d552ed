"""One pass of all parsers: each is asked for its due accounts, and values are stored as they arrive."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from smart_sync import logs
from smart_sync.aio.rate_limit import Limit
from smart_sync.core.model import MAX_COUNT, METRICS, Account, Metrics, ParsedMetrics
from smart_sync.core.results.parser_health import MANY, Attempt
from smart_sync.errors import SmartSyncError
from smart_sync.parsers import http
from smart_sync.parsers.asking import Asking, asking
from smart_sync.parsers.budget import Allowance
from smart_sync.parsers.http import HttpClient
from smart_sync.parsers.parser import Fetched, Paused, RoundOver, Unfetched, list_reasons

if TYPE_CHECKING:
    from smart_sync.parsers.registry import ConfiguredParser

#: Values are stored when so many are there, or when the oldest of them is so many seconds old.
BATCH = 100
BATCH_SECONDS = 1.0

Sink = Callable[[Sequence[ParsedMetrics]], Awaitable[object]]


class EventReporter(Protocol):
    """Reports an event: `logs.emit`, or a `sync.reporter.Reporter`."""

    def __call__(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Say that ``event`` has happened."""


async def collect(
    sources: "Sequence[ConfiguredParser]",
    accounts: Sequence[Account],
    sink: Sink,
    now: datetime,
    *,
    allow: "Callable[[ConfiguredParser], Allowance | None]" = lambda _source: None,
    limit: "Callable[[ConfiguredParser], Limit | None]" = lambda _source: None,
    say: EventReporter = logs.emit,
) -> list[Attempt]:
    """Ask all parsers concurrently for the accounts due at ``now``; ``sink`` stores their values in batches.

    ``allow`` gives what a parser may ask of its budget, ``limit`` the rate that it shares with other processes.  One
    with nothing due has no attempt.  One that fails, or takes longer than its deadline, keeps what it fetched and stops
    no other.  A `SmartSyncError` of ``sink`` is the parser's failure.  Cancelled, it stores what is in hand first.
    """
    passes = [
        _Pass(source, due, sink, now, say, allow(source), limit(source))
        for source in sources
        if (due := source.asked.due((a for a in accounts if source.serves(a)), now))
    ]
    async with http.opened() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(client), name=f"parser:{one.source.name}") for one in passes]
    return [task.result() for task in tasks]


@dataclass(slots=True)
class _Pass:
    """One parser's part of a pass."""

    source: "ConfiguredParser"
    due: list[Account]
    sink: Sink
    now: datetime
    say: EventReporter
    #: What it may ask, and how much it had asked when it last said something of an account.
    allowance: Allowance | None
    limit: Limit | None
    taken: int = 0
    has_gone_through: bool = False
    attempt: Attempt = field(init=False)
    batch: list[ParsedMetrics] = field(default_factory=list)
    batch_began: float = 0.0
    #: The accounts nothing was said of yet, and those that have values: a file may have several lines of one.
    open: dict[str, Account] = field(init=False)
    fetched: dict[str, Account] = field(default_factory=dict)
    #: Those that the source does not have, until it is known that it has others; each with the reason.
    gone: list[tuple[Account, str]] = field(default_factory=list)
    #: What was wrong → the links of the accounts with which it was.
    troubles: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.attempt = Attempt(self.source.name)
        self.open = {account.id: account for account in self.due}

    async def run(self, client: HttpClient) -> Attempt:
        """Ask through ``client``, store the values, and log one line."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asking(client, self.allowance, self.limit) as means:
            try:
                bug = await self._ask(means)
            finally:
                self._record_cut_off(means)
        self.attempt.seconds = round(loop.time() - began, 3)
        await self._look_at_tokens()
        self._close(means)
        self._log(bug)
        return self.attempt

    async def _look_at_tokens(self) -> None:
        """Note dead tokens and those that will soon expire; each expiry is reported once."""
        if (book := self.source.book) is None:
            return
        for token in await book.news():
            warning = token.warning(self.now)
            self.say("parser.token_expires", parser=self.source.name, account=token.account or None, reason=warning)
        self.attempt.dead = "; ".join(token.warning(self.now) for token in book.reports if token.dead)

    async def _ask(self, means: Asking) -> Exception | None:
        """Fetch and store; return the exception if the parser has a bug."""
        attempt, deadline = self.attempt, self.source.settings.deadline
        limit = asyncio.timeout(deadline)
        try:
            async with limit:
                await self._fetch(means)
            attempt.finished = self.has_gone_through = True
        except RoundOver as over:
            attempt.finished, attempt.left, attempt.reason = True, len(self.open), str(over)
        except Paused as pause:
            attempt.reason = str(pause)
            self.source.asked.paused(pause.until, attempt.reason, self.now)
        except SmartSyncError as failure:
            attempt.reason = str(failure)
        except _SinkBroken as failure:
            raise failure.error from None
        except Exception as error:
            if limit.expired():
                attempt.reason = f"not done within {deadline:g} s; the next pass goes on (see deadline, rate and every)"
                return None
            attempt.reason = f"the parser has a bug: {type(error).__name__}"
            return error
        return None

    async def _fetch(self, means: Asking) -> None:
        try:
            async with aclosing(self.source.fetch(self.due, means)) as stream:
                async for fetched in stream:
                    self._take(fetched)
                    if self._is_batch_due():
                        await self._store()
        finally:
            await self._store()

    def _take(self, fetched: Fetched) -> None:
        account = self.open.pop(fetched.account_id, None)
        if account is None and isinstance(fetched, ParsedMetrics):
            account = self.fetched.get(fetched.account_id)
        self.taken = self.allowance.taken if self.allowance is not None else 0
        if account is None:
            return
        if isinstance(fetched, ParsedMetrics) and (flaw := _flaw(fetched)):
            fetched = Unfetched(account.id, flaw)
        if isinstance(fetched, ParsedMetrics):
            self._keep(fetched, account)
        elif fetched.gone:
            self.gone.append((account, fetched.reason))
        else:
            self.troubles.setdefault(fetched.reason, []).append(account.link)
            self._failed(account, fetched.until)

    def _failed(self, account: Account, until: datetime | None = None) -> None:
        self.attempt.failed += 1
        self.attempt.known_failed += not self.source.asked.failed(account.id, self.now, until)

    def _keep(self, values: ParsedMetrics, account: Account) -> None:
        if not self.batch:
            self.batch_began = asyncio.get_running_loop().time()
        self.fetched[account.id] = account
        if values.flaw:
            self.troubles.setdefault(values.flaw, []).append(account.link)
        self.batch.append(values if values.link is not None else replace(values, link=account.link))

    def _count_missing(self, account: Account, reason: str) -> None:
        self.attempt.missing += 1
        if not self.source.asked.gone(account.id, self.now):
            self.attempt.known_missing += 1
        else:
            name, why = self.source.name, logs.redact(reason)
            self.say("parser.account_gone", parser=name, account_id=account.id, link=account.link, reason=why)

    def _is_batch_due(self) -> bool:
        waited = asyncio.get_running_loop().time() - self.batch_began
        return len(self.batch) >= BATCH or (bool(self.batch) and waited >= BATCH_SECONDS)

    async def _store(self) -> None:
        """Pass the batch to the sink; if interrupted, the batch is kept."""
        if not self.batch:
            return
        try:
            await self.sink(tuple(self.batch))
        except Exception as error:
            self._give_up_batch()
            if isinstance(error, SmartSyncError):
                raise
            raise _SinkBroken(error) from None
        self.attempt.fetched = len(self.fetched)
        for values in self.batch:
            if values.unfinished:
                self.source.asked.failed(values.account_id, self.now)
            else:
                self.source.asked.answered(values.account_id, self.now)
        self.batch = []

    def _give_up_batch(self) -> None:
        lost = {values.account_id for values in self.batch}
        self.attempt.failed += len(lost)
        self.fetched = {key: account for key, account in self.fetched.items() if key not in lost}
        self.batch = []

    def _close(self, means: Asking) -> None:
        """Count accounts without a result: missing if the parser finished, else failed."""
        attempt = self.attempt
        if self._all_are_gone():
            attempt.reason = attempt.reason or (
                f"the source has none of {len(self.gone)} accounts: {self.gone[0][1]};"
                f" correct what [parsers.{self.source.name}] asks for"
            )
            for account, _ in self.gone:
                self._failed(account)
        else:
            for account, reason in self.gone:
                self._count_missing(account, reason)
        attempt.flaw = self.source.flaw
        attempt.reason = "; ".join(filter(None, (attempt.reason or list_reasons(self.troubles), attempt.flaw)))
        if attempt.finished and not attempt.left:
            attempt.missing += len(self.open)
            for account_id in self.open:
                self.source.asked.answered(account_id, self.now)
        elif not attempt.left:
            attempt.failed += len(self.open)
        if (usage := self.source.usage(means)) is not None:
            attempt.calls, attempt.quota_left = usage.calls, usage.quota_left
            attempt.reason = "; ".join(filter(None, (attempt.reason, usage.remark)))
        attempt.reason = logs.redact(attempt.reason)

    def _record_cut_off(self, means: Asking) -> None:
        """Put accounts with interrupted requests last the next time, or they might starve the others."""
        self.source.asked.was_cut_off |= not self.has_gone_through
        noted, jobs = self.source.cut_off(means)
        if noted is not None:
            tried = noted & self.open.keys()
            noted -= tried
        else:  # one that says nothing of it asks about one account after the other
            tried = set(islice(self.open, int(not self.has_gone_through and self._has_asked())))
        started = tried & jobs
        jobs -= started
        for account_id in tried:
            self.source.asked.cut_off(account_id, self.now, has_started_job=account_id in started)

    def _has_asked(self) -> bool:
        """Whether it made requests since its last result, as far as that is known."""
        return self.allowance is None or self.allowance.taken > self.taken

    def _all_are_gone(self) -> bool:
        """Whether all accounts are gone at once, which is no trouble of theirs."""
        news = sum(not self.source.asked.is_gone(account.id) for account, _ in self.gone)
        return news >= MANY and not (self.attempt.fetched or self.attempt.failed)

    def _log(self, bug: Exception | None) -> None:
        attempt = self.attempt
        self.say(
            "parser.finished" if attempt.finished else "parser.failed",
            exc_info=bug,
            parser=attempt.parser,
            fetched=attempt.fetched,
            missing=attempt.missing,
            failed=attempt.failed,
            left=attempt.left or None,
            calls=attempt.calls,
            quota_left=attempt.quota_left,
            seconds=attempt.seconds,
            reason=attempt.reason or None,
        )


class _SinkBroken(Exception):
    """The sink has a bug, not the parser."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _flaw(values: ParsedMetrics) -> str:
    """What is invalid in a parser's values; "" if nothing is."""
    metrics: object = values.metrics
    if not isinstance(metrics, Metrics):
        return "the parser gave no Metrics"
    for name, value in zip(METRICS, values.metrics, strict=True):
        if value is not None and (type(value) is not int or not 0 <= value <= MAX_COUNT):
            return f"the parser gave {name} that is no count"
    return "" if values.parsed_at.tzinfo else "the parser gave a parsed_at without a time zone"
