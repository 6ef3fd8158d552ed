"""Nothing dies silently: whichever task of the daemon has a bug, the process ends, and its last line says why."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon_process import Daemon, weakened, write_config
from smart_sync.control.client import request_sync
from smart_sync.errors import SmartSyncError
from world import KEY, World

#: The beginnings of the names of all tasks that a daemon has beside its main one.
TASKS = (
    "service:watchdog", "service:runner", "service:reload", "control:client", "pass:begin", "pass:project",
    "parsers:collect", "parser:own", "spreadsheet", "webhook:", "ping",
)  # fmt: skip

#: Tasks whose name begins so have a bug.
DYING = """
import asyncio
async def dying():
    raise ZeroDivisionError("a bug")
def deadly(plain):
    def create_task(*arguments, name=None, **options):
        *owner, work = arguments
        if (name or "").startswith({!r}):
            work.close()
            work = dying()
        return plain(*owner, work, name=name, **options)
    return create_task
asyncio.TaskGroup.create_task = deadly(asyncio.TaskGroup.create_task)
asyncio.create_task = deadly(asyncio.create_task)
"""


@pytest.fixture
def config(world: World) -> Path:
    """Everything that has a task of its own is switched on."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    text = """[schedule]
run_on_start = false
[ping]
url = "http://127.0.0.1:9/x"
[[webhooks]]
url = "http://127.0.0.1:9/x"
allow_private = true
secret = "whsec_Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5"
[parsers.own]
kind = "http_json"
platforms = ["tiktok"]
url = "http://127.0.0.1:9/{username}"
metrics = { followers = "fans" }
"""
    return write_config(world.folder, text, google=world.google, spreadsheet=KEY)


def ended(config: Path, environment: Mapping[str, str], seconds: float = 10) -> tuple[int | None, str]:
    """A daemon that is asked for a reload and for three passes: its exit code, its last line.

    The code is None if it lives on for ``seconds`` more.
    """
    with Daemon(config, {**environment, "WATCHDOG_USEC": "60000000"}, wait=False) as daemon:
        with contextlib.suppress(AssertionError):
            daemon.wait_for("READY=1")
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("READY=1")
        for _ in range(3):
            with contextlib.suppress(SmartSyncError):
                request_sync(daemon.socket)
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.process.wait(seconds)
        return daemon.process.poll(), daemon.output().splitlines()[-1]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_that_dies_ends_the_daemon_with_a_clear_last_line(config: Path, world: World, task: str) -> None:
    """A bug in any task: exit 1, and the last line names the bug."""
    code, line = ended(config, weakened(world.folder, DYING.format(task)))
    last = json.loads(line)
    assert (code, last["level"], last["event"]) == (1, "ERROR", "daemon.crashed")
    assert last["reason"] == "ZeroDivisionError: a bug"


def test_a_task_that_dies_silently_would_be_seen(config: Path, world: World) -> None:
    """Negative control: where a task's bug is swallowed the daemon lives on, which the test above does not allow."""
    swallowed = DYING.replace('raise ZeroDivisionError("a bug")', "return")
    code, line = ended(config, weakened(world.folder, swallowed.format("ping")), seconds=2)
    assert code is None
    assert "daemon.crashed" not in line
