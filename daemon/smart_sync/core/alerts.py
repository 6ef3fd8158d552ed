"""Who is told what: the messages of a pass, decided from its results and from what was told before.

A project's trouble is told when it starts, when it turns into the other kind and when it ends, not in every
pass.  Whoever heard all messages therefore knows how each project is.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from smart_sync.core.model import Outcome
from smart_sync.core.results import ProjectResult

SYNC_FINISHED = "sync.finished"
PROJECT_FAILED = "project.failed"
PROJECT_DEGRADED = "project.degraded"
PROJECT_RECOVERED = "project.recovered"
PROJECT_STALE = "project.stale"

_STARTS = {Outcome.FAILED: PROJECT_FAILED, Outcome.DEGRADED: PROJECT_DEGRADED}


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a project is that is not well (`Outcome.FAILED` or `DEGRADED`), and since which stamp it is not well."""

    outcome: Outcome
    since: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about one project that is worth a message; ``since`` is when its trouble began, a stamp."""

    type: str
    result: ProjectResult
    since: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to tell, and what is to be remembered for the next pass: project id → its trouble, None if it is well."""

    alerts: tuple[Alert, ...]
    troubles: Mapping[str, Trouble | None]


def judge(
    results: Iterable[ProjectResult], before: Mapping[str, Trouble], read_again: Collection[str] = ()
) -> Judgement:
    """Compare ``results`` with the troubles ``before``; projects that took no part stay as they were.

    ``read_again``: the ids of projects that were stale and are no longer.  Where one is still in trouble, its end and
    the trouble that is left are both told.
    """
    alerts: list[Alert] = []
    troubles: dict[str, Trouble | None] = {}
    for result in results:
        old = before.get(result.project.id)
        new = _trouble(result, old)
        ended = old is not None and result.project.id in read_again
        if new is not None and old is not None and ended:
            alerts.append(Alert(PROJECT_RECOVERED, result, old.since))
        if new is not None and (new != old or ended):
            alerts.append(Alert(_STARTS[new.outcome], result, new.since))
        elif new is None and old is not None:
            alerts.append(Alert(PROJECT_RECOVERED, result, old.since))
        else:
            continue
        troubles[result.project.id] = new
    return Judgement(tuple(alerts), troubles)


def _trouble(result: ProjectResult, old: Trouble | None) -> Trouble | None:
    if result.outcome not in _STARTS:
        return None
    return Trouble(result.outcome, old.since if old else result.timestamp)
