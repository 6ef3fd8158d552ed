"""The parsers beside the passes: a slow platform slows no pass, and what it brings late is merged by the next one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from smart_sync.config import ParserSettings
from smart_sync.core.model import Account, Metrics, ParsedMetrics, Trigger
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.background_collector import Collector
from smart_sync.parsers.parser import Fetched
from smart_sync.parsers.registry import ConfiguredParser
from smart_sync.store import projects
from smart_sync.store.schema import open_database
from smart_sync.store.spreadsheet_cache import SpreadsheetCache
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import World, link


class SlowPlatform:
    """Answers for the first account at once, for the others when it is told."""

    settings: ClassVar[type[ParserSettings]] = ParserSettings

    def __init__(self, world: World) -> None:
        self._world = world
        self.may_go_on = asyncio.Event()
        self.asked: list[list[str]] = []

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        self.asked.append([account.id for account in accounts])
        for number, account in enumerate(accounts):
            if number > 0:
                await self.may_go_on.wait()
            yield ParsedMetrics(account.id, Metrics(followers=100 + number), "slow", self._world.now)


@asynccontextmanager
async def hurried_passes(
    world: World, platform: SlowPlatform
) -> AsyncIterator[tuple[SyncPass, asyncio.Event, SyncPass]]:
    """Passes that wait 0.05 s for ``platform``, an event for when it has answered, and passes without it."""
    finished = asyncio.Event()

    def said(event: str, **_fields: object) -> None:
        if event == "parser.finished":
            finished.set()

    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    async with (
        opened(world.settings, Reporter(), clock=lambda: world.now) as resources,
        Collector([source], resources.database, lambda: world.now, wait=0.05, say=said) as collector,
    ):
        yield SyncPass(replace(resources, collect=collector.collect)), finished, SyncPass(resources)


async def test_a_slow_platform_does_not_slow_the_pass_over_the_sheets(world: World) -> None:
    """A pass waits only so long; what comes afterwards is merged by the next pass."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1, None, None, None, None], b=[2, None, None, None, None])
    platform = SlowPlatform(world)
    async with hurried_passes(world, platform) as (sync, finished, _):
        await sync.run(PassRequest(Trigger.CLI))
        assert world.merged("b") == (2, 0, 0, 0, 0)
        await sync.run(PassRequest(Trigger.CLI))
        assert len(platform.asked) == 1, "the platform is still busy with the first question"
        platform.may_go_on.set()
        await finished.wait()
        await sync.run(PassRequest(Trigger.CLI))
    assert (world.merged("a"), world.merged("b")) == ((100, 0, 0, 0, 0), (101, 0, 0, 0, 0))


async def test_a_platform_that_never_answers_is_let_go_of_at_the_end(world: World) -> None:
    """Leaving the collector cancels what is under way, and keeps what was fetched."""
    world.add_project("P", ["a", "b"])
    platform = SlowPlatform(world)
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    async with (
        open_database(world.where) as database,
        Collector([source], database, lambda: world.now, wait=0.05) as collector,
    ):
        await collector.collect()
    assert world.execute("SELECT account_id, metric, value FROM parsed_values") == [("account-a", "followers", 100)]


