"""The timeline of an account's numbers, put together from what passes recorded.

There is no log of changes: the last one of each metric is known to the moment, those before it by the day, from the
snapshots.  What a value was just before it changed, and who had won then, nobody knows, so nothing is said of it.
Times are stamps.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from smart_sync.core.explain_answer import SnapshotBefore, TimelineEvent
from smart_sync.core.model import METRICS, Metrics

Event = TimelineEvent


class TimedSnapshot(NamedTuple):
    """A snapshot: its time, its day, and its values."""

    at: str
    day: str
    values: Metrics


class LastMerged(NamedTuple):
    """A metric's merged value, with the time and day of its last change; None until a pass has seen it."""

    value: int | None
    changed_at: str | None
    day: str | None


class Asked(NamedTuple):
    """The trigger of a pass, and who asked for it."""

    trigger: str | None = None
    requested_by: str | None = None


def changes(metric: str, snapshots: Iterable[TimedSnapshot], last: LastMerged, request: Asked) -> list[Event]:
    """The changes of a metric, oldest first: ``seen`` in daily snapshots, and last ``changed``.

    ``snapshots`` are in the order of time, and of several of a day the last counts.  In an event ``snapshot`` is the
    previous one: its time, and the value that it shows, after which others may have come and gone; where it shows the
    same there is no event.  ``request`` is about the pass of the last change.
    """
    known = list(_known(metric, snapshots, last))
    events: list[Event] = [
        {"at": at, "event": "seen", "metric": metric, "value": value, "snapshot": _shown(before), "day": day}
        for before, (at, day, value) in pairwise(known)
    ]
    if last.changed_at is not None:
        event: Event = {"at": last.changed_at, "event": "changed", "metric": metric, "value": last.value}
        event |= {"snapshot": _shown(known[-1]) if known else None}
        event |= {"trigger": request.trigger, "requested_by": request.requested_by}
        events.append(event)
    return [event for event in events if not event["snapshot"] or event["snapshot"]["value"] != event["value"]]


def _shown(snapshot: tuple[str, str, int]) -> SnapshotBefore:
    at, _, value = snapshot
    return {"at": at, "value": value}


def _known(metric: str, snapshots: Iterable[TimedSnapshot], last: LastMerged) -> Iterator[tuple[str, str, int]]:
    """Time, day and value of each day's last snapshot before the last change."""
    index = METRICS.index(metric)
    until = None if last.changed_at is None else last.changed_at[:19]
    for day, several in groupby((s for s in snapshots if until is None or s.at < until), key=lambda sight: sight.day):
        *_, sight = several
        value = sight.values[index]
        # A snapshot that is refreshed shows in the morning what came in the evening.
        refreshed = day == last.day and value == last.value
        if value is not None and not refreshed:
            yield sight.at, day, value


def troubles(runs: Iterable[tuple[str, str, str]]) -> Iterator[Event]:
    """Consecutive passes with the same failure as one event; ``runs``: outcome, error and time, by time."""
    for (outcome, error), several in groupby(runs, key=lambda run: run[:2]):
        times = [at for _, _, at in several]
        if outcome in ("failed", "degraded"):
            yield {"at": times[0], "event": outcome, "error": error, "until": times[-1], "passes": len(times)}


def timeline(events: Iterable[Event], since: str) -> list[Event]:
    """The events, newest first; none before the stamp ``since`` except the last change of each metric."""
    recent = [event for event in events if event["at"] >= since or event["event"] == "changed"]
    return sorted(recent, key=lambda event: event["at"], reverse=True)
