"""The daily message: suspects, problems, projects and parsers in trouble, and each project's growth."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from smart_sync.core.model import Problem
from smart_sync.core.notices.phrases import counted, number
from smart_sync.core.notices.reader import Data, Reader, jump, plain
from smart_sync.core.results.webhook_messages import Message, message

DIGEST = "digest"
#: Lines each of suspects, cells, projects in trouble and parsers in trouble.
MAX_EACH = 5
#: Lines of projects.
MAX_PROJECTS = 40


@dataclass(frozen=True, slots=True)
class DigestProject:
    """An active project: its number of accounts, their views together, and the growth of a day."""

    name: str
    accounts: int
    #: None: nothing is known, or there is nothing to compare with.
    value: int | None
    growth: int | None
    #: The day compared with, where it is not for all the day before.
    since: str | None = None


@dataclass(frozen=True, slots=True)
class DigestFacts:
    """The content of the digest for ``day`` (a label); suspects and stale projects as in webhook messages."""

    day: str
    projects: Sequence[DigestProject] = ()
    suspects: Sequence[Data] = ()
    #: The first, as `problem_shown` has them.
    problems: Sequence[Data] = ()
    stale: Sequence[Data] = ()
    #: How many problems there are.
    problem_count: int = 0
    #: Projects whose last pass failed or was degraded and that are not stale.
    unwell: Sequence[Data] = ()
    #: Parsers that are failing.
    parsers: Sequence[Data] = ()


def digest_message(facts: DigestFacts, now: str) -> Message:
    """The message of a day, not yet in any language; its id is the day's."""
    return message(f"{DIGEST}:{facts.day}", DIGEST, now, asdict(facts))


def text(facts: Data, reader: Reader) -> str:
    """The full text of a `digest_message`: the title, what to do, then the projects."""
    lines = [*_to_do(facts, reader)] or [reader.say("all_well")]
    return "\n".join((f"Smart Sync: {facts['day']}", *map(plain, (*lines, *_projects(facts, reader)))))


def _to_do(facts: Data, reader: Reader) -> Iterator[str]:
    problems = [_problem(one, reader) for one in facts["problems"]]
    yield from _listed("suspects_head", [jump(reader, one) for one in facts["suspects"]], reader, "see_status")
    yield from _listed("problems_head", problems, reader, "see_check", facts["problem_count"])
    yield from _listed("stale_head", [_stale(one, reader) for one in facts["stale"]], reader, "see_status")
    yield from _listed("unwell_head", [_unwell(one, reader) for one in facts["unwell"]], reader, "see_status")
    yield from _listed("parsers_head", [_parser(one, reader) for one in facts["parsers"]], reader, "see_status")


def _listed(head: str, rows: Sequence[str], reader: Reader, see: str, count: int = 0) -> Iterator[str]:
    """The first of ``rows``; ``count``: how many there are in all, if these are not all."""
    if not rows:
        return
    count = max(count, len(rows))
    yield reader.say(head, number=number(reader.lang, count))
    shown = rows if count <= MAX_EACH else rows[: MAX_EACH - 1]
    yield from (f"• {row}" for row in shown)
    if more := count - len(shown):
        yield f"• {reader.say('left_out', number=number(reader.lang, more), see=reader.say(see))}"


def problem_shown(one: Problem) -> Data:
    """A problem in the parts that a person reads."""
    return {"place": one.place, "reason": one.reason, "value": one.value, "code": one.code}


def _problem(one: Data, reader: Reader) -> str:
    return reader.problem(plain(one["place"], 60), one["reason"], one["value"])


def _stale(one: Data, reader: Reader) -> str:
    when = reader.when(one["read_at"]) if one["read_at"] else reader.say("never_read")
    return reader.say("stale_line", project=plain(one["project_name"], 40), when=when, reason=_why(one, reader))


def _unwell(one: Data, reader: Reader) -> str:
    return f"{plain(one['project_name'], 40)}: {_why(one, reader)}"


def _why(one: Data, reader: Reader) -> str:
    """Why a project is in trouble, and what to do where that is known."""
    # A digest of an earlier version that still waits has no remedies.
    return "; ".join(reader.translated(one[key]) for key in ("reason", "remedy") if one.get(key))


def _parser(one: Data, reader: Reader) -> str:
    when, reason = reader.when(one["since"]), reader.translated(one["reason"])
    return reader.say("parser_line", parser=plain(one["parser"], 40), when=when, reason=reason)


def _projects(facts: Data, reader: Reader) -> Iterator[str]:
    projects = facts["projects"]
    if not projects:
        yield reader.say("no_projects")
        return
    yield reader.say("growth_head")
    for one in projects[:MAX_PROJECTS]:
        name, accounts = plain(one["name"], 60), counted(reader.lang, one["accounts"], "account")
        if one["value"] is None:
            yield reader.say("no_value", project=name, accounts=accounts)
            continue
        value = number(reader.lang, one["value"])
        yield reader.say("grown", project=name, value=value, growth=_grown(one, reader), accounts=accounts)
    if len(projects) > MAX_PROJECTS:
        yield reader.say("more", number=number(reader.lang, len(projects) - MAX_PROJECTS))


def _grown(one: Data, reader: Reader) -> str:
    """The growth; and since when, if not all could be compared with the day before."""
    if one["growth"] is None:
        return reader.say("not_compared")
    amount = number(reader.lang, one["growth"], signed=True)
    return reader.say("over", growth=amount, day=one["since"]) if one["since"] else amount
