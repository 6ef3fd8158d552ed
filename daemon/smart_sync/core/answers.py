"""The JSON objects that leave Smart Sync: what the control channel, the commands and the Python functions answer.

Stamps are naive UTC in ISO 8601; durations are seconds; counts are accounts unless they say otherwise.
"""

from collections.abc import Mapping
from typing import Any, Required, TypedDict, final


class MetricChangeAnswer(TypedDict):
    """A merged value that changed, or would change; ``before`` is None for a new account."""

    account_id: str
    link: str
    metric: str
    before: int | None
    after: int | None


class SuspectInPass(TypedDict):
    """A value that jumped, or a typing mistake, as `core.merge.suspects.Suspect` has it."""

    account_id: str
    link: str
    metric: str
    #: None where there was no value.
    old: int | None
    new: int
    since: str
    #: The cell, if the sheet won.
    place: str
    cause: str
    typed: bool
    #: Whether ``old`` stands in.
    held: bool


class ConflictInPass(TypedDict):
    """Both sides had changed (strategy "latest"): ``sheet`` counts, ``parsed`` does not; ``place``: the cell."""

    account_id: str
    link: str
    metric: str
    sheet: int | None
    parsed: int | None
    place: str


@final
class ProjectAnswer(TypedDict, total=False):
    """The result of one project in a pass; if it was not synced, only the first five keys.

    In a status those without a result yet have no ``success``.
    """

    success: bool
    project_id: Required[str]
    #: Why the project failed, or why there was no pass over it.
    error: str
    #: Who must do what.
    remedy: str
    #: Its code in docs/faq.md, if it has one; of a project in trouble.
    code: str
    project_name: str
    #: Of a project without accounts.
    message: str
    synced_count: int
    #: What is to be known of a project that was asked for by name.
    note: str
    #: Why a project is degraded: what could not be read, created or written.
    warning: str
    timestamp: str
    #: "synced", "unchanged", "degraded" or "failed".
    outcome: str
    #: Whether its worksheet has not been read for too long.
    stale: bool
    #: The last good read of its worksheet.
    sheet_read_at: str | None
    #: Active accounts.
    total_accounts: int
    #: Accounts whose merged values are in the database after the pass.
    updated_count: int
    #: New snapshots.
    snapshot_count: int
    #: Accounts whose merged values changed.
    changed_count: int
    #: Values (account × metric).
    carried_count: int
    #: Metric → kind (exact, rounded, carried, stale, pinned, unknown) → accounts.
    coverage: dict[str, dict[str, int]]
    problem_count: int
    #: What is wrong in the worksheet and the inbox, a sentence each; at most 50 or so.
    problems: list[str]
    #: The code of each in docs/faq.md; "" if it has none.
    problem_codes: list[str]
    new_accounts: int
    #: Rows that match no account.
    unmatched_rows: int
    #: Accounts that no row matches.
    unmatched_accounts: int
    #: Links.
    left: list[str]
    returned: list[str]
    #: Account id → reason.
    failed_accounts: Mapping[str, str]
    suspect_count: int
    suspects: list[SuspectInPass]
    conflict_count: int
    conflicts: list[ConflictInPass]
    #: In a dry run: what would change.
    changes: list[MetricChangeAnswer]


@final
class PassAnswer(TypedDict, total=False):
    """The result of a pass over all projects; ``success``: it ran to its end, else ``error`` says why not."""

    success: Required[bool]
    error: str
    total_projects: Required[int]
    #: Projects that did not fail, the degraded ones included.
    success_count: Required[int]
    #: Projects that failed.
    error_count: Required[int]
    results: Required[list[ProjectAnswer]]
    timestamp: Required[str]
    #: The pass in the log and in sync_runs.
    run_id: str
    degraded_count: int
    #: All projects that are stale now.
    stale_count: int
    duration_seconds: float
    #: Nothing was written.
    dry_run: bool
    #: Names.
    new_projects: list[str]
    #: Why there was no project to sync, where nothing fills the table; else empty.
    no_projects: str
    #: Name → why it could not be created.
    refused_projects: dict[str, str]
    warnings: list[str]


#: What a pass answers: over one project, or over all.
SyncAnswer = PassAnswer | ProjectAnswer


class ProjectRun(TypedDict):
    """A project's part in a recorded pass."""

    run_id: str
    project_id: str
    project_name: str
    outcome: str
    error: str
    finished_at: str
    accounts: int
    sheet: int
    parsed: int
    updated: int
    changed: int
    snapshots: int
    seconds: float
    #: Stage → seconds.
    stages: dict[str, float]
    problems: list[str]
    #: How many there were, of which ``problems`` has the first 100.
    problem_count: int


class Run(TypedDict, total=False):
    """A recorded pass; without ``finished_at`` it is running, or was cut off. The last three keys are `history`'s."""

    id: Required[str]
    trigger: Required[str]
    requested_by: Required[str | None]
    started_at: Required[str]
    finished_at: Required[str | None]
    #: Projects.
    projects: Required[int]
    succeeded: Required[int]
    failed: Required[int]
    degraded: Required[int]
    accounts: Required[int]
    updated: Required[int]
    changed: Required[int]
    snapshots: Required[int]
    problems: int
    #: Of Google's API: calls, retries, waits, bytes.
    calls: Required[Any]
    outcome: str
    seconds: float | None
    results: list[ProjectRun]


class HistoryAnswer(TypedDict):
    """What ``smart-sync history`` answers."""

    success: bool
    runs: list[Run]


class NamedAccount(TypedDict):
    """The keys that identify an account."""

    account_id: str
    link: str
    username: str
    platform: str
    project_id: str
    project_name: str


class GrownAccount(NamedAccount):
    """An account's growth over a period; None where it is unknown."""

    first: int | None
    last: int | None
    growth: int | None
    moved: int | None
    #: A day.
    average: float | None
    #: The day that ``first`` is of.
    since: str | None
    exact: bool
    #: Day by day.
    values: list[int | None]
    ends_carried: list[str]


class LeftAccount(NamedAccount):
    """An account that has left."""

    left_since: str | None
    last: int | None


class GrownTotal(TypedDict, total=False):
    """The total of a project (``project_id``) or a platform; ``compared``: how many accounts have a growth."""

    project_id: str
    name: Required[str]
    accounts: Required[int]
    last: Required[int | None]
    growth: Required[int | None]
    average: Required[float | None]
    compared: Required[int]
    #: Kind (exact, rounded, carried, stale, pinned, unknown) → accounts.
    coverage: Required[dict[str, int]]


class UnreadSnapshots(TypedDict):
    """Snapshots with an unreadable time: their number, and one as an example."""

    count: int
    example: str


class UnreadAccount(NamedAccount, UnreadSnapshots):
    """An account that has such snapshots."""


class GrowthAnswer(TypedDict):
    """What ``smart-sync growth`` answers."""

    success: bool
    metric: str
    since: str
    until: str
    days: list[str]
    accounts: list[GrownAccount]
    projects: list[GrownTotal]
    platforms: list[GrownTotal]
    movers: list[GrownAccount]
    left: list[LeftAccount]
    unread_snapshots: list[UnreadAccount]
