"""From a pass to the receiver: nothing lost, nothing forged, and no pass held up."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from receiver import ReceivedRequest, Receiver, receiving
from smart_sync.admin import webhooks as webhook_commands
from smart_sync.config import Settings, WebhookSettings
from smart_sync.core.counts import Counts
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.results.stale import Freshness
from smart_sync.notify.delivery import Webhooks
from smart_sync.notify.sender import Sender
from smart_sync.store import outbox
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from typed import sqlite
from world import KEY, World

NEW, OLD = "whsec_" + "A" * 44, "whsec_" + "B" * 44
STAMP = "2026-03-10T12:00:00.000000"
QUICK = (0.01, 0.01, 0.01)
NEVER = (3600.0,)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "view_counter.db") as database:
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO projects (id, name, is_active) VALUES ('p', 'Project', 1)")
        yield database


def hook(receiver: Receiver, **more: Any) -> WebhookSettings:
    """A webhook that leads to ``receiver``; its path is a secret."""
    given = {"url": f"http://127.0.0.1:{receiver.port}/s3cr3t-path", "secret": NEW, "allow_private": True}
    return WebhookSettings.model_validate(given | more)


def settings_with(folder: Path, webhook: WebhookSettings) -> Settings:
    sections = {"database": {"path": folder / "view_counter.db"}, "sheets": {"directory": folder}}
    return Settings(**sections, webhooks=[webhook])  # type: ignore[arg-type]  # tables, as a file has them


def a_pass(outcome: Outcome = Outcome.SYNCED, run_id: str = "run-1") -> PassResult:
    result = ProjectResult(
        Project("p", "Project"), outcome, STAMP, counts=Counts(accounts=3), error="why", remedy="what to do"
    )
    return PassResult(run_id, Trigger.TIMER, STAMP, STAMP, (result,), 1.5)


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def webhooks(
    database: Database, *settings: WebhookSettings, retries: Sequence[float] = QUICK, sender: Sender | None = None
) -> AsyncIterator[Webhooks]:
    async with Webhooks(settings, database, utc_now, sender=sender, retries=retries) as opened:
        yield opened


async def queue(
    webhooks: Webhooks, database: Database, result: PassResult, then: Callable[[], object] = lambda: None
) -> None:
    async with database.transaction() as transaction:
        await webhooks.enqueue(transaction, result, Freshness(result.results, {}))
        then()
    webhooks.wake()


async def statuses(database: Database) -> list[tuple[str, str, int]]:
    rows = await database.fetch("SELECT type, status, attempts FROM webhook_deliveries ORDER BY seq")
    return [tuple(row) for row in rows]


async def settled(webhooks: Webhooks, database: Database) -> list[tuple[str, str, int]]:
    """What the queue says once nothing waits any more."""
    async with asyncio.timeout(10):
        while True:
            await webhooks.flush(10)
            rows = await statuses(database)
            if all(status != "waiting" for _type, status, _attempts in rows):
                return rows
            await asyncio.sleep(0.01)


def verified(told: ReceivedRequest, secret: str) -> Any:
    return Webhook(secret).verify(told.body, dict(told.headers))


async def test_a_message_is_signed_with_every_secret(receiver: Receiver, database: Database) -> None:
    """While secrets are changed, a receiver with the new one and one with the old one both accept."""
    async with webhooks(database, hook(receiver, secret=[NEW, OLD])) as opened:
        await queue(opened, database, a_pass(Outcome.FAILED))
        finished, failed = await receiver.got(2)
        assert await settled(opened, database) == [
            ("sync.finished", "delivered", 1),
            ("project.failed", "delivered", 1),
        ]
    for told in (finished, failed):
        assert verified(told, NEW) == verified(told, OLD)
        assert told.headers["content-type"] == "application/json"
    assert verified(finished, NEW)["data"]["error_count"] == 1
    told = verified(failed, NEW)
    assert (told["type"], told["timestamp"]) == ("project.failed", f"{STAMP}Z")
    assert told["data"] == {
        "project_id": "p",
        "project_name": "Project",
        "outcome": "failed",
        "reason": "why",
        "remedy": "what to do",
        "since": f"{STAMP}Z",
        "total_accounts": 3,
        "problem_count": 0,
        "run_id": "run-1",
    }


PLAIN = {"format": "plain", "secret": ()}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE"])
async def test_a_plain_message_has_the_headers_and_no_signature(
    receiver: Receiver, database: Database, method: str
) -> None:
    """The method and the headers of the configuration arrive, the message as body where the method has one."""
    headers = {"Authorization": "Bearer token-of-the-app", "content-type": "application/x.smart-sync+json"}
    async with webhooks(database, hook(receiver, **PLAIN, method=method, headers=headers)) as opened:
        await queue(opened, database, a_pass())
        (told,) = await receiver.got(1)
    assert (told.method, told.target) == (method, "/s3cr3t-path")
    assert told.headers["authorization"] == "Bearer token-of-the-app"
    assert told.headers["content-type"] == "application/x.smart-sync+json"
    assert not [name for name in told.headers if name.startswith("webhook-")]
    if method in ("GET", "DELETE"):
        assert told.body == ""
    else:
        assert json.loads(told.body)["type"] == "sync.finished"


async def test_a_plain_message_with_a_secret_is_signed(receiver: Receiver, database: Database) -> None:
    """A secret is never configured in vain: with one, the plain message has its signature too."""
    async with webhooks(database, hook(receiver, format="plain", method="PUT")) as opened:
        await queue(opened, database, a_pass())
        (told,) = await receiver.got(1)
    assert (told.method, verified(told, NEW)["type"]) == ("PUT", "sync.finished")


async def test_only_a_pass_that_changed_something_is_told(world: World, receiver: Receiver) -> None:
    """A changed value and a new snapshot are told; a pass without either, a snapshot that moves, a dry run are not."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    address = {"url": f"http://127.0.0.1:{receiver.port}/", "allow_private": True}
    world.sections["webhooks"] = [{**address, "format": "plain", "only_changed": True}]

    async def told(after: Callable[[], object] = lambda: None) -> int:
        before = len(receiver.received)
        after()
        async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
            await SyncPass(resources).run(PassRequest(Trigger.CLI))
            await resources.webhooks.flush(10)
        return len(receiver.received) - before

    assert await told() == 1
    assert await told() == 0
    assert await told(lambda: world.sheet("P", a=[2] * 5)) == 1
    # Another writer's newer row makes ours move behind it: a refresh, and no change of a value.
    world.now += timedelta(minutes=30)
    newer = f"{world.now - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"
    theirs = (
        "INSERT INTO account_snapshots (id, account_id, followers, likes, comments, videos, views, snapshot_time)"
        f" VALUES ('theirs', 'account-a', 9, 9, 9, 9, 9, '{newer}')"
    )
    before = world.snapshots("a")
    assert await told(lambda: world.execute(theirs)) == 0
    assert world.snapshots("a") != before
    assert await told() == 0
    world.now += timedelta(days=1)
    assert await told() == 1
    world.google.spreadsheets[KEY].worksheets.pop("P")
    assert await told() == 0
    world.sections["webhooks"] = [{**address, "format": "plain"}]
    assert await told() == 1


