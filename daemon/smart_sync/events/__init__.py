"""The catalogue of log events: a contract with those who monitor the daemon.

Every line the program logs is one of these, with these fields; docs/reference/events.md is made from here.
Names are ``noun.past_verb``.  Durations are seconds, sizes bytes, times UTC in ISO 8601.
"""

from collections.abc import Mapping
from types import MappingProxyType

from smart_sync.events import daemon, integrations, passes
from smart_sync.events.event import COMMON_FIELDS, Event

__all__ = ["COMMON_FIELDS", "EVENTS", "Event"]

EVENTS: Mapping[str, Event] = MappingProxyType(
    {event.name: event for event in (*passes.EVENTS, *daemon.EVENTS, *integrations.EVENTS)}
)
