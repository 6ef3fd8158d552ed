"""The daemon's health: what is wrong now, and what needs a look soon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from smart_sync.core.wording import counted, listed, quoted, when

#: Names that one sentence lists.
MAX_NAMED = 10
#: A webhook or target that has accepted nothing for so long is told of elsewhere: who is told by it alone cannot know.
SILENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HealthInputs:
    """The inputs of the judgement; an empty text: nothing of that kind."""

    #: Seconds that the next tick of the schedule is overdue.
    overdue: float = 0.0
    #: Seconds that it may be overdue.
    allowed: float = 0.0
    #: Why the last pass could not be run; "" if it could.
    last_error: str = ""
    #: Why the database cannot be read now; "" if it can.
    database_error: str = ""
    every_project_failed: bool = False
    stale: Sequence[str] = ()
    #: Rows of ``projects``.
    projects: int = 0
    #: The active ones among them.
    active: int = 0
    #: The names of the projects whose ``is_active`` is neither 0 nor 1.
    unclear: Sequence[str] = ()
    #: The passes create projects for worksheets that have none.
    creates_projects: bool = False
    #: Projects that the last pass could not create, by name ("": all), and why.
    refused: Mapping[str, str] = field(default_factory=dict)
    #: The database, if Smart Sync made it because there was none.
    made_database: str = ""
    #: The directory of worksheets; "" if they are read elsewhere.
    directory: str = ""
    #: What keeps it from being read; "" if nothing does.
    directory_trouble: str = ""
    #: Parsers that are failing, or cannot read a part of their source, each with its reason.
    failing_parsers: Sequence[str] = ()
    #: Tokens of parsers that will soon end, each with when.
    ending_tokens: Sequence[str] = ()
    #: Webhooks and targets that have accepted nothing for an hour, each with since when and what it answers.
    unreached: Sequence[str] = ()
    #: Why the clock of this machine is doubted; "" if it is not.
    clock_doubt: str = ""
    #: Seconds for which another process has held the database locked.
    locked: float = 0.0


def unreached(label: str, since: str, answer: str) -> str:
    """The sentence that a webhook or target has reached nobody since a stamp."""
    return f"{label} has accepted no message since {when(since)}: {answer}; see: smart-sync webhooks"


def missed_tick(facts: HealthInputs) -> str:
    """The tick of the schedule that was missed; "" if none was."""
    if facts.overdue <= facts.allowed:
        return ""
    return f"a pass is overdue by {facts.overdue:.0f} s (allowed: {facts.allowed:.0f} s); see the log"


def reasons(facts: HealthInputs) -> list[str]:
    """Why the daemon is unhealthy, a sentence each; none if it is healthy."""
    problems = [missed_tick(facts)]
    if facts.last_error:
        problems.append(f"the last pass could not be run: {facts.last_error}")
    if facts.database_error and facts.database_error != facts.last_error:
        problems.append(f"the database cannot be read: {facts.database_error}")
    if facts.every_project_failed:
        problems.append("every project failed in its last pass; see smart-sync status")
    if facts.stale:
        problems.append(
            f"{counted(len(facts.stale), 'project is', 'projects are')} stale: {listed(facts.stale, MAX_NAMED)};"
            " see smart-sync status"
        )
    if facts.directory_trouble:
        problems.append(f"the directory of worksheets {facts.directory} {facts.directory_trouble}")
    if not facts.database_error:
        problems.append(no_projects(facts))
    return [reason for reason in problems if reason]


def no_projects(facts: HealthInputs) -> str:
    """Why there will be nothing to sync; "" if there will be, or if that is intended."""
    if facts.projects:
        return "" if facts.active else _unclear(facts)
    if facts.refused:
        return f"no project could be created{_refusal(facts)}; see: smart-sync check"
    if facts.creates_projects:
        return ""
    if facts.made_database:
        return (
            f"{facts.made_database}: the database was newly made and its table projects is empty; if the web app has a"
            " database, correct [database] path, else insert projects"
        )
    return 'the table projects is empty; insert projects, or set [sync] create_missing = "projects"'


def _unclear(facts: HealthInputs) -> str:
    """The sentence about projects that are not synced although they may be meant to be."""
    if not facts.unclear:
        return ""
    return f"is_active is neither 1 nor 0, so not synced: {quoted(facts.unclear)}; correct it in the table projects"


def _refusal(facts: HealthInputs) -> str:
    name, reason = next(iter(facts.refused.items()))
    return f", {name} because: {reason}" if name else f": {reason}"


def warnings(facts: HealthInputs) -> list[str]:
    """What a person should look at, a sentence each."""
    messages = [f"parser {parser}" for parser in facts.failing_parsers]
    messages += [f"parser {token}; see smart-sync parse --tokens" for token in facts.ending_tokens]
    messages += facts.unreached
    if facts.projects and facts.refused:
        messages.append(f"{counted(len(facts.refused), 'project')} could not be created{_refusal(facts)}")
    if facts.active and facts.unclear:
        messages.append(_unclear(facts))
    if facts.projects and not facts.active and not facts.unclear:
        messages.append("no project is active; there is nothing to sync")
    if facts.clock_doubt:
        messages.append(facts.clock_doubt)
    if facts.locked:
        messages.append(f"another process has held the database locked for {facts.locked:.0f} s; find it with fuser")
    return messages
