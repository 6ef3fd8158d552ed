"""The JSON objects that the control channel answers about the daemon, and those of the commands around the passes.

Stamps are naive UTC in ISO 8601; durations are seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

from smart_sync.core.answers import ProjectAnswer, Run


class TokenAnswer(TypedDict):
    """A parser's token; ``dead``: why it is no good any more; ``warning``: what a person has to do."""

    account: str
    kind: str | None
    expires_at: str | None
    never_expires: bool
    renews: bool
    dead: str | None
    warning: str | None


class ParserTokens(TypedDict):
    """The tokens of one parser; ``failure``: why they could not be looked at."""

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
    table: Required[str]
    #: Requests a day; None: no limit.
    budget: Required[int | None]
    tokens: Required[list[TokenAnswer]]
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
    """The pass that is running; ``waiting``: for whom, if it waits."""

    run_id: Required[str]
    trigger: Required[str]
    projects: Required[int]
    done: Required[int]
    waiting: str


class ReadingAnswer(TypedDict):
    """What reading the worksheets has cost in this pass, or in the last one."""

    source: str
    calls: int
    retries: int
    quota_wait_seconds: float
    bytes: int
    files: int
    reads_per_minute: int | None


class StatusAnswer(TypedDict, total=False):
    """What ``smart-sync status`` and ``GET /api/admin/sync_status`` answer."""

    success: Required[bool]
    total_projects: Required[int]
    active_projects: Required[int]
    healthy: Required[bool]
    reasons: Required[list[str]]
    warnings: Required[list[str]]
    cache_enabled: bool
    timestamp: Required[str]
    state: Required[str]
    current: Required[PassUnderWay | None]
    last_sync: str | None
    last_pass: Required[Run | None]
    last_error: Required[str | None]
    next_run_at: Required[str | None]
    projects: Required[list[ProjectAnswer]]
    parsers: Required[list[ParserReport]]
    reading: Required[ReadingAnswer]
    version: Required[str]
    uptime_seconds: Required[float]
    sqlite_version: str
    sqlite_at_risk: bool


class StaleProject(TypedDict):
    """A project whose worksheet was not read for too long; ``sheet_read_at``: when it was last, if ever."""

    project_id: str
    project_name: str
    sheet_read_at: str | None


class HealthAnswer(TypedDict):
    """What ``GET /healthz`` answers."""

    success: bool
    healthy: bool
    reasons: list[str]
    stale_projects: list[StaleProject]
    warnings: list[str]
    error: str | None
    last_good_pass_age_seconds: float | None
    #: The age at which a tick will have been missed, if nothing happens until then.
    allowed_seconds: float


class AliveAnswer(TypedDict):
    """What ``GET /livez`` answers."""

    success: bool
    alive: bool
    uptime_seconds: float
    error: str | None


class FindingAnswer(TypedDict):
    """One thing that `check` looked at; ``level``: ok, warning or error."""

    level: str
    message: str


#: Project and platform ("" for all others), and per metric its strategy and the key that sets it.
RulesRow = Mapping[str, Any]


class CheckAnswer(TypedDict, total=False):
    """What ``smart-sync check`` and ``adopt`` answer; ``written``: the file that `adopt` wrote."""

    success: Required[bool]
    findings: Required[list[FindingAnswer]]
    merge: Required[list[RulesRow]]
    written: str | None


class ExchangeAnswer(TypedDict):
    """A request of a parser and its answer, without secrets."""

    label: str
    method: str
    url: str
    status: int
    body: str


class ParserInspection(TypedDict):
    """What a parser made of a link: values, why some are missing, what it asked, why it could not go on."""

    parser: str
    values: list[Mapping[str, object]]
    unfetched: list[str]
    calls: int
    exchanges: Sequence[ExchangeAnswer]
    failure: str


class LinkInspection(TypedDict):
    """What the parsers made of a link."""

    link: str
    parsers: list[ParserInspection]


class InspectionsAnswer(TypedDict):
    """What ``smart-sync parse`` answers."""

    success: bool
    links: list[LinkInspection]


class WebhookAnswer(TypedDict):
    """A webhook or a target of notices."""

    webhook: str
    events: list[str]
    disabled: bool


class DeliveryAnswer(TypedDict):
    """A message to a webhook, and what became of it."""

    webhook: str
    id: str
    type: str
    status: str
    created_at: str
    due_at: str | None
    attempts: int
    last_at: str | None
    answer: str


class WebhooksAnswer(TypedDict):
    """What ``smart-sync webhooks`` answers."""

    success: bool
    webhooks: list[WebhookAnswer]
    deliveries: list[DeliveryAnswer]


class WebhookTest(TypedDict):
    """What a webhook answered to a test."""

    webhook: str
    message_id: str
    accepted: bool
    status: int | None
    reason: str


class WebhookTests(TypedDict):
    """What ``smart-sync webhooks test`` answers."""

    success: bool
    results: list[WebhookTest]


class LineMistake(TypedDict):
    """A line of an input that is wrong, and why."""

    line: int
    reason: str


class IngestAnswer(TypedDict):
    """What ``smart-sync ingest`` answers: accounts, and lines."""

    success: bool
    accounts: int
    stored: int
    older: int
    ahead: int
    mistakes: list[LineMistake]


class ForgottenValue(TypedDict):
    """A parsed value that is taken back."""

    account_id: str
    link: str
    metric: str
    value: int
    source: str


class ForgetAnswer(TypedDict):
    """What ``smart-sync ingest --forget`` answers."""

    success: bool
    forgotten: int
    values: list[ForgottenValue]


class ConfirmedFinding(TypedDict, total=False):
    """A finding that was confirmed: what is not empty."""

    kind: Required[str]
    project_id: Required[str]
    account_id: str
    link: str
    metric: str
    value: int


class ConfirmAnswer(TypedDict):
    """What ``smart-sync confirm`` answers: the links, and the findings that count from the next pass on."""

    success: bool
    accounts: list[str]
    confirmed: int
    findings: list[ConfirmedFinding]


class BackupAnswer(TypedDict):
    """What ``smart-sync backup`` answers."""

    success: bool
    path: str
    bytes: int


class RepairedValue(TypedDict):
    """What a snapshot showed and shows."""

    old: int | None
    new: int


class RepairedAnswer(TypedDict):
    """What ``smart-sync snapshots repair`` answers; ``counts``: whether the day shows it now."""

    success: bool
    account_id: str
    link: str
    day: str
    changes: dict[str, RepairedValue]
    counts: bool


#: An event: its name (``event``) and its fields, as `events` declares them.
EventFields = dict[str, Any]