async def test_a_retry_has_the_same_id_and_its_own_time(receiver: Receiver, database: Database) -> None:
    """What was not accepted is sent again: same id and body, a timestamp of the attempt, a signature that fits."""
    receiver.statuses.extend([500, 503])
    times = iter(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(1000))

    async with Webhooks([hook(receiver)], database, lambda: next(times), retries=QUICK) as opened:
        await queue(opened, database, a_pass())
        told = await receiver.got(3)
        assert await settled(opened, database) == [("sync.finished", "delivered", 3)]
    assert len({each.headers["webhook-id"] for each in told}) == len({each.body for each in told}) == 1
    assert len({each.headers["webhook-timestamp"] for each in told}) == 3
    for each in told:
        head = each.headers
        when = datetime.fromtimestamp(int(head["webhook-timestamp"]), UTC)
        assert Webhook(NEW).sign(head["webhook-id"], when, each.body) == head["webhook-signature"]


async def test_after_the_last_retry_a_message_is_given_up(receiver: Receiver, database: Database) -> None:
    """There are as many attempts as the schedule says and one, then no more."""
    receiver.statuses.extend([500] * 10)
    async with webhooks(database, hook(receiver)) as opened:
        await queue(opened, database, a_pass())
        assert await settled(opened, database) == [("sync.finished", "failed", 4)]
    assert len(receiver.received) == 4


