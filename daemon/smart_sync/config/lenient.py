"""Reading a configuration with mistakes as far as it can be read: for commands that only look."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from smart_sync.aio import plain_files
from smart_sync.config import secrets
from smart_sync.config.loading import ENVIRONMENT, MAX_FILE_BYTES, anchored, load
from smart_sync.config.settings import Settings
from smart_sync.errors import ConfigError

#: What the commands that only look need; a mistake elsewhere is none of theirs.
_NEEDED = frozenset({"database", "control", "schedule", "parsed", "merge"})
#: Without these it would be another daemon or another database that is looked at.
_INDISPENSABLE = frozenset({"database", "control"})
#: Whatever the worksheets' section says, the commands that only look read none of them.
_NO_SHEETS: dict[str, Any] = {"sheets": {"directory": ".", "spreadsheet": "-"}}


def load_readable(path: Path) -> tuple[Settings, tuple[str, ...]]:
    """The settings at ``path``, and the mistakes of the file: what they are about has its default.

    Raises `ConfigError` with all of them where they leave open which database or which socket is meant.
    """
    try:
        return load(path), ()
    except ConfigError as error:
        settings = _without_mistakes(path)
        if settings is None:
            raise
        return settings, error.problems


def _without_mistakes(path: Path) -> Settings | None:
    try:
        said = b"" if path == ENVIRONMENT else plain_files.read_file(path, MAX_FILE_BYTES)[0]
        values = _sections(said.decode())
    except (OSError, ValueError):
        return None
    while values is not None:
        try:
            with secrets.relative_to(path.absolute().parent):
                found = Settings(**values, **_NO_SHEETS)
        except ValidationError as error:
            values = _left(values, [problem["loc"] for problem in error.errors()])
        except (SettingsError, RecursionError, ConfigError):
            return None
        else:
            readable: Settings = anchored(found, path.absolute().parent)
            return readable
    return None


def _left(values: Mapping[str, Any], mistakes: list[tuple[Any, ...]]) -> dict[str, Any] | None:
    """``values`` without the keys that have mistakes; None if that is no way on."""
    left = {section: dict(keys) for section, keys in values.items()}
    for section, *keys in mistakes:
        if section in _INDISPENSABLE or section not in left:
            return None
        if keys and keys[0] in left[section]:
            del left[section][keys[0]]
        else:
            del left[section]
    return left


def _sections(text: str) -> dict[str, Any] | None:
    """The sections that are needed, each as far as it is TOML; None if an indispensable one is not."""
    values: dict[str, Any] = {}
    for part in re.split(r"(?m)^(?=[ \t]*\[)", text):
        name = re.match(r"\s*\[+\s*([\w-]*)", part)
        section = name[1] if name else ""
        try:
            found = tomllib.loads(part)
        except (ValueError, RecursionError):
            if section in _INDISPENSABLE or not section:
                return None
            continue
        for key, more in found.items():
            if key in _NEEDED and isinstance(more, dict):
                values[key] = values.get(key, {}) | more
            elif key in _INDISPENSABLE:
                return None
    return values
