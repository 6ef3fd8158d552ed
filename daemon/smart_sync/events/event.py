"""The definition of a log event, and the fields that all have."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of log line: when it appears, what its fields mean, what to do about it."""

    name: str
    level: Level
    when: str
    #: Field → "type: meaning"; a ``?`` after the type marks a field that may be absent.
    fields: Mapping[str, str]
    action: str = "nothing"


#: In every line, besides the event's own fields.
COMMON_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "level": "str: DEBUG, INFO, WARNING, ERROR",
        "logger": "str: always SmartSync",
        "event": "str: the event's name",
        "timestamp": "str: UTC, ISO 8601 with microseconds",
        "run_id": "str?: the pass it belongs to, as in sync_runs.id",
        "exception": "list?: the traceback, without local variables; only with our own bugs",
    }
)
