"""Text from outside, before its meaning is read: JSON, CSV, storable text, decorations, invisible characters."""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

#: No count has more digits; Python refuses to make a number of several thousand.
_MAX_DIGITS = 40


def read_json(text: str | bytes, *, strict: bool = True) -> Any:
    """The value of a JSON text; unless ``strict``, strings may contain line breaks.

    Raises ValueError for whatever is none, also for one that is nested too deeply.  A whole number beyond all counts
    becomes a float, infinity included.
    """
    try:
        return json.loads(text, parse_int=_whole, strict=strict)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def storable(text: str) -> str:
    """``text`` with U+FFFD for characters a database cannot store: lone surrogates, and (PostgreSQL) NUL."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# A Python function, so that the parser lets the event loop run between two numbers: C code keeps the GIL.
def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


#: Signs that change nothing one sees: zero-width marks, directional marks (but not U+202E, which turns digits round),
#: soft hyphens, variation selectors, the byte order mark.
INVISIBLE = dict.fromkeys(
    map(
        ord,
        "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u2060\u2061\u2062\u2063\u2064"
        "\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff",
    )
)
#: Full-width signs, as they are typed in China and Japan.
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
#: Letters (Latin, Greek, Cyrillic) that are typed, or recognised in a picture, for 0, 1 and 3.
_ZEROS, _LIKE_DIGITS = "OoΟοОо", "OoΟοОоIlІӀЗз"
#: A word of such letters and of digits, or three of them for zeros behind a space: ``1O00``, ``20 90O``, ``1 OOO``.
_WITH_LETTER = re.compile(
    rf"(?<!\w)(?=[0-9]*[{_LIKE_DIGITS}])(?=[{_LIKE_DIGITS}]*[0-9])[0-9{_LIKE_DIGITS}]+(?!\w)|[0-9]\s[{_ZEROS}]{{3}}(?!\w)"
)


def with_ascii_digits(text: str) -> str:
    """``text`` with the digits of any script, and full-width signs, as those of ASCII."""
    if text.isascii():
        return text
    text = text.translate(FULL_WIDTH)
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def letter_among_digits(text: str) -> bool:
    """Whether a letter that looks like a digit stands among digits."""
    return _WITH_LETTER.search(text) is not None


_MARKS = frozenset("*•·†‡")
#: Blocks of pictures; of what is in them, these mean something: signs of arithmetic, 10, 100, dislike, no entry, the
#: mark of a pin.
_BLOCKS = (
    (0x2190, 0x21FF), (0x2300, 0x23FF), (0x25A0, 0x27BF), (0x2B00, 0x2BFF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF),
)  # fmt: skip
_MEANINGFUL = frozenset("✕✖✗✘➕➖➗🔟💯👎🚫⛔❓❔❌❗❕")


def undecorated(text: str) -> str:
    """``text`` with a space in place of each emoji or other decoration."""
    return text if text.isalnum() else "".join(" " if _is_decoration(sign) else sign for sign in text)


def _is_decoration(sign: str) -> bool:
    if sign in _MARKS:
        return True
    code = ord(sign)
    return (
        any(first <= code <= last for first, last in _BLOCKS)
        and sign not in _MEANINGFUL
        and unicodedata.category(sign) in ("So", "Sm", "Sk")
    )


DELIMITERS = ",;\t"
#: Lines from its beginning that tell.
DELIMITER_LINES = 60

_SAID = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?\s*", re.IGNORECASE)


def declared_delimiter(line: str) -> str:
    """The delimiter in Excel's first line ``sep=;``; "" if ``line`` is not such a line."""
    match = _SAID.fullmatch(line)
    return match[1] if match else ""


def delimiter_of(lines: Sequence[str], is_title: Callable[[str], bool]) -> str:
    """The delimiter of a file that begins with ``lines``.

    The one that ``sep=`` names, else the one with which some row has the most cells that are titles, so that commas
    in a line above the table do not matter; else the one most frequent, outside of quotes, in the first line that has
    any; else a comma.
    """
    if lines and (delimiter := declared_delimiter(lines[0])):
        return delimiter
    titles = {delimiter: _titles(lines, delimiter, is_title) for delimiter in DELIMITERS}
    most = max(titles.values())
    if most and list(titles.values()).count(most) == 1:
        return max(titles, key=lambda delimiter: titles[delimiter])
    for line in lines:
        outside = "".join(line.split('"')[::2])
        counts = {delimiter: outside.count(delimiter) for delimiter in DELIMITERS}
        if any(counts.values()):
            return max(counts, key=lambda delimiter: counts[delimiter])
    return ","


def _titles(lines: Sequence[str], delimiter: str, is_title: Callable[[str], bool]) -> int:
    most = 0
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            most = max(most, sum(map(is_title, row)))
    except csv.Error:  # a field beyond the parser's limit; the reader of the file says so
        pass
    return most


def is_abbreviated(value: object, count: int) -> bool:
    """Whether ``value``, which was read as ``count``, is a rounded figure.

    "1.2M" has other digits than 1200000; "12,480 followers" has those of 12480.
    """
    return isinstance(value, str) and "".join(filter(str.isdecimal, value)).lstrip("0") != str(count).lstrip("0")
