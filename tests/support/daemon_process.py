"""The daemon as its users run it: a process of its own, with a config file, a socket and signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import loaded_program
from fake_google import FakeGoogle

COMMAND = [sys.executable, "-m", "smart_sync"]
#: Seconds; generous, because CI is slow and nothing here waits for time to pass.
PATIENCE = 60.0


def write_config(
    folder: Path, text: str = "", *, google: FakeGoogle | None = None, spreadsheet: str = "", url: str = ""
) -> Path:
    """A ``config.toml`` in ``folder``, with database and socket in the same folder; ``text`` is added as it is.

    The database is the one at ``url`` where that is given.
    """
    place = f'url = "{url}"' if url else 'path = "view_counter.db"'
    lines = ["[database]", place, "[control]", 'socket = "control.sock"']
    if google is not None:
        key = google.credentials(folder / "key.json")
        lines += ["[sheets]", 'source = "google"', f'spreadsheet = "{spreadsheet}"', f'credentials = "{key}"']
        lines += [f'api_url = "{google.url}"', "reads_per_minute = 3000"]
    path = folder / "config.toml"
    path.write_text("\n".join(lines) + "\n" + text)
    return path


def run_command(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``smart-sync`` with ``arguments`` to its end, in a process of its own."""
    more = environment or {}
    everything = {**os.environ, "COLUMNS": "160", **more}
    if loaded_program.can_start_with(more):
        return loaded_program.run(arguments, everything)
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE, env=everything, check=False
    )


#: A weaker daemon: every statement commits by itself.
NO_TRANSACTIONS = (
    "import contextlib, smart_sync.store.sqlite.database as store\n"
    "@contextlib.asynccontextmanager\n"
    "async def transaction(self):\n"
    "    async with self._writing:\n"
    "        yield store.SqliteTransaction(self._writer, self._translated_errors)\n"
    "plain = store.SqliteTransaction.execute\n"
    "async def execute(self, sql, parameters=()):\n"
    "    nested = sql.startswith(('SAVEPOINT', 'RELEASE', 'ROLLBACK'))\n"
    "    return 0 if nested else await plain(self, sql, parameters)\n"
    "store.SqliteDatabase.transaction, store.SqliteTransaction.execute = transaction, execute\n"
)


def weakened(folder: Path, code: str) -> dict[str, str]:
    """An environment in which every Python runs ``code`` first: for controls, which must fail on a weaker variant."""
    place = folder / "weakened"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": str(place)}


class Daemon:
    """``with Daemon(config) as daemon``: runs until the block ends; ``ready`` has been announced before it begins.

    It is the fork of a process that has the program loaded, or with ``forked=False`` an interpreter of its own.
    """

    process: "subprocess.Popen[bytes] | loaded_program.Process"

    def __init__(
        self, config: Path, environment: Mapping[str, str] | None = None, *, wait: bool = True, forked: bool = True
    ) -> None:
        self.config = config
        self.socket = config.parent / "control.sock"
        self._environment = dict(environment or {})
        self._wait = wait
        self._is_forked = forked and loaded_program.can_start_with(self._environment)
        self._log = config.parent / "daemon.log"

    def __enter__(self) -> Self:
        # An abstract address: no path to grow too long, nothing to clean up.
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("")
        self._notify.settimeout(0.5)
        address = "@" + self._notify.getsockname()[1:].decode()
        with self._log.open("ab") as log:
            arguments = ["run", "--config", str(self.config)]
            environment = {**os.environ, **self._environment, "NOTIFY_SOCKET": address}
            if self._is_forked:
                streams = (0, log.fileno(), log.fileno())
                self.process = loaded_program.shared().start(arguments, streams, environment)
            else:
                self.process = subprocess.Popen(
                    [*COMMAND, *arguments], stdout=log, stderr=subprocess.STDOUT, env=environment
                )
        if self._wait:
            self.wait_for("READY=1")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._notify.close()

    def wait_for(self, beginning: str) -> str:
        """The next line to systemd that begins so; fails as soon as the daemon is gone."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                told = self._notify.recv(4096).decode().split("\n")
            except TimeoutError:
                assert self.process.poll() is None, self.output()
                continue
            for line in told:
                if line.startswith(beginning):
                    return line
        raise AssertionError(f"no {beginning} from the daemon:\n{self.output()}")

    def hang_up(self) -> None:
        """Listen to it no longer: what nobody reads would fill its queue to systemd, and hold it up for seconds."""
        self._notify.close()

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = PATIENCE) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.lines() if line["event"] == name]

    def output(self) -> str:
        """Everything it has written, as it is."""
        return self._log.read_text()
