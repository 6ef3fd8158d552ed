"""Which worksheets go into one ``values:batchGet``.  Pure."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

from gspread.utils import absolute_range_name

#: Google's own limit is higher; proxies and logs on the way cut at 2 kB.
MAX_URL_BYTES = 2048
#: What Google advises for one answer.
MAX_ANSWER_BYTES = 2_000_000

_URL = "https://sheets.googleapis.com/v4/spreadsheets/{}/values:batchGet?"


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
