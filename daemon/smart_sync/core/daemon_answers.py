"""The JSON objects about the daemon: status, parsers and their tokens, health, events.

Stamps are naive UTC in ISO 8601; durations are seconds.
"""

from typing import Any, NotRequired, Required, TypedDict

from smart_sync.core.answers import ProjectAnswer, Run


class TokenAnswer(TypedDict):
    """A parser's token; ``dead``: why it no longer works; ``warning``: what a person has to do."""

    account: str
    kind: str | None
    expires_at: str | None
    never_expires: bool
    renews: bool
    dead: str | None
    warning: str | None


class ParserTokens(TypedDict):
    """The tokens of one parser; ``failure``: why they could not be read."""

    parser: str
    table: str
    tokens: list[TokenAnswer]
    failure: str


class TokensAnswer(TypedDict):
    """What ``smart-sync parse --tokens`` answers."""

    success: bool
    parsers: list[ParserTokens]


class ParserReport(TypedDict, total=False):
    """A parser: its table in the configuration, its budget, its tokens, and its last report, if there is one."""

    parser: Required[str]
    table: str
    #: Requests a day; None: no limit.
    budget: int | None
    tokens: list[TokenAnswer]
    success: bool
    reported_at: str
    fetched: int
    missing: int
    failed: int
    left: int
    calls: int
    seconds: float
    quota_left: str | int | None
    reason: str
    #: These three are `status`'s.
    failing_since: str | None
    paused_until: str | None
    budget_used: int | None


class PassUnderWay(TypedDict, total=False):
    """The pass that is running; ``waiting``: what it waits for, if anything."""

    run_id: Required[str]
    trigger: Required[str]
    projects: Required[int]
    done: Required[int]
    waiting: str


class ReadingAnswer(TypedDict):
    """The cost of reading the worksheets in this pass, or the last one."""

    source: str
    calls: int
    retries: int
    quota_wait_seconds: float
    bytes: int
    files: int
    reads_per_minute: int | None


class OwnStatus(TypedDict):
    """The part of `StatusAnswer` that needs no database."""

    #: Always false: there is no cache.
    cache_enabled: bool
    timestamp: str
    #: The daemon that runs the passes, as host:pid; None with an SQLite file, and while none leads.
    leader: str | None
    reading: ReadingAnswer
    version: str
    uptime_seconds: float
    sqlite_version: str
    #: Whether this SQLite can corrupt a WAL file that two processes write.
    sqlite_at_risk: bool


class StatusAnswer(OwnStatus, total=False):
    """What ``smart-sync status`` and ``GET /api/admin/sync_status`` answer."""

    success: Required[bool]
    #: Rows of the table projects.
    total_projects: Required[int]
    active_projects: Required[int]
    #: As in `HealthAnswer`, and so are reasons and warnings.
    healthy: Required[bool]
    reasons: Required[list[str]]
    warnings: Required[list[str]]
    #: "idle" or "syncing"; "standby" while another daemon of the same server leads.
    state: Required[str]
    current: Required[PassUnderWay | None]
    #: When the last pass ended.
    last_sync: str | None
    last_pass: Required[Run | None]
    #: Why the last pass could not be run at all.
    last_error: Required[str | None]
    next_run_at: Required[str | None]
    #: The active projects, each with its result in the last pass, without the long lists.
    projects: Required[list[ProjectAnswer]]
    parsers: Required[list[ParserReport]]


class StaleProject(TypedDict):
    """A project whose worksheet has not been read for too long; ``sheet_read_at``: the last good read, if any."""

    project_id: str
    project_name: str
    sheet_read_at: str | None


class HealthAnswer(TypedDict):
    """What ``GET /healthz`` answers."""

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
    #: The age at which a tick will have been missed, if nothing happens until then; None of a daemon that stands by.
    allowed_seconds: float | None
    #: These two only of a daemon that stands by, as in `StatusAnswer`.
    state: NotRequired[str]
    leader: NotRequired[str | None]


class AliveAnswer(TypedDict):
    """What ``GET /livez`` answers."""

    success: bool
    alive: bool
    uptime_seconds: float
    error: str | None


class ReloadAnswer(TypedDict, total=False):
    """What ``POST /api/admin/reload`` answers."""

    success: Required[bool]
    message: str
    error: str
    #: Every mistake of the file that was refused.
    problems: list[str]


#: An event: its name (``event``) and its fields, as `events` declares them.
EventFields = dict[str, Any]
