"""The JSON objects of `explain` (every number of an account, and why), `pin`, `unpin` and `pins`.

Stamps are naive UTC in ISO 8601; "" and None stand for what nobody knows.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from smart_sync.core.answers import NamedAccount, ProjectRun, UnreadSnapshots


class SheetPlace(TypedDict):
    """Where the sheet values of an account stand, when the read was that brought them, and the last that found them."""

    worksheet: str | None
    row: int | None
    read_at: str | None
    confirmed_at: str | None
    gone_since: str | None
    has_vote: bool


class SuspectAnswer(TypedDict):
    """A value that is doubted: what was before, what came, since when, where, and why; ``held``: it has no vote."""

    old: int | None
    new: int
    since: str
    place: str
    cause: str
    held: bool


class ConflictAnswer(TypedDict):
    """Both sides had changed under ``latest``: the sheet's value was taken, the parsed one was not."""

    sheet: int
    parsed: int
    at: str
    place: str


class PinAnswer(TypedDict):
    """A pinned value; ``until``: the last local day that it counts, None: for ever."""

    metric: str
    value: int
    since: str
    place: str
    by: str
    until: str | None
    why: str


class PinnedAnswer(PinAnswer):
    """A pin, and whose it is."""

    account_id: str
    link: str
    project_id: str
    project_name: str


class PinnedNow(TypedDict):
    """What ``smart-sync pin`` answers."""

    success: bool
    pinned: list[PinnedAnswer]


class Unpinned(TypedDict):
    """What ``smart-sync unpin`` answers: the links, and how many pins are taken back."""

    success: bool
    accounts: list[str]
    unpinned: int


class PinsAnswer(TypedDict):
    """What ``smart-sync pins`` answers."""

    success: bool
    pins: list[PinnedAnswer]


class MetricAnswer(TypedDict, total=False):
    """One metric of an account: both sides, the rule, the result and who won."""

    sheet: int | None
    parsed: int | None
    strategy: str
    #: The key of the configuration that sets the strategy.
    rule: str
    value: int | None
    winner: str | None
    known_since: str | None
    carried_since: str | None
    #: What the next pass will make of the two sides, where that is another value.
    next: int | None
    next_is_no_value: bool
    source: str | None
    parsed_at: str | None
    precision: str | None
    changed_at: str | None
    pins: list[PinAnswer]
    suspect: SuspectAnswer | None
    conflict: ConflictAnswer | None
    cell: str
    sentence: str


class WithoutVote(TypedDict):
    """A parsed value that does not count, and why."""

    metric: str
    value: int
    source: str
    parsed_at: str | None
    reason: str


class EditAnswer(TypedDict):
    """A cell that was edited, when a pass saw it."""

    metric: str
    old: int | None
    new: int | None
    read_at: str
    worksheet: str
    cell: str


class RepairAnswer(TypedDict):
    """A snapshot of a past day that a person has corrected."""

    day: str
    metric: str
    old: int | None
    new: int
    at: str


class TimelineEvent(TypedDict, total=False):
    """Something that happened to a metric, or to the project: ``event`` says what, and so which of the rest there are.

    ``seen``, ``changed``: value, snapshot, day or trigger; ``suspect``, ``conflict``: theirs; ``failed``, ``degraded``:
    error, until, passes.
    """

    at: str
    event: str
    metric: str
    value: int | None
    #: The snapshot before: its time and value.
    snapshot: "SnapshotBefore | None"
    day: str
    trigger: str | None
    requested_by: str | None
    error: str
    until: str
    passes: int
    old: int | None
    new: int
    since: str
    place: str
    cause: str
    held: bool
    sheet: int
    parsed: int


class SnapshotBefore(TypedDict):
    """A snapshot: when it was taken, and what it shows."""

    at: str
    value: int


class ExplainedAccount(NamedAccount):
    """All that is known of an account's numbers."""

    active: bool
    left_since: str | None
    sheet: SheetPlace | None
    updated_at: str | None
    #: What the newest pass found wrong with its row.
    problems: list[str]
    #: What docs/faq.md has each of them under; "" where it has no entry.
    problem_codes: list[str]
    metrics: dict[str, MetricAnswer]
    without_vote: list[WithoutVote]
    warnings: list[str]
    #: Those whose time cannot be read: they are in no day.
    unread_snapshots: UnreadSnapshots | None
    timeline: list[TimelineEvent]
    repairs: list[RepairAnswer]
    edits: list[EditAnswer]
    #: ``day``, ``ends_carried``, and for each metric its value and ``METRIC_delta``.
    days: list[Mapping[str, Any]]
    passes: list[ProjectRun]


class ExplainAnswer(TypedDict):
    """What ``smart-sync explain`` answers."""

    success: bool
    accounts: list[ExplainedAccount]
