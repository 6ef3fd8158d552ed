"""What the database holds about a project before a pass: with the worksheet the input of the merge."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from smart_sync.core.model import MAX_COUNT, METRICS, NO_METRICS, Metrics, Precision
from smart_sync.core.parsed import NO_VOTES, Votes
from smart_sync.core.pins import NO_PINS, Pin


class Absence(NamedTuple):
    """Where an account's row was, and how it is missing."""

    #: The project in whose worksheet the row stood.
    project_id: str = ""
    #: A stamp; None as long as the row is there.
    gone_since: str | None = None
    #: The seconds of good reads that the worksheet had had then (`worksheet_reads.clock`).
    clock: float = 0.0
    #: Whether it went with too many others: an accident of the worksheet, whose values are carried without a limit.
    at_once: bool = False
    #: Time or a person has settled that the row is gone: the sheet has no vote.
    accepted: bool = False


THERE = Absence()


def leaves(absence: Absence, parsed: Metrics | None) -> bool:
    """Whether an account leaves: its row is gone for good, and no parser has a value."""
    return absence.accepted and (parsed is None or parsed == NO_METRICS)


class AccountState(NamedTuple):
    """An account with everything that the last passes stored about it. One per account: a tuple for its size."""

    id: str
    platform: str
    username: str
    link: str
    active: bool = True
    #: The last sheet values read; None if no pass has found a row.
    sheet: Metrics | None = None
    #: The number of their row; None if no pass has found one.
    sheet_row: int | None = None
    #: The parsed values that count; None if none has a vote.
    parsed: Metrics | None = None
    #: The metrics whose parsed value is a rounded figure.
    rounded: frozenset[str] = frozenset()
    #: The merged values; None before the first pass, and for a metric that another program has spoilt.
    merged: Metrics | None = None
    #: Per metric, which side gave the merged value (a `Winner`); None if neither did.
    winners: tuple[str | None, ...] = (None,) * len(METRICS)
    #: The parsed values the last pass saw (strategy "latest" only).
    seen: Metrics | None = None
    #: Whether, and how, the row is missing.
    absence: Absence = THERE
    #: The metrics whose cells were emptied with their whole column (``sheet_metrics.held``).
    emptied: frozenset[str] = frozenset()
    #: Per metric a stamp: since when its value is carried; None: it is not.
    carried_since: tuple[str | None, ...] = (None,) * len(METRICS)
    #: Per metric the videos that the parsed value was of, in the last pass in which one counted: `ParsedValue.counted`.
    counted: tuple[str | None, ...] = (None,) * len(METRICS)
    #: The parsed values that count, with their sources, and those without a vote.
    votes: Votes = NO_VOTES
    #: A stamp: since when the account has left (no row, no parsed value, no snapshot, in no total); None: it has not.
    left_since: str | None = None
    #: The pins that there were before this pass, of cells and of the command.
    pins: tuple[Pin, ...] = NO_PINS
    #: When it was added, as a stamp to the second; None if nobody says so.
    added_at: str | None = None


def sound(values: Sequence[Any]) -> tuple[Metrics, bool]:
    """Foreign values as counts (anything else than 0 to 2^63-1 is None), and whether all were valid."""
    for value in values:
        if value is not None and not (type(value) is int and 0 <= value <= MAX_COUNT):
            return Metrics._make(v if type(v) is int and 0 <= v <= MAX_COUNT else None for v in values), False
    return tuple.__new__(Metrics, values), True  # as `Metrics._make`, in half its time


def as_text(value: object) -> str:
    """A foreign value of a text column; "" for NULL and other empty values."""
    if isinstance(value, str):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def is_rounded(precision: object) -> bool:
    """Whether the inbox marks a row's figures as rounded."""
    return precision == Precision.ROUNDED
