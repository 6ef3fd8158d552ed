"""Finds and reads the configuration, and reports all its mistakes together.

Commands that only read data take a configuration with mistakes, as far as it can be read.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from smart_sync import logs
from smart_sync.aio import plain_files
from smart_sync.config import keys, mistakes, secrets
from smart_sync.config.settings import Settings
from smart_sync.errors import ConfigError

DEFAULT_PATHS = (Path("config.toml"), Path("/etc/smart-sync/config.toml"))

#: In place of a file's path, where there is none and the environment says enough; relative paths are then relative to
#: the working directory.
ENVIRONMENT = Path("the environment")

MAX_FILE_BYTES = 1_000_000
_MAX_TEXT = 1000


def find(given: Path | None = None) -> Path:
    """The configuration file to use: the given one, else ``$SMART_SYNC_CONFIG``, else the first default that exists.

    `ENVIRONMENT` if there is none and the environment says where the worksheets are.  Raises `ConfigError` otherwise.
    """
    named = given or (Path(os.environ["SMART_SYNC_CONFIG"]) if os.environ.get("SMART_SYNC_CONFIG") else None)
    if named is not None:
        return named
    for path in DEFAULT_PATHS:
        if path.exists():
            return path
    if keys.name_the_sheets(os.environ):
        return ENVIRONMENT
    places = " or ".join(str(path) for path in DEFAULT_PATHS)
    variable = keys.variable(("sheets", "spreadsheet"))
    message = f"no configuration: there is no {places}; make one: smart-sync init; or name one: --config FILE"
    raise ConfigError((f"{message}; or say all of it in the environment: {variable}=…",))


def load(path: Path) -> Settings:
    """The settings in the file at ``path`` and the environment.  Raises `ConfigError` with every mistake."""
    values = read(path)
    with secrets.relative_to(path.absolute().parent):
        secrets.protect_pasted(values, _own_variables())
    misspelt = keys.misspelt(os.environ, values)
    strange = [mistakes.no_such_key(f"the environment: {name}", meant) for name, meant in misspelt]
    try:
        with secrets.relative_to(path.absolute().parent):
            settings = Settings(**values)
    except ValidationError as error:
        # A key may be any text, of any length.
        messages = [mistakes.describe(path, values, problem) for problem in error.errors()]
        raise ConfigError(tuple(logs.printable(logs.redact(one), _MAX_TEXT) for one in (*messages, *strange))) from None
    except RecursionError:
        raise ConfigError(("the environment: a value of SMART_SYNC_… is nested too deeply", *strange)) from None
    except SettingsError as error:
        raise ConfigError((mistakes.environment_mistake(str(error)), *strange)) from None
    if strange:
        raise ConfigError(tuple(strange))
    complete: Settings = anchored(settings, path.absolute().parent)
    return complete


def _own_variables() -> list[str]:
    """The environment's settings, except Google's key, which is read elsewhere."""
    own = (name for name in os.environ if name.upper().startswith(keys.PREFIX))
    return [os.environ[name] for name in own if name.upper() not in keys.OTHERS]


def read(path: Path) -> dict[str, Any]:
    """The content of the file before validation. Raises `ConfigError`."""
    if path == ENVIRONMENT:
        return {}
    try:
        text = plain_files.read_file(path, MAX_FILE_BYTES)[0].decode()
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{path}: not a text file in UTF-8",)) from None
    try:
        return tomllib.loads(text)
    except ValueError as error:  # not only TOMLDecodeError: a number of thousands of digits
        secrets.protect_pasted(text)  # the message may name a key
        raise ConfigError((logs.printable(logs.redact(f"{path}: not valid TOML: {error}"), _MAX_TEXT),)) from None
    except RecursionError:
        raise ConfigError((f"{path}: not valid TOML: nested too deeply",)) from None


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError((f"{path}: there is no such user; write the path in full",)) from None


def anchored(model: Any, base: Path) -> Any:
    """The same settings with every relative path made absolute from ``base``."""
    changes: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, Path):
            changes[name] = base / _at_home(value)
        elif isinstance(value, BaseModel):
            changes[name] = anchored(value, base)
        elif isinstance(value, dict):
            changes[name] = {key: anchored(v, base) if isinstance(v, BaseModel) else v for key, v in value.items()}
    return model.model_copy(update=changes)


#: What the commands that only look need; a mistake elsewhere is none of theirs.
_NEEDED = frozenset({"database", "control", "schedule", "parsed", "merge"})
#: Without these it would be another daemon or another database that is looked at.
_INDISPENSABLE = frozenset({"database", "control"})
#: Whatever the worksheets' section says, the commands that only look read none of them.
_NO_SHEETS: dict[str, Any] = {"sheets": {"directory": ".", "spreadsheet": "-"}}


def load_readable(path: Path) -> tuple[Settings, tuple[str, ...]]:
    """The settings at ``path`` and the file's mistakes; invalid keys have their defaults.

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
        content = b"" if path == ENVIRONMENT else plain_files.read_file(path, MAX_FILE_BYTES)[0]
        values = _sections(content.decode())
    except (OSError, ValueError):
        return None
    while values is not None:
        try:
            with secrets.relative_to(path.absolute().parent):
                settings = Settings(**values, **_NO_SHEETS)
        except ValidationError as error:
            values = _left(values, [problem["loc"] for problem in error.errors()])
        except (SettingsError, RecursionError, ConfigError):
            return None
        else:
            readable: Settings = anchored(settings, path.absolute().parent)
            return readable
    return None


def _left(values: Mapping[str, Any], mistakes: list[tuple[Any, ...]]) -> dict[str, Any] | None:
    """``values`` without the keys that have mistakes; None if that cannot be used."""
    left = {section: dict(keys) for section, keys in values.items()}
    for section, *path in mistakes:
        if section in _INDISPENSABLE or section not in left:
            return None
        if path and path[0] in left[section]:
            del left[section][path[0]]
        else:
            del left[section]
    return left


def _sections(text: str) -> dict[str, Any] | None:
    """The needed sections as far as they are valid TOML; None if an indispensable one is not."""
    values: dict[str, Any] = {}
    for part in re.split(r"(?m)^(?=[ \t]*\[)", text):
        name = re.match(r"\s*\[+\s*([\w-]*)", part)
        section = name[1] if name else ""
        try:
            table = tomllib.loads(part)
        except (ValueError, RecursionError):
            if section in _INDISPENSABLE or not section:
                return None
            continue
        for key, more in table.items():
            if key in _NEEDED and isinstance(more, dict):
                values[key] = values.get(key, {}) | more
            elif key in _INDISPENSABLE:
                return None
    return values
