"""Daemons by the thousand: a process that has imported everything forks one for each life, at a tenth of the cost."""

import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon_process import PATIENCE
from loaded_program import Loaded, Process


class Nursery:
    """``with Nursery(config) as nursery``: one daemon after the other, each a process as fresh as any."""

    def __init__(self, config: Path, environment: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._environment = dict(environment or {})
        self.socket = config.parent / "control.sock"
        self.log = config.parent / "daemon.log"
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("")
        self._notify.settimeout(PATIENCE)
        address = "@" + self._notify.getsockname()[1:].decode()
        self._loaded = Loaded({**self._environment, "NOTIFY_SOCKET": address})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()
            self.wait()
        self._loaded.__exit__(kind, error, trace)
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
        with self.log.open("ab") as log:
            streams = (0, log.fileno(), log.fileno())
            self._process = self._loaded.start(["run", "--config", str(self._config)], streams)

    def wait_until_ready(self) -> None:
        """Until it serves."""
        while b"READY=1" not in self._notify.recv(4096):
            pass

    def kill(self) -> None:
        """SIGKILL, as the kernel does it out of memory."""
        if self._process is not None:
            self._process.kill()

    def wait(self) -> int:
        """The exit code, once the life is over."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(PATIENCE)
