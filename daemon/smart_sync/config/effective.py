"""The configuration in effect: every key with its value and origin; secrets are never shown."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr

from smart_sync import logs
from smart_sync.config import keys, secrets
from smart_sync.config.loading import load, read

DEFAULT = "default"
_HIDDEN = "(secret)"


class Effective(NamedTuple):
    """A key (``sheets.timeout``), its value as JSON, and its origin: a file, a variable, or `DEFAULT`."""

    key: str
    value: Any
    origin: str


def effective(path: Path) -> list[Effective]:
    """Every key of the configuration at ``path``, section by section.  Raises `ConfigError` with every mistake."""
    settings = load(path)
    written = read(path)
    rows = []
    for key, value in _leaves((), settings):
        origin = _origin(key, path, written)
        if key == ("database", "path") and settings.database.url is not None:
            continue  # the default of what is not used
        shown = _shown(value, _typed(written, key) if origin == str(path) else None)
        rows.append(Effective(logs.printable(logs.redact(".".join(key))), shown, origin))
    return rows


def _leaves(key: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is not a table, with its key; an empty table counts as a value."""
    if isinstance(value, BaseModel):
        value = dict(value)
    elif isinstance(value, tuple) and value and all(isinstance(one, BaseModel) for one in value):
        value = {str(number): one for number, one in enumerate(value)}
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves((*key, str(name)), inner)
    else:
        yield key, value


def _origin(key: tuple[str, ...], path: Path, written: Mapping[str, Any]) -> str:
    """The origin of a key: the environment overrides the file."""
    set_here = {name.upper(): name for name in os.environ}
    for length in range(len(key), 0, -1):
        name = set_here.get(keys.variable(key[:length]))
        if name is not None and (length == len(key) or _is_in_json(os.environ[name], key[length:])):
            return logs.printable(name)
    return str(path) if _typed(written, key) is not None else DEFAULT


def _is_in_json(text: str, key: tuple[str, ...]) -> bool:
    """Whether a variable that holds a table as JSON contains ``key``."""
    try:
        return _typed(json.loads(text), key) is not None
    except (ValueError, RecursionError):
        return False


def _typed(values: Any, key: tuple[str, ...]) -> Any:
    """The value written at ``key``; None if there is none."""
    for part in key:
        if isinstance(values, list):
            values = values[int(part)] if part.isdecimal() and int(part) < len(values) else None
        else:
            values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _shown(value: Any, typed: Any) -> Any:
    """``value`` as JSON: of a secret only its location, a duration as written or in seconds."""
    if isinstance(value, SecretStr):
        elsewhere = isinstance(typed, str) and secrets.is_elsewhere(typed)
        return f"{_HIDDEN}, {logs.redact(typed.strip())}" if elsewhere else _HIDDEN
    if isinstance(value, int | float) and isinstance(typed, str):  # a duration, a file's mode
        return logs.redact(typed)
    if isinstance(value, tuple | list):
        several = typed if isinstance(typed, list) and len(typed) == len(value) else [typed] * len(value)
        return [_shown(one, own) for one, own in zip(value, several, strict=True)]
    if isinstance(value, Mapping):
        return {}
    if value is None or isinstance(value, bool | int | float):
        return value
    return logs.printable(logs.redact(str(value)))
