"""uvicorn as a process of its own, and a client of it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2

from daemon_process import PATIENCE


@contextmanager
def serving(application: str, *options: str, environment: Mapping[str, str]) -> Iterator[httpx2.Client]:
    """``uvicorn application options …`` until the block ends; fails if it has written a traceback."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-m", "uvicorn", application, *options, "--log-level", "warning"]
        command += ["--fd", str(listening.fileno())]
        own = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), **environment}
        process = subprocess.Popen(command, env=own, pass_fds=[listening.fileno()], stderr=subprocess.PIPE)
    try:
        # The socket listens already: the first request waits until the server takes it.
        with httpx2.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert b"Traceback" not in errors, errors.decode()
