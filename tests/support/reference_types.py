"""JSON objects as tables: their keys, types and meanings, from the ``TypedDict`` that declares them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Required, get_args, get_origin, get_type_hints, is_typeddict

from smart_sync.core import answers, daemon_answers, explain_answer, message_answers
from source_comments import own_comments, paragraphs

#: Every JSON object that is declared, by name; those of the passes first.
OBJECTS: dict[str, Any] = {
    name: one
    for module in (answers, daemon_answers, explain_answer, message_answers)
    for name, one in vars(module).items()
    if is_typeddict(one)
}
_PLAIN = {
    bool: "true or false", int: "whole number", float: "number", str: "text", type(None): "null", Any: "anything",
    object: "anything",
}  # fmt: skip


def json_words(hint: Any) -> str:
    """A type as JSON has it; a declared object links to its table."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Required:
        return json_words(arguments[0])
    if origin is list:
        return f"list of {json_words(arguments[0])}"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object: {json_words(arguments[0])} → {json_words(arguments[1])}"
    if arguments:
        return " or ".join(dict.fromkeys(json_words(one) for one in arguments))
    if is_typeddict(hint):
        return link(hint.__name__)
    return _PLAIN[hint]


def link(name: str) -> str:
    """A reference to the table of an object."""
    return f"[{name}](#{name.lower()})"


def linked(text: str) -> str:
    """``text`` with references where it names objects in backquotes."""
    json = re.sub(r"\bNone\b", "null", text)
    return re.sub(r"`(\w+)`", lambda found: link(found[1]) if found[1] in OBJECTS else found[0], json)


def reached(names: Iterable[str]) -> list[str]:
    """The objects of these names, and those within them; in the order of `OBJECTS`."""
    found, waiting = set[str](), set(names)
    while waiting:
        found |= waiting
        hints = (str(hint) for name in waiting for hint in get_type_hints(OBJECTS[name]).values())
        waiting = {name for hint in hints for name in re.findall(r"\w+", hint) if name in OBJECTS} - found
    return [name for name in OBJECTS if name in found]


def object_lines(name: str) -> Iterator[str]:
    """The table of an object."""
    declared = OBJECTS[name]
    # At runtime a TypedDict no longer knows what it was derived from.
    near = [one for one in OBJECTS.values() if one.__module__ == declared.__module__]
    bases = [one for one in near if one.__annotations__.items() < declared.__annotations__.items()]
    meanings = {key: text for one in (*bases, declared) for key, text in own_comments(one).items()}
    yield from (f"### {name}", "", linked(" ".join(paragraphs(declared.__doc__))), "", "| key | type | meaning |")
    yield "|---|---|---|"
    for key, hint in get_type_hints(declared, include_extras=True).items():
        yield f"| `{key}` | {json_words(hint)} | {linked(meanings.get(key, ''))} |"
    yield ""
