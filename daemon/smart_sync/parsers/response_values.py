"""Reads values out of platforms' responses, which may hold anything: counts, texts, objects and lists; never raises.

Only `objects` does, for a list that must be complete.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from smart_sync.core.foreign_text import storable
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.parsers.failures import AccountRefused


def count(value: object) -> int | None:
    """``value`` as a count, by the grammar of `core.worksheet.cells`; None if it is none, or rounded (``1.2M``)."""
    if not isinstance(value, str | int | float) or (isinstance(value, str) and any(map(str.isalpha, value))):
        return None
    try:
        return read_count(value)
    except Unreadable:
        return None


def total(items: Iterable[Mapping[str, Any]], key: str) -> int | None:
    """The sum of ``key`` over the items that have it; None if none has it, or it is too large to store."""
    counts = [number for item in items if (number := count(item.get(key))) is not None]
    return count(sum(counts)) if counts else None


def text(value: object) -> str:
    """``value`` if it is text, or a number as text; else ""."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return storable(value) if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object, what: str) -> list[Mapping[str, Any]]:
    """The JSON objects of a list that must be complete. Raises `AccountRefused` for anything else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise AccountRefused(f"the answer has no list of {what}")
    return value


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects in the JSON array ``value``; empty if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
