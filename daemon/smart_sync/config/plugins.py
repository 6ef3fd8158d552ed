"""Parsers by the name of their entry point: ours, and those that other packages bring."""

from importlib.metadata import entry_points
from typing import Any

from smart_sync.core.wording import nearest

GROUP = "smart_sync.parsers"


def parser_class(kind: str) -> Any:
    """The parser that is registered as ``kind``.  Raises ValueError, naming the known ones, if there is none."""
    found = entry_points(group=GROUP, name=kind)
    if not found:
        known = sorted({entry.name for entry in entry_points(group=GROUP)})
        near = nearest(kind, known)
        meant = f"; did you mean {near}?" if near else f"; there are {', '.join(known)}"
        raise ValueError(f'no such parser: "{kind}"{meant}')
    try:
        return next(iter(found)).load()
    except Exception as error:
        # Whatever another package does when it is imported: it is the configuration that asked for it.
        raise ValueError(f'parser "{kind}" cannot be loaded: {type(error).__name__}: {error}') from None
