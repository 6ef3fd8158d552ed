"""What the benchmark prints: rows, each a ratio of two things measured side by side; and how they are measured."""

import asyncio
import gc
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours against something anyone can run, or against a fixed limit."""

    what: str
    ours: float
    #: What ``ours`` is compared with; empty: a limit, and ``other`` is it.
    against: str
    other: float
    unit: str
    #: "≤" or "≥", and the ratio that is to be reached (of ``ours`` to ``other`` unless ``faster``).
    sign: str
    reach: float
    #: The ratio is how many times faster ours is: ``other`` / ``ours``.
    faster: bool = False

    @property
    def ratio(self) -> float:
        """The figure that is compared with ``reach``."""
        top, bottom = (self.other, self.ours) if self.faster else (self.ours, self.other)
        return top / bottom if bottom else float("inf") if top else 0.0

    @property
    def met(self) -> bool:
        """Whether the reach is reached."""
        return self.ratio <= self.reach if self.sign == "≤" else self.ratio >= self.reach

    def as_data(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "what": self.what,
            "ours": self.ours,
            "against": self.against,
            "other": self.other,
            "unit": self.unit,
            "ratio": round(self.ratio, 4),
            "sign": self.sign,
            "reach": self.reach,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large everything is; `--quick` takes small ones."""

    rounds: int = 5
    #: Projects and accounts per project of the pass over Google, and Google's seconds per call.
    network: tuple[int, int] = (100, 100)
    latency: float = 0.1
    #: Projects of the passes that are not about Google, and accounts in each.
    projects: int = 100
    accounts: int = 1000
    #: Numbers of projects of the growth row.
    growth: tuple[int, ...] = (10, 100, 1000)
    #: Reads, requests, seconds of idleness.
    reads: int = 3000
    requests: int = 500
    idle: float = 20.0
    #: Spreadsheets of a pass by workers, and the seconds of a window of Google's quota, six reads each.
    spreadsheets: int = 40
    window: float = 8.0


QUICK = Sizes(
    rounds=1,
    network=(4, 3),
    latency=0.01,
    projects=4,
    accounts=25,
    growth=(1, 2, 4),
    reads=50,
    requests=20,
    idle=1.0,
    spreadsheets=4,
    window=0.5,
)


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes, with the rubbish of what came before cleared away first."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alternate(rounds: int, *sides: Callable[[], float]) -> list[list[float]]:
    """Each side's measurements, taken in turns, so that what else the machine does hits all sides alike."""
    found = [[side() for side in sides] for _ in range(rounds)]
    return [list(column) for column in zip(*found, strict=True)]


def medians(columns: Iterable[Sequence[float]]) -> list[float]:
    """The median of each."""
    return [statistics.median(column) for column in columns]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def peak_resident() -> int:
    """The most that this process has been resident, in kB.

    Not the maximum of `getrusage`: that begins with the size of the process that started this one.
    """
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])


#: Seconds between two looks at the event loop's clock.
TICK = 0.001


async def watch() -> float:
    """Until it is cancelled: the longest time, in seconds, that the event loop was late for an appointment."""
    longest = 0.0
    loop = asyncio.get_running_loop()
    try:
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            longest = max(longest, loop.time() - due)
    except asyncio.CancelledError:
        return longest
