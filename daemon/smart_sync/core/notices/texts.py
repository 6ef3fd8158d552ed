"""The text of each event for people: at most ten lines with what, where and what to do.

Made from the data of the webhooks' messages, so that both tell the same.  The messages of one kind that a pass has to
tell become one text.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from smart_sync.core.notices import digest_text
from smart_sync.core.notices.phrases import counted, number
from smart_sync.core.notices.reader import Data, Reader, jump, plain
from smart_sync.core.results.webhook_messages import Message

#: Lines of a message.
MAX_LINES = 10
#: Troubles of a message, each with three lines.
MAX_TROUBLES = 2
_NAMESPACE = uuid.UUID("5e0dd5a1-9c4d-5a2c-8b43-1f0a3c6f7a12")


def texts(messages: Sequence[Message], reader: Reader) -> list[Message]:
    """Messages for ``reader``: one per kind in ``messages``, whose body is its text."""
    kinds: dict[str, list[Message]] = {}
    for message in messages:
        kinds.setdefault(message.type, []).append(message)
    return [
        Message(_id([one.id for one in several]), kind, text(kind, [_data(one) for one in several], reader))
        for kind, several in kinds.items()
    ]


def text(kind: str, data: Sequence[Data], reader: Reader) -> str:
    """The text for messages of one ``kind``: a title, then lines; only the digest may exceed `MAX_LINES`."""
    if kind == digest_text.DIGEST:
        return digest_text.text(data[-1], reader)
    title, lines = _WRITERS[kind](data, reader)
    shown = [plain(f"Smart Sync: {title}"), *(plain(line) for line in lines)]
    return "\n".join(shown[:MAX_LINES])


def fitted(title: str, text: str, limit: int, reader: Reader) -> tuple[str, str]:
    """Title and text within ``limit`` characters: the first lines of ``text``; the last says how many are missing."""
    title = plain(title, max(limit // 2, 1))
    room = max(limit - len(title), 1)
    if len(text) <= room:
        return title, text
    lines = text.split("\n")
    for shown in range(len(lines) - 1, 0, -1):
        missing = counted(reader.lang, len(lines) - shown, "more line")
        cut = "\n".join([*lines[:shown], reader.say("lines_left", lines=missing)])
        if len(cut) <= room:
            return title, cut
    return title, plain(text, room)


def _id(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"msg_{uuid.uuid5(_NAMESPACE, ' '.join(ids)).hex}"


def _data(message: Message) -> Data:
    body = json.loads(message.body)
    # A pass that could not be run was told the first time.
    data: Data = {"since": body["timestamp"], **body["data"]}
    return data


_Text = tuple[str, Iterable[str]]


def _by_reason(projects: Iterable[Data]) -> dict[tuple[str, str], list[Data]]:
    """Group projects with the same trouble, which is reported once."""
    groups: dict[tuple[str, str], list[Data]] = {}
    for project in projects:
        groups.setdefault((project["reason"], project["remedy"]), []).append(project)
    return groups


def _troubles(groups: Mapping[tuple[str, str], Sequence[Data]], reader: Reader, left_out: int = 0) -> Iterator[str]:
    """Three lines for each trouble, as many as fit below a title and a line."""
    for (reason, remedy), projects in list(groups.items())[:MAX_TROUBLES]:
        yield reader.say("where", places=reader.names([one["project_name"] for one in projects]))
        yield reader.say("what", reason=reader.translated(reason))
        yield reader.say("do", remedy=reader.translated(remedy) if remedy else reader.say("see_log"))
    others = left_out + sum(len(projects) for projects in list(groups.values())[MAX_TROUBLES:])
    if others:
        yield reader.say("left_out", number=others, see=reader.say("see_status"))


def _project_trouble(key: str) -> Callable[[Sequence[Data], Reader], _Text]:
    def write(data: Sequence[Data], reader: Reader) -> _Text:
        title = reader.say(key, projects=counted(reader.lang, len(data), "project"))
        return title, [_since(data, reader), *_troubles(_by_reason(data), reader)]

    return write


def _since(data: Sequence[Data], reader: Reader) -> str:
    """When the trouble began: a message may arrive late."""
    return reader.say("since", when=reader.when(min(one["since"] for one in data)))


def _recovered(data: Sequence[Data], reader: Reader) -> _Text:
    lines = [reader.say("where", places=reader.names([one["project_name"] for one in data]))]
    lines.append(reader.say("was_since", when=reader.when(min(one["since"] for one in data))))
    return reader.say("recovered", projects=counted(reader.lang, len(data), "project")), lines


def _stale(data: Sequence[Data], reader: Reader) -> _Text:
    projects = [project for one in data for project in one["projects"]]
    left_out = sum(one["left_out"] for one in data)
    read = [one["read_at"] for one in projects if one["read_at"]]
    when = reader.when(min(read)) if read else reader.say("never_read")
    lines = [reader.say("last_read", when=when), *_troubles(_by_reason(projects), reader, left_out)]
    return reader.say("stale", projects=counted(reader.lang, len(projects) + left_out, "project")), lines


def _parsers(key: str) -> Callable[[Sequence[Data], Reader], _Text]:
    def write(data: Sequence[Data], reader: Reader) -> _Text:
        lines: list[str] = []
        for one in data[:2]:
            if one["projects"]:
                lines.append(reader.say("where", places=plain(one["projects"])))
            if key == "parser_failed":
                lines.append(reader.say("what", reason=reader.translated(one["reason"])))
            lines.append(reader.say("since", when=reader.when(one["since"])))
        if key == "parser_failed":
            lines.append(reader.say("do", remedy=reader.say("try_parser")))
        return reader.say(key, parser=reader.names([one["parser"] for one in data])), lines

    return write


def _pass_failed(data: Sequence[Data], reader: Reader) -> _Text:
    lines = [_since(data[-1:], reader), reader.say("what", reason=reader.translated(data[-1]["reason"]))]
    return reader.say("pass_failed"), [*lines, reader.say("do", remedy=reader.say("see_log"))]


def _pass_recovered(data: Sequence[Data], reader: Reader) -> _Text:
    return reader.say("pass_recovered"), [reader.say("was_since", when=reader.when(data[0]["since"]))]


def _finished(data: Sequence[Data], reader: Reader) -> _Text:
    one = data[-1]
    changed = counted(reader.lang, one["changed"], "account")
    counts = reader.say("counts", failed=one["error_count"], degraded=one["degraded_count"], accounts=changed)
    groups = _by_reason({"remedy": "", **project} for project in one["troubled"])
    lines = [counts, *_troubles(groups, reader, one["troubled_left_out"])]
    return reader.say("finished", projects=counted(reader.lang, one["total_projects"], "project")), lines


def _problem(one: Data, reader: Reader) -> str:
    """A worksheet's problem on one line: its cell, why, and the cell's text."""
    cell = f"!{one['column'] or ''}{one['row']}" if one["row"] is not None else ""
    return reader.problem(f"{plain(one['worksheet'], 40)}{cell}", one["reason"], one["value"])


def _suspected(data: Sequence[Data], reader: Reader) -> _Text:
    values = [value for one in data for value in one["values"]]
    left_out = sum(one["left_out"] for one in data)
    lines = [*_some([jump(reader, one) for one in values], left_out, reader, "see_status", MAX_LINES - 2)]
    lines.append(reader.say("do", remedy=reader.say("check_jumps")))
    return reader.say("suspected", values=counted(reader.lang, len(values) + left_out, "value")), lines


def _problems(data: Sequence[Data], reader: Reader) -> _Text:
    problems = [problem for one in data for problem in one["problems"]]
    left_out = sum(one["left_out"] for one in data)
    lines = _some([_problem(one, reader) for one in problems], left_out, reader, "see_check", MAX_LINES - 1)
    return reader.say("problems", cells=counted(reader.lang, len(problems) + left_out, "cell")), lines


def _created(data: Sequence[Data], reader: Reader) -> _Text:
    projects = [project for one in data for project in one["projects"]]
    left_out = sum(one["left_out"] for one in data)
    rows = [
        reader.say("created_in", project=plain(one["project_name"], 60), number=number(reader.lang, one["accounts"]))
        for one in projects
    ]
    total = counted(reader.lang, sum(one["accounts"] for one in projects), "account")
    return reader.say("created", accounts=total), _some(rows, left_out, reader, "see_status", MAX_LINES - 1)


def _some(rows: Sequence[str], left_out: int, reader: Reader, see: str, most: int) -> Iterator[str]:
    """At most so many of ``rows``; the last line says how many more there are."""
    shown = len(rows) if len(rows) <= most and not left_out else most - 1
    yield from rows[:shown]
    if others := left_out + len(rows[shown:]):
        yield reader.say("left_out", number=number(reader.lang, others), see=reader.say(see))


def _test(data: Sequence[Data], reader: Reader) -> _Text:
    return reader.say("test"), [reader.say("it_works")]


_WRITERS: Mapping[str, Callable[[Sequence[Data], Reader], _Text]] = {
    "sync.finished": _finished,
    "sync.failed": _pass_failed,
    "sync.recovered": _pass_recovered,
    "project.failed": _project_trouble("failed"),
    "project.degraded": _project_trouble("degraded"),
    "project.recovered": _recovered,
    "project.stale": _stale,
    "parser.failed": _parsers("parser_failed"),
    "parser.recovered": _parsers("parser_recovered"),
    "value.suspected": _suspected,
    "worksheet.problem_found": _problems,
    "accounts.created": _created,
    "webhook.test": _test,
}