async def test_the_next_attempt_is_due_when_the_schedule_says(receiver: Receiver, database: Database) -> None:
    """The wait after a failed attempt is the schedule's, give or take a tenth."""
    receiver.statuses.append(500)
    async with webhooks(database, hook(receiver), retries=NEVER) as opened:
        await queue(opened, database, a_pass())
        await opened.flush(10)
    ((due_at, last_at),) = await database.fetch("SELECT due_at, last_at FROM webhook_deliveries")
    wait = datetime.fromisoformat(due_at) - datetime.fromisoformat(last_at)
    assert timedelta(seconds=3240) <= wait <= timedelta(seconds=3960)


async def test_a_clock_that_was_ahead_keeps_no_message_waiting(receiver: Receiver, database: Database) -> None:
    """One that it has put off to a year to come is due at once when the clock is right, and behind it nothing waits."""
    receiver.statuses.append(500)
    async with Webhooks([hook(receiver)], database, lambda: utc_now() + timedelta(days=365), retries=NEVER) as opened:
        await queue(opened, database, a_pass())
        await opened.flush(10)
    assert await statuses(database) == [("sync.finished", "waiting", 1)]
    async with webhooks(database, hook(receiver), retries=NEVER) as opened:
        assert await settled(opened, database) == [("sync.finished", "delivered", 2)]


async def test_what_was_queued_outlives_the_process(receiver: Receiver, database: Database) -> None:
    """Queued and never sent, or sent and never noted: the next daemon delivers it, with the same id."""
    receiver.open.clear()
    async with webhooks(database, hook(receiver)) as opened:
        await queue(opened, database, a_pass())
        (cut_off,) = await receiver.got(1)
    assert await statuses(database) == [("sync.finished", "waiting", 0)]
    receiver.open.set()
    async with webhooks(database, hook(receiver)) as opened:
        told = await receiver.got(2)
        assert await settled(opened, database) == [("sync.finished", "delivered", 1)]
    assert told[1].headers["webhook-id"] == cut_off.headers["webhook-id"]


async def test_queue_and_results_are_one_transaction(receiver: Receiver, database: Database) -> None:
    """A result that is not kept is not told, and the trouble it would have told is not remembered."""
    async with webhooks(database, hook(receiver)) as opened:
        with pytest.raises(ZeroDivisionError):
            await queue(opened, database, a_pass(Outcome.FAILED), then=lambda: 1 / 0)
        opened.wake()
        await opened.flush(10)
        await queue(opened, database, a_pass(Outcome.FAILED))
        await settled(opened, database)
    assert [json.loads(told.body)["type"] for told in receiver.received] == ["sync.finished", "project.failed"]


async def test_trouble_is_told_once_across_restarts(receiver: Receiver, database: Database) -> None:
    """Start, change and end of a trouble are told; that it goes on is not, nor after a restart."""
    outcomes = [
        Outcome.FAILED, Outcome.FAILED, Outcome.DEGRADED, Outcome.DEGRADED, Outcome.UNCHANGED, Outcome.SYNCED,
    ]  # fmt: skip
    events = ["project.failed", "project.degraded", "project.recovered"]
    for number, outcome in enumerate(outcomes):
        async with webhooks(database, hook(receiver, events=events)) as opened:
            await queue(opened, database, a_pass(outcome, f"run-{number}"))
            await settled(opened, database)
    assert [json.loads(told.body)["type"] for told in receiver.received] == events


async def test_a_trouble_that_lasts_is_told_again_when_its_message_was_given_up(
    receiver: Receiver, database: Database
) -> None:
    """Once, by the next pass after the receiver has accepted something, or a day later; not one that is over."""
    receiver.statuses.extend([200, *[500] * 4])

    async def types(outcome: Outcome, run: str, after: timedelta = timedelta(0)) -> list[str]:
        before = len(receiver.received)
        now = utc_now() + after
        async with Webhooks([hook(receiver)], database, lambda: now, retries=()) as opened:
            await opened.flush(10)  # what is too old is gone by then
            await queue(opened, database, a_pass(outcome, run))
            await settled(opened, database)
        return [json.loads(told.body)["type"] for told in receiver.received[before:]]

    failed = ["sync.finished", "project.failed"]
    assert await types(Outcome.FAILED, "run-1") == failed
    assert await types(Outcome.FAILED, "run-2") == ["sync.finished"], "refused, too"
    assert await types(Outcome.FAILED, "run-3", timedelta(days=4)) == failed, "a day and more later"
    receiver.statuses.clear()
    assert await types(Outcome.FAILED, "run-4", timedelta(days=4)) == ["sync.finished"]
    assert await types(Outcome.FAILED, "run-5", timedelta(days=4)) == failed, "sync.finished was accepted"
    assert await types(Outcome.FAILED, "run-6", timedelta(days=9)) == ["sync.finished"]
    receiver.statuses.extend([500, 500, 500])
    assert await types(Outcome.SYNCED, "run-7", timedelta(days=9)) == ["sync.finished", "project.recovered"]
    assert await types(Outcome.FAILED, "run-8", timedelta(days=9)) == failed
    assert await types(Outcome.SYNCED, "run-9", timedelta(days=9)) == ["sync.finished", "project.recovered"]
    assert await types(Outcome.SYNCED, "run-10", timedelta(days=12)) == ["sync.finished"]
    rows = await database.fetch("SELECT 1 FROM webhook_deliveries WHERE type = 'project.failed' AND status = 'failed'")
    assert not rows


