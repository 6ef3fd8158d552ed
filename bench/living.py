"""What the daemon costs by being there: its wake-ups while idle, its resident size."""

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, Sizes
from daemon_process import Daemon, write_config
from smart_sync.control.client import request_sync

SAMPLE = Path(__file__).parent.parent / "daemon" / "smart_sync" / "sample" / "sheets"
IDLE = f"""
[sheets]
source = "csv"
directory = "{SAMPLE}"
[sync]
create_missing = "projects"
[schedule]
run_on_start = false
"""


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Of a daemon that has had its pass and has nothing to do."""
    with Daemon(write_config(folder, IDLE), forked=False) as daemon:
        request_sync(daemon.socket)
        time.sleep(min(sizes.idle, 3))
        before = _switches(daemon.process.pid)
        time.sleep(sizes.idle)
        wakeups = _switches(daemon.process.pid) - before
        resident = _resident(daemon.process.pid)
    # Each 10 s it looks whether its socket is still there, and its lock.
    looks = 2 * math.ceil(sizes.idle / 10)
    yield Row(f"wake-ups of an idle daemon in {sizes.idle:.0f} s, all threads", wakeups, "", looks, "", "≤", 1.0)
    yield Row("resident size of an idle daemon after a pass", resident, "", 80_000, "kB", "≤", 1.0)


def _switches(pid: int) -> int:
    """How often the process's threads have gone to sleep of themselves, which is how often they were woken."""
    statuses = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[0]) for status in statuses)


def _resident(pid: int) -> float:
    return float(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
