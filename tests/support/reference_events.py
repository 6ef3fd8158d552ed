"""``docs/reference/events.md``: the catalogue of log events."""

from collections.abc import Iterable, Iterator

from smart_sync.events import COMMON_FIELDS, EVENTS, Event

_INTRODUCTION = """\
# Log events

Every line that Smart Sync logs is one of these events, with these fields; names and fields are a contract. On a console
a line is `LEVEL [SmartSync] event key=value …`, in JSON its keys begin `level`, `logger`, `event`; so
`grep "ERROR.*SmartSync"` finds the errors in both. The same objects come from `GET /api/admin/events`. Durations are
seconds, sizes bytes, times UTC in ISO 8601. A `?` behind a type: the field may be absent.

Every line has:
"""


def as_markdown() -> str:
    """The page: an overview, then each event with its fields."""
    lines = [_INTRODUCTION, *_table(COMMON_FIELDS.items()), "", "## Overview", ""]
    known = sorted(EVENTS.values(), key=lambda event: event.name)
    lines += ["| event | level | when |", "|---|---|---|"]
    lines += [f"| [`{one.name}`](#{one.name.replace('.', '')}) | {one.level} | {one.when} |" for one in known]
    lines += ["", "## Events", ""]
    for event in known:
        lines += _section(event)
    return "\n".join(lines) + "\n"


def _section(event: Event) -> Iterator[str]:
    yield from (f"### {event.name}", "", f"{event.level}: {event.when}.", "", f"What to do: {event.action}.", "")
    if event.fields:
        yield from (*_table(event.fields.items()), "")


def _table(fields: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from ("| field | type | meaning |", "|---|---|---|")
    for name, text in fields:
        kind, _, meaning = text.partition(": ")
        yield f"| `{name}` | {kind} | {meaning} |"
