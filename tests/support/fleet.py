"""A pass by workers: a database server, a broker, real workers, and projects in spreadsheets of their own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from celery_processes import celery, redis, shown, wait_until
from fake_google import FakeGoogle
from smart_sync import config
from smart_sync.config import Settings
from world import HEADER, KEY, PostgresWorld, link


class Fleet:
    """A broker and a worker with two processes; the configuration that they read is that of the world at hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.log = folder / "worker.log"
        self.broker = ""

    @contextmanager
    def running(self) -> Iterator["Fleet"]:
        with ExitStack() as stack:
            self.broker = stack.enter_context(redis(self.folder))
            self.config.write_text("")
            own = {"SMART_SYNC_CONFIG": str(self.config), "CELERY_BROKER_URL": self.broker}
            command = [*shown("--concurrency", "worker"), "--concurrency", "2"]
            worker = stack.enter_context(celery(*command, log=self.log, environment=own))
            wait_until(lambda: "ready." in self.log.read_text(), worker, self.log)
            self.worker = worker
            yield self

    def processes(self) -> list[int]:
        """The ids of the processes that do the tasks."""
        listed = subprocess.run(["pgrep", "-P", str(self.worker.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]


class FleetWorld(PostgresWorld):
    """Projects ``P0`` … with one account each, in a spreadsheet each; the workers have the same configuration."""

    def __init__(self, fleet: Fleet, google: FakeGoogle, url: str) -> None:
        super().__init__(fleet.folder, google, url)
        self.fleet = fleet
        self.keys: dict[str, str] = {}
        #: More for ``[sync]``, and further sections.
        self.more = ""
        self.timeout = 20.0
        self.broker = fleet.broker

    def add_spreadsheet(self, name: str, accounts: Sequence[str]) -> None:
        """A project in a spreadsheet of its own."""
        self.keys[name] = f"sheet{name}".ljust(44, "k")
        self.add_project(name, accounts)
        self.execute("UPDATE projects SET google_sheet_name = ? WHERE name = ?", (name, name))
        self.google.add(self.keys[name], {})

    def sheet(self, worksheet: str, **rows: Sequence[object]) -> None:
        typed = [[f"@{name}", link(name), *values] for name, values in rows.items()]
        key = self.keys.get(worksheet, KEY)
        if key in self.google.spreadsheets:
            self.google.spreadsheets[key].worksheets[worksheet] = [list(HEADER), *typed]

    def write(self, *, path: Path | None = None, more: str = "") -> Path:
        """The configuration, where the workers read it."""
        key = self.google.credentials(self.folder / "google.json")
        sheets = "".join(f'"{name}" = "{key}"\n' for name, key in self.keys.items())
        path = path or self.fleet.config
        path.write_text(
            f'[database]\nurl = "{self.url}"\n[control]\nsocket = "{self.folder / "control.sock"}"\n'
            f'[sync]\nworkers = "celery"\nbroker = "{self.broker}"\nworker_timeout = {self.timeout}\n{self.more}'
            f'[sheets]\nsource = "google"\nspreadsheet = "{KEY}"\ncredentials = "{key}"\nlocale = "en_US"\n'
            f'api_url = "{self.google.url}"\ntimeout = "5s"\nreads_per_minute = 3000\n'
            f"[sheets.spreadsheets]\n{sheets}{more}"
        )
        return path

    @property
    def settings(self) -> Settings:
        return config.load(self.write())

    def at_work(self) -> int | None:
        """The id of the process that has a spreadsheet in hand."""
        rows = self.execute("SELECT worker FROM fan_out_spreadsheets WHERE finished = 0 AND seen_at IS NOT NULL")
        return int(rows[0][0].rpartition(":")[2]) if rows else None


def halt(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
