"""Messages to people: in the shapes of real services and by a real mail server, from the same outbox as webhooks."""

import asyncio
import email
import email.policy
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from hypothesis import given
from hypothesis import strategies as st
from tests.notify.test_webhooks_delivery import a_pass, queue, settled, utc_now

from daemon_process import Daemon, run_command
from receiver import ReceivedRequest, Receiver, receiving
from smart_sync import config, logs
from smart_sync.config import NotifySettings
from smart_sync.core.model import Outcome, Trigger
from smart_sync.core.notices.phrases import Language, counted
from smart_sync.core.notices.reader import Reader
from smart_sync.core.notices.texts import fitted
from smart_sync.core.results.webhook_messages import Message
from smart_sync.errors import ConfigError
from smart_sync.notify.delivery import HOLDS_UP, Webhooks
from smart_sync.notify.receivers import TargetReceiver, receivers_of
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_database
from smart_sync.sync.once import once
from world import KEY, World

TELEGRAM = "AAFabcdefGHIJKLmnopqrSTUVwxyz0123"
SLACK, DISCORD, MATTERMOST = (
    "TIiajkdnlazkcOXrIdevi7FQ",
    "JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "3ccdd113474722377935511fc85d3dd4",
)
QUICK = (0.01, 0.01, 0.01)
FAILED = [
    "Smart Sync: 1 project: failed, nothing was written", "Since: 2026-03-10 12:00", "Where: Project", "What: why",
    "What to do: what to do",
]  # fmt: skip


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.status = 200
        yield receiver


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "view_counter.db") as database:
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO projects (id, name, is_active) VALUES ('p', 'Project', 1)")
        yield database


def ntfy(receiver: Receiver, topic: str = "s3cr3t-topic-91") -> str:
    return f"ntfy://127.0.0.1:{receiver.port}/{topic}"


def targets(*urls: str, patience: float = 10, **more: Any) -> list[TargetReceiver]:
    given = NotifySettings.model_validate({"targets": [{"url": url} for url in urls], **more})
    return receivers_of(given, "UTC", patience)


@asynccontextmanager
async def told(
    database: Database, receivers: Sequence[TargetReceiver], retries: Sequence[float] = QUICK
) -> AsyncIterator[Webhooks]:
    async with Webhooks((), database, utc_now, retries=retries, targets=receivers) as opened:
        yield opened


def lines_of(request: ReceivedRequest, *names: str) -> list[str]:
    """The text of a request, from the first of ``names`` on."""
    body = json.loads(request.body)
    return [line for name in names if body.get(name) for line in str(body[name]).split("\n")]


@dataclass(frozen=True)
class Service:
    """How a service is asked: its URL, where requests go, and the text in them."""

    url: str
    target: str
    text: Callable[[dict[str, Any]], str]


