"""Webhooks as an administrator meets them: commands, processes, a daemon that is killed."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon_process import Daemon, run_command, write_config
from receiver import Receiver, receiving
from smart_sync.core.days import stamp


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def configured(folder: Path, receiver: Receiver) -> Path:
    """A config file with no worksheets and one webhook."""
    (folder / "sheets").mkdir()
    url = f"http://127.0.0.1:{receiver.port}/s3cr3t"
    hook = f'[[webhooks]]\nurl = "{url}"\nsecret = "whsec_{"A" * 44}"\nallow_private = true\n'
    return write_config(folder, f'[sheets]\ndirectory = "sheets"\n{hook}')


def test_who_tells_nobody_does_not_load_an_http_client(tmp_path: Path) -> None:
    """Without webhooks and ping a pass imports neither httpx2 nor standardwebhooks."""
    (tmp_path / "sheets").mkdir()
    config = write_config(tmp_path, '[sheets]\ndirectory = "sheets"\n')
    program = (
        "import pathlib, sys; from smart_sync import config; from smart_sync.sync import once;"
        f"once.once(config.load(pathlib.Path({str(config)!r})));"
        "print({'httpx2', 'standardwebhooks'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


async def test_the_command_lists_and_tests_webhooks(tmp_path: Path, receiver: Receiver) -> None:
    """``webhooks test`` sends one and says what came of it; ``webhooks`` lists what a pass has sent."""
    config = str(configured(tmp_path, receiver))

    async def command(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(run_command, *arguments, "--config", config)
        return done.returncode, done.stdout + done.stderr

    code, said = await command("webhooks", "test")
    assert (code, said.startswith(f"✓ 127.0.0.1:{receiver.port}  accepted msg_")) == (0, True), said
    receiver.statuses.append(500)
    code, said = await command("webhooks", "test")
    assert (code, said.strip()) == (1, f"✗ 127.0.0.1:{receiver.port}  answered 500")
    assert (await command("once"))[0] == 4  # there is no project
    code, said = await command("webhooks")
    assert code == 0
    assert "sync.finished  delivered" in said
    assert "s3cr3t" not in said


async def test_a_webhook_that_accepts_nothing_is_told_of_elsewhere(tmp_path: Path, receiver: Receiver) -> None:
    """After an hour ``check``, the status and the health name it with its answer, and no longer once it accepts."""
    config, since = configured(tmp_path, receiver), datetime.now(UTC) - timedelta(hours=2)
    receiver.status = 401

    async def command(*arguments: str) -> str:
        done = await asyncio.to_thread(run_command, *arguments, "--config", str(config))
        return done.stdout + done.stderr

    await command("once")
    told = f"127.0.0.1:{receiver.port} has accepted no message since "
    assert told not in await command("check")
    with closing(sqlite3.connect(tmp_path / "view_counter.db")) as database, database:
        database.execute("UPDATE webhook_deliveries SET created_at = ?, attempts = 3", (stamp(since),))
    said = f"{told}{since:%Y-%m-%d %H:%M} UTC: answered 401; see: smart-sync webhooks"
    assert said in await command("check")
    daemon = await asyncio.to_thread(Daemon(config).__enter__)
    try:
        assert told in await command("status")
        receiver.status = 200
        with closing(sqlite3.connect(tmp_path / "view_counter.db")) as database, database:
            database.execute("UPDATE webhook_deliveries SET due_at = '2026-03-10T12:00:00.000000'")
        await command("sync")
        await receiver.got(3, 60)
        until = asyncio.get_running_loop().time() + 30
        while told in await command("status") and asyncio.get_running_loop().time() < until:
            pass  # the answer is on its way into the database
        assert told not in await command("status")
    finally:
        await asyncio.to_thread(daemon.__exit__, None, None, None)


async def test_a_daemon_that_is_killed_has_lost_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """What a pass has queued is delivered by the next daemon, under the id that the first one tried."""
    receiver.open.clear()
    config = configured(tmp_path, receiver)
    daemon = await asyncio.to_thread(Daemon(config).__enter__)
    try:
        (cut_off,) = await receiver.got(1, 60)
    finally:
        # Killed.
        await asyncio.to_thread(daemon.__exit__, None, None, None)
    receiver.open.set()
    daemon = await asyncio.to_thread(Daemon(config).__enter__)
    try:
        told = await receiver.got(3, 60)
    finally:
        await asyncio.to_thread(daemon.__exit__, None, None, None)
    assert told[1].headers["webhook-id"] == cut_off.headers["webhook-id"] != told[2].headers["webhook-id"]
    assert {json.loads(each.body)["type"] for each in told} == {"sync.finished"}
