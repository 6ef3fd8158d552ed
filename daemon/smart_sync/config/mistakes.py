"""One mistake in the configuration, as pydantic reports it, in the words of the file."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smart_sync.config import keys
from smart_sync.core.wording import nearest

#: How a dictionary's key is marked in a location.
_KEY = "[key]"
#: Kind of mistake → what was expected, with pydantic's own fields of it.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_parsing": "a number",
    "finite_number": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g} on",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than_equal": "a number up to {le:g}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a table",
    "path_type": "a path, in quotes",
    "string_type": "text in quotes",
    "too_long": "no more than {max_length} of them",
    "too_short": "at least {min_length} of them",
    "tuple_type": "a list",
}


def describe(path: Path, values: Mapping[str, Any], problem: Any) -> str:
    """One mistake in words; never the value itself, which may be a secret. ``values`` are the file's."""
    where = _place(values, problem["loc"])
    if problem["loc"][-1:] == (_KEY,) and where[-2:-1] == ["headers"]:
        where.pop()  # a whole line of a header as its name, secret and all
    key = ".".join(where)
    variable = _variable_of(where, values)
    from_environment = variable == keys.variable(where)
    place = f"the environment: {variable}" if variable else f"{path}: {key or '(the whole file)'}"
    only = problem["ctx"]["expected"] if _KEY in problem["loc"] and problem["type"] == "literal_error" else ""
    if only or problem["type"] == "extra_forbidden":
        meant = _nearest_of(where, only) if only else keys.nearest_key(where, values)
        if only and not meant:
            return f"{no_such_key(place, '')}; expected {only}"
        return no_such_key(place, keys.variable(meant.split(".")) if meant and from_environment else meant)
    if problem["type"] == "missing":
        return f"{place}: missing"
    if expected := _EXPECTED.get(problem["type"]):
        return f"{place}: expected {expected.format(**problem.get('ctx', {}))}"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"


def _variable_of(where: Sequence[str], values: Mapping[str, Any]) -> str:
    """The variable that has the key, and its place in the JSON of one that has a whole table; "" if the file has it."""
    known = set(map(str.upper, os.environ))
    if keys.variable(where) in known:
        return keys.variable(where)
    in_file: Any = values
    for part in where:
        in_file = in_file.get(part) if isinstance(in_file, Mapping) else in_file
    if in_file is not None:
        return ""
    tables = (count for count in range(len(where) - 1, 0, -1) if keys.variable(where[:count]) in known)
    count = next(tables, 0)
    return f"{keys.variable(where[:count])}: {'.'.join(where[count:])}" if count else ""


def no_such_key(place: str, meant: str) -> str:
    """The message that ``place`` is no key; ``meant`` is the probable one, or ""."""
    return f"{place}: no such key" + (f"; did you mean {meant}?" if meant else "")


def environment_mistake(error: str) -> str:
    """The message for a variable that must hold JSON and does not; ``error`` only names its section."""
    section = re.search(r'field "(\w+)"', error)
    if section is None:
        return f"the environment: {error}"
    name = keys.variable([section[1]])
    variables = [own for own in os.environ if own.upper() == name or own.upper().startswith(name + keys.LEVEL)]
    return (
        f"the environment: {' or '.join(sorted(variables)) or name}: expected JSON, as it stands for a table or a list"
    )


def _nearest_of(where: Sequence[str], only: str) -> str:
    """The probable key among the allowed names (quoted in ``only``); "" if none is similar."""
    meant = nearest(where[-1], re.findall(r"'([^']*)'", only))
    return ".".join([*where[:-1], meant]) if meant else ""


def _place(values: Any, location: Sequence[Any]) -> list[str]:
    """The keys that lead to a mistake; the index 0 is left out where the list was written without brackets."""
    keys: list[str] = []
    for part in _as_written(values, location):
        if part == _KEY or (part == 0 and keys and not isinstance(values, list | Mapping | None)):
            continue
        keys.append(str(part))
        values = values.get(part) if isinstance(values, Mapping) else values[part] if _has(values, part) else None
    return keys


def _as_written(values: Any, location: Sequence[Any]) -> Sequence[Any]:
    """``location`` without the step index of a parser whose only step is written in its own table."""
    match tuple(location):
        case ("parsers", name, "steps", 0, *rest) if "steps" not in _table(values, "parsers", name):
            return ("parsers", name, *rest)
        case _:
            return location


def _table(values: Any, *names: str) -> Mapping[str, Any]:
    """The table of the file by its names; an empty one where the file has none, for the environment may."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _has(values: Any, index: Any) -> bool:
    return isinstance(values, list) and isinstance(index, int) and index < len(values)
