"""Counts as the answers of platforms write them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from smart_sync.core.foreign_text import storable
from smart_sync.core.model import MAX_COUNT

_DIGITS = re.compile(r"[0-9]{1,19}")


def count(value: object) -> int | None:
    """``value`` as a count: a whole number from 0 to 2^63-1, or a text of its digits; None if it is none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT:
        return value
    return None


def total(items: Iterable[Mapping[str, Any]], key: str) -> int | None:
    """The sum of ``key`` over the items that have it; None if none has it, or it is beyond what can be stored."""
    counts = [found for item in items if (found := count(item.get(key))) is not None]
    return count(sum(counts)) if counts else None


def text(value: object) -> str:
    """``value`` if it is a text, or a number as one; else "": nested deeply enough, anything else has no text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return storable(value) if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one: a platform's answer may hold anything anywhere."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects in the JSON array ``value``; empty if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
