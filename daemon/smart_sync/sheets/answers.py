"""The answer to a ``values:batchGet``, taken apart.  Pure; runs in the thread that fetched it."""

from collections.abc import Sequence
from dataclasses import dataclass

import requests

from smart_sync.core.foreign_text import storable
from smart_sync.core.headers import letters
from smart_sync.core.model import Cell
from smart_sync.sheets.batches import title_of

_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Values:
    """One worksheet of an answer."""

    #: As Google spells it: ranges ignore case, answers do not.
    title: str
    rows: list[list[Cell]]
    #: Its share of the answer, in bytes.
    size: int
    #: Which cell is neither a text nor a number, if there is one: the worksheet is not what it should be.
    flaw: str = ""


def understand(body: object, asked: int, size: int, *, escapes: bool = True) -> list[Values]:
    """The worksheets in ``body``, the JSON of an answer of ``size`` characters, in the order asked for.

    ``escapes``: its texts may hold lone surrogates; each becomes U+FFFD.
    Raises `requests.exceptions.InvalidJSONError` unless it holds exactly ``asked`` of them.
    """
    found = body.get("valueRanges") if isinstance(body, dict) else None
    if not isinstance(found, list) or len(found) != asked:
        raise requests.exceptions.InvalidJSONError(f"expected the values of {asked} worksheets")
    tables = [_rows(item) for item in found]
    flaws = [_flaw(rows) for _, rows in tables]
    good = [[] if flaw else _mended(rows) if escapes else rows for (_, rows), flaw in zip(tables, flaws, strict=True)]
    cells = [sum(map(len, rows)) + 1 for rows in good]
    per_cell = size / max(1, sum(cells))
    return [
        Values(storable(title), rows, int(count * per_cell), flaw)
        for (title, _), rows, count, flaw in zip(tables, good, cells, flaws, strict=True)
    ]


def _rows(item: object) -> tuple[str, list[list[Cell]]]:
    """An emptied worksheet has no ``values`` at all."""
    name = item.get("range") if isinstance(item, dict) else None
    rows: Sequence[object] = item.get("values", []) if isinstance(item, dict) else []
    if not isinstance(name, str) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise requests.exceptions.InvalidJSONError("expected a range and its rows")
    return title_of(name), rows


def _flaw(rows: Sequence[Sequence[object]]) -> str:
    for number, row in enumerate(rows, 1):
        if not _SCALARS.issuperset(map(type, row)):
            column = next(index for index, cell in enumerate(row) if type(cell) not in _SCALARS)
            return f"{letters(column)}{number} holds {'a list' if isinstance(row[column], list) else 'an object'}"
    return ""


def _mended(rows: list[list[Cell]]) -> list[list[Cell]]:
    return [[storable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
