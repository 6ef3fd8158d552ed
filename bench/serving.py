"""How the daemon answers: ``sync_status`` idle and during a large pass; event-loop lag."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, Sizes, medians, percentile, watch
from bench.worlds import Size, create, everything, passes, sheets_of, worksheet
from daemon_process import Daemon, write_config
from smart_sync.control.client import request_sync

REQUEST = b"GET /api/admin/sync_status HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: Projects of the daemon that is asked while it is idle; its answer names each of them.
FEW = Size(3, 10)


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows 7 and 8 of the table."""
    answer = _status_idle(sizes, folder / "few")
    yield Row("GET /api/admin/sync_status of an idle daemon", answer, "", 0.001, "s", "≤", 1.0)
    size = Size(sizes.projects, sizes.accounts)
    during = f"while a pass of {size.total:,} accounts runs"
    yield Row(f"sync_status {during}, p99", _status_during_pass(sizes, size, folder / "many"), "", 0.025, "s", "≤", 1.0)
    lag = asyncio.run(_lag(size, sizes.rounds, folder / "lag.db"))
    yield Row(f"event-loop lag {during}, longest", lag, "", 0.05, "s", "≤", 1.0)


def _daemon(folder: Path, size: Size) -> Daemon:
    """A daemon with worksheets in CSV files and no pass of its own accord."""
    folder.mkdir()
    asyncio.run(create(folder / "view_counter.db", size))
    text = f'[sheets]\nsource = "csv"\ndirectory = "{folder}"\n[schedule]\nrun_on_start = false\n'
    return Daemon(write_config(folder, text), forked=False)


def _type(folder: Path, size: Size, version: int) -> None:
    """Write every worksheet; each version changes every account."""
    for name in size.names():
        lines = worksheet(name, size.accounts, version, everything)
        (folder / f"{name}.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))


def _status_idle(sizes: Sizes, folder: Path) -> float:
    """Median seconds of an answer."""
    with _daemon(folder, FEW) as daemon:
        _type(folder, FEW, 1)
        request_sync(daemon.socket)
        with _connected(daemon.socket) as connection:
            return medians([[_ask(connection) for _ in range(sizes.requests * sizes.rounds)]])[0]


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def _ask(connection: socket.socket) -> float:
    """Seconds until the whole answer is there."""
    started = time.perf_counter()
    connection.sendall(REQUEST)
    data = connection.recv(65536)
    while data.startswith(b"HTTP") and len(data) < _length(data):
        data += connection.recv(65536)
    return time.perf_counter() - started


def _length(answer: bytes) -> int:
    """How long an answer is, its head included."""
    head, separator, _ = answer.partition(b"\r\n\r\n")
    return len(head + separator) + int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])


def _status_during_pass(sizes: Sizes, size: Size, folder: Path) -> float:
    """The median over the passes of the p99 of the answers given while the pass runs."""
    found = []
    with _daemon(folder, size) as daemon, _connected(daemon.socket) as connection:
        for version in range(1, sizes.rounds + 1):
            _type(folder, size, version)
            work = threading.Thread(target=request_sync, args=(daemon.socket,), name="force-pass")
            work.start()
            took = []
            while work.is_alive():
                took.append(_ask(connection))
                time.sleep(0.002)
            found.append(percentile(took, 0.99))
    return medians([found])[0]


async def _lag(size: Size, rounds: int, path: Path) -> float:
    """The median over the passes of the longest time that the event loop was late for an appointment."""
    await create(path, size)
    found = []
    async with passes(path) as ours:
        for version in range(1, rounds + 1):
            ours.next_day()
            watching = asyncio.create_task(watch(), name="bench:lag")
            await ours.run(sheets_of(size, version))
            watching.cancel()
            found.append(await watching)
    return medians([found])[0]
