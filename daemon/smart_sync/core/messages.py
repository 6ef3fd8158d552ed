"""The messages that webhooks get: their ids and their JSON, never larger than a receiver must take."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smart_sync.core.alerts import PROJECT_STALE, SYNC_FINISHED, Alert, Judgement
from smart_sync.core.model import Outcome
from smart_sync.core.results import PassResult, ProjectResult

#: Bytes of a whole message; Standard Webhooks asks for less than 20 kB.
MAX_BYTES = 19_000
#: Characters of a name, and of a reason or remedy.  A character is at most 12 bytes in ASCII JSON.
MAX_NAME = 120
MAX_TEXT = 400

_NAMESPACE = uuid.UUID("5e0dd5a1-9c4d-5a2c-8b43-1f0a3c6f7a11")
_TOTALS = ("accounts", "updated", "changed", "snapshots")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, the same in every attempt: its id, its type and the JSON text, in ASCII."""

    id: str
    type: str
    body: str


def messages(
    result: PassResult, judgement: Judgement, became_stale: Sequence[ProjectResult] = ()
) -> tuple[Message, ...]:
    """What a pass has to tell: that it is finished, each alert, and one for all projects that ``became_stale``."""
    alerts = (_alert(result, alert) for alert in judgement.alerts)
    stale = [_stale(result, became_stale)] if became_stale else []
    return (_finished(result), *alerts, *stale)


def message(name: str, type_: str, timestamp: str, data: Mapping[str, Any]) -> Message:
    """A message whose id follows from ``name``, so that the same moment never makes two; ``timestamp`` is a stamp."""
    body = json.dumps({"type": type_, "timestamp": _utc(timestamp), "data": data}, separators=(",", ":"))
    return Message(f"msg_{uuid.uuid5(_NAMESPACE, name).hex}", type_, body)


def _alert(result: PassResult, alert: Alert) -> Message:
    project = alert.result
    data = {
        **_project(project),
        "remedy": project.remedy[:MAX_TEXT],
        "since": _utc(alert.since),
        "total_accounts": project.accounts,
        "problem_count": len(project.problems),
        "run_id": result.id,
    }
    return message(f"{result.id}:{alert.type}:{project.project.id}", alert.type, project.timestamp, data)


def _finished(result: PassResult) -> Message:
    failed = result.count(Outcome.FAILED)
    data: dict[str, Any] = {
        "run_id": result.id,
        "trigger": result.trigger.value,
        "started_at": _utc(result.started_at),
        "finished_at": _utc(result.timestamp),
        "duration_seconds": round(result.seconds, 3),
        "total_projects": len(result.results),
        "success_count": len(result.results) - failed,
        "error_count": failed,
        "degraded_count": result.count(Outcome.DEGRADED),
        "unchanged_count": result.count(Outcome.UNCHANGED),
        **{name: sum(getattr(project, name) for project in result.results) for name in _TOTALS},
        "problem_count": sum(len(project.problems) for project in result.results),
    }
    return message(f"{result.id}:{SYNC_FINISHED}", SYNC_FINISHED, result.timestamp, data | _in_trouble(result))


def _in_trouble(result: PassResult) -> dict[str, Any]:
    """The failed and degraded projects, the failed ones first, as many as there is room for."""
    troubled = [r for outcome in (Outcome.FAILED, Outcome.DEGRADED) for r in result.results if r.outcome is outcome]
    shown = _fitting(map(_project, troubled))
    return {"troubled": shown, "troubled_left_out": len(troubled) - len(shown)}


def _stale(result: PassResult, projects: Sequence[ProjectResult]) -> Message:
    """One message for all projects that became stale in a pass, as many as there is room for."""
    shown = _fitting(
        {
            "project_id": project.project.id[:MAX_NAME],
            "project_name": project.project.name[:MAX_NAME],
            "read_at": _utc(project.sheet_read_at) if project.sheet_read_at else None,
            "reason": project.error[:MAX_TEXT],
            "remedy": project.remedy[:MAX_TEXT],
        }
        for project in projects
    )
    data = {"projects": shown, "left_out": len(projects) - len(shown)}
    return message(f"{result.id}:{PROJECT_STALE}", PROJECT_STALE, result.timestamp, data)


def _fitting(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of ``entries``, as many as a message has room for."""
    room = MAX_BYTES - 2_000
    shown: list[dict[str, Any]] = []
    for entry in entries:
        room -= len(json.dumps(entry)) + 2
        if room < 0:
            break
        shown.append(entry)
    return shown


def _project(result: ProjectResult) -> dict[str, Any]:
    return {
        "project_id": result.project.id[:MAX_NAME],
        "project_name": result.project.name[:MAX_NAME],
        "outcome": result.outcome.value,
        "reason": result.error[:MAX_TEXT],
    }


def _utc(stamp: str) -> str:
    return f"{stamp}Z"
