"""The likely cause of a probable typing mistake, in a few words, such as "a digit is missing"."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: Days that "last week's" may be old.
_WEEK = range(5, 10)


class Evidence(NamedTuple):
    """What is known about a typed number: its metric, the usual range, and other cells that had it."""

    metric: str
    new: int
    #: From what to what the number would have been usual, growing from each of the account's last numbers.
    usual: Sequence[tuple[int, int]] = ()
    #: Those numbers.
    last: Sequence[int] = ()
    #: Cells that held it before: the metric, and whose row it was; "" for the account's own.
    cells: Sequence[tuple[str, str]] = ()
    #: How many days ago it was the number of this very cell.
    days_ago: int | None = None


def likely_cause(seen: Evidence) -> str:
    """The likely cause, in a few words."""
    for metric, name in seen.cells:
        if name:
            return f"this is {name}'s number"
        return f"this is the number of its {metric}"
    if seen.days_ago is not None:
        return _looks_old(seen.days_ago)
    if not seen.usual:
        return "unlike what the parser says"
    tens = [10**at for at in range(len(str(seen.new)))]
    seen = seen._replace(usual=_nearer(seen))
    for words, is_so in (
        ("a digit is missing", any(_is_usual_with_a_digit(*one, seen) for one in _with_one_more(seen.new, tens))),
        ("a digit too many", any(_is_usual(other, seen) for other in _with_one_less(seen.new, tens))),
        ("two digits are swapped", any(_is_usual(other, seen) for other in _swapped(seen.new, tens))),
        ("looks like thousands", _is_usual(seen.new * 1000, seen)),
        ("zeros are missing", _is_usual(seen.new * 100, seen) or _is_usual(seen.new * 10_000, seen)),
        ("a digit is wrong", any(_is_usual_with_a_digit(*one, seen) for one in _without_one(seen.new, tens))),
    ):
        if is_so:
            return words
    growth = zip(seen.usual, seen.last, strict=True)
    if seen.new and any(low - last <= seen.new <= high - last for (low, high), last in growth):
        return "looks like the growth, not the total"
    return "it has fallen" if all(seen.new < low for low, _ in seen.usual) else "far above how it has grown"


def _looks_old(days: int) -> str:
    if days == 1:
        return "looks like yesterday's"
    return "looks like last week's" if days in _WEEK else f"looks like that of {days} days ago"


def _nearer(seen: Evidence) -> list[tuple[int, int]]:
    """The usual numbers that are no further from the last one, as a factor, than the typed number is.

    While little is known almost all are usual: 475,010 after 500,011 is a fall, and not 1,475,010 with a digit missing.
    """
    found = []
    for (low, high), last in zip(seen.usual, seen.last, strict=True):
        least, most = sorted((seen.new, last * last // seen.new if seen.new else high))
        found.append((max(low, least), min(high, most)))
    return found


def _is_usual(value: int, seen: Evidence) -> bool:
    return any(low <= value <= high for low, high in seen.usual)


def _is_usual_with_a_digit(value: int, ten: int, seen: Evidence) -> bool:
    """Whether ``value`` is usual with another digit in the place of value ``ten``, where it has a 0."""
    return any(max(0, -((value - low) // ten)) <= min(9, (high - value) // ten) for low, high in seen.usual)


def _with_one_more(number: int, tens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``number`` with room for one more digit, and that digit's place value."""
    return ((number // ten * ten * 10 + number % ten, ten) for ten in (*tens, tens[-1] * 10))


def _without_one(number: int, tens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``number`` with a 0 in place of a digit, and that digit's place value."""
    return ((number - number // ten % 10 * ten, ten) for ten in tens)


def _with_one_less(number: int, tens: Sequence[int]) -> Iterator[int]:
    return (number // (ten * 10) * ten + number % ten for ten in tens if len(tens) > 1)


def _swapped(number: int, tens: Sequence[int]) -> Iterator[int]:
    return (number + (number // ten % 10 - number // (ten * 10) % 10) * 9 * ten for ten in tens[:-1])
