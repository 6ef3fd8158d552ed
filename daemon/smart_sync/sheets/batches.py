"""Which worksheets go into one request for many.  Pure."""

from collections.abc import Iterable, Mapping

#: What Google advises for one answer.
MAX_ANSWER_BYTES = 2_000_000
#: What a worksheet that was never read is taken for: some three hundred rows.
UNKNOWN_BYTES = 20_000
#: What is said of a worksheet that holds nothing.
_EMPTY_BYTES = 200


def next_batch(titles: Iterable[str], sizes: Mapping[str, int]) -> list[str]:
    """The first of ``titles``, as many as one request may ask for, but at least one.

    A request is full when its answer would pass `MAX_ANSWER_BYTES`, judged by ``sizes``, the bytes each worksheet had
    last time.
    """
    batch: list[str] = []
    answer = 0
    for title in titles:
        answer += max(sizes.get(title, UNKNOWN_BYTES), _EMPTY_BYTES)
        if batch and answer > MAX_ANSWER_BYTES:
            break
        batch.append(title)
    return batch
