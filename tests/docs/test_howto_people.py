"""`docs/how-to/telegram-and-mail.md`: every block of it is run as it stands, but for hosts and paths."""

import asyncio
import email
import email.policy
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from apprise.plugins.telegram import NotifyTelegram
from tests.notify.test_people import Mailbox, mailbox

from daemon_process import COMMAND, PATIENCE, run_command, write_config
from markdown_pages import HOW_TO, blocks, texts
from receiver import Receiver, receiving
from smart_sync import config
from smart_sync.admin import webhooks
from smart_sync.sync.once import once
from world import KEY, World

__all__ = ["mailbox"]  # a fixture

PAGE = HOW_TO / "telegram-and-mail.md"
FOLDER = "/etc/smart-sync"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.status = 200
        yield receiver


def block(language: str, marker: str) -> str:
    """The one block of ``language`` that holds ``marker``."""
    (found,) = texts(PAGE, language, marker)
    return found


async def shell(script: str, world: World, mailbox: Mailbox) -> subprocess.CompletedProcess[str]:
    """Run ``script`` as it stands, in the test's folder and with the test's mail server."""
    script = script.replace(FOLDER, str(world.folder)).replace("/var/lib/smart-sync", str(world.folder))
    script = script.replace("mailtos://", "mailto://").replace(
        "smtp.example.com:587?", f"127.0.0.1:{mailbox.port}?mode=insecure&"
    )
    script = script.replace("smart-sync report", f"{' '.join(COMMAND)} report --config config.toml")
    script = script.replace("&& apprise ", f"&& {Path(sys.executable).with_name('apprise')} ")
    command = ["bash", "-ec", script]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=world.folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")
async def test_the_page_as_it_stands(
    world: World, receiver: Receiver, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files, the configuration, the test of both, a trouble that both are told, and Monday's mail."""
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{receiver.port}/bot")
    world.add_project("Summer", ["ann"])
    world.sheet("Summer", ann=[1] * 5)
    for marker in ("telegram.url", "mail.url"):
        ended = await shell(block("sh", marker), world, mailbox)
        assert (ended.returncode, ended.stderr) == (0, "")
    text = block("toml", "[notify]").replace(FOLDER, str(world.folder))
    path = write_config(world.folder, text, google=world.google, spreadsheet=KEY)
    settings = config.load(path)
    for line in block("sh", "webhooks test").splitlines()[:1]:
        assert run_command(*line.split()[1:], "--offline", "--config", str(path)).returncode == 0
    answer = await webhooks.send_tests(settings)
    assert [(one["webhook"], one["accepted"]) for one in answer["results"]] == [
        ("target 1 (tgram)", True), ("target 2 (mailto)", True),
    ]  # fmt: skip
    assert "проверка" in json.loads(receiver.received[0].body)["text"]
    world.google.spreadsheets[KEY].worksheets["Summer"] = []
    await asyncio.to_thread(once, settings)
    told = [json.loads(one.body)["text"] for one in receiver.received]
    assert any("действуют последние известные значения" in one for one in told)
    assert len(mailbox.mails) == 1, "of this event the mail is not told"
    cron = block("crontab", "smart-sync report").removeprefix("0 8 * * 1  ")
    ended = await shell(cron, world, mailbox)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    mail = email.message_from_bytes(bytes(mailbox.mails[-1].original_content or b""), policy=email.policy.default)
    assert mail["subject"] == "Growth"
    (report,) = mail.iter_attachments()
    assert (report.get_filename(), "<html" in report.get_content()[:300].lower()) == ("growth.html", True)


def test_every_block_is_run() -> None:
    """Beside the installation, which every test has behind it, and what `test_readme` loads."""
    assert (
        [(block.language, block.text.splitlines()[-1][:24]) for block in blocks(PAGE)]
        == [
            ("sh", "pip install 'smart-sync-"),
            ("sh", "echo 'tgram://123456789:"),
            ("sh", "echo 'mailtos://daemon:p"),
            ("toml", 'events = ["sync.failed",'),
            ("sh", "systemctl reload smart-s"),
            ("toml", 'events = ["value.suspect'),  # loaded by `test_readme`
            ("crontab", texts(PAGE, "crontab")[-1][:24]),
        ]
    )
