"""The report's inputs: projects, accounts and passes from the database. Days are ordinals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Literal

from smart_sync.core.answers import Run
from smart_sync.core.history.growth import History, newest_day
from smart_sync.core.history.target import Target
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.model import Problem
from smart_sync.core.notices.phrases import Language
from smart_sync.core.pins import Pin
from smart_sync.core.results.coverage import Coverage, covered

Audience = Literal["manager", "operator"]


@dataclass(frozen=True, slots=True)
class Options:
    """For whom the report is, and what it contains."""

    #: An operator is shown the passes and outcomes too.
    audience: Audience = "manager"
    lang: Language = "en"
    #: On whose clocks times are told.
    timezone: str = "UTC"
    #: In place of "Growth"; "": none.
    title: str = ""
    #: The first day of charts, and of the longest growth.
    since: date | None = None
    #: The sources whose parsers count the lifetime of accounts and could count their projects' campaigns.
    lifetime: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Correction:
    """A metric whose merged value was typed by a manager and differs from the parsed one."""

    metric: str
    value: int
    parsed: int
    worksheet: str
    row: int | None
    #: The day since which the merged value is what it is.
    since: int | None
    #: The worksheet could not be read; an earlier value of it is carried.
    carried: bool = False


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account."""

    id: str
    platform: str
    username: str
    link: str
    history: History
    topic: str = ""
    #: The ``telegram_user`` in charge of it.
    person: str = ""
    corrections: tuple[Correction, ...] = ()
    #: Whether there are parsed values that count.
    parsed: bool = False
    #: When they were collected; None: never, or unreadable.
    parsed_at: datetime | None = None
    #: The source of the parsed views that count; "" if there are none, or nobody says.
    views_from: str = ""
    #: Metric → of which kind its value is (`core.results.coverage`).
    kinds: Mapping[str, str] = field(default_factory=dict)
    #: Metric → since when its value is carried.
    carried_since: Mapping[str, datetime | None] = field(default_factory=dict)
    pins: tuple[Pin, ...] = ()
    #: The metrics that parsers say of it.
    said: frozenset[str] = frozenset()
    #: Since when it has left.
    left_since: datetime | None = None

    @property
    def name(self) -> str:
        """Its user name, or its link."""
        return self.username or self.link

    @property
    def last_day(self) -> int | None:
        """The day of its newest values."""
        return self.history.last_day


@dataclass(frozen=True, slots=True)
class LastRun:
    """The result of a project in its newest pass."""

    outcome: str
    error: str
    finished_at: datetime | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)  # without slots, for what is worked out once
class ProjectFacts:
    """A project, its active accounts, those that have left, and the number of inactive ones."""

    id: str
    name: str
    accounts: tuple[AccountFacts, ...] = ()
    #: They are in no total.
    left: tuple[AccountFacts, ...] = ()
    inactive: int = 0
    last_run: LastRun | None = None
    worksheet_read_at: datetime | None = None
    #: Since when it has been stale ([sheets] stale_after); None: it is not.
    stale_since: datetime | None = None
    target: Target | None = None
    #: Why there is no knowing whether it is on target: columns that cannot be read; "" if there is.
    target_flaw: str = ""
    #: Whether it has dates or a KPI, so that not all views there ever were count in it.
    has_campaign: bool = False
    suspects: tuple[Suspect, ...] = ()

    def coverage(self, metric: str) -> Coverage:
        """The coverage of a total of ``metric``."""
        return covered((account.kinds for account in self.accounts), metric)

    @cached_property
    def as_of(self) -> int | None:
        """The day of its newest values; changes are counted back from it."""
        return newest_day(account.history for account in self.accounts)


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """All inputs, as one read transaction saw them."""

    projects: tuple[ProjectFacts, ...] = ()
    passes: Sequence[Run] = ()
    #: Snapshots whose time cannot be read, or lies in the future.
    left_out: int = 0
    #: The day on which it was read.
    today: int = 0
