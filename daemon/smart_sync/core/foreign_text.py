"""Text that strangers wrote, before anybody looks at what it means."""

import json
from typing import Any

#: No count has more digits; Python refuses to make a number of several thousand.
_MAX_DIGITS = 40


def read_json(text: str | bytes, *, strict: bool = True) -> Any:
    """The value of a JSON text; unless ``strict``, there may be line breaks in its strings.

    Raises ValueError for whatever is none, also for one that is nested too deeply.  A whole number beyond all counts
    becomes a float, infinity included.
    """
    try:
        return json.loads(text, parse_int=_whole, strict=strict)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def storable(text: str) -> str:
    """``text`` with U+FFFD in place of each lone surrogate, which neither a database nor a URL can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# A Python function, so that the parser lets the event loop run between two numbers: C code keeps the GIL.
def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)
