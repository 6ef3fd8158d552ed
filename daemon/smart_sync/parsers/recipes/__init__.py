"""Recipes: the steps for sources that agencies rent, as dated TOML files in this folder.

A recipe has the keys of a ``[parsers.<name>]`` table, and ``[about]``: where its shape was seen, and when.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

_SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """The names of all recipes, sorted."""
    file_names = (file.name for file in resources.files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in file_names if name.endswith(_SUFFIX)))


def read(name: str) -> dict[str, Any]:
    """The recipe ``name``, with ``about``. Raises ValueError if it does not exist."""
    if name not in names():
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(names())}")
    return tomllib.loads(resources.files(__package__).joinpath(name + _SUFFIX).read_text(encoding="utf-8"))


def applied(table: Mapping[str, Any]) -> dict[str, Any]:
    """``table`` with the keys of its ``recipe`` as defaults; headers and query are merged.

    Raises ValueError for an unknown recipe.
    """
    recipe = {key: value for key, value in read(str(table["recipe"])).items() if key != "about"}
    both = recipe.keys() & table.keys() & {"headers", "query"}
    joined = {key: {**recipe[key], **table[key]} for key in both}
    return {**recipe, **table, **joined}
