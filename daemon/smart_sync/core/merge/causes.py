"""What probably happened when a number was typed that cannot be meant: a few words for the person who typed it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: Days that "last week's" may be old.
_WEEK = range(5, 10)


class Evidence(NamedTuple):
    """What is known of a typed number: its metric, what would have been usual, and where else it stood."""

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
        when = "last week's" if seen.days_ago in _WEEK else f"that of {seen.days_ago} days ago"
        return f"looks like {when}"
    if not seen.usual:
        return "unlike what the parser says"
    tens = [10**at for at in range(len(str(seen.new)))]
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
    if any(low - last <= seen.new <= high - last for (low, high), last in zip(seen.usual, seen.last, strict=True)):
        return "looks like the growth, not the total"
    return "it has fallen" if all(seen.new < low for low, _ in seen.usual) else "far above how it has grown"


def _is_usual(value: int, seen: Evidence) -> bool:
    return any(low <= value <= high for low, high in seen.usual)


def _is_usual_with_a_digit(value: int, ten: int, seen: Evidence) -> bool:
    """Whether ``value`` is usual with some digit at the place that counts ``ten``, where it has a 0."""
    return any(max(0, -((value - low) // ten)) <= min(9, (high - value) // ten) for low, high in seen.usual)


def _with_one_more(number: int, tens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``number`` with room for one more digit, and what that digit counts."""
    return ((number // ten * ten * 10 + number % ten, ten) for ten in (*tens, tens[-1] * 10))


def _without_one(number: int, tens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``number`` with a 0 in place of a digit, and what that digit counts."""
    return ((number - number // ten % 10 * ten, ten) for ten in tens)


def _with_one_less(number: int, tens: Sequence[int]) -> Iterator[int]:
    return (number // (ten * 10) * ten + number % ten for ten in tens if len(tens) > 1)


def _swapped(number: int, tens: Sequence[int]) -> Iterator[int]:
    return (number + (number // ten % 10 - number // (ten * 10) % 10) * 9 * ten for ten in tens[:-1])
