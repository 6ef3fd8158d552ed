"""The types and defaults of the configuration in words."""

import types
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from smart_sync.config import notify, secrets, sections, values
from smart_sync.config.database_url import DatabaseUrl
from smart_sync.core.model import METRICS
from smart_sync.parsers.budget import ApiRate, Budget, Rate
from smart_sync.parsers.expressions import Expression

KEPT = "or where it is kept"
#: Types with a name of their own → words.
NAMED: list[tuple[Any, str]] = [
    (values.Seconds, "duration"),
    (values.MetricName, "metric"),
    (values.Cron, "cron expression"),
    (values.TimeZone, "name of a time zone"),
    (values.Mode, "octal file mode, in quotes"),
    (values.Url, f"address (https), {KEPT}"),
    (values.SigningSecrets, "secret, or a list of up to 5"),
    (values.Headers, f"table: header → text, {KEPT}"),
    (values.ColumnValue, "text, number, true or false, date"),
    (values.GoogleKey, "path, JSON, or base64 of it"),
    (secrets.Secret, "secret"),
    (secrets.Values, f"table: name → text, {KEPT}"),
    (sections.Spreadsheet, "key, URL or title"),
    (notify.TargetUrl, f"apprise URL, {KEPT}"),
    (DatabaseUrl, f"`postgresql://…`, {KEPT}"),
    (ApiRate, "rate"),
    (Budget, "requests in 24 hours"),
    (Expression, "JMESPath expression"),
]
_PLAIN = {
    bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", SecretStr: "secret",
    Any: "anything",
}  # fmt: skip
#: So large a bound says nothing to a person.
_NO_BOUND = 1e12
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def type_words(hint: Any) -> str:
    """A type as a person types it."""
    for named, words in NAMED:
        if hint == named:
            return words
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__") and is_duration(hint):
        return f"duration{_bounds(hint.__metadata__, _duration)}"
    if hasattr(hint, "__metadata__"):
        return type_words(arguments[0]) + _bounds(hint.__metadata__)
    if origin is Literal:
        return _choices(arguments)
    if origin in (Union, types.UnionType):
        return _listed(list(dict.fromkeys(type_words(one) for one in arguments if one is not type(None))))
    if origin in (tuple, list):
        return f"list of {type_words(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table: {type_words(arguments[0])} → {type_words(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "table"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _listed([f'`"{one}"`' for one in hint])
    return _PLAIN[hint]


def _choices(values: tuple[Any, ...]) -> str:
    """One of several; all metrics among them are called so."""
    metrics = [value for value in values if value in METRICS]
    if len(metrics) == len(METRICS):
        return _listed(["metric", *(f"`{value}`" for value in values if value not in METRICS)])
    return _listed([f"`{_toml(value)}`" for value in values])


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _bounds(metadata: tuple[Any, ...], shown: Callable[[Any], str] = str) -> str:
    bounds: dict[str, Any] = {}
    for one in metadata:
        for bound in getattr(one, "metadata", [one]):
            bounds |= {name: getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name)}
    least = (
        f"from {shown(bounds['ge'])}" if "ge" in bounds else f"above {shown(bounds['gt'])}" if "gt" in bounds else ""
    )
    most = f"to {shown(bounds['le'])}" if "le" in bounds and bounds["le"] < _NO_BOUND else ""
    told = " ".join(filter(None, (least, most)))
    return f" {told}" if told else ""


def default_words(field: FieldInfo, hint: Any) -> str:
    """The default as it is written in TOML; "required" or "none"."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if is_duration(hint):
        return f"`{_duration(value)}`"
    if hint == values.Mode:
        return f'`"{value:04o}"`'
    return f"`{_toml(value)}`"


def is_duration(hint: Any) -> bool:
    """Whether a type is a duration, perhaps an absent one."""
    several = hint.__metadata__ if hasattr(hint, "__metadata__") else ()
    own = any(getattr(one, "func", None) is values._seconds for one in several)
    return own or any(is_duration(one) for one in get_args(hint) if get_origin(hint) in (Union, types.UnionType))


def _duration(seconds: float) -> str:
    if not seconds:
        return '"0s"'
    unit, size = next((unit, size) for unit, size in _UNITS if not seconds % size)
    return f'"{seconds / size:g}{unit}"'


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{}" if not value else "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    assert isinstance(value, str | Path | Rate), value
    return f'"{value}"'
