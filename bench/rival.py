"""A daemon that runs, and ``once``, against the least that brings the numbers over: the script in `reference`.

Each side is a process of its own, Google is in this one, a tenth of a second away; before each turn all rows change.
"""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.measure import Row, Sizes, medians
from bench.worlds import Size, account_id, account_names, create, everything, worksheet
from daemon_process import COMMAND, Daemon, write_config
from fake_google import FakeGoogle
from smart_sync.control.client import request_sync

KEY = "k" * 44
IDLE = "[schedule]\nrun_on_start = false\n"
#: Seconds of processor time per tick of ``/proc``.
TICK = 1 / os.sysconf("SC_CLK_TCK")
NEWEST = "SELECT followers FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 1"


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Wall clock and processor of the daemon's pass, wall clock of ``once``; then from an edit to its snapshot."""
    size = Size(*sizes.network)
    with FakeGoogle() as google:
        google.latency = sizes.latency
        daemon, once, script, waits = _compare(google, size, sizes.rounds, folder)
    world = f"{size.projects} projects × {size.accounts} accounts, {sizes.latency * 1000:.0f} ms per Google call"
    against = "one values_batch_get and one executemany, without merge and snapshots (bench/reference.py)"
    yield Row(f"a pass of the daemon, {world}", daemon[0], against, script[0], "s", "≤", 0.8)
    yield Row("processor time of that pass", daemon[1], against, script[1], "s", "≤", 1.3)
    yield Row(f"smart-sync once, {world}", once[0], against, script[0], "s", "≤", 1.5)
    what = "an edit, sync PROJECT, and another process reads the new snapshot"
    yield Row(what, waits, "", sizes.latency + 0.05, "s", "≤", 1.0)


_Side = tuple[float, float]


def _compare(google: FakeGoogle, size: Size, rounds: int, folder: Path) -> tuple[_Side, _Side, _Side, float]:
    """Medians of seconds and processor seconds: the daemon, ``once``, the script; seconds from edit to snapshot."""
    configs = {}
    for name in ("daemon", "once", "script"):
        (folder / name).mkdir()
        configs[name] = write_config(folder / name, IDLE, google=google, spreadsheet=KEY)
    path = folder / "daemon" / "view_counter.db"
    asyncio.run(create(path, size))
    for name in ("once", "script"):
        shutil.copy(path, folder / name / "view_counter.db")
    once = [*COMMAND, "once", "--config", str(configs["once"])]
    key_file, database = folder / "script" / "key.json", folder / "script" / "view_counter.db"
    script = [sys.executable, "-m", "bench.reference", google.url, str(key_file), KEY, str(database)]
    found, waits = [], []
    with Daemon(configs["daemon"], forked=False) as daemon:
        daemon.hang_up()
        pid, ask = daemon.process.pid, lambda: request_sync(daemon.socket)
        for version in range(rounds + 1):
            _edit(google, size, version)
            sides = (_measured(ask, lambda: _processor(pid)), _child(once), _child(script))
            wait = _edit_to_snapshot(google, size, version + 1, path, daemon.socket)
            if version:  # the first one warms up
                found.append([figure for side in sides for figure in side])
                waits.append(wait)
    middle = medians(zip(*found, strict=True))
    return (middle[0], middle[1]), (middle[2], middle[3]), (middle[4], middle[5]), medians([waits])[0]


def _edit(google: FakeGoogle, size: Size, version: int) -> None:
    google.add(KEY, {name: worksheet(name, size.accounts, 2 * version, everything) for name in size.names()})


def _edit_to_snapshot(google: FakeGoogle, size: Size, version: int, path: Path, socket: Path) -> float:
    """Seconds from an edited worksheet to the newest snapshot of an account of it, read as a web app reads it."""
    name = next(size.names())
    cells = worksheet(name, size.accounts, 2 * version - 1, everything)
    google.add(KEY, {**google.spreadsheets[KEY].worksheets, name: cells})
    started = time.perf_counter()
    request_sync(socket, name)
    with closing(sqlite3.connect(path)) as connection:
        ((followers,),) = connection.execute(NEWEST, (account_id(next(account_names(name, 1))),))
    took = time.perf_counter() - started
    if followers != cells[1][2]:
        raise RuntimeError(f"this measures something else: {followers} in place of {cells[1][2]}")
    return took


def _measured(work: Callable[[], object], processor: Callable[[], float]) -> _Side:
    before, started = processor(), time.perf_counter()
    work()
    return time.perf_counter() - started, processor() - before


def _child(command: list[str]) -> _Side:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    # A start that keeps no compiled modules would compile them all each time.
    return _measured(lambda: subprocess.run(command, check=True, capture_output=True, env=environment), used)


def _processor(pid: int) -> float:
    """Seconds that a process has computed, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK
