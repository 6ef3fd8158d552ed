"""A month of passes in a hurry, with edits, outages and reloads: nothing grows.

SOAK_PASSES=1440 SOAK_SEED=7 pytest -s tests/service/test_soak.py
"""

import ctypes
import os
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon_process import Daemon, weakened, write_config
from smart_sync.control.client import request_sync
from smart_sync.store.sqlite.database import SqliteDatabase
from world import KEY, World

PASSES = int(os.environ.get("SOAK_PASSES", "120"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(20)] for number in range(4)}
#: Megabytes per 1,000 passes.
MAX_SLOPE = 1.0
#: Passes of which a slope says something.
MANY = 1000
#: What a short run may grow by before anything can be said about a slope: caches, arenas, timers of a minute.
MAX_GROWTH = 12.0
#: A sample may fall on a moment with a connection more; asyncio's own pool of threads fills up over time.
SLACK = {"descriptors": 2, "threads": min(32, (os.cpu_count() or 1) + 4)}
MAX_WAL_BYTES = 6_000_000
#: A pass over four projects tells 3,000 bytes, an accident another 400, once.
MAX_LOG_BYTES_PER_PASS = 8_000
#: What a number grows by less than, edit by edit, and how many of those that are typed are accidents.
GROWTH, ACCIDENTS = 50, 0.005


