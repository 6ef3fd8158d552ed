"""What a pass has found is one message of a kind, where it is listed; what no pass could find out is told too."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from receiver import Receiver, receiving
from smart_sync.core.model import Trigger
from smart_sync.errors import DatabaseError
from smart_sync.notify import delivery
from smart_sync.store.sqlite import database
from smart_sync.sync.reporter import MAX_LOGGED, Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, Values, World

FINDINGS = ["value.suspected", "worksheet.problem_found", "accounts.created"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def listen(world: World, receiver: Receiver, *events: str) -> None:
    hook: dict[str, Any] = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": ["whsec_" + "B" * 44]}
    world.sections["webhooks"] = [{**hook, "allow_private": True, **({"events": events} if events else {})}]


async def a_pass(world: World) -> None:
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        try:
            await SyncPass(resources).run(PassRequest(Trigger.CLI))
        finally:
            await resources.webhooks.flush(10)


def told(receiver: Receiver, *types: str) -> list[dict[str, Any]]:
    messages = [json.loads(one.body) for one in receiver.received]
    return [message["data"] | {"type": message["type"]} for message in messages if message["type"] in types]


def events(log: StringIO, name: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == name]


async def test_findings_are_a_message_of_each_kind_where_they_are_listed(world: World, receiver: Receiver) -> None:
    """Each kind once per pass for all projects, and a problem once over restarts; unlisted they are not sent."""
    world.sections["sync"] = {"create_missing": "accounts"}
    for name in "PQ":
        world.add_project(name, [f"{name}1"])
        world.sheet(name, **{f"{name}1": [5000] * 5})
    await world.sync()
    for name in "PQ":
        rows: dict[str, Values] = {f"{name}1": [5000, 90_000_000, "many", 5000, 5000], f"{name}2": [1] * 5}
        world.sheet(name, **rows)
    listen(world, receiver, *FINDINGS)
    await a_pass(world)
    messages = {message["type"]: message for message in told(receiver, *FINDINGS)}
    assert len(receiver.received) == len(messages) == 3
    assert [one["place"] for one in messages["value.suspected"]["values"]] == ["P!D2", "Q!D2"]
    assert [one["row"] for one in messages["worksheet.problem_found"]["problems"]] == [2, 2]
    assert [one["accounts"] for one in messages["accounts.created"]["projects"]] == [1, 1]
    await a_pass(world)
    assert len(receiver.received) == 3
    listen(world, receiver)
    for name in "PQ":
        world.sheet(name, **{f"{name}1": ["none", 5000, "many", 5000, 5000]})
    await a_pass(world)
    assert told(receiver, *FINDINGS)[3:] == []


async def test_a_problem_is_told_once_over_restarts_and_again_when_it_returns(world: World, log: StringIO) -> None:
    """Each pass here is a process of its own; a worksheet that could not be read in between makes nothing new."""
    world.add_project("P", ["a"])
    bad, good = ["many", 1, 1, 1, 1], [1] * 5
    counts = []
    for values in (bad, bad, None, bad, good, bad):
        if values is None:
            del world.google.spreadsheets[KEY].worksheets["P"]
        else:
            world.sheet("P", a=values)
        await world.sync()
        counts.append(len(events(log, "worksheet.problem_found")))
    assert counts == [1, 1, 1, 1, 1, 2]


async def test_a_pass_logs_so_many_suspects_one_by_one_and_counts_the_others(world: World, log: StringIO) -> None:
    """The limit is that of all projects together; `smart-sync check` lists each, as the line that counts them says."""
    projects, each = 4, MAX_LOGGED // 5 // 4 + 5
    names = {f"P{number}": [f"p{number}n{row}" for row in range(each)] for number in range(projects)}
    for project, accounts in names.items():
        world.add_project(project, accounts)
        world.sheet(project, **{name: [5000] * 5 for name in accounts})
    await world.sync()
    for project, accounts in names.items():
        world.sheet(project, **{name: [9_000_000] * 5 for name in accounts})
    before = len(log.getvalue())
    result = await world.sync()
    suspects = sum(len(one.suspects) for one in result.results)
    assert suspects == projects * each * 5
    assert len(events(log, "value.suspected")) == MAX_LOGGED
    more = events(log, "values.suspected")
    assert sum(line["more"] for line in more) == suspects - MAX_LOGGED
    assert all("smart-sync check" in line["remedy"] for line in more)
    # What a pass logs is bounded by its projects, not by what is wrong with them.
    assert len(log.getvalue()) - before < MAX_LOGGED * 500 + projects * 1000 + 2000
    await world.sync()
    assert len(events(log, "value.suspected")) == MAX_LOGGED


async def test_a_pass_that_cannot_be_run_is_told_once(world: World, receiver: Receiver) -> None:
    """However many processes try; after a pass that ended it is reported again."""
    listen(world, receiver, "sync.failed")
    await a_pass(world)
    for _ in range(2):
        world.now += timedelta(minutes=1)  # of two passes that begin at one moment neither is the newest
        with world.refusing("INSERT", "sync_runs", "true", "no passes"):
            for _ in range(3):
                with pytest.raises(DatabaseError):
                    await a_pass(world)
        await a_pass(world)
    messages = told(receiver, "sync.failed")
    assert len(messages) == 2
    assert "no passes" in messages[0]["reason"]


@pytest.mark.sqlite  # what a server's other sessions hold: test_postgres_refusals
async def test_a_locked_database_is_told_past_the_queue(
    world: World, receiver: Receiver, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After seconds in the log, and to the webhook although nothing can be queued; once."""
    listen(world, receiver, "sync.failed")
    monkeypatch.setattr(database, "LONG_WAIT", 0.1)
    monkeypatch.setattr(delivery, "LONG_WAIT", 0.1)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        monkeypatch.setattr(resources.database, "_patience", 2.0)
        with closing(sqlite3.connect(world.path)) as web_app:
            web_app.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                waiting = asyncio.create_task(SyncPass(resources).run(PassRequest(Trigger.CLI)))
                await asyncio.wait({waiting}, timeout=0.5)
                assert resources.database.locked_seconds() >= 0.1, "that it waits is known before it gives up"
                with pytest.raises(DatabaseError):
                    await waiting
            assert [one["reason"] for one in told(receiver, "sync.failed")] == [
                f"{world.path}: another process has held the database locked for too long; find it with fuser"
            ]
    assert events(log, "database.locked")[0]["level"] == "WARNING"


async def test_what_fails_after_the_commit_does_not_fail_the_pass(world: World, log: StringIO) -> None:
    """Old passes that cannot be removed are a warning; the pass is none the worse."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[7] * 5)
    for run, day in (("old", "2020-01-01"), ("of this week", "2026-03-05")):  # so that the clock has not jumped
        world.execute(
            f"INSERT INTO sync_runs (id, \"trigger\", started_at) VALUES ('{run}', 'timer', '{day}T00:00:00')"
        )
    with world.refusing("DELETE", "sync_runs", "true"):
        result = await world.sync_one()
    assert (result.outcome.value, world.merged("a")) == ("synced", (7,) * 5)
    assert "no" in events(log, "history.prune_failed")[0]["reason"]
    assert events(log, "sync.failed") == []
