"""How the daemon answers: ``sync_status`` against an echo server, idle and during a large pass; event-loop lag.

Run as ``python -m bench.serving PATH`` it is the echo server.
"""

import asyncio
import socket
import subprocess
import sys
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
    answer, echo = _status_against_echo(sizes, folder / "few")
    yield Row("GET /api/admin/sync_status", answer, "an asyncio echo server on a Unix socket", echo, "s", "≤", 4.0)
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
    return Daemon(write_config(folder, text))


def _type(folder: Path, size: Size, version: int) -> None:
    """Write every worksheet; each version changes every account."""
    for name in size.names():
        lines = worksheet(name, size.accounts, version, everything)
        (folder / f"{name}.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))


def _status_against_echo(sizes: Sizes, folder: Path) -> tuple[float, float]:
    """Median seconds of an answer, and of an echo of as many bytes as the question has."""
    echo_path = folder.parent / "echo.sock"
    echo = subprocess.Popen([sys.executable, "-m", "bench.serving", str(echo_path)], stdout=subprocess.PIPE, text=True)
    with _daemon(folder, FEW) as daemon, echo:
        _type(folder, FEW, 1)
        request_sync(daemon.socket)
        assert echo.stdout is not None
        echo.stdout.readline()
        with _connected(daemon.socket) as ours, _connected(echo_path) as theirs:
            found = [(_ask(ours), _ask(theirs)) for _ in range(sizes.requests * sizes.rounds)]
        echo.terminate()
    answer, other = medians(zip(*found, strict=True))
    return answer, other


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


async def _echo(path: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    server = await asyncio.start_unix_server(answer, path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_echo(sys.argv[1]))