@dataclass
class Watched:
    """Samples of a running daemon, one per pass: what must not grow."""

    pid: int
    wal: Path
    log: Path
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    wal_bytes: list[int] = field(default_factory=list)
    log_bytes: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, daemon: Daemon) -> "Watched":
        """Of a daemon whose files are beside its configuration."""
        folder = daemon.config.parent
        return cls(daemon.process.pid, folder / "view_counter.db-wal", folder / "daemon.log")

    def sample(self) -> None:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if ":" in line
        )
        self.memory.append(int(status["VmRSS"].split()[0]) / 1024)
        self.threads.append(int(status["Threads"]))
        self.descriptors.append(len(list(Path(f"/proc/{self.pid}/fd").iterdir())))
        self.wal_bytes.append(self.wal.stat().st_size if self.wal.exists() else 0)
        self.log_bytes.append(self.log.stat().st_size)

    def slope(self) -> float:
        """Megabytes per 1,000 passes over the later half: least squares."""
        later = self.memory[len(self.memory) // 2 :]
        middle, mean = (len(later) - 1) / 2, sum(later) / len(later)
        above = sum((at - middle) * (value - mean) for at, value in enumerate(later))
        return 1000 * above / sum((at - middle) ** 2 for at in range(len(later)))

    def grown(self) -> list[str]:
        """What has grown that must not."""
        early, found = max(10, len(self.memory) // 4), []
        if len(self.memory) >= MANY and self.slope() > MAX_SLOPE:
            found.append(f"memory by {self.slope():.2f} MB per 1,000 passes")
        if max(self.memory) - max(self.memory[:early]) > MAX_GROWTH:
            found.append(f"memory from {max(self.memory[:early]):.1f} to {max(self.memory):.1f} MB")
        for name, samples in (("descriptors", self.descriptors), ("threads", self.threads)):
            if min(samples[-early:]) > max(samples[:early]) + SLACK[name]:
                found.append(f"{name} from {max(samples[:early])} to {min(samples[-early:])}")
        if max(self.wal_bytes) > MAX_WAL_BYTES:
            found.append(f"WAL file to {max(self.wal_bytes)} bytes")
        if self.log_per_pass() > MAX_LOG_BYTES_PER_PASS:
            found.append(f"log by {self.log_per_pass():.0f} bytes per pass")
        return found

    def log_per_pass(self) -> float:
        """Bytes of log per sample."""
        return self.log_bytes[-1] / len(self.log_bytes)


def live(world: World, daemon: Daemon, watched: Watched, passes: int) -> int:
    """So many passes of a busy month; returns how many of them could not be asked for."""
    choose, refused = random.Random(SEED), 0
    values = {
        account: [choose.randrange(10**5, 10**6) for _ in range(5)] for name in PROJECTS for account in PROJECTS[name]
    }

    def grown(account: str) -> list[int]:
        values[account] = [value + choose.randrange(GROWTH) for value in values[account]]
        return values[account]

    def typed(account: str) -> list[int]:
        """Numbers out of nowhere would all be accidents, each of them told."""
        return [choose.randrange(10**6) if choose.random() < ACCIDENTS else value for value in grown(account)]

    for number in range(passes):
        for name, accounts in PROJECTS.items():
            if choose.random() < 0.3:
                world.sheet(name, **{account: typed(account) for account in accounts})
        if choose.random() < 0.1:
            world.google.fail("batch", 1, choose.choice((403, 404)))
        if choose.random() < 0.02:
            world.google.fail("batch", 1, how=choose.choice(("reset", "html", "garbage")))
        if choose.random() < 0.05:
            account = choose.choice(PROJECTS["P0"])
            world.parsed(account, grown(account))
        if number % 40 == 20:
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("READY=1")
        refused += not request_sync(daemon.socket)["success"]
        watched.sample()
        drain(daemon)
    return refused


def drain(daemon: Daemon) -> None:
    """Read what the daemon has told systemd: what nobody reads would fill its queue."""
    daemon.wait_for("STATUS=last pass")


@pytest.fixture
def config(world: World) -> Path:
    for name, accounts in PROJECTS.items():
        world.add_project(name, accounts)
    text = "[schedule]\nrun_on_start = false\n"
    return write_config(world.folder, text, google=world.google, spreadsheet=KEY)


def test_nothing_grows(config: Path, world: World) -> None:
    """Memory, descriptors, threads, the WAL file and the log stay within bounds, however many passes there are."""
    with Daemon(config, forked=False) as daemon:
        watched = Watched.of(daemon)
        refused = live(world, daemon, watched, PASSES)
        assert daemon.stop() == 0
    slope = f", {watched.slope():+.2f} MB per 1,000 passes" if PASSES >= MANY else ""
    print(  # noqa: T201
        f"soak: tried {PASSES}, broken {len(watched.grown()) + refused};"
        f" memory {watched.memory[0]:.1f} to {watched.memory[-1]:.1f} MB{slope};"
        f" descriptors {min(watched.descriptors)} to {max(watched.descriptors)},"
        f" threads {min(watched.threads)} to {max(watched.threads)},"
        f" WAL up to {max(watched.wal_bytes)} bytes, {watched.log_per_pass():.0f} bytes of log per pass"
    )
    assert refused == 0
    assert watched.grown() == []
    assert world.execute("PRAGMA integrity_check") == [("ok",)]
    assert world.execute("SELECT count(*) FROM sync_runs WHERE finished_at IS NULL") == [(0,)]


#: Writes, with each reload, how many of the reloads' schedulers are there, each with all that it uses.
COUNTING = """
import gc, weakref
import smart_sync.service.daemon as daemon
plain, there, kept = daemon.Scheduler.__init__, weakref.WeakSet(), []
def init(self, *arguments):
    plain(self, *arguments)
    there.add(self)
    keep and kept.append(self)
    gc.collect()
    with open(place, "a") as file:
        print(len(there), file=file)
daemon.Scheduler.__init__ = init
"""


@pytest.mark.parametrize("keep", [False, True], ids=["", "a weaker daemon is seen to keep them"])
def test_reloads_leave_nothing_behind(config: Path, world: World, keep: bool) -> None:
    """Of what served before a reload nothing is kept but what the next one takes over from; and no descriptor."""
    counts = world.folder / "counts"
    code = f"keep, place = {keep}, {str(counts)!r}\n{COUNTING}"
    # In an interpreter of its own: a fork looks for no garbage.
    with Daemon(config, weakened(world.folder, code), forked=False) as daemon:
        watched = Watched.of(daemon)
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("READY=1")
            watched.sample()
    assert (max(map(int, counts.read_text().split())) > 2) == keep
    assert max(watched.descriptors) <= watched.descriptors[9] + SLACK["descriptors"]


async def test_between_passes_no_page_of_the_file_stays_in_memory(world: World) -> None:
    """Each pass adds to the history in the file; what SQLite keeps of it in memory is given back after the pass."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
    world.execute("CREATE TABLE history AS SELECT x FROM (" + numbers + " SELECT zeroblob(3000) AS x FROM n)")
    async with SqliteDatabase(world.path) as database:
        before = allocated()
        await database.fetch("SELECT count(x) FROM history")
        assert allocated() - before > 20
        await database.rest()
        assert allocated() - before < 2


def allocated() -> float:
    """Megabytes that this process has from malloc, as SQLite has its pages."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("only glibc tells what is allocated")
    library.mallinfo2.restype = Malloc
    numbers = library.mallinfo2().numbers
    return float(numbers[7] + numbers[4]) / 2**20


class Malloc(ctypes.Structure):
    """What `mallinfo2` tells: ten numbers, of them the eighth what is in use, the fifth what was mapped by itself."""

    _fields_ = (("numbers", ctypes.c_size_t * 10),)


#: A daemon that keeps memory, a descriptor and a thread of each pass, talks too much and never empties its WAL file.
LEAKY = """
import os, threading
import smart_sync.sync.sync_pass as sync
plain, kept = sync.SyncPass.run, []
async def run(self, request):
    kept.append((b"x" * 1_000_000, os.dup(0)))
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("x" * 10_000)
    for sql in ("PRAGMA wal_autocheckpoint = 0", "CREATE TABLE IF NOT EXISTS leak (x)"):
        await self._database.execute(sql)
    await self._database.execute("INSERT INTO leak VALUES (zeroblob(200000))")
    return await plain(self, request)
sync.SyncPass.run = run
"""


def test_what_leaks_is_seen_to_grow(config: Path, world: World) -> None:
    """Negative control: a daemon that leaks everything that is watched is caught at all of it."""
    with Daemon(config, weakened(world.folder, LEAKY)) as daemon:
        watched = Watched.of(daemon)
        live(world, daemon, watched, 60)
    assert [told.split()[0] for told in watched.grown()] == ["memory", "descriptors", "threads", "WAL", "log"]
