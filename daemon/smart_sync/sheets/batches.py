"""Which worksheets go into one ``values:batchGet``, and which are meant by a range.  Pure."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

from gspread.utils import absolute_range_name

#: Google's own limit is higher; proxies and logs on the way cut at 2 kB.
MAX_URL_BYTES = 2048
#: What Google advises for one answer.
MAX_ANSWER_BYTES = 2_000_000

_URL = "https://sheets.googleapis.com/v4/spreadsheets/{}/values:batchGet?"
_QUOTED = re.compile(r"'((?:[^']|'')*)'(?:![^!]*)?", re.DOTALL)


def next_batch(
    key: str, titles: Iterable[str], options: str, sizes: Mapping[str, int], written: Mapping[str, str]
) -> list[str]:
    """The first of ``titles``, as many as one request may ask for, but at least one.

    A request is full when its URL (with the query ``options``) would pass `MAX_URL_BYTES`, or its answer
    `MAX_ANSWER_BYTES`, judged by ``sizes``, the bytes each worksheet had last time (0 if unknown).  ``written``: the
    titles that the spreadsheet writes otherwise.
    """
    batch: list[str] = []
    url, answer = len(_URL) + len(key) + len(options), 0
    for title in titles:
        url += len("&ranges=") + len(quote_plus(absolute_range_name(written.get(title, title))))
        answer += sizes.get(title, 0)
        if batch and (url > MAX_URL_BYTES or answer > MAX_ANSWER_BYTES):
            break
        batch.append(title)
    return batch


def title_of(range_name: str) -> str:
    """The worksheet's title in a range as Google writes it: ``'it''s'!A1:C9`` or ``Sheet1!A1:C9``."""
    if quoted := _QUOTED.fullmatch(range_name):
        return quoted[1].replace("''", "'")
    return range_name.rpartition("!")[0] or range_name


def differ_by_case(one: str, other: str) -> bool:
    """Whether two different titles are the same to Google, whose ranges ignore case."""
    return one != other and one.casefold() == other.casefold()
