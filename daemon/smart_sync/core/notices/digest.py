"""The message of the day: suspects, cells to put right, stale projects, and growth in a line per project."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smart_sync.core.days import stamp
from smart_sync.core.history.growth import Growth
from smart_sync.core.model import METRICS
from smart_sync.core.notices.phrases import counted, number
from smart_sync.core.notices.texts import Reader, jump, plain
from smart_sync.core.results.webhook_messages import Message, message

DIGEST = "digest"
#: What is grown: the metric of projects' goals.
METRIC = METRICS.index("views")
#: Lines of suspects, cells and stale projects, each; and of projects.
MAX_EACH = 5
MAX_PROJECTS = 40
#: What nobody could be told for so long (no process was there) is told no more: the next one is near.
LATE = timedelta(hours=12)
_PROBLEM = re.compile(r"(?P<place>.*?): (?P<reason>.*?)(?P<value> \(.*\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DigestProject:
    """An active project: its accounts that count, their views together, and what they have grown in a day."""

    name: str
    accounts: int
    #: None: nothing is known.
    value: int | None
    growth: Growth | None


@dataclass(frozen=True, slots=True)
class DigestFacts:
    """What the digest of ``day`` (a label) is made of; entries as in the webhooks' messages."""

    day: str
    projects: Sequence[DigestProject] = ()
    suspects: Sequence[Mapping[str, Any]] = ()
    #: As on record: ``Worksheet!B7: reason (value)``.
    problems: Sequence[str] = ()
    stale: Sequence[Mapping[str, Any]] = ()


def due_day(now: datetime, at: time, timezone: str) -> str | None:
    """The day (a label) whose digest is to be told at ``now``, if it was not yet: on time, or up to `LATE` after."""
    local = now.astimezone(ZoneInfo(timezone)).date()
    for day in (local, local - timedelta(days=1)):
        if timedelta(0) <= now - _moment(day, at, timezone) < LATE:
            return day.isoformat()
    return None


def next_due(now: datetime, at: time, timezone: str) -> datetime:
    """When the next digest is due.  On a day whose clocks leave out ``at``, as much later as they go forward."""
    local = now.astimezone(ZoneInfo(timezone)).date()
    today = _moment(local, at, timezone)
    return today if today > now else _moment(local + timedelta(days=1), at, timezone)


def _moment(day: date, at: time, timezone: str) -> datetime:
    """Of a time that comes twice the first."""
    # By way of the stamp: in one zone times are compared as the clocks show them.
    return datetime.fromisoformat(f"{stamp(datetime.combine(day, at, ZoneInfo(timezone)))}+00:00")


def digest_message(facts: DigestFacts, reader: Reader, now: str) -> Message:
    """The message, whose id is the day's."""
    own = message(f"{DIGEST}:{facts.day}", DIGEST, now, {})
    return Message(own.id, DIGEST, text(facts, reader))


def text(facts: DigestFacts, reader: Reader) -> str:
    """The whole text: the title, then what is to be done, then the projects."""
    lines = [*_to_do(facts, reader)] or [reader.say("all_well")]
    return "\n".join((f"Smart Sync: {facts.day}", *map(plain, (*lines, *_projects(facts, reader)))))


def _to_do(facts: DigestFacts, reader: Reader) -> Iterator[str]:
    yield from _listed("suspects_head", [jump(reader, one) for one in facts.suspects], reader, "see_status")
    yield from _listed("problems_head", [_problem(one, reader) for one in facts.problems], reader, "see_check")
    yield from _listed("stale_head", [_stale(one, reader) for one in facts.stale], reader, "see_status")


def _listed(head: str, rows: Sequence[str], reader: Reader, see: str) -> Iterator[str]:
    if not rows:
        return
    yield reader.say(head, number=number(reader.lang, len(rows)))
    shown = rows if len(rows) <= MAX_EACH else rows[: MAX_EACH - 1]
    yield from (f"• {row}" for row in shown)
    if more := len(rows) - len(shown):
        yield f"• {reader.say('left_out', number=number(reader.lang, more), see=reader.say(see))}"


def _problem(told: str, reader: Reader) -> str:
    found = _PROBLEM.fullmatch(told)
    if found is None:
        return plain(told)
    return f"{plain(found['place'], 60)}: {reader.told(found['reason'])}{plain(found['value'] or '', 60)}"


def _stale(one: Mapping[str, Any], reader: Reader) -> str:
    when = reader.when(one["read_at"]) if one["read_at"] else reader.say("never_read")
    return reader.say(
        "stale_line", project=plain(one["project_name"], 40), when=when, reason=reader.told(one["reason"])
    )


def _projects(facts: DigestFacts, reader: Reader) -> Iterator[str]:
    if not facts.projects:
        yield reader.say("no_projects")
        return
    yield reader.say("growth_head")
    for one in facts.projects[:MAX_PROJECTS]:
        accounts = counted(reader.lang, one.accounts, "account")
        if one.value is None:
            yield reader.say("no_value", project=plain(one.name, 60), accounts=accounts)
            continue
        grown, value = _grown(one.growth, facts.day, reader), number(reader.lang, one.value)
        yield reader.say("grown", project=plain(one.name, 60), value=value, growth=grown, accounts=accounts)
    if len(facts.projects) > MAX_PROJECTS:
        yield reader.say("more", number=number(reader.lang, len(facts.projects) - MAX_PROJECTS))


def _grown(growth: Growth | None, day: str, reader: Reader) -> str:
    """What has grown; where not all could be compared with the day before, since when."""
    if growth is None:
        return reader.say("not_compared")
    amount = number(reader.lang, growth.amount, signed=True)
    return amount if growth.exact else reader.say("over", growth=amount, day=date.fromordinal(growth.since).isoformat())
