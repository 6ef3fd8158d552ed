"""The names of the configuration: its keys, their environment variables, and suggestions for misspelt ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from smart_sync.config.notify import TargetSettings, WebhookSettings
from smart_sync.config.settings import Settings, parser_class
from smart_sync.core.wording import nearest

PREFIX: str = Settings.model_config["env_prefix"] or ""
LEVEL: str = Settings.model_config["env_nested_delimiter"] or ""
#: Variables of ours that are no keys.
OTHERS = (f"{PREFIX}CONFIG", f"{PREFIX}GOOGLE_CREDENTIALS")


def variable(key: Iterable[object]) -> str:
    """The variable that sets a key: ``("log", "level")`` → ``SMART_SYNC_LOG__LEVEL``."""
    return PREFIX + LEVEL.join(str(part) for part in key).upper()


def name_the_sheets(environment: Mapping[str, str]) -> bool:
    """Whether variables of ``[sheets]`` are set, without which a configuration by environment is incomplete."""
    section = variable(("sheets",))
    return any(name.upper() == section or name.upper().startswith(section + LEVEL) for name in environment)


def nearest_key(key: Sequence[str], values: Mapping[str, Any]) -> str:
    """The key (with dots) that ``key`` was probably meant to be; "" if none is similar. ``values`` are the file's."""
    siblings = _sibling_keys(key, values) if len(key) > 2 else ()
    if siblings or (len(key) > 2 and key[0] == "parsers"):  # of a parser of an unknown kind nothing is known
        meant = nearest(key[-1], siblings)
        return ".".join([*key[:-1], meant]) if meant else ""
    return nearest(".".join(key), [".".join(known) for known in _keys()])


def _sibling_keys(key: Sequence[str], values: Mapping[str, Any]) -> Iterable[str]:
    """The valid keys of an entry of ``[[webhooks]]``, ``[[notify.targets]]`` or ``[parsers.<name>]``."""
    section, name, *more = key
    if section == "webhooks":
        return WebhookSettings.model_fields
    if (section, name) == ("notify", "targets"):
        return TargetSettings.model_fields
    if section != "parsers" or len(more) > 1:
        return ()
    tables = values.get(section)
    table = tables.get(name) if isinstance(tables, Mapping) else None
    kind = table.get("kind", name) if isinstance(table, Mapping) else name
    try:
        settings: type[BaseModel] = parser_class(str(kind)).settings
    except ValueError:  # the environment says the kind
        return ()
    return settings.model_fields


def misspelt(environment: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The variables that look like settings but match none, each with the probable one, or "".

    Those in a known section are left to `Settings`, which refuses what the section does not have.  A name without
    levels may be anybody's, so it must be like one of ours; one that a secret is kept in (``env:NAME`` in ``values``
    or in the environment) never is.
    """
    secrets = set(_referred([values, *environment.values()]))
    for name in environment:
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in OTHERS or name in secrets:
            continue
        section = upper.removeprefix(PREFIX).partition(LEVEL)[0].lower()
        if section in {key[0] for key in _keys()}:
            continue
        meant = _nearest_variable(upper)
        if meant or LEVEL in upper:
            yield name, meant


def _nearest_variable(name: str) -> str:
    # One underscore in place of two is the likeliest slip.
    plain = {known.replace(LEVEL, "_"): known for known in (*OTHERS, *map(variable, _keys()))}
    nearest_name = nearest(name.replace(LEVEL, "_").removeprefix(PREFIX), (p.removeprefix(PREFIX) for p in plain))
    return plain[PREFIX + nearest_name] if nearest_name else ""


@cache
def _keys() -> tuple[tuple[str, ...], ...]:
    """Every section, and every key of tables with fixed keys, at any depth."""
    return tuple(_keys_of(Settings))


def _keys_of(section: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        # An alias is the key itself, of another section: "parsers.state".
        yield tuple(field.validation_alias.split(".")) if isinstance(field.validation_alias, str) else (name,)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, *key) for key in _keys_of(field.annotation))


def _referred(value: object) -> Iterator[str]:
    """The variables referred to as ``env:NAME`` anywhere in ``value``."""
    if isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")
    elif isinstance(value, Mapping):
        yield from _referred(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _referred(item)
