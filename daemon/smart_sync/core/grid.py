"""The cells of a worksheet as the text they came in: a row is taken apart when it is looked at, and then forgotten.

Five million cells as Python values are half a gigabyte; as JSON they are forty megabytes.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from smart_sync.core.foreign_text import read_json, storable
from smart_sync.core.model import Cell

_SCALARS = frozenset({str, int, float, bool, type(None)})
_DECODER = json.JSONDecoder()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Grid(Sequence[Sequence[Cell]]):
    """The rows of a worksheet, from 0, read-only; each look at one makes it anew.

    ``text`` holds the JSON array of each row between its start and its end (bytes); `row_of` has accepted them all.
    """

    __slots__ = ("_ends", "_starts", "_text")

    def __init__(self, text: bytes | bytearray, starts: "array[int]", ends: "array[int]") -> None:
        self._text, self._starts, self._ends = text, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Sequence[Cell]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Cell]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[Cell] | Sequence[Sequence[Cell]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return row_of(self._text[self._starts[index] : self._ends[index]])

    def __iter__(self) -> Iterator[list[Cell]]:
        for start, end in zip(self._starts, self._ends, strict=True):
            yield row_of(self._text[start:end])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(mine == yours for mine, yours in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Grid of {len(self)} rows>"

    def texts(self) -> Iterator[memoryview]:
        """The text of each row: the same texts, the same cells."""
        view = memoryview(self._text)
        for start, end in zip(self._starts, self._ends, strict=True):
            yield view[start:end]

    @classmethod
    def of(cls, rows: Iterable[Sequence[Cell]]) -> "Grid":
        """The grid of ``rows``, which are looked at once."""
        text, starts, ends = bytearray(), array("Q"), array("Q")
        for row in rows:
            starts.append(len(text))
            text += _encode(row).encode()
            ends.append(len(text))
        return cls(text, starts, ends)


def row_of(text: bytes | bytearray) -> list[Cell]:
    """The cells of the JSON array ``text``, lone surrogates as U+FFFD.

    Raises ValueError for what is no array, and `Flaw` for one with an array or an object in it.
    """
    plain = text.decode()
    try:
        row: Any = _DECODER.decode(plain)
    except (ValueError, RecursionError):
        row = read_json(plain)
    if not isinstance(row, list):
        raise ValueError("not an array")  # noqa: TRY004  a foreign text, not a bug
    if not _SCALARS.issuperset(map(type, row)):
        column = next(index for index, cell in enumerate(row) if type(cell) not in _SCALARS)
        raise Flaw(column, "a list" if isinstance(row[column], list) else "an object")
    cells: list[Cell] = row
    if "\\u" in plain:
        cells = [storable(cell) if isinstance(cell, str) else cell for cell in cells]
    return cells


class Flaw(ValueError):
    """A cell (its column, from 0) that holds what no cell can."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what
