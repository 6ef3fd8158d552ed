"""Comparison of names: differences in Unicode normalisation or invisible characters do not count."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from smart_sync.core.model import Project
from smart_sync.core.wording import listed
from smart_sync.errors import SheetUnavailable

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


def with_namesakes(projects: Sequence[Project], place: Callable[[Project], str]) -> list[Project]:
    """The active projects, each with those that share its worksheet; ``place``: the spreadsheet that one is in."""
    ids: dict[tuple[str, str], list[str]] = {}
    for project in projects:
        ids.setdefault((place(project), name_key(project.name)), []).append(project.id)
    shared = {project_id: tuple(sorted(group)) for group in ids.values() if len(group) > 1 for project_id in group}
    return [replace(one, namesakes=shared[one.id]) if one.id in shared else one for one in projects]


def shared_worksheet(project: Project) -> Iterator[SheetUnavailable]:
    """Why a project is degraded that shares its worksheet: nobody can tell whose its new rows are."""
    if project.namesakes:
        ids, title = listed(project.namesakes, 5), name_key(project.name)
        yield SheetUnavailable(
            f'the projects {ids} have one name and so share worksheet "{title}"; no account is created for its rows',
            "rename all but one of them and give each its worksheet, or set is_active = 0",
            trouble="same-name",
        )


def _is_invisible(sign: str) -> bool:
    code = ord(sign)
    return code in _VARIATION_SELECTORS or (unicodedata.category(sign) == "Cf" and code not in _TAGS)
