"""What the daemon costs by being there: its start, its wake-ups while idle, its resident size."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, Sizes, alternate, medians, seconds
from daemon_process import Daemon, write_config
from fake_google import FakeGoogle
from smart_sync.control.client import request_sync

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "daemon" / "smart_sync" / "sample" / "sheets"
CSV = f'[sheets]\nsource = "csv"\ndirectory = "{SAMPLE}"\n[sync]\ncreate_missing = "projects"\n'
IDLE = "[schedule]\nrun_on_start = false\n"
#: Prints its own resident size once everything is imported; what cannot be imported alone is left out.
BARE = """
import importlib, sys
for name in sys.stdin.read().split():
    try:
        importlib.import_module(name)
    except Exception:
        pass
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows 9 and 10 of the table."""
    against = 'python -c "import gspread_asyncio"'
    with FakeGoogle() as google:
        (folder / "google").mkdir()
        google_config = write_config(folder / "google", IDLE, google=google, spreadsheet="k" * 44)
        csv_config = _config(folder, "csv")
        from_csv, from_google, bare = medians(
            alternate(2 * sizes.rounds, lambda: _start(csv_config), lambda: _start(google_config), _import)
        )
    yield Row("start to READY, worksheets from CSV files", from_csv, against, bare, "s", "≤", 2.0)
    yield Row("start to READY, worksheets from Google", from_google, against, bare, "s", "≤", 2.0)
    wakeups, resident, size = _idle(sizes, folder)
    yield Row(f"wake-ups of an idle daemon in {sizes.idle:.0f} s, all threads", wakeups, "", 0, "", "≤", 0.0)
    yield Row("resident size of an idle daemon after a pass", resident, "the same imports alone", size, "kB", "≤", 1.3)


def _config(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return write_config(folder / name, CSV + IDLE)


def _start(config: Path) -> float:
    """Seconds from the start of the process to READY=1."""
    started = time.perf_counter()
    with Daemon(config, forked=False) as daemon:
        took = time.perf_counter() - started
        daemon.stop()
    return took


def _import() -> float:
    return seconds(lambda: subprocess.run([sys.executable, "-c", "import gspread_asyncio"], check=True))


def _idle(sizes: Sizes, folder: Path) -> tuple[float, float, float]:
    """Wake-ups of a daemon that has nothing to do; its resident size (kB), and that of its imports alone."""
    config = _config(folder, "idle")
    with Daemon(config, forked=False) as daemon:
        request_sync(daemon.socket)
        time.sleep(min(sizes.idle, 3))
        before = _switches(daemon.process.pid)
        time.sleep(sizes.idle)
        wakeups = _switches(daemon.process.pid) - before
        resident = _resident(daemon.process.pid)
    names = "\n".join(_imports(_config(folder, "imports")))
    bare = subprocess.run([sys.executable, "-c", BARE], input=names, capture_output=True, text=True, check=True)
    return wakeups, resident, float(bare.stdout)


def _switches(pid: int) -> int:
    """How often the process's threads have gone to sleep of themselves, which is how often they were woken."""
    statuses = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[0]) for status in statuses)


def _resident(pid: int) -> float:
    return float(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


def _imports(config: Path) -> list[str]:
    """The modules that a daemon imports up to the end of its first pass, without its own."""
    with Daemon(config, {"PYTHONPROFILEIMPORTTIME": "1"}, forked=False) as daemon:
        request_sync(daemon.socket)
        daemon.stop()
        told = daemon.output()
    names = re.findall(r"^import time:.*\|\s+(\S+)$", told, re.MULTILINE)
    return [name for name in names if not name.startswith("smart_sync") and name != "package"]
