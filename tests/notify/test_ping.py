"""The dead man's switch, as somebody outside sees it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from io import StringIO
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog

from receiver import Receiver, receiving
from smart_sync import logs
from smart_sync.config import PingSettings
from smart_sync.core.counts import Counts
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.errors import DatabaseError
from smart_sync.notify.ping import MAX_BODY, MAX_MESSAGE, MAX_WAITING, Ping
from smart_sync.sync.once import once
from world import World

STAMP = "2026-03-10T12:00:00.000000"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def settings(receiver: Receiver, path: str = "/s3cr3t-uuid", style: str = "healthchecks") -> PingSettings:
    return PingSettings.model_validate({"url": f"http://127.0.0.1:{receiver.port}{path}", "style": style})


def a_pass(*outcomes: Outcome) -> PassResult:
    results = tuple(ProjectResult(Project(str(n), ""), outcome, STAMP) for n, outcome in enumerate(outcomes))
    return PassResult("run", Trigger.TIMER, STAMP, STAMP, results)


async def targets(
    receiver: Receiver, *passes: PassResult, path: str = "/s3cr3t-uuid", style: str = "healthchecks"
) -> list[str]:
    async with Ping(settings(receiver, path, style), pause=0.01) as ping:
        for result in passes:
            with ping.watching() as done:
                done(result)
            await ping.flush(10)
    return [told.target for told in receiver.received]


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ((), ""),
        ((Outcome.SYNCED,), ""),
        ((Outcome.DEGRADED,), ""),
        ((Outcome.FAILED, Outcome.UNCHANGED), ""),
        ((Outcome.FAILED, Outcome.FAILED), "/fail"),
    ],
)
async def test_start_and_end_of_a_pass(receiver: Receiver, outcomes: tuple[Outcome, ...], end: str) -> None:
    """A pass begins with /start and ends with the URL itself, or with /fail if every project failed."""
    assert await targets(receiver, a_pass(*outcomes)) == ["/s3cr3t-uuid/start", f"/s3cr3t-uuid{end}"]
    assert [told.method for told in receiver.received] == ["GET", "POST"]


async def test_the_last_lines_are_the_body(receiver: Receiver) -> None:
    """The counts of the pass, then who is in trouble, why, and what to do; of many only so many."""
    failed = ProjectResult(
        Project("1", "Зима"), Outcome.FAILED, STAMP, error="no\x1b[2J such", remedy="mend it", stale=True
    )
    fine = ProjectResult(Project("2", "B"), Outcome.SYNCED, STAMP, counts=Counts(changed=3))
    result = PassResult("run", Trigger.TIMER, STAMP, STAMP, (fine, failed))
    await targets(receiver, result)
    last = receiver.received[-1]
    assert last.headers["content-type"] == "text/plain; charset=utf-8"
    assert last.body.splitlines() == [
        "2 projects: 1 failed, 0 degraded, 1 stale; 3 accounts changed",
        "failed, stale: Зима: no\\x1b[2J such; mend it",
    ]
    await targets(receiver, PassResult("run", Trigger.TIMER, STAMP, STAMP, (failed,) * 1000))
    assert receiver.received[-1].body.endswith("and 950 more")
    assert len(receiver.received[-1].body.encode()) <= MAX_BODY


async def test_a_switch_that_takes_no_post_gets_a_get(receiver: Receiver) -> None:
    """Who used another switch in this style before goes on doing so."""
    receiver.statuses.extend([200, 404, 200])
    assert await targets(receiver, a_pass()) == ["/s3cr3t-uuid/start", "/s3cr3t-uuid", "/s3cr3t-uuid"]
    assert [told.method for told in receiver.received] == ["GET", "POST", "GET"]


async def test_push_is_one_address_with_status_and_message(receiver: Receiver) -> None:
    """As Uptime Kuma shows it, its own parameters included: no start, up or down, and why."""
    path = "/api/push/s3cr3t?status=up&msg=OK&ping="
    failed = replace(a_pass(Outcome.FAILED).results[0], error="it & the rest", remedy="look " * 99)
    result = PassResult("run", Trigger.TIMER, STAMP, STAMP, (failed,))
    await targets(receiver, a_pass(Outcome.SYNCED), result, path=path, style="push")
    assert [(told.method, urlsplit(told.target).path) for told in receiver.received] == [
        ("GET", "/api/push/s3cr3t")
    ] * 2
    up, down = (dict(parse_qsl(urlsplit(told.target).query, keep_blank_values=True)) for told in receiver.received)
    assert up == {"ping": "", "status": "up", "msg": "1 project: 0 failed, 0 degraded, 0 stale; 0 accounts changed"}
    assert down["status"] == "down"
    assert "it & the rest; look look" in down["msg"]
    assert len(down["msg"]) <= MAX_MESSAGE


async def test_a_pass_that_raises_is_down_at_a_push_monitor(receiver: Receiver) -> None:
    """One signal, with what an operator can mend."""
    async with Ping(settings(receiver, style="push")) as ping:
        with pytest.raises(DatabaseError), ping.watching():
            raise DatabaseError("the disk is full")
        await ping.flush(10)
    (told,) = receiver.received
    assert dict(parse_qsl(urlsplit(told.target).query)) == {
        "status": "down", "msg": "the pass could not be run: the disk is full",
    }  # fmt: skip


async def test_a_pass_that_raises_is_a_failure(receiver: Receiver) -> None:
    """Whatever ends a pass before its result is told as a failure, and goes on its way."""
    async with Ping(settings(receiver)) as ping:
        with pytest.raises(ZeroDivisionError), ping.watching():
            _ = 1 / 0
        await ping.flush(10)
    assert [told.target for told in receiver.received] == ["/s3cr3t-uuid/start", "/s3cr3t-uuid/fail"]


async def test_slash_and_query_of_the_url_stay_in_place(receiver: Receiver) -> None:
    """The signal belongs to the path."""
    told = await targets(receiver, a_pass(), path="/ping/uuid/?create=1")
    assert told == ["/ping/uuid/start?create=1", "/ping/uuid/?create=1"]


async def test_a_ping_is_tried_again_and_then_given_up(receiver: Receiver) -> None:
    """Three tries; then one line in the log, without the URL, and the next signal has its turn."""
    stream = StringIO()
    logs.configure("json", "debug", stream)
    receiver.statuses.extend([500, 502, 500, 503, 200])
    try:
        told = await targets(receiver, a_pass())
    finally:
        structlog.reset_defaults()
    assert told == ["/s3cr3t-uuid/start"] * 3 + ["/s3cr3t-uuid"] * 2
    (line,) = stream.getvalue().splitlines()
    assert '"event": "ping.failed", "signal": "start", "reason": "answered 500"' in line
    assert "s3cr3t" not in line


async def test_a_receiver_that_hangs_holds_up_no_pass(receiver: Receiver) -> None:
    """A pass does not wait for its signals; what waits is bounded, and the end cuts it off."""
    receiver.open.clear()
    async with Ping(settings(receiver)) as ping:
        for _ in range(100):
            with ping.watching() as done:
                done(a_pass())
        await receiver.got(1)
        receiver.open.set()
        await ping.flush(10)
        assert len(receiver.received) <= 1 + MAX_WAITING
        receiver.open.clear()
        with ping.watching() as done:
            done(a_pass())


async def test_without_a_url_nothing_runs() -> None:
    """Who has no switch pays nothing."""
    before = asyncio.all_tasks()
    async with Ping(PingSettings()) as ping:
        with ping.watching() as done:
            done(a_pass())
        await ping.flush(10)
        assert asyncio.all_tasks() == before


async def test_whole_passes_are_told_and_no_others(world: World, receiver: Receiver) -> None:
    """A pass over all projects is told also by a process that ends with it; a pass over one, or a dry run, is not."""
    world.sections["ping"] = settings(receiver).model_dump()
    project = world.add_project("P", ["ann"])
    await world.sync(project)
    await world.sync(dry_run=True)
    assert receiver.received == []
    await asyncio.to_thread(once, world.settings)
    assert [told.target for told in receiver.received] == ["/s3cr3t-uuid/start", "/s3cr3t-uuid"]
