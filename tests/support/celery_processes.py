"""Redis, workers and beat as processes of a test's own."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from daemon_process import PATIENCE
from markdown_pages import ROOT, texts

SUPPORT = Path(__file__).parent


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis behind a Unix socket in ``folder``; what comes out is its address for Celery."""
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line or "now ready to accept" in line:
                break
        yield f"redis+socket://{socket}"
        process.terminate()
        process.stdout.read()


@contextmanager
def celery(
    application: str, *arguments: str, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """``celery -A application …``, until the block ends; what it writes is in ``log``."""
    command = [sys.executable, "-m", "celery", "-A", application, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), **environment}
    with log.open("w") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written, cwd=log.parent)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def shown(marker: str, what: str) -> list[str]:
    """The application and the arguments of Celery's ``worker`` or ``beat``, as a block of its page shows them."""
    (block,) = texts(ROOT / "docs/how-to/celery.md", "sh", marker)
    (line,) = [line for line in block.splitlines() if line.startswith("celery ") and f" {what} " in line]
    return shlex.split(line, comments=True)[2:]


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for what ``process`` does; fails with what it has written."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