async def test_410_disables_until_a_test_is_accepted(receiver: Receiver, database: Database, tmp_path: Path) -> None:
    """Gone means gone: what waits is dropped, nothing is queued, also after a restart; an accepted test ends it.

    Then the trouble that has lasted, and was told to nobody, is told, once.
    """
    receiver.statuses.append(410)
    webhook = hook(receiver)
    async with webhooks(database, webhook) as opened:
        await queue(opened, database, a_pass(Outcome.FAILED))
        assert await settled(opened, database) == [("sync.finished", "failed", 1), ("project.failed", "dropped", 0)]
    async with webhooks(database, webhook) as opened:
        await queue(opened, database, a_pass(Outcome.FAILED, "run-2"))
        await opened.flush(10)
    assert len(receiver.received) == 1

    settings = settings_with(tmp_path, webhook)
    assert (await webhook_commands.overview(settings))["webhooks"][0]["disabled"]
    answer = await webhook_commands.send_tests(settings)
    assert answer["success"]
    assert verified(receiver.received[1], NEW)["type"] == "webhook.test"
    async with webhooks(database, webhook) as opened:
        for run in ("run-3", "run-4"):
            await queue(opened, database, a_pass(Outcome.FAILED, run))
            await settled(opened, database)
    types = [verified(told, NEW)["type"] for told in receiver.received[2:]]
    assert types == ["sync.finished", "project.failed", "sync.finished"]


async def test_redirects_are_not_followed(receiver: Receiver, database: Database) -> None:
    """A receiver cannot send a message on to another place."""
    receiver.statuses.append(302)
    receiver.extra = f"Location: http://127.0.0.1:{receiver.port}/other\r\n"
    async with webhooks(database, hook(receiver), retries=()) as opened:
        await queue(opened, database, a_pass())
        assert await settled(opened, database) == [("sync.finished", "failed", 1)]
    assert [told.target for told in receiver.received] == ["/s3cr3t-path"]
    ((answer,),) = await database.fetch("SELECT answer FROM webhook_deliveries")
    assert answer == "answered 302, a redirect, which is not followed; put the final address into url"


async def test_an_answer_without_end_is_not_read(receiver: Receiver, database: Database) -> None:
    """The status is the answer; a body, however large, costs nothing."""
    receiver.endless = True
    async with webhooks(database, hook(receiver)) as opened:
        await queue(opened, database, a_pass())
        assert await settled(opened, database) == [("sync.finished", "delivered", 1)]


async def test_a_receiver_that_hangs_times_out(receiver: Receiver, database: Database) -> None:
    """An attempt has its seconds, and then it has failed."""
    receiver.open.clear()
    async with webhooks(database, hook(receiver), retries=(), sender=Sender(timeout=0.2)) as opened:
        await queue(opened, database, a_pass())
        assert await settled(opened, database) == [("sync.finished", "failed", 1)]
    ((answer,),) = await database.fetch("SELECT answer FROM webhook_deliveries")
    assert answer == "no answer within 0.2 s"


async def test_a_slow_receiver_holds_up_neither_passes_nor_other_receivers(
    receiver: Receiver, database: Database
) -> None:
    """While one receiver hangs, passes are queued and others are told."""
    receiver.open.clear()
    async with receiving() as other, webhooks(database, hook(receiver), hook(other)) as opened:
        await queue(opened, database, a_pass())
        await receiver.got(1)
        await queue(opened, database, a_pass(run_id="run-2"))
        assert len(await other.got(2)) == 2
    assert len(receiver.received) == 1


