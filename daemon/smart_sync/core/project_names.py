"""Comparison of names: differences in Unicode normalisation or invisible characters do not count."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from smart_sync.core.model import Project

T = TypeVar("T")

#: Tags are invisible too, but tell the flags of England and Scotland apart.
_TAGS = range(0xE0000, 0xE0080)
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


def name_key(name: str) -> str:
    """The normal form of a name: composed, without invisible characters, with single spaces."""
    if name.isascii() and name.isprintable() and "  " not in name:
        return name.strip()
    shown = (sign for sign in unicodedata.normalize("NFC", name) if not _is_invisible(sign))
    return " ".join(unicodedata.normalize("NFC", "".join(shown)).split())


def written(name: str, names: Iterable[str]) -> str | None:
    """The spelling of ``name`` among ``names``: exact, else the first equal one; None if there is none."""
    known = names if isinstance(names, Collection) else list(names)
    if name in known:
        return name
    key = name_key(name)
    return next((other for other in known if name_key(other) == key), None)


def named(name: str, table: Mapping[str, T]) -> tuple[str, T] | None:
    """The entry of ``table`` for ``name`` in any spelling, with its key; None if there is none."""
    if name in table:
        return name, table[name]
    key = written(name, table) if table else None
    return None if key is None else (key, table[key])


def in_spreadsheets(projects: Sequence[Project], default: str) -> list[Project]:
    """The active projects, each with whether its spreadsheet is one of several that they name.

    ``default`` is what ``[sync.defaults.projects]`` calls the default spreadsheet; "": nothing.
    """
    several = len({name_key(project.spreadsheet) for project in projects} - {""}) > 1
    seen = {"", name_key(default)}
    return [
        replace(project, one_of_several=several and name_key(project.spreadsheet) not in seen) for project in projects
    ]


def _is_invisible(sign: str) -> bool:
    code = ord(sign)
    return code in _VARIATION_SELECTORS or (unicodedata.category(sign) == "Cf" and code not in _TAGS)
