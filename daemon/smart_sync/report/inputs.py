"""What the report is made from: projects, accounts and passes as the database holds them.  Days are ordinals."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smart_sync.core.history.growth import Known
from smart_sync.core.model import METRICS, Metrics


@dataclass(frozen=True, slots=True)
class History:
    """The known values of an account, one per day, ascending; days that nobody recorded are not in it."""

    days: Sequence[int] = ()
    values: Sequence[Metrics] = ()

    def at(self, metric: int, day: int) -> Known | None:
        """The last value of a metric (its place in `METRICS`) at or before ``day``."""
        for place in range(bisect_right(self.days, day) - 1, -1, -1):
            value = self.values[place][metric]
            if value is not None:
                return Known(self.days[place], value)
        return None

    def after(self, metric: int, day: int) -> Known | None:
        """The first value of a metric after ``day``."""
        for place in range(bisect_right(self.days, day), len(self.days)):
            value = self.values[place][metric]
            if value is not None:
                return Known(self.days[place], value)
        return None

    def window(self, start: int, length: int) -> list[list[int | None]]:
        """Metric by metric, the value of each of ``length`` days from ``start``; None where there is none."""
        rows: list[list[int | None]] = [[None] * length for _ in METRICS]
        for place in range(bisect_right(self.days, start - 1), bisect_right(self.days, start + length - 1)):
            index = self.days[place] - start
            for row, value in zip(rows, self.values[place], strict=True):
                row[index] = value
        return rows


@dataclass(frozen=True, slots=True)
class Correction:
    """A metric whose merged value a manager typed, and the parser says otherwise."""

    metric: str
    value: int
    parsed: int
    worksheet: str
    row: int | None
    #: The day since which the merged value is what it is.
    since: int | None
    #: The worksheet could not be read; an earlier value of it stands in.
    carried: bool = False


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An active account."""

    id: str
    platform: str
    username: str
    link: str
    history: History
    corrections: tuple[Correction, ...] = ()
    #: Whether there are parsed values that count, and when they were collected (None: never, or unreadable).
    parsed: bool = False
    parsed_at: datetime | None = None

    @property
    def last_day(self) -> int | None:
        """The day of its newest values."""
        return self.history.days[-1] if self.history.days else None


@dataclass(frozen=True, slots=True)
class LastRun:
    """What became of a project in the newest pass that it was part of."""

    outcome: str
    error: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """A project, its active accounts, and how many inactive ones are left out."""

    id: str
    name: str
    accounts: tuple[AccountFacts, ...] = ()
    inactive: int = 0
    last_run: LastRun | None = None
    worksheet_read_at: datetime | None = None
    #: Since when it has been stale ([sheets] stale_after); None: it is not.
    stale_since: datetime | None = None

    @property
    def as_of(self) -> int | None:
        """The day of its newest values; changes are counted back from it."""
        return max((a.last_day for a in self.accounts if a.last_day is not None), default=None)


@dataclass(frozen=True, slots=True)
class PassFacts:
    """One of the last passes; without ``finished_at`` it is running, or was cut off."""

    trigger: str
    started_at: datetime | None
    finished_at: datetime | None
    projects: int
    degraded: int
    failed: int
    accounts: int
    changed: int
    snapshots: int
    calls: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it, as one read transaction saw it."""

    projects: tuple[ProjectFacts, ...] = ()
    passes: tuple[PassFacts, ...] = ()
    #: Snapshots whose time cannot be read, or lies in the future.
    left_out: int = 0
