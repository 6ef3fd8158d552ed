"""What probably happened when a number was typed that cannot be meant: a few words for the person who typed it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_DIGITS = "0123456789"
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
    text = str(seen.new)
    for words, others in (
        ("a digit is missing", _with_one_more(text)),
        ("a digit too many", _with_one_less(text)),
        ("two digits are swapped", _swapped(text)),
        ("looks like thousands", iter((text + "000",))),
        ("zeros are missing", iter((text + "00", text + "0000"))),
        ("a digit is wrong", _with_another(text)),
    ):
        if any(_is_usual(int(other), seen) for other in others):
            return words
    if any(low - last <= seen.new <= high - last for (low, high), last in zip(seen.usual, seen.last, strict=True)):
        return "looks like the growth, not the total"
    return "it has fallen" if all(seen.new < low for low, _ in seen.usual) else "far above how it has grown"


def _is_usual(value: int, seen: Evidence) -> bool:
    return any(low <= value <= high for low, high in seen.usual)


def _with_one_more(text: str) -> Iterator[str]:
    return (text[:at] + digit + text[at:] for at in range(len(text) + 1) for digit in _DIGITS)


def _with_one_less(text: str) -> Iterator[str]:
    return (text[:at] + text[at + 1 :] for at in range(len(text)) if len(text) > 1)


def _swapped(text: str) -> Iterator[str]:
    return (text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1))


def _with_another(text: str) -> Iterator[str]:
    return (text[:at] + digit + text[at + 1 :] for at in range(len(text)) for digit in _DIGITS)
