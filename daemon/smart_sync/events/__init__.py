"""The catalogue of log events: a contract with those who monitor the daemon.

Every line the program logs is one of these, with these fields; the table of docs/reference/events.md is made from here.
Names are ``noun.past_verb``.  Durations are seconds, sizes bytes, times UTC in ISO 8601.
"""

from collections.abc import Mapping
from types import MappingProxyType

from smart_sync.events import daemon, integrations, passes
from smart_sync.events.event import COMMON_FIELDS, Event

__all__ = ["COMMON_FIELDS", "EVENTS", "Event", "as_markdown"]

EVENTS: Mapping[str, Event] = MappingProxyType(
    {event.name: event for event in (*passes.EVENTS, *daemon.EVENTS, *integrations.EVENTS)}
)


def as_markdown() -> str:
    """The catalogue as docs/reference/events.md shows it."""
    lines = [
        "Every line has " + ", ".join(f"`{name}` ({meaning})" for name, meaning in COMMON_FIELDS.items()) + ".",
        "",
    ]
    lines += ["| event | level | when | fields | what to do |", "|---|---|---|---|---|"]
    for event in sorted(EVENTS.values(), key=lambda event: event.name):
        fields = "; ".join(f"`{name}` {meaning}" for name, meaning in event.fields.items())
        lines.append(f"| `{event.name}` | {event.level} | {event.when} | {fields or 'none'} | {event.action} |")
    return "\n".join(lines)