async def test_only_the_events_asked_for_are_sent(receiver: Receiver, database: Database) -> None:
    """``events`` chooses."""
    async with webhooks(database, hook(receiver, events=["project.failed"])) as opened:
        await queue(opened, database, a_pass(Outcome.DEGRADED))
        await queue(opened, database, a_pass(Outcome.FAILED, "run-2"))
        assert await settled(opened, database) == [("project.failed", "delivered", 1)]


async def test_the_queue_is_bounded_in_size_and_age(
    receiver: Receiver, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many messages that wait the oldest are dropped; old and delivered ones do not stay."""
    monkeypatch.setattr(outbox, "MAX_WAITING", 3)
    monkeypatch.setattr(outbox, "MAX_DONE", 2)
    receiver.open.clear()
    async with webhooks(database, hook(receiver), retries=NEVER) as opened:
        await receiver_is_busy(opened, database, receiver)
        for number in range(5):
            await queue(opened, database, a_pass(run_id=f"run-{number}"))
        waiting = [status for _type, status, _ in await statuses(database)].count("waiting")
        assert waiting == 3
        receiver.open.set()
        await opened.flush(10)
        opened.wake()
        await opened.flush(10)
        assert len(await statuses(database)) == 2
    later = Webhooks([hook(receiver)], database, lambda: utc_now() + timedelta(days=4), retries=NEVER)
    async with later:
        await later.flush(10)
    assert await statuses(database) == []


async def receiver_is_busy(opened: Webhooks, database: Database, receiver: Receiver) -> None:
    await queue(opened, database, a_pass(run_id="first"))
    await receiver.got(1)


async def test_without_anything_due_nothing_runs(receiver: Receiver, database: Database) -> None:
    """An empty queue costs no wake-up: the loop has no timer of ours."""
    async with webhooks(database, hook(receiver)) as opened:
        await opened.flush(10)
        loop: Any = asyncio.get_running_loop()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


async def test_without_webhooks_nothing_is_written_and_nothing_runs(database: Database) -> None:
    """Who tells nobody pays nothing."""
    before = asyncio.all_tasks()
    async with webhooks(database) as opened:
        assert asyncio.all_tasks() == before
        await queue(opened, database, a_pass(Outcome.FAILED))
        await opened.flush(10)
    assert await database.fetch("SELECT * FROM project_troubles") == []


async def test_no_secret_is_shown(receiver: Receiver, database: Database, log: StringIO, tmp_path: Path) -> None:
    """Neither key nor path of the URL is in a log line, a repr, the list of deliveries or the database."""
    receiver.statuses.extend([302, 410])
    webhook = hook(receiver)
    async with webhooks(database, webhook, retries=(0.01, 0.01)) as opened:
        await queue(opened, database, a_pass(Outcome.FAILED))
        await settled(opened, database)
    settings = settings_with(tmp_path, webhook)
    listed = json.dumps(await webhook_commands.overview(settings))
    lines = log.getvalue()
    assert {json.loads(line)["event"] for line in lines.splitlines()} >= {"webhook.failed", "webhook.disabled"}
    with closing(sqlite3.connect(sqlite(database).path)) as connection:
        dump = "\n".join(connection.iterdump())
    for shown in (lines, repr(webhook), repr(settings), listed, dump):
        assert "s3cr3t-path" not in shown
        assert "A" * 44 not in shown


async def test_a_pass_tells_its_webhooks(world: World, receiver: Receiver) -> None:
    """End to end: a project fails to be read and recovers; the receiver hears both, a dry run says nothing."""
    world.sections["webhooks"] = [hook(receiver, events=["project.degraded", "project.recovered"]).model_dump()]
    world.add_project("P", ["ann"])
    sheets = world.google.spreadsheets
    worksheets = sheets[next(iter(sheets))].worksheets
    kept = worksheets.pop("P")
    await world.sync(dry_run=True)
    await world.sync()
    worksheets["P"] = kept
    world.now += timedelta(minutes=30)
    await world.sync()
    # A pass that ends its process at once leaves the rest to the next one.
    async with open_database(world.where) as database:
        rows = [(kind, status) for kind, status, _ in await statuses(database)]
        assert [kind for kind, _status in rows] == ["project.degraded", "project.recovered"]
        async with Webhooks([hook(receiver)], database, lambda: world.now):
            told = await receiver.got(2)
    assert {json.loads(each.body)["data"]["project_name"] for each in told} == {"P"}