SERVICES = {
    "telegram": Service(
        f"tgram://123456789:{TELEGRAM}/-1001234567890/", f"/bot123456789:{TELEGRAM}/sendMessage",
        lambda body: body["text"].replace("<b>", "").replace("</b>", "") if body["chat_id"] == -1001234567890 else "",
    ),
    "slack": Service(
        f"slack://T1JJ3T3L2/A1BRTD4JD/{SLACK}/#ops", f"/services/T1JJ3T3L2/A1BRTD4JD/{SLACK}",
        lambda body: "\n".join(body["attachments"][0][name] for name in ("title", "text")),
    ),
    "discord": Service(
        f"discord://4174216298/{DISCORD}", f"/api/webhooks/4174216298/{DISCORD}", lambda b: b["content"]
    ),
    "ntfy": Service("ntfy://HOST/s3cr3t-topic-91", "/", lambda b: f"{b['title']}\n{b['message']}"),
    "mattermost": Service(f"mmost://HOST/{MATTERMOST}", f"/hooks/{MATTERMOST}", lambda b: b["text"]),
    "gotify": Service("gotify://HOST/AbCdEf.123", "/message", lambda b: f"{b['title']}\n{b['message']}"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_the_shape_of_each_service(
    name: str, receiver: Receiver, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's trouble arrives as each service wants it: what, where, what to do, without markup."""
    service, base = SERVICES[name], f"http://127.0.0.1:{receiver.port}"
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{base}/bot")
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{base}/services")
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{base}/api/webhooks")
    receiver.content = "ok"
    async with told(database, targets(service.url.replace("HOST", base.removeprefix("http://")))) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await outbox.flush(20)
    (request,) = receiver.received
    assert (request.method, request.target) == ("POST", service.target)
    assert service.text(json.loads(request.body)).replace("\r", "").split("\n") == FAILED
    assert await database.fetch("SELECT status, answer FROM webhook_deliveries") == [("delivered", "accepted")]


@dataclass
class Mailbox:
    """What a mail server has taken; it knows one user."""

    mails: list[Envelope] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    def known(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=isinstance(given, LoginPassword) and given.password == b"pass-word1", handled=False)

    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, authenticator=known, auth_require_tls=False), "127.0.0.1", 0
    )  # fmt: skip
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
    await server.wait_closed()


def mail(mailbox: Mailbox, password: str) -> str:
    place = f"daemon:{password}@127.0.0.1:{mailbox.port}"
    return f"mailto://{place}?from=daemon@example.com&to=ops@example.com&mode=insecure"


@pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")
async def test_a_mail_in_plain_text(mailbox: Mailbox, database: Database) -> None:
    """By SMTP with a password: the first line is the subject; in Russian; no part is HTML."""
    async with told(database, targets(mail(mailbox, "pass-word1"), lang="ru")) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await outbox.flush(20)
    (envelope,) = mailbox.mails
    assert envelope.rcpt_tos == ["ops@example.com"]
    message = email.message_from_bytes(bytes(envelope.original_content or b""), policy=email.policy.default)
    assert message["subject"] == "Smart Sync: 1 проект: ошибка, ничего не записано"
    assert message.get_content_type() == "text/plain"
    assert [line for line in message.get_content().splitlines() if line] == [
        "С какого времени: 2026-03-10 12:00", "Где: Project", "Что: why", "Что делать: what to do",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")
async def test_a_wrong_password_is_told_without_it(mailbox: Mailbox, database: Database) -> None:
    """The mail waits for the next attempt, and the log says what to look at."""
    stream = StringIO()
    logs.configure("json", "debug", stream)
    async with told(database, targets(mail(mailbox, "wrong-word1")), (3600,)) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await outbox.flush(20)
    assert mailbox.mails == []
    ((status, answer),) = await database.fetch("SELECT status, answer FROM webhook_deliveries")
    assert (status, answer) == (
        "waiting",
        "could not be reached, or refused to talk; check the URL, the password and the network",
    )
    assert "target 1 (mailto)" in stream.getvalue()
    assert "wrong-word1" not in stream.getvalue() + answer


async def test_refused_then_accepted(receiver: Receiver, database: Database) -> None:
    """A refusal is tried again as a webhook's is, under the same id; what it said and nothing of the URL is logged."""
    receiver.statuses.extend([401, 500])
    stream = StringIO()
    logs.configure("json", "debug", stream)
    async with told(database, targets(ntfy(receiver))) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        assert await settled(outbox, database) == [("project.failed", "delivered", 3)]
    assert [lines_of(each, "title", "message") for each in receiver.received] == [FAILED] * 3
    log = stream.getvalue()
    assert "answered 401; check the token or password in the URL" in log
    assert "s3cr3t" not in log
    assert "library.logged" not in log


async def test_a_receiver_that_hangs_delays_nothing(receiver: Receiver, database: Database) -> None:
    """A pass is kept at once, the other targets are notified, and no second thread begins beside one that hangs."""
    receiver.open.clear()
    async with receiving() as other:
        other.status = 200
        hanging, fine = targets(ntfy(receiver), ntfy(other), patience=0.3)
        async with told(database, (hanging, fine), (0.01, 3600)) as outbox:
            await queue(outbox, database, a_pass(Outcome.FAILED))
            await other.got(1, 20)
            rows = "SELECT attempts, answer FROM webhook_deliveries WHERE endpoint = ?"
            while (found := await database.fetch(rows, (hanging.endpoint,)))[0][0] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert found == [(2, "the attempt before has not ended yet")]
            assert len(receiver.received) == 1
            receiver.open.set()


async def test_once_at_the_beginning_and_once_at_the_end(world: World, receiver: Receiver) -> None:
    """Over processes that end after each pass: a trouble of three passes is two messages."""
    world.sections["notify"] = {"targets": [{"url": ntfy(receiver)}]}
    world.add_project("P", ["ann"])
    world.sheet("P", ann=[1] * 5)
    kept = world.google.spreadsheets[KEY].worksheets.pop("P")
    for _ in range(3):
        await asyncio.to_thread(once, world.settings)
    world.google.spreadsheets[KEY].worksheets["P"] = kept
    for _ in range(2):
        await asyncio.to_thread(once, world.settings)
    assert [lines_of(each, "title") for each in receiver.received] == [
        ["Smart Sync: 1 project: the last known values are used"], ["Smart Sync: 1 project: well again"],
    ]  # fmt: skip


async def test_what_a_crash_left_is_sent_by_the_next_process(receiver: Receiver, database: Database) -> None:
    """The text is in the outbox with the pass; nobody has sent it, so the next one does."""
    url = ntfy(receiver)
    async with told(database, targets(url)) as outbox:
        receiver.open.clear()
        await queue(outbox, database, a_pass(Outcome.FAILED))
    receiver.open.set()
    async with told(database, targets(url)) as outbox:
        await outbox.flush(20)
    assert lines_of(receiver.received[-1], "title", "message") == FAILED
    assert await database.fetch("SELECT status FROM webhook_deliveries") == [("delivered",)]


async def test_passes_that_cannot_be_run_and_their_end(receiver: Receiver, database: Database) -> None:
    """Told once for its reason, and once more when a pass ends, by another process too."""
    for _ in range(2):
        async with told(database, targets(ntfy(receiver))) as outbox:
            await outbox.tell_of_failure(Trigger.TIMER, "the disk is full; free some space")
            await outbox.flush(20)
    for run in ("run-1", "run-2"):
        async with told(database, targets(ntfy(receiver))) as outbox:
            await queue(outbox, database, a_pass(run_id=run))
            await outbox.flush(20)
    assert [lines_of(each, "title") for each in receiver.received] == [
        ["Smart Sync: a pass could not be run"], ["Smart Sync: passes run again"],
    ]  # fmt: skip


async def test_the_end_is_told_also_of_what_could_not_be_written(receiver: Receiver, tmp_path: Path) -> None:
    """While nobody can write the database the message goes past the outbox, and its end through it."""
    path = tmp_path / "view_counter.db"
    async with open_database(path, patience=0.1) as database, told(database, targets(ntfy(receiver))) as outbox:
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                await outbox.tell_of_failure(Trigger.TIMER, "locked")
            other.rollback()
        await queue(outbox, database, a_pass())
        await outbox.flush(20)
    assert [lines_of(each, "title") for each in receiver.received] == [
        ["Smart Sync: a pass could not be run"], ["Smart Sync: passes run again"],
    ]  # fmt: skip


async def test_a_long_text_is_cut_to_what_the_service_takes(receiver: Receiver, database: Database) -> None:
    """Whole lines; it would be refused otherwise."""
    (target,) = targets(f"mmost://127.0.0.1:{receiver.port}/{MATTERMOST}")
    text = "\n".join(f"line {number:04} {'x' * 90}" for number in range(100))
    answer = await target.send(Message("id", "digest", text), utc_now())
    assert answer.accepted
    body = json.loads(receiver.received[0].body)["text"]
    assert len(body) <= 4000
    assert body.splitlines()[-2:] == ["line 0038 " + "x" * 90, "… 61 more lines"]


@given(st.text("ab \n", max_size=700), st.integers(30, 400), st.sampled_from(["en", "ru"]))
def test_title_and_text_fit_whatever_their_length(text: str, limit: int, lang: Language) -> None:
    """Also where the title alone is longer than an SMS; the lines that are missing are counted."""
    reader = Reader(lang)
    title, rest = fitted("t" * 190, text, limit, reader)
    assert len(title) + len(rest) <= limit
    if rest != text and "\n" in rest:
        shown, _, last = rest.rpartition("\n")
        assert text.startswith(f"{shown}\n")
        missing = text.count("\n") - shown.count("\n")
        assert last == reader.say("lines_left", lines=counted(lang, missing, "more line"))


def test_who_lists_no_events_hears_of_accidents(receiver: Receiver) -> None:
    """At once, not only in the digest, which has no time of its own by default."""
    (target,) = targets(ntfy(receiver))
    assert "value.suspected" in target.events
    assert "worksheet.problem_found" not in target.events


async def test_the_end_of_a_trouble_comes_after_its_beginning(receiver: Receiver, database: Database) -> None:
    """The beginning waits for its next attempt when the end is queued: it goes first, before its time."""
    receiver.statuses.append(500)
    async with told(database, targets(ntfy(receiver)), (3600,)) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await outbox.flush(20)
        await queue(outbox, database, a_pass(run_id="run-2"))
        await outbox.flush(20)
    assert [lines_of(each, "title")[0].rpartition(": ")[2] for each in receiver.received] == [
        "failed, nothing was written", "failed, nothing was written", "well again",
    ]  # fmt: skip


async def test_what_is_behind_waits_with_the_one_in_front(receiver: Receiver, database: Database) -> None:
    """While the service is away nothing overtakes, and an attempt before its time costs none of those to come."""
    receiver.statuses.extend([500, 500])
    async with told(database, targets(ntfy(receiver)), (3600,)) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await outbox.flush(20)
        await queue(outbox, database, a_pass(run_id="run-2"))
        await outbox.flush(20)
    rows = await database.fetch("SELECT type, status, attempts, due_at FROM webhook_deliveries ORDER BY seq")
    assert [row[:3] for row in rows] == [("project.failed", "waiting", 1), ("project.recovered", "waiting", 0)]
    assert rows[0][3] == rows[1][3]
    assert len(receiver.received) == 2


async def test_a_message_that_is_refused_for_itself_holds_up_nothing_for_long(
    receiver: Receiver, database: Database
) -> None:
    """After its fourth attempt those behind it go on without it."""
    receiver.statuses.extend([400] * (HOLDS_UP + 2))
    async with told(database, targets(ntfy(receiver)), (*[0.01] * HOLDS_UP, 3600)) as outbox:
        await queue(outbox, database, a_pass(Outcome.FAILED))
        await receiver.got(HOLDS_UP + 1, 20)
        await queue(outbox, database, a_pass(run_id="run-2"))
        await receiver.got(HOLDS_UP + 3, 20)
        await outbox.flush(20)
    rows = await database.fetch("SELECT type, status FROM webhook_deliveries ORDER BY seq")
    assert rows == [("project.failed", "waiting"), ("project.recovered", "delivered")]


async def test_webhooks_test_asks_each_target(receiver: Receiver, world: World) -> None:
    """The command names each target by number and scheme, sends past the queue, and fails where one does not accept."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens there
        port = bound.getsockname()[1]
        text = f'[[notify.targets]]\nurl = "{ntfy(receiver)}"\n'
        text += f'[[notify.targets]]\nurl = "ntfy://127.0.0.1:{port}/s3cr3t-topic-92"\nlang = "ru"\n'
        path = world.config(text)
        ended = await asyncio.to_thread(run_command, "webhooks", "test", "--config", str(path))
    assert ended.returncode == 1
    accepted, refused = ended.stdout.splitlines()
    assert accepted.startswith("✓ target 1 (ntfy)  accepted")
    assert refused.startswith("✗ target 2 (ntfy)  could not be reached")
    assert "s3cr3t" not in ended.stdout + ended.stderr
    assert lines_of(receiver.received[0], "title", "message") == ["Smart Sync: a test", "This target works."]
    listed = await asyncio.to_thread(run_command, "webhooks", "--config", str(path))
    assert "target 1 (ntfy)  sync.failed sync.recovered project.failed" in listed.stdout


def test_a_daemon_tells_and_a_reload_repeats_nothing(world: World) -> None:
    """A real process, a real receiver: begin, reload, end."""

    async def scenario() -> list[list[str]]:
        async with receiving() as receiver:
            receiver.status = 200
            text = f'[schedule]\nrun_on_start = false\n[[notify.targets]]\nurl = "{ntfy(receiver)}"\n'
            path = world.config(text)
            kept = world.google.spreadsheets[KEY].worksheets.pop("P")

            def live() -> None:
                with Daemon(path) as daemon:
                    run_command("sync", "--config", str(path))
                    daemon.process.send_signal(signal.SIGHUP)
                    daemon.wait_for("READY=1")
                    run_command("sync", "--config", str(path))
                    world.google.spreadsheets[KEY].worksheets["P"] = kept
                    run_command("sync", "--config", str(path))
                    while len(receiver.received) < 2:
                        time.sleep(0.02)

            await asyncio.to_thread(live)
            return [lines_of(each, "title") for each in receiver.received]

    world.add_project("P", ["ann"])
    world.sheet("P", ann=[1] * 5)
    assert asyncio.run(scenario()) == [
        ["Smart Sync: 1 project: the last known values are used"], ["Smart Sync: 1 project: well again"],
    ]  # fmt: skip


UNKNOWN = "notify.targets.0.url: apprise knows no service with this URL"
TARGET = '[[notify.targets]]\nurl = "json://127.0.0.1:9/s3cr3t-91"\n'
MISTAKES = {
    '[[notify.targets]]\nurl = "s3cr3t-91"\n': "notify.targets.0.url: expected a URL of apprise such as",
    '[[notify.targets]]\nurl = "nowhere://s3cr3t-91/x"\n': UNKNOWN,
    '[[notify.targets]]\nurl = "tgram://s3cr3t-91/x"\n': UNKNOWN,
    '[notify]\ndigest = "09:00"\n': "notify: digest: nobody gets it; add [[notify.targets]] whose events have it",
    f'[notify]\ndigest = "9:00"\n{TARGET}': 'notify.digest: expected a time of day such as "09:00"',
    TARGET * 2: "notify.targets: two of them have the same url",
    f'{TARGET}event = ["digest"]\n': "notify.targets.0.event: no such key; did you mean notify.targets.0.events?",
    f'{TARGET}lang = "de"\n': "notify.targets.0.lang: expected 'en' or 'ru'",
    '[notify]\nlang = "de"\n': "notify.lang: expected 'en' or 'ru'",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_name_their_key_and_no_secret(world: World, text: str) -> None:
    """One line each, with what to do."""
    path = world.config(text)
    with pytest.raises(ConfigError) as error:
        config.load(path)
    (problem,) = error.value.problems
    assert MISTAKES[text] in problem
    assert "s3cr3t" not in problem


def test_without_apprise_the_remedy_is_said(world: World) -> None:
    """Whoever has installed no extra is told which one."""
    (world.folder / "apprise.py").write_text("raise ImportError\n")
    path = world.config(TARGET)
    ended = run_command("check", "--config", str(path), environment={"PYTHONPATH": str(world.folder)})
    assert ended.returncode == 2
    assert "pip install 'smart-sync-daemon[notify]'" in ended.stderr


def test_every_part_of_a_url_that_may_be_a_secret_is_kept(world: World) -> None:
    """Tokens, passwords and topics, wherever they stand; hosts, addresses and plain words may be shown."""
    urls = (
        f"tgram://123456789:{TELEGRAM}/-1001234567890/", "ntfy://127.0.0.1:8080/topic-x91y", "ntfy://smart-sync",
        "mailto://daemon:pass%2Fword1@mail.example.com?to=ops@example.com",
    )  # fmt: skip
    targets(*urls)
    own = (TELEGRAM, f"123456789:{TELEGRAM}", "-1001234567890", "topic-x91y", "pass%2Fword1", "pass/word1")
    for secret in (*own, *urls):
        assert secret not in logs.redact(f"said {secret}, it did")
    shown = "smart-sync asked 127.0.0.1 and mail.example.com for ops@example.com and daemon"
    assert logs.redact(shown) == shown


def test_nobody_pays_for_targets_that_has_none(world: World) -> None:
    """Without them apprise is not even imported."""
    path = world.config()
    code = f"import sys, pathlib; from smart_sync import config; config.load(pathlib.Path({str(path)!r}))"
    command = [sys.executable, "-c", f"{code}; print('apprise' in sys.modules)"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
