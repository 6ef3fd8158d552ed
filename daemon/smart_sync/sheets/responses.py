"""Parses the response to ``values:batchGet``. Pure; runs in the thread that fetched it.

The rows stay the text they came in, compressed (`Grid`), which takes each apart once to see that it is sound.  Every
step is a short one, so that the event loop gets its turn in between.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import requests

from smart_sync.core.foreign_text import read_json, storable
from smart_sync.core.worksheet.grid import Builder, Grid
from smart_sync.core.worksheet.headers import letters

_BLANK = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*+"|[^\s,\[\]{}":]++', re.DOTALL)
#: An array of scalars.
_ROW = re.compile(rb'\[[^\[\]{}"]*+(?:"(?:[^"\\]|\\.)*+"[^\[\]{}"]*+)*+\]', re.DOTALL)
#: What opens and closes, outside of texts.
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_OPENING = (b"[", b"{")
_QUOTED = re.compile(r"'((?:[^']|'')*)'(?:![^!]*)?", re.DOTALL)


def title_of(range_name: str) -> str:
    """The worksheet's title in a range as Google writes it: ``'it''s'!A1:C9`` or ``Sheet1!A1:C9``."""
    if quoted := _QUOTED.fullmatch(range_name):
        return quoted[1].replace("''", "'")
    return range_name.rpartition("!")[0] or range_name


@dataclass(frozen=True, slots=True)
class Values:
    """One worksheet of a response."""

    #: As Google spells it: ranges ignore case, answers do not.
    title: str
    rows: Grid
    #: Its share of the answer, in bytes.
    size: int
    #: Which cell is neither a text nor a number, if there is one: the worksheet is not what it should be.
    flaw: str = ""


def parse_values(content: bytes, requested: int) -> list[Values]:
    """The worksheets in ``content``, the JSON of a response, in the requested order.

    Raises `requests.exceptions.InvalidJSONError` unless it is JSON that holds exactly ``requested`` of them.
    """
    try:
        worksheets = _Reader(content).answer()
    except (ValueError, RecursionError) as error:
        raise requests.exceptions.InvalidJSONError(str(error)) from None
    if len(worksheets) != requested:
        raise requests.exceptions.InvalidJSONError(f"expected the values of {requested} worksheets")
    return worksheets


class _Reader:
    """Parses a response from start to end. Its methods raise ValueError for an invalid one."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def answer(self) -> list[Values]:
        """The ranges of the response, in order."""
        worksheets: list[Values] = []

        def value(key: str) -> None:
            if key != "valueRanges":
                self._pass_over()
                return
            worksheets.clear()
            self._each(b"[", lambda: worksheets.append(self._worksheet()))

        self._object(value)
        if self._next():
            raise ValueError("there is more behind the answer")
        return worksheets

    def _worksheet(self) -> Values:
        start = self._at
        name: object = None
        rows, flaw = Grid.of(()), ""

        def value(key: str) -> None:
            nonlocal name, rows, flaw
            if key == "range":
                name = self._scalar()
            elif key == "values":
                rows, flaw = self._rows()
            else:
                self._pass_over()

        self._object(value)
        if not isinstance(name, str):
            raise ValueError("expected a range and its rows")  # noqa: TRY004  a foreign text, not a bug
        return Values(storable(title_of(name)), Grid.of(()) if flaw else rows, self._at - start, flaw)

    def _rows(self) -> tuple[Grid, str]:
        """The rows of a range; an emptied worksheet has no ``values``."""
        builder = Builder()

        def row() -> None:
            if self._next() != b"[":
                raise ValueError("expected a range and its rows")
            start = self._at
            match = _ROW.match(self._content, start)
            if match is None:
                self._pass_over()
            else:
                self._at = match.end()
            builder.add(self._content[start : self._at])

        self._each(b"[", row)
        grid, flaw = builder.grid(), builder.flaw
        return grid, f"{letters(flaw.column)}{flaw.row + 1} holds {flaw.what}" if flaw else ""

    def _object(self, value: Callable[[str], None]) -> None:
        def pair() -> None:
            self._next()
            text = _STRING.match(self._content, self._at)
            if text is None:
                raise ValueError("expected a key")
            self._at = text.end()
            self._expect(b":")
            value(str(read_json(text[0])))

        self._each(b"{", pair)

    def _each(self, opening: bytes, item: Callable[[], None]) -> None:
        closing = b"]" if opening == b"[" else b"}"
        self._expect(opening)
        if self._next() == closing:
            self._at += 1
            return
        while True:
            item()
            if self._next() == closing:
                self._at += 1
                return
            self._expect(b",")

    def _pass_over(self) -> None:
        """Skip a value that is irrelevant, or parsed as a whole."""
        if self._next() not in _OPENING:
            self._scalar()
            return
        depth = 0
        while (match := _BRACKET.search(self._content, self._at)) is not None:
            self._at = match.end()
            depth += (match[0] in _OPENING) - (match[0] in (b"]", b"}"))
            if depth == 0:
                return
        raise ValueError("the answer ends too early")

    def _scalar(self) -> object:
        self._next()
        match = _SCALAR.match(self._content, self._at)
        if match is None:
            raise ValueError("expected a value")
        self._at = match.end()
        return read_json(match[0])

    def _next(self) -> bytes:
        """The next character that is no space, without consuming it; b"" at the end."""
        blank = _BLANK.match(self._content, self._at)
        self._at = blank.end() if blank else self._at
        return self._content[self._at : self._at + 1]

    def _expect(self, sign: bytes) -> None:
        if self._next() != sign:
            raise ValueError(f"expected {sign.decode()} at byte {self._at}")
        self._at += 1
