"""The JSON objects that the daemon answers about itself, and about single accounts; `core.answers` has the passes."""

from typing import Any, TypedDict

from smart_sync.core.answers import Run


class StatusAnswer(TypedDict):
    """What the daemon is doing, its last pass and its next one."""

    success: bool
    #: Rows of the table projects.
    total_projects: int
    active_projects: int
    #: As in `HealthAnswer`.
    healthy: bool
    reasons: list[str]
    warnings: list[str]
    #: Always false: there is no cache.
    cache_enabled: bool
    timestamp: str
    #: "idle" or "syncing".
    state: str
    #: While a pass runs: how far it is.
    current: dict[str, Any] | None
    #: When the last pass ended.
    last_sync: str | None
    last_pass: Run | None
    #: Why the last pass could not be run at all.
    last_error: str | None
    next_run_at: str | None
    #: The active projects, each as a `ProjectAnswer` of its last pass, without the long lists.
    projects: list[dict[str, Any]]
    #: The parsers: last report, budget, pause, tokens.
    parsers: list[dict[str, Any]]
    #: What reading the worksheets has cost: calls, retries, bytes, seconds waited for the quota.
    reading: dict[str, Any]
    version: str
    uptime_seconds: float
    sqlite_version: str
    #: Whether this SQLite can corrupt a WAL file that two processes write.
    sqlite_at_risk: bool


class StaleProject(TypedDict):
    """A project whose worksheet has not been read for too long."""

    project_id: str
    project_name: str
    #: The last good read.
    sheet_read_at: str | None


class HealthAnswer(TypedDict):
    """Whether numbers are current: 200 if so, else 503."""

    success: bool
    healthy: bool
    #: Why it is not healthy, a sentence each.
    reasons: list[str]
    stale_projects: list[StaleProject]
    #: What a person should look at soon, a sentence each; they leave it healthy.
    warnings: list[str]
    #: The reasons in one line.
    error: str | None
    last_good_pass_age_seconds: float | None
    #: The age at which a tick of the schedule will have been missed.
    allowed_seconds: float


class AliveAnswer(TypedDict):
    """Whether the daemon keeps its schedule: 200 if so, else 503."""

    success: bool
    alive: bool
    uptime_seconds: float
    error: str | None


class ReloadAnswer(TypedDict, total=False):
    """What became of a reload."""

    success: bool
    message: str
    error: str
    #: Every mistake of the file that was refused.
    problems: list[str]


class PinsAnswer(TypedDict, total=False):
    """The pins, those that were made, or those that were taken back."""

    success: bool
    #: All pins: account_id, link, project, metric, value, since, place, by, until, why.
    pins: list[dict[str, Any]]
    #: Those that were made.
    pinned: list[dict[str, Any]]
    #: Links of the accounts whose pins were taken back, and how many those were.
    accounts: list[str]
    unpinned: int


class ExplainAnswer(TypedDict):
    """Why the numbers of the accounts that are meant are what they are."""

    success: bool
    #: Each with both sides, rule, winner, the last days and edits; as ``smart-sync explain --json`` prints.
    accounts: list[dict[str, Any]]
