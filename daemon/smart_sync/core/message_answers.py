"""The ``data`` of each message for webhooks.

Times are UTC in ISO 8601 and end in Z; names have at most 120 characters, reasons and remedies 400.  Lists have what
there is room for in 19,000 bytes; the key beside them says how many more there are.
"""

from collections.abc import Mapping
from typing import Final, TypedDict


class NamedProject(TypedDict):
    """A project in a message."""

    project_id: str
    project_name: str


class ProjectInMessage(NamedProject):
    """A project in trouble, or out of it again."""

    #: synced, unchanged, degraded or failed.
    outcome: str
    #: Why; empty if it is well.
    reason: str


class PassMessage(TypedDict):
    """A pass has ended."""

    #: The pass in the log and in sync_runs.
    run_id: str
    #: What asked for it: timer, startup, socket or cli (also a cron job, a task of Celery).
    trigger: str
    started_at: str
    finished_at: str
    duration_seconds: float
    total_projects: int
    #: Projects that did not fail, the degraded ones included.
    success_count: int
    #: Projects that failed.
    error_count: int
    degraded_count: int
    #: Projects of which nothing changed.
    unchanged_count: int
    #: Active accounts.
    accounts: int
    #: Accounts whose merged values are in the database.
    updated: int
    #: Accounts whose merged values changed.
    changed: int
    #: New snapshots.
    snapshots: int
    problem_count: int
    #: The failed and the degraded projects, the failed ones first.
    troubled: list[ProjectInMessage]
    troubled_left_out: int


class FailureMessage(TypedDict):
    """A pass could not be run at all."""

    trigger: str
    reason: str


class RecoveryMessage(TypedDict):
    """Passes run again."""

    #: Since when they did not.
    since: str


class ProjectMessage(ProjectInMessage):
    """A project's trouble begins, changes its kind, or ends."""

    #: What to do; empty if it is well.
    remedy: str
    #: When the trouble began.
    since: str
    total_accounts: int
    problem_count: int
    run_id: str


class StaleInMessage(NamedProject):
    """A project whose worksheet has not been read for too long."""

    #: Its last good read; null: there was none.
    read_at: str | None
    reason: str
    remedy: str


class StaleMessage(TypedDict):
    """The projects that became stale in a pass."""

    projects: list[StaleInMessage]
    left_out: int


class ParserMessage(TypedDict):
    """A parser brings no values, or does so again."""

    parser: str
    #: Its first pass without values.
    since: str
    #: The names of the projects it serves, in one text.
    projects: str
    reason: str
    #: Accounts of its last pass: with values, not known to the platform, failed.
    fetched: int
    missing: int
    failed: int


class SuspectInMessage(NamedProject):
    """A number that looks like a typing mistake."""

    account_id: str
    link: str
    metric: str
    #: null where there was no value.
    before: int | None
    after: int
    #: The cell, as Summer!C3; empty if no cell gave it.
    place: str
    #: The likely cause; may be empty.
    cause: str
    #: Whether `before` still counts (`[merge] hold_suspects`).
    held: bool


class SuspectsMessage(TypedDict):
    """The suspect numbers that a pass has found."""

    run_id: str
    values: list[SuspectInMessage]
    left_out: int


class ProblemInMessage(NamedProject):
    """Something in a worksheet that is not understood."""

    worksheet: str
    #: null where it is of no row, or of no column (a letter).
    row: int | None
    column: str | None
    #: Why, and what to do.
    reason: str
    #: What the cell says, or the link of the row.
    value: str


class ProblemsMessage(TypedDict):
    """The new problems that a pass has found in worksheets."""

    run_id: str
    problems: list[ProblemInMessage]
    left_out: int


class CreatedInMessage(NamedProject):
    """A project with new accounts."""

    #: How many.
    accounts: int


class CreatedMessage(TypedDict):
    """The projects for which a pass has created accounts."""

    run_id: str
    projects: list[CreatedInMessage]
    left_out: int


class TestMessage(TypedDict):
    """What `smart-sync webhooks test` sends."""

    message: str


#: The ``type`` of a message → its ``data``.
DATA_OF: Final[Mapping[str, type]] = {
    "sync.finished": PassMessage,
    "sync.failed": FailureMessage,
    "sync.recovered": RecoveryMessage,
    "project.failed": ProjectMessage,
    "project.degraded": ProjectMessage,
    "project.recovered": ProjectMessage,
    "project.stale": StaleMessage,
    "parser.failed": ParserMessage,
    "parser.recovered": ParserMessage,
    "value.suspected": SuspectsMessage,
    "worksheet.problem_found": ProblemsMessage,
    "accounts.created": CreatedMessage,
    "webhook.test": TestMessage,
}
