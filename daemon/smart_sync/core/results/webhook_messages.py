"""The messages for webhooks: ids and JSON, bounded to a size that receivers must accept."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from smart_sync.core.counts import Where, as_json
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.message_answers import (
    CreatedInMessage,
    NamedProject,
    ParserMessage,
    ProblemInMessage,
    ProjectInMessage,
    ProjectMessage,
    StaleInMessage,
    StaleMessage,
    SuspectInMessage,
)
from smart_sync.core.model import Outcome, Problem, Project, Trigger
from smart_sync.core.results.alerts import PROJECT_STALE, SYNC_FINISHED, Alert, AlertDecision
from smart_sync.core.results.parser_health import Attempt, ParserState, Verdict
from smart_sync.core.results.results import PassResult, ProjectResult

#: Bytes of a whole message; Standard Webhooks asks for less than 20 kB.
MAX_BYTES = 19_000
#: Characters of a name, and of a reason or remedy.  A character is at most 12 bytes in ASCII JSON.
MAX_NAME = 120
MAX_TEXT = 400

_Entry = TypeVar("_Entry", bound=Mapping[str, object])

SYNC_RECOVERED = "sync.recovered"
_NAMESPACE = uuid.UUID("5e0dd5a1-9c4d-5a2c-8b43-1f0a3c6f7a11")


@dataclass(frozen=True, slots=True)
class Message:
    """A message, the same in every attempt: its id, type and JSON text in ASCII."""

    id: str
    type: str
    body: str


def messages(
    result: PassResult, judgement: AlertDecision, became_stale: Sequence[ProjectResult] = ()
) -> tuple[Message, ...]:
    """The messages of a pass: that it finished, each alert, all projects in ``became_stale``, each kind of finding."""
    alerts = (_alert(result, alert) for alert in judgement.alerts)
    stale = [_stale(result, became_stale)] if became_stale else []
    return (_finished(result), *alerts, *stale, *_findings(result))


def standing_messages(
    result: PassResult, alerts: Iterable[Alert], parsers: Mapping[str, ParserState]
) -> tuple[Message, ...]:
    """The troubles that last after a pass: ``alerts``, stale projects, and failing ``parsers`` by name."""
    stale = [one for one in result.results if one.stale]
    failing = (
        parser_message(Verdict.FAILED, Attempt(name, reason=state.reason), state, result.timestamp)
        for name, state in parsers.items()
    )
    return (*(_alert(result, one) for one in alerts), *([_stale(result, stale)] if stale else []), *failing)


def message(name: str, type_: str, timestamp: str, data: Mapping[str, Any]) -> Message:
    """A message whose id is derived from ``name`` and ``timestamp`` (a stamp), so that repeats have the same id."""
    body = json.dumps({"type": type_, "timestamp": _utc(timestamp), "data": data}, separators=(",", ":"))
    return Message(f"msg_{uuid.uuid5(_NAMESPACE, name).hex}", type_, body)


def parser_message(verdict: Verdict, attempt: Attempt, state: ParserState, now: str) -> Message:
    """The message that a parser is failing, as in ``state``, or has recovered."""
    since = state.since or now
    data: ParserMessage = {
        "parser": attempt.parser[:MAX_NAME],
        "since": _utc(since),
        "projects": state.projects[:MAX_TEXT],
        "reason": attempt.reason[:MAX_TEXT],
        "fetched": attempt.fetched,
        "missing": attempt.missing,
        "failed": attempt.failed,
    }
    return message(f"{verdict}:{attempt.parser}:{since}", verdict, now, data)


def _alert(result: PassResult, alert: Alert) -> Message:
    project = alert.result
    data: ProjectMessage = {
        **_project(project),
        "remedy": project.remedy[:MAX_TEXT],
        "since": _utc(alert.since),
        "total_accounts": project.counts.accounts,
        "problem_count": project.counts.problems,
        "run_id": result.id,
    }
    return message(f"{result.id}:{alert.type}:{project.project.id}", alert.type, project.timestamp, data)


def _finished(result: PassResult) -> Message:
    data: dict[str, object] = {
        "run_id": result.id,
        "trigger": result.trigger.value,
        "started_at": _utc(result.started_at),
        "finished_at": _utc(result.timestamp),
        "duration_seconds": round(result.seconds, 3),
        **as_json(result.outcomes, Where.MESSAGE),
        **as_json(result.counts, Where.MESSAGE),
    }
    return message(f"{result.id}:{SYNC_FINISHED}", SYNC_FINISHED, result.timestamp, data | _troubled_projects(result))


def _troubled_projects(result: PassResult) -> dict[str, object]:
    """The failed and degraded projects, failed ones first, as many as fit."""
    troubled = [r for outcome in (Outcome.FAILED, Outcome.DEGRADED) for r in result.results if r.outcome is outcome]
    shown = _fitting(map(_project, troubled))
    return {"troubled": shown, "troubled_left_out": len(troubled) - len(shown)}


def _stale(result: PassResult, projects: Sequence[ProjectResult]) -> Message:
    """One message for all projects that became stale in a pass, as many as fit."""
    shown = _fitting(map(_stale_project, projects))
    data: StaleMessage = {"projects": shown, "left_out": len(projects) - len(shown)}
    return message(f"{result.id}:{PROJECT_STALE}", PROJECT_STALE, result.timestamp, data)


def _stale_project(project: ProjectResult) -> StaleInMessage:
    return {
        **_named(project),
        "read_at": _utc(project.sheet_read_at) if project.sheet_read_at else None,
        "reason": project.error[:MAX_TEXT],
        "remedy": project.remedy[:MAX_TEXT],
    }


def _findings(result: PassResult) -> list[Message]:
    """The findings of a pass: a message each for suspects, worksheet problems and created accounts."""
    results = result.results
    created = [r for r in results if r.counts.new_accounts]
    entries_by_type: dict[str, tuple[str, int, Iterable[SuspectInMessage | ProblemInMessage | CreatedInMessage]]] = {
        "value.suspected": (
            "values",
            sum(len(r.new_suspects) for r in results),
            (suspect_data(r.project, one) for r in results for one in r.new_suspects),
        ),
        "worksheet.problem_found": (
            "problems",
            sum(len(r.new_problems) for r in results),
            (_problem(r, one) for r in results for one in r.new_problems),
        ),
        "accounts.created": (
            "projects",
            len(created),
            ({**_named(r), "accounts": r.counts.new_accounts} for r in created),
        ),
    }
    told = []
    for type_, (key, count, entries) in entries_by_type.items():
        if count:
            shown = _fitting(entries)
            data = {"run_id": result.id, key: shown, "left_out": count - len(shown)}
            told.append(message(f"{result.id}:{type_}", type_, result.timestamp, data))
    return told


def failure_message(last_run_id: str, trigger: Trigger, reason: str, now: str) -> Message:
    """The message that a pass could not run: one for each reason after ``last_run_id``, the last pass that ended."""
    data = {"trigger": trigger.value, "reason": reason[:MAX_TEXT]}
    return message(f"sync.failed:{last_run_id}:{reason}", "sync.failed", now, data)


def recovery_message(since: str, now: str) -> Message:
    """The message that passes run again, which they did not ``since``; both are stamps."""
    return message(f"{SYNC_RECOVERED}:{since}", SYNC_RECOVERED, now, {"since": _utc(since)})


def suspect_data(project: Project, one: Suspect) -> SuspectInMessage:
    """A suspect as messages have it."""
    return {
        "project_id": project.id[:MAX_NAME],
        "project_name": project.name[:MAX_NAME],
        "account_id": one.account_id[:MAX_NAME],
        "link": one.link[:MAX_NAME],
        "metric": one.metric,
        "before": one.old,
        "after": one.new,
        "place": one.place[:MAX_NAME],
        "cause": one.cause[:MAX_TEXT],
        "held": one.held,
    }


def _problem(result: ProjectResult, one: Problem) -> ProblemInMessage:
    return {
        **_named(result),
        "worksheet": one.worksheet[:MAX_NAME],
        "row": one.row,
        "column": one.column,
        "reason": one.reason[:MAX_TEXT],
        "value": one.value[:MAX_NAME],
    }


def _named(result: ProjectResult) -> NamedProject:
    return {"project_id": result.project.id[:MAX_NAME], "project_name": result.project.name[:MAX_NAME]}


def _fitting(entries: Iterable[_Entry]) -> list[_Entry]:
    """The first of ``entries``, as many as fit into a message."""
    room = MAX_BYTES - 2_000
    shown: list[_Entry] = []
    for entry in entries:
        room -= len(json.dumps(entry)) + 2
        if room < 0:
            break
        shown.append(entry)
    return shown


def _project(result: ProjectResult) -> ProjectInMessage:
    return {
        **_named(result),
        "outcome": result.outcome.value,
        "reason": result.error[:MAX_TEXT],
    }


def _utc(stamp: str) -> str:
    return f"{stamp}Z"
