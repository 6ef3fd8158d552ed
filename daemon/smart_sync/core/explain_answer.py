"""The JSON objects of `explain` (every number of an account, and why), `pin`, `unpin` and `pins`.

Stamps are naive UTC in ISO 8601; "" and None stand for what nobody knows.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from smart_sync.core.answers import NamedAccount, ProjectRun, UnreadSnapshots


class SheetPlace(TypedDict):
    """Where an account's sheet values are, when they were read first, and when they were last confirmed."""

    worksheet: str | None
    row: int | None
    read_at: str | None
    confirmed_at: str | None
    gone_since: str | None
    has_vote: bool


class SuspectAnswer(TypedDict):
    """A suspect value: the one before, the new one, since when, where, and why; ``held``: it does not count."""

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
    """A pin with its account."""

    account_id: str
    link: str
    project_id: str
    project_name: str


class PinnedNow(TypedDict):
    """What ``smart-sync pin`` answers."""

    success: bool
    pinned: list[PinnedAnswer]


class Unpinned(TypedDict):
    """What ``smart-sync unpin`` answers: the links, and how many pins were removed."""

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
    """An edit of a cell, dated by the pass that saw it."""

    metric: str
    old: int | None
    new: int | None
    read_at: str
    worksheet: str
    cell: str


class RepairAnswer(TypedDict):
    """A correction of a past day's snapshot."""

    day: str
    metric: str
    old: int | None
    new: int
    at: str


class TimelineEvent(TypedDict, total=False):
    """Something that happened to a metric or the project; ``event`` decides which of the other keys there are.

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
    """An earlier snapshot: its time and values."""

    at: str
    value: int


class ExplainedAccount(NamedAccount):
    """Everything known about an account's numbers."""

    active: bool
    left_since: str | None
    sheet: SheetPlace | None
    updated_at: str | None
    #: What the newest pass found wrong with its row.
    problems: list[str]
    #: The code of each in docs/faq.md; "" if it has none.
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
