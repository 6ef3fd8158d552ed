"""The resources of a pass, opened in order and closed in reverse: for the daemon, ``once`` and ``check``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from smart_sync.clock import Clock, utc_now
from smart_sync.config import Settings
from smart_sync.config.sections import MAX_CONCURRENCY
from smart_sync.core.daemon_answers import ParserReport
from smart_sync.core.model import Account
from smart_sync.core.results.health import HealthInputs, no_projects
from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.notify.delivery import Webhooks
from smart_sync.notify.digest import Digest
from smart_sync.notify.ping import Ping
from smart_sync.notify.receivers import receivers_of
from smart_sync.parsers.background_collector import Collector
from smart_sync.sheets import open_sheets
from smart_sync.sheets.source import SheetSource
from smart_sync.store import parsed_query, projects
from smart_sync.store.engine import Database, Lost, StoreError
from smart_sync.store.schema import open_database, open_existing
from smart_sync.store.spreadsheet_cache import SpreadsheetCache
from smart_sync.store.sqlite.driver import databases_beside
from smart_sync.store.unread_projects import standing
from smart_sync.sync.reporter import Reporter

if TYPE_CHECKING:
    from smart_sync.parsers.registry import ConfiguredParser
    from smart_sync.store.postgres.lease import Lease

#: Threads for what blocks, made as they are needed: one for each spreadsheet that may be read at once, and some more.
THREADS = MAX_CONCURRENCY + 32


def allow_threads() -> None:
    """Give the running event loop `THREADS` threads, once, before its first pass.

    Requests to Google wait in threads: a Google that hangs must not take the last one from the merging.  By default
    there would be four more than the machine has processors.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "smart-sync"))


class Collect(Protocol):
    """Updates the inbox, as far as a pass waits for it: `Collector.collect`."""

    async def __call__(self, new: Sequence[Account] | None = None, *, only: frozenset[str] | None = None) -> None:
        """Ask about ``new`` accounts, or those of ``only`` these projects, or all."""


@dataclass(frozen=True, slots=True)
class Means:
    """The means of syncing projects; all that a worker has."""

    settings: Settings
    database: Database
    sheets: SheetSource
    collect: Collect
    announce: Reporter
    clock: Clock
    #: What `parsed_query.prepare` made of ``[parsed] query``.
    parsed_query: str


@dataclass(frozen=True, slots=True)
class Resources(Means):
    """The means of passes, opened in order by `opened`, closed in reverse."""

    webhooks: Webhooks
    ping: Ping
    digest: Digest
    #: What each parser reported last (`Collector.overview`).
    parsers: Callable[[], list[ParserReport]]


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    announce: Reporter,
    environment: Mapping[str, str] | None = None,
    *,
    parsers_wait: float | None = None,
    clock: Clock = utc_now,
    lease: "Lease | None" = None,
    waiting: float = 0.0,
) -> AsyncIterator[Resources]:
    """Open all resources of a pass in order; closed in reverse.

    ``parsers_wait``: seconds that a pass waits for the parsers; None: until they are done.  ``lease`` and ``waiting``:
    see `open_database`.
    """
    with ungrouped_failures():
        async with contextlib.AsyncExitStack() as stack:
            where, timezone = settings.database.where, settings.schedule.timezone
            database = await stack.enter_async_context(open_database(where, timezone, lease=lease, waiting=waiting))
            if wrong := await projects.unknown_in(database, dict(settings.sync.defaults)):
                raise ConfigError(tuple(f"{key}: {problem}" for key, problem in wrong.items()))
            query = await parsed_query.prepare(database, settings.parsed.query)
            resources, collector = _build(settings, database, announce, environment, clock, parsers_wait, query)
            for one in (resources.sheets, resources.webhooks, collector, resources.ping):
                await stack.enter_async_context(one)
            yield resources


@contextlib.asynccontextmanager
async def standing_by(
    settings: Settings,
    announce: Reporter,
    environment: Mapping[str, str] | None = None,
    *,
    clock: Clock = utc_now,
) -> AsyncIterator[Resources]:
    """The resources of a standby daemon: nothing is migrated, collected or delivered.

    What would keep this one from taking over (the key of Google, a parser) is told as `opened` would.
    """
    with ungrouped_failures():
        where = settings.database.where
        async with open_existing(where, read_only=False, checked=False) as database:
            query = ""
            with contextlib.suppress(StoreError, ConfigError):  # the leader tells it, once the tables are there
                query = await parsed_query.prepare(database, settings.parsed.query)
            resources, _ = _build(settings, database, announce, environment, clock, 0.0, query)
            async with resources.sheets:
                yield resources


def _build(
    settings: Settings,
    database: Database,
    announce: Reporter,
    environment: Mapping[str, str] | None,
    clock: Clock,
    parsers_wait: float | None,
    query: str,
) -> tuple[Resources, Collector]:
    """The resources around an open database, none of them started."""
    timezone = settings.schedule.timezone
    sheets = open_sheets(settings.sheets, SpreadsheetCache(database), environment, announce, database.limit)
    targets = receivers_of(settings.notify, timezone)
    webhooks = Webhooks(settings.webhooks, database, clock, targets=targets)
    collector = Collector(
        _parsers_of(settings),
        database,
        clock,
        parsers_wait,
        announce,
        webhooks=webhooks,
        fails_after=settings.sheets.stale_after,
        timezone=timezone,
    )
    resources = Resources(
        settings,
        database,
        sheets,
        collector.collect,
        announce,
        clock,
        query,
        webhooks,
        Ping(settings.ping),
        Digest(settings, database, webhooks, clock),
        collector.overview,
    )
    return resources, collector


def _parsers_of(settings: Settings) -> "Sequence[ConfiguredParser]":
    if not settings.parsers:
        return ()
    from smart_sync.parsers import registry  # a start without parsers does not wait for what makes them

    return registry.build(settings.parsers, settings.tokens)


@contextlib.contextmanager
def ungrouped_failures() -> Iterator[None]:
    """Inside, a failure that a person can fix is raised by itself, not in exception groups.

    Of several that of the database counts: `Lost` before all others.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        _, bugs = group.split((SmartSyncError, StoreError))
        if bugs is not None:
            raise
        raise main_error(group) from None


def main_error(error: BaseException) -> BaseException:
    """The exception without its groups; of several the database's, `Lost` first."""
    if isinstance(error, BaseExceptionGroup):
        return first_error(error.subgroup(Lost) or error.subgroup(StoreError) or error)
    return error


def first_error(error: BaseException) -> BaseException:
    """The exception without its groups; of several the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def report_projects(resources: Resources) -> None:
    """Log that the database is new and has no projects which anything will add."""
    path = resources.settings.database.where
    if resources.database.created:
        others = await asyncio.to_thread(databases_beside, path) if isinstance(path, Path) else []
        hint = f"; in the same folder there is {', '.join(others)}" if others else ""
        resources.announce("database.created", path=str(path), reason=f"there was no database{hint}")
    if missing := await nothing_to_sync(resources.settings, resources.database):
        resources.announce("projects.missing", reason=missing)


async def nothing_to_sync(settings: Settings, database: Database) -> str:
    """Why there is no project to sync and none will be created; "" if that is intended."""
    stands = await standing(database)
    facts = HealthInputs(
        projects=stands.projects,
        active=len(stands.active),
        unclear=stands.unclear,
        creates_projects=settings.sync.create_missing == "projects",
        made_database=str(settings.database.where) if stands.made_at else "",
    )
    return no_projects(facts)
