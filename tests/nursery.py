"""Daemons by the thousand: a process that has imported everything forks one for each life, at a tenth of the cost."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon_process import PATIENCE

#: For each line on standard input a daemon: its process id, and when it has ended its exit code, on standard output.
_FORKER = """
import importlib, json, os, pkgutil, sys
import smart_sync
for module in pkgutil.walk_packages(smart_sync.__path__, "smart_sync."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from smart_sync.cli.main import main
for line in sys.stdin:
    config, log = json.loads(line)
    pid = os.fork()
    if not pid:
        said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.argv = ["smart-sync", "run", "--config", config]
        main()
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """``with Nursery(config) as nursery``: one daemon after the other, each a process as fresh as any."""

    def __init__(self, config: Path, environment: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._environment = dict(environment or {})
        self.socket = config.parent / "control.sock"
        self.log = config.parent / "daemon.log"
        self._pid = 0

    def __enter__(self) -> Self:
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("")
        self._notify.settimeout(PATIENCE)
        address = "@" + self._notify.getsockname()[1:].decode()
        self._forker = subprocess.Popen(
            [sys.executable, "-c", _FORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._environment, "NOTIFY_SOCKET": address},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid:
            self.kill()
            self.wait()
        # The end of its input ends it.
        self._forker.communicate(timeout=PATIENCE)
        self._notify.close()

    def start(self) -> None:
        """Begin a life; whatever the last one has told systemd is forgotten."""
        self._notify.setblocking(False)
        while True:
            try:
                self._notify.recv(4096)
            except BlockingIOError:
                break
        self._notify.settimeout(PATIENCE)
        assert self._forker.stdin is not None
        self._forker.stdin.write(json.dumps([str(self._config), str(self.log)]) + "\n")
        self._forker.stdin.flush()
        self._pid = int(self._line())

    def wait_until_ready(self) -> None:
        """Until it serves."""
        while b"READY=1" not in self._notify.recv(4096):
            pass

    def kill(self) -> None:
        """SIGKILL, as the kernel does it out of memory."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """The exit code, once the life is over."""
        self._pid = 0
        return int(self._line())

    def _line(self) -> str:
        assert self._forker.stdout is not None
        return self._forker.stdout.readline()
