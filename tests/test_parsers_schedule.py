"""Whom the parsers ask, and when: over days of passes, reloads, restarts and single passes, by a simulated clock."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
import stamina
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fake_platforms import GOOD, Call, FakePlatform, Reply
from fake_platforms import settings as table_of
from smart_sync.config import ParserSettings
from smart_sync.core.days import stamp
from smart_sync.core.model import Account, Metrics, ParsedMetrics
from smart_sync.parsers import budget
from smart_sync.parsers.agenda import Agenda
from smart_sync.parsers.api import ApiSettings
from smart_sync.parsers.budget import Allowance
from smart_sync.parsers.collector import Collector
from smart_sync.parsers.http_json import HttpJson, HttpJsonSettings
from smart_sync.parsers.parser import Fetched, RoundOver, Unfetched
from smart_sync.parsers.registry import Source
from smart_sync.parsers.youtube import YouTube, YouTubeSettings
from smart_sync.store import parser_requests
from smart_sync.store.database import Database
from smart_sync.store.schema import open_database
from world import World

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SLACK = timedelta(seconds=60)
DAY = timedelta(days=1)


def quiet(_event: str, **_fields: object) -> None:
    """Nobody is told."""


@dataclass
class Platform:
    """What a platform would do, and what it was asked."""

    #: Account → what becomes of it: "value", "fails", "gone", or (cost) so many requests for a value.
    accounts: dict[str, str | int]
    now: datetime = NOON
    asked: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    requests: list[datetime] = field(default_factory=list)


class Simulated:
    """A parser like one that another package brings: it takes each request from its budget."""

    settings: ClassVar[type[ParserSettings]] = ApiSettings

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        allowance = budget.borrowed()
        for account in accounts:
            fate = self._platform.accounts[account.id]
            for _ in range(fate if isinstance(fate, int) else 1):
                if allowance is not None:
                    await allowance.take()
                self._platform.requests.append(self._platform.now)
            self._platform.asked[account.id].append(self._platform.now)
            if fate == "fails":
                yield Unfetched(account.id, "no answer")
            elif fate == "gone":
                yield Unfetched(account.id, "deleted", gone=True)
            else:
                yield ParsedMetrics(account.id, Metrics(followers=1), "simulated", self._platform.now)


class Life:
    """A daemon that is started, reloaded and stopped, and single passes, all on one database."""

    def __init__(self, path: Path, platform: Platform, every: timedelta | None, allowed: int | None) -> None:
        self._path = path
        self.platform = platform
        self._every = every
        self._table = ApiSettings(source="simulated", budget=allowed, deadline=600.0)
        self._running: tuple[AsyncExitStack, Collector] | None = None

    async def prepare(self) -> "Life":
        async with open_database(self._path) as database, database.transaction() as transaction:
            await transaction.execute("INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)")
            await transaction.execute_many(
                "INSERT INTO project_social_accounts (id, project_id, platform, profile_link) VALUES (?, 'p', ?, ?)",
                [(one, "tiktok", f"https://www.tiktok.com/@{one}") for one in self.platform.accounts],
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def __aenter__(self) -> "Life":
        return self

    async def daemon_pass(self) -> None:
        if self._running is None:
            stack = AsyncExitStack()
            database = await stack.enter_async_context(open_database(self._path))
            self._running = stack, await stack.enter_async_context(self._collector(database))
        await self._running[1].collect()

    async def stop(self) -> None:
        """Also the first half of a reload: the next pass has everything anew."""
        if self._running is not None:
            stack, _ = self._running
            self._running = None
            await stack.aclose()

    async def once(self) -> None:
        await self.stop()
        async with open_database(self._path) as database, self._collector(database) as collector:
            await collector.collect()

    def _collector(self, database: Database) -> Collector:
        source = Source("simulated", Simulated(self.platform), self._table, Agenda(self._every), "simulated")
        return Collector([source], database, lambda: self.platform.now, None, quiet)


def most_in_a_day(requests: Sequence[datetime]) -> int:
    """The most requests in any 24 hours."""
    return max((sum(at <= other < at + DAY for other in requests) for at in requests), default=0)


FATES = st.sampled_from(["value", "value", "value", "fails", "gone"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["pass", "pass", "reload", "once"]), st.integers(1, 400)), min_size=5, max_size=60
)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(FATES, min_size=1, max_size=8),
    STEPS,
    st.sampled_from([None, timedelta(minutes=30), timedelta(hours=6), timedelta(days=1)]),
    st.none() | st.integers(1, 30),
)
async def test_nobody_is_asked_too_often(
    fates: list[str], steps: list[tuple[str, int]], every: timedelta | None, allowed: int | None
) -> None:
    """Over days of passes, reloads, restarts and `once` no account is asked more often than ``every``, one that fails
    or is gone ever more rarely, and in no 24 hours more is asked than the budget has."""
    platform = Platform({f"a{n}": fate for n, fate in enumerate(fates)})
    with tempfile.TemporaryDirectory() as folder:
        async with await Life(Path(folder) / "a.db", platform, every, allowed).prepare() as life:
            for step, minutes in steps:
                platform.now += timedelta(minutes=minutes)
                if step == "reload":
                    await life.stop()
                await (life.once() if step == "once" else life.daemon_pass())
    assert allowed is None or most_in_a_day(platform.requests) <= allowed
    everybody_is_gone = set(fates) == {"gone"} and len(fates) >= 5
    for account, times in platform.asked.items():
        fate = platform.accounts[account]
        waits = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        for number, wait in enumerate(waits):
            least = every or timedelta(0)
            if fate == "fails" or everybody_is_gone:
                least = min(timedelta(minutes=15) * 2**number, least)
            elif fate == "gone":
                least = max(min(timedelta(hours=1) * 2**number, DAY), least)
            assert wait >= least - SLACK


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.sampled_from(["value", "value", 2, 3, 50, "fails"]), min_size=2, max_size=6),
    st.integers(4, 12),
    st.sampled_from([None, timedelta(hours=1), timedelta(hours=6)]),
)
async def test_a_small_budget_starves_nobody(fates: list[str | int], allowed: int, every: timedelta | None) -> None:
    """Whatever the others cost, even more than the budget has, everybody who can be had is had again and again."""
    platform = Platform({f"a{n}": fate for n, fate in enumerate(fates)})
    days = 2 * len(fates) + 3
    with tempfile.TemporaryDirectory() as folder:
        async with await Life(Path(folder) / "a.db", platform, every, allowed).prepare() as life:
            for number in range(days * 3):
                platform.now += timedelta(hours=8)
                await (life.once() if number % 5 == 0 else life.daemon_pass())
    assert most_in_a_day(platform.requests) <= allowed
    affordable = [one for one, fate in platform.accounts.items() if not isinstance(fate, int) or fate <= allowed]
    assert [one for one in affordable if len(platform.asked[one]) < 2] == []
