"""What separates the fields of a CSV file."""

import csv
import re
from collections.abc import Callable, Sequence

DELIMITERS = ",;\t"
#: Lines from its beginning that tell.
LINES = 60

_SAID = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?\s*", re.IGNORECASE)


def said(line: str) -> str:
    """What Excel's first line ``sep=;`` says; "" if ``line`` is none."""
    found = _SAID.fullmatch(line)
    return found[1] if found else ""


def delimiter_of(lines: Sequence[str], is_title: Callable[[str], bool]) -> str:
    """The delimiter of a file that begins with ``lines``.

    The one that ``sep=`` names, else the one with which some row has the most cells that are titles, so that commas
    in a line above the table do not matter; else the one most frequent, outside of quotes, in the first line that has
    any; else a comma.
    """
    if lines and (delimiter := said(lines[0])):
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
