"""Reports the daemon's state to systemd, by ``sd_notify``. Does nothing if systemd does not listen."""

import contextlib
import os
import socket
import time

#: Seconds that a full queue of systemd's may hold us up: a lost line is better than an event loop that hangs.
_PATIENCE = 1.0
#: What is only shown, and not waited for at all.
_SHOWN = "STATUS="


def notify(*lines: str) -> None:
    """Send ``READY=1``, ``STATUS=…`` and the like to ``$NOTIFY_SOCKET``; an absent listener is no error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # A line break within a line would begin another assignment.
    message = "\n".join(" ".join(line.splitlines()) for line in lines).encode(errors="replace")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(0 if all(line.startswith(_SHOWN) for line in lines) else _PATIENCE)
        sock.connect(address)
        sock.sendall(message)


def reloading() -> None:
    """Say that a reload has begun; ``READY=1`` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def watchdog_interval() -> float | None:
    """The seconds between two signs of life, half of systemd's limit; None if its watchdog is off."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or int(microseconds) == 0 or watched != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
