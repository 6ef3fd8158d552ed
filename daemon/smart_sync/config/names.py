"""The names of the configuration: its keys, the environment's variables for them, and what is nearly one of them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from smart_sync.config.settings import Settings
from smart_sync.core.wording import nearest

PREFIX: str = Settings.model_config["env_prefix"] or ""
LEVEL: str = Settings.model_config["env_nested_delimiter"] or ""
#: Variables of ours that are no keys.
OTHERS = (f"{PREFIX}CONFIG", f"{PREFIX}GOOGLE_CREDENTIALS")


def variable(key: Iterable[object]) -> str:
    """The variable that sets a key: ``("log", "level")`` → ``SMART_SYNC_LOG__LEVEL``."""
    return PREFIX + LEVEL.join(str(part) for part in key).upper()


def nearest_key(key: str) -> str:
    """The key that was probably meant by ``key`` (with dots); empty if none is like it."""
    return nearest(key, (".".join(known) for known in _keys()))


def misspelt(environment: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The variables that look like settings and are none, each with the one that was probably meant, or "".

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
        if section in Settings.model_fields:
            continue
        meant = _nearest_variable(upper)
        if meant or LEVEL in upper:
            yield name, meant


def _nearest_variable(name: str) -> str:
    # One underscore in place of two is the likeliest slip.
    plain = {known.replace(LEVEL, "_"): known for known in (*OTHERS, *map(variable, _keys()))}
    found = nearest(name.replace(LEVEL, "_").removeprefix(PREFIX), (p.removeprefix(PREFIX) for p in plain))
    return plain[PREFIX + found] if found else ""


@cache
def _keys() -> tuple[tuple[str, ...], ...]:
    """Every section, and every key of those that are tables of fixed keys."""
    keys: list[tuple[str, ...]] = []
    for section, field in Settings.model_fields.items():
        keys.append((section,))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += [(section, key) for key in field.annotation.model_fields]
    return tuple(keys)


def _referred(value: object) -> Iterator[str]:
    """The variables that are named by ``env:NAME`` anywhere in ``value``."""
    if isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")
    elif isinstance(value, Mapping):
        yield from _referred(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _referred(item)
