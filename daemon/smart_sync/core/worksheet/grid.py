"""The cells of a worksheet as compressed text: rows are parsed when they are accessed.

Five million cells as Python values are half a gigabyte; as JSON they are forty megabytes, and ten when compressed.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from smart_sync.core.foreign_text import read_json, storable
from smart_sync.core.model import Cell

#: Rows that are compressed, and taken apart, together: a millisecond's work.
BLOCK = 128


class Flaw(NamedTuple):
    """A cell (row and column, from 0) with a value that no cell can have."""

    row: int
    column: int
    what: str


_SCALARS = frozenset({str, int, float, bool, type(None)})
_DECODER = json.JSONDecoder()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Grid(Sequence[Sequence[Cell]]):
    """The rows of a worksheet, from 0, read-only; every access parses the row again. `Builder` makes a grid."""

    __slots__ = ("_blocks", "_count", "_open")

    def __init__(self, blocks: Sequence[bytes], count: int, first: list[list[Cell]]) -> None:
        """``first``: the rows of the first block."""
        self._blocks, self._count = blocks, count
        #: The block looked at last, taken apart.
        self._open = (0, first)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sequence[Cell]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Cell]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[Cell] | Sequence[Sequence[Cell]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        block, row = divmod(range(self._count)[index], BLOCK)
        number, rows = self._open
        if number != block:
            rows = _rows_of(zlib.decompress(self._blocks[block]))
            self._open = (block, rows)
        return rows[row]

    def __iter__(self) -> Iterator[list[Cell]]:
        for number, block in enumerate(self._blocks):
            opened, rows = self._open
            yield from rows if opened == number else _rows_of(zlib.decompress(block))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == yours for mine, yours in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Grid of {self._count} rows>"

    @classmethod
    def of(cls, rows: Iterable[Sequence[Cell]]) -> "Grid":
        """A grid of ``rows``, which are iterated once."""
        builder = Builder()
        for row in rows:
            builder.add(_encode(row).encode())
        return builder.grid()


class Builder:
    """Builds a grid row by row."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._first: list[list[Cell]] = []
        self._waiting: list[bytes] = []
        self.count = 0
        #: The first of the cells that hold what no cell can; None if all are sound.
        self.flaw: Flaw | None = None

    def add(self, text: bytes) -> None:
        """Append a row: the text of a JSON array, in UTF-8.

        Rows are looked at in blocks.  Raises ValueError where one of a block is no array.
        """
        self._waiting.append(text)
        self.count += 1
        if len(self._waiting) == BLOCK:
            self._compress()

    def grid(self) -> Grid:
        """The grid of all rows so far. Raises as `add` does."""
        if self._waiting:
            self._compress()
        return Grid(tuple(self._blocks), self.count, self._first)

    def _compress(self) -> None:
        block, before = b"[" + b",".join(self._waiting) + b"]", self.count - len(self._waiting)
        self._waiting.clear()
        rows = _decoded(block)
        for number, row in enumerate(rows, before):
            if not isinstance(row, list):
                raise ValueError("not an array")  # noqa: TRY004  a foreign text, not a bug
            if self.flaw is None and not _SCALARS.issuperset(map(type, row)):
                column = next(index for index, cell in enumerate(row) if type(cell) not in _SCALARS)
                self.flaw = Flaw(number, column, "a list" if isinstance(row[column], list) else "an object")
        if not self._blocks:
            self._first = _storable(rows, block)
        self._blocks.append(zlib.compress(block, 1))


def _rows_of(block: bytes) -> list[list[Cell]]:
    return _storable(_decoded(block), block)


def _storable(rows: list[list[Cell]], block: bytes) -> list[list[Cell]]:
    """The rows of a block, each text `storable`: only escaped characters may not be."""
    if b"\\u" in block:
        return [[storable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return rows


def _decoded(text: bytes) -> Any:
    plain = text.decode()
    try:
        return _DECODER.decode(plain)
    except (ValueError, RecursionError):
        # It has a number of too many digits, if it is JSON at all.
        return read_json(plain)
