"""Alerts of a pass, decided from its results and from what was reported before.

A project's trouble is reported when it starts, when it turns into the other kind and when it ends, not in every
pass.  So a receiver of all messages knows how each project is.  One that flaps, whose trouble has ended twice
within `FLAPPING`, is in trouble again only when two passes in a row say so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smart_sync.core.model import Outcome
from smart_sync.core.results.results import ProjectResult

SYNC_FINISHED = "sync.finished"
PROJECT_FAILED = "project.failed"
PROJECT_DEGRADED = "project.degraded"
PROJECT_RECOVERED = "project.recovered"
PROJECT_STALE = "project.stale"

_STARTS = {Outcome.FAILED: PROJECT_FAILED, Outcome.DEGRADED: PROJECT_DEGRADED}


#: How long the end of a trouble counts for whether a project flaps.
FLAPPING = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The state of a project in trouble (`Outcome.FAILED` or `DEGRADED`), and the stamp since when."""

    #: None: it is well again.
    outcome: Outcome | None
    since: str
    #: False while it has to last for another pass before it is told.
    told: bool = True
    #: When the last two troubles ended that were told, the newest first; stamps.
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about one project that is worth a message; ``since`` is when its trouble began, a stamp."""

    type: str
    result: ProjectResult
    since: str


@dataclass(frozen=True, slots=True)
class AlertDecision:
    """The alerts to send, and the state for the next pass: project id → its trouble, None if it is well."""

    alerts: tuple[Alert, ...]
    troubles: Mapping[str, Trouble | None]


def decide_alerts(
    results: Iterable[ProjectResult], before: Mapping[str, Trouble], read_again: Collection[str] = ()
) -> AlertDecision:
    """Compare ``results`` with the troubles ``before``; projects that took no part keep their state.

    ``read_again``: the ids of projects that were stale and are no longer.  Where one is still in trouble, its end and
    the trouble that is left are both told.
    """
    alerts: list[Alert] = []
    troubles: dict[str, Trouble | None] = {}
    for result in results:
        key = result.project.id
        old = before.get(key)
        new = _trouble(result, old)
        was_told = old is not None and old.outcome is not None and old.told
        is_told = new is not None and new.outcome is not None and new.told
        changed = old is None or new is None or old.outcome != new.outcome
        if was_told and old is not None and (not is_told or key in read_again):
            alerts.append(Alert(PROJECT_RECOVERED, result, old.since))
        is_news = not was_told or changed or key in read_again
        if is_told and is_news and new is not None and new.outcome is not None:
            alerts.append(Alert(_STARTS[new.outcome], result, new.since))
        if new != old:
            troubles[key] = new
    return AlertDecision(tuple(alerts), troubles)


def standing(decision: AlertDecision, results: Iterable[ProjectResult], before: Mapping[str, Trouble]) -> list[Alert]:
    """Lasting troubles without an alert in ``decision``, for a receiver that missed their messages."""
    told = {alert.result.project.id for alert in decision.alerts}
    known = ((result, before.get(result.project.id)) for result in results if result.project.id not in told)
    return [
        Alert(_STARTS[result.outcome], result, old.since)
        for result, old in known
        if old is not None and old.told and old.outcome is not None and result.outcome in _STARTS
    ]


def _trouble(result: ProjectResult, old: Trouble | None) -> Trouble | None:
    """The project's trouble now; None if it is well and its past does not matter."""
    now, ends = result.timestamp, old.ends if old else ()
    ill_before = old is not None and old.outcome is not None
    if result.outcome not in _STARTS:
        if old is not None and ill_before and old.told:
            return Trouble(None, "", ends=(now, *ends)[:2])
        return Trouble(None, "", ends=ends) if _flaps(ends[:1], now) else None
    if old is not None and ill_before:
        return Trouble(result.outcome, old.since, ends=ends)
    return Trouble(result.outcome, now, told=not (len(ends) == 2 and _flaps(ends, now)), ends=ends)


def _flaps(ends: Sequence[str], now: str) -> bool:
    """Whether all of ``ends`` are recent, and there is one."""
    moment = datetime.fromisoformat(now)
    return bool(ends) and all(moment - datetime.fromisoformat(end) <= FLAPPING for end in ends)