async def test_only_new_accounts_are_asked_about_when_they_are_made(world: World) -> None:
    """Accounts that a pass has just created are asked about alone, and merged in the same pass."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1, None, None, None, None], b=[2, None, None, None, None])
    world.sections["sync"] = {"create_missing": "accounts"}
    platform = SlowPlatform(world)
    platform.may_go_on.set()
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    async with (
        opened(world.settings, Reporter(), clock=lambda: world.now) as resources,
        Collector([source], resources.database, lambda: world.now, wait=None) as collector,
    ):
        sync = SyncPass(replace(resources, collect=collector.collect))
        (result,) = (await sync.run(PassRequest(Trigger.CLI))).results
    assert [len(asked) for asked in platform.asked] == [1, 1]
    assert (result.counts.accounts, result.counts.parsed, result.counts.changed) == (2, 2, 2)


async def test_new_accounts_are_asked_about_to_the_end(world: World) -> None:
    """A job for new accounts that takes longer than a pass waits goes on next to it, and no pass starts it again."""
    world.add_project("P", ["a", "b"])
    platform = SlowPlatform(world)
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    finished = asyncio.Event()

    def said(event: str, **_fields: object) -> None:
        if event == "parser.finished":
            finished.set()

    async with (
        open_database(world.where) as database,
        Collector([source], database, lambda: world.now, wait=0.05, say=said) as collector,
    ):
        await collector.collect(await projects.active_accounts(database))
        await collector.collect()
        platform.may_go_on.set()
        await asyncio.wait_for(finished.wait(), 10)
    assert platform.asked == [["account-a", "account-b"]]
    assert [one for (one,) in world.execute("SELECT account_id FROM parsed_values ORDER BY 1")] == [
        "account-a",
        "account-b",
    ]


async def test_a_pass_over_one_project_asks_about_its_accounts_only(world: World) -> None:
    """A selection is asked about alone, and what the asked knows of the others is not forgotten."""
    world.add_project("P", ["a"])
    world.add_project("Q", ["b"])
    platform = SlowPlatform(world)
    platform.may_go_on.set()
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(timedelta(hours=1)), "slow")
    async with (
        opened(world.settings, Reporter(), clock=lambda: world.now) as resources,
        Collector([source], resources.database, lambda: world.now, wait=None) as collector,
    ):
        sync = SyncPass(replace(resources, collect=collector.collect))
        await sync.run(PassRequest(Trigger.CLI, frozenset({"project-P"})))
        await sync.run(PassRequest(Trigger.CLI, frozenset({"project-Q"})))
        await sync.run(PassRequest(Trigger.CLI))
    assert platform.asked == [["account-a"], ["account-b"]]


async def test_a_collection_is_waited_for_once(world: World) -> None:
    """The pass that begins a collection waits for it; those that find it still at work do not wait again."""
    world.add_project("P", ["a", "b"])
    platform = SlowPlatform(world)
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    loop = asyncio.get_running_loop()
    took = []
    async with (
        open_database(world.where) as database,
        Collector([source], database, lambda: world.now, wait=0.5) as collector,
    ):
        for only in (None, None, frozenset({"project-P"})):
            began = loop.time()
            await collector.collect(only=only)
            took.append(loop.time() - began)
    assert took[0] >= 0.49
    assert max(took[1:]) < 0.25
    assert len(platform.asked) == 1


async def test_a_pass_over_all_asks_those_whom_a_slow_collection_of_one_project_does_not(world: World) -> None:
    """What a selection's collection waits for keeps nobody else from being asked about, and is not asked twice."""
    world.add_project("P", ["a", "b"])
    world.add_project("Q", ["c"])
    platform = SlowPlatform(world)
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(timedelta(hours=1)), "slow")
    finished = asyncio.Event()

    def said(event: str, **fields: object) -> None:
        if event == "parser.finished" and fields["fetched"] == 2:
            finished.set()

    async with (
        open_database(world.where) as database,
        Collector([source], database, lambda: world.now, wait=0.5, say=said) as collector,
    ):
        await collector.collect(only=frozenset({"project-P"}))
        await collector.collect(only=frozenset({"project-Q"}))
        await collector.collect()
        platform.may_go_on.set()
        await finished.wait()
    assert platform.asked == [["account-a", "account-b"], ["account-c"]]
    stored = [account for (account,) in world.execute("SELECT account_id FROM parsed_values ORDER BY 1")]
    assert stored == ["account-a", "account-b", "account-c"]


async def test_accounts_that_cannot_be_read_are_asked_about_in_the_next_pass(world: World) -> None:
    """A table that the web app renames for a while costs a warning, not the daemon."""
    world.add_project("P", ["a"])
    platform = SlowPlatform(world)
    source = ConfiguredParser("slow", platform, ParserSettings(), AskedAccounts(), "slow")
    said: list[str] = []

    def say(event: str, **fields: object) -> None:
        said.append(f"{event}: {fields.get('reason')}")

    async with (
        open_database(world.where) as database,
        Collector([source], database, lambda: world.now, wait=None, say=say) as collector,
    ):
        world.execute("ALTER TABLE project_social_accounts RENAME TO away")
        await collector.collect()
        assert said == [
            (
                f"parsers.skipped: {world.where}: the table project_social_accounts is gone;"
                " restore it from a backup, or finish the migration that has renamed it"
            )
        ]
        world.execute("ALTER TABLE away RENAME TO project_social_accounts")
        await collector.collect()
    assert platform.asked == [["account-a"]]


async def test_facts_are_only_a_cache(world: World) -> None:
    """A table of facts that cannot be used is as good as an empty one, and no failure."""
    async with open_database(world.where) as database:
        facts = SpreadsheetCache(database)
        await facts.put("title", "key")
        assert await facts.get("title") == "key"
        world.execute("ALTER TABLE spreadsheet_facts RENAME TO away")
        await facts.put("title", "another")
        assert await facts.get("title") is None


async def test_a_link_that_changes_while_a_platform_is_asked(world: World) -> None:
    """The answer is of the profile that was asked for: it has no vote under the new link, however new it is."""
    world.add_project("P", ["a", "b"])
    platform = SlowPlatform(world)
    async with hurried_passes(world, platform) as (sync, finished, without):
        await sync.run(PassRequest(Trigger.CLI))
        world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = 'account-b'", (link("c"),))
        world.now += timedelta(hours=1)
        await sync.run(PassRequest(Trigger.CLI))
        world.now += timedelta(hours=1)
        platform.may_go_on.set()
        await finished.wait()
        assert world.execute("SELECT value FROM parsed_values WHERE account_id = 'account-b'") == [(101,)]
        await without.run(PassRequest(Trigger.CLI))
    assert (world.merged("a"), world.winners("b")) == ((100, 0, 0, 0, 0), (None,) * 5)
