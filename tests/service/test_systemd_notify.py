"""What the daemon tells systemd: real processes, and a datagram socket in systemd's place."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon_process import PATIENCE, Daemon, write_config
from smart_sync.service import systemd

#: Microseconds: a sign of life is due every 0.1 s.
WATCHDOG = {"WATCHDOG_USEC": "200000"}
SHEETS = '[sheets]\nsource = "csv"\ndirectory = "sheets"\n[schedule]\nevery = "1h"\n'

HANGING = """
import asyncio, signal, sys, time
from pathlib import Path
from smart_sync import config
from smart_sync.service.daemon import Service

async def main(path):
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, time.sleep, 3600)
    await Service(path, config.load(path)).run()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (tmp_path / "sheets").mkdir()
    return write_config(tmp_path, SHEETS)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end, and the environment that leads to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")
        listening.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + listening.getsockname()[1:].decode())
        yield listening


def falls_silent(listener: socket.socket) -> bool:
    """Whether a second passes without a datagram, after those that were on their way."""
    for _ in range(20):
        try:
            listener.recv(4096)
        except TimeoutError:
            return True
    return False


def fill(address: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(BlockingIOError):
        sender.setblocking(False)
        while True:
            sender.sendto(b"x", address)


def test_life(configuration: Path) -> None:
    """READY when it serves, signs of life while it does, a status for people, STOPPING on SIGTERM, and exit code 0."""
    with Daemon(configuration, WATCHDOG) as daemon:
        daemon.wait_for("STATUS=last pass")
        for _ in range(5):
            daemon.wait_for("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("STOPPING=1")
        assert daemon.process.wait(PATIENCE) == 0


def test_reload(configuration: Path) -> None:
    """SIGHUP says RELOADING, then READY, in one process that stops as it should."""
    with Daemon(configuration) as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("RELOADING=1")
        daemon.wait_for("READY=1")
        assert daemon.stop() == 0


def test_bad_reload(configuration: Path) -> None:
    """A bad file on SIGHUP leaves the daemon serving: it goes on with its signs of life and stops as it should."""
    with Daemon(configuration, WATCHDOG) as daemon:
        configuration.write_text("nonsense = 1\n")
        daemon.process.send_signal(signal.SIGHUP)
        while not daemon.events("config.rejected"):
            assert daemon.wait_for("") != "RELOADING=1"
        daemon.wait_for("WATCHDOG=1")
        assert daemon.stop() == 0


def test_hang(configuration: Path, listener: socket.socket) -> None:
    """When the event loop hangs, the signs of life stop, although the process and its threads live on."""
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, str(configuration)],
        env={**os.environ, **WATCHDOG},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while b"STATUS=last pass" not in listener.recv(4096):
                pass
            while listener.recv(4096) != b"WATCHDOG=1":
                pass
            process.send_signal(signal.SIGUSR2)
            listener.settimeout(1.0)
            assert falls_silent(listener)
            assert process.poll() is None
        finally:
            process.kill()


def test_no_watchdog_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watchdog that is meant for another process, or none, asks nothing of us."""
    assert systemd.watchdog_interval() is None
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert systemd.watchdog_interval() == 30
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_interval() is None


def test_reload_has_its_time(listener: socket.socket) -> None:
    """RELOADING carries the moment on the clock, and in the unit, that systemd asks for."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    systemd.reloading()
    first, second = listener.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert before <= int(second.partition("=")[2]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_one_line_is_one_assignment(listener: socket.socket) -> None:
    """A line break inside a line cannot smuggle another assignment in."""
    systemd.notify("STATUS=one\nREADY=1", "WATCHDOG=1")
    assert listener.recv(4096) == b"STATUS=one READY=1\nWATCHDOG=1"


def test_full_queue(listener: socket.socket) -> None:
    """A systemd that does not read costs a bounded time, not the event loop."""
    fill(listener.getsockname())
    telling = threading.Thread(target=systemd.notify, args=["WATCHDOG=1"], daemon=True)
    telling.start()
    telling.join(10)
    assert not telling.is_alive()


def test_what_is_only_shown_waits_for_nobody(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of `systemctl status` is lost at once where systemd does not read, however patient the others are."""
    monkeypatch.setattr(systemd, "_PATIENCE", 3600.0)
    fill(listener.getsockname())
    telling = threading.Thread(target=systemd.notify, args=["STATUS=syncing"], daemon=True)
    telling.start()
    telling.join(10)
    assert not telling.is_alive()


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside systemd, or with a socket that is gone, telling is no error."""
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify("READY=1")
