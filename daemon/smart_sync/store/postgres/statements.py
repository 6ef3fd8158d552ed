"""The one SQL text as PostgreSQL takes it: its parameters, and a statement for many rows as one for a table of them."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

#: What is no parameter, though it holds a question mark: text and names in quotes; then parameters.
_PARAMETER = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?(\d*)""")
_INSERT = re.compile(
    r"\s*(?P<into>INSERT INTO [\w.]+ \((?P<columns>[^)]*)\))\s+"
    r"(?:VALUES \((?P<values>.*?)\)|(?P<select>SELECT .*? FROM )(?P<rest>.*?))\s*(?P<conflict>ON CONFLICT.*)?",
    re.DOTALL,
)
_UPDATE = re.compile(
    r"\s*(?P<set>UPDATE [\w.]+(?: AS \w+)? SET .*?)(?: FROM (?P<rest>.*?))? WHERE (?P<where>.*)", re.DOTALL
)
_TARGET = re.compile(r"ON CONFLICT \(([^)]*)\) DO UPDATE")
_SHARED_WRITE = re.compile(
    r"(\s*(?:INSERT INTO|UPDATE|DELETE FROM) )(projects|project_social_accounts|account_snapshots)\b"
)


@cache
def numbered(sql: str) -> str:
    """``sql`` with PostgreSQL's parameters."""
    return _with_parameters(sql, "$")


def _with_parameters(sql: str, mark: str) -> str:
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if not found[0].startswith("?"):
            return found[0]
        count += not found[1]
        return f"{mark}{found[1] or count}"

    return _PARAMETER.sub(number, sql)


@cache
def written_to(sql: str, schema: str) -> tuple[str, bool]:
    """``sql`` writing to the web app's own table, not to the view that we read it through; and whether it does."""
    changed, times = _SHARED_WRITE.subn(rf"\1{schema}.\2", sql, count=1)
    return (changed, True) if times and _SHARED_WRITE.match(sql) else (sql, False)


class Bulk(NamedTuple):
    """A statement that does for all rows of a table ``{stage}`` (p1, p2, …) what another does for one row."""

    sql: str
    #: The places of the values that make the key: of two rows with one key only the last is written.
    key: Sequence[int]


@cache
def bulk(sql: str) -> Bulk | None:
    """The `Bulk` of a statement, where that means the same; else None."""
    if "(SELECT" in sql:  # a row may change what the next one finds
        return None
    marked = _with_parameters(sql, "given.p")
    if found := _INSERT.fullmatch(marked):
        conflict = found["conflict"] or ""
        if "given." in conflict:
            return None
        source = (
            f"SELECT {found['values']} FROM {{stage}} given"
            if found["values"]
            else (f"{found['select']}{{stage}} given, {found['rest']}")
        )
        return Bulk(f"{found['into']} {source} {conflict}", _key(found, conflict))
    if found := _UPDATE.fullmatch(marked):
        more = f", {found['rest']}" if found["rest"] else ""
        return Bulk(f"{found['set']} FROM {{stage}} given{more} WHERE {found['where']}", ())
    return None


def _key(found: re.Match[str], conflict: str) -> Sequence[int]:
    target = _TARGET.match(conflict)
    if target is None or not found["values"]:
        return ()
    columns = [name.strip() for name in found["columns"].split(",")]
    values = [value.strip() for value in found["values"].split(",")]
    places = [values[columns.index(name.strip())] for name in target[1].split(",")]
    return [int(place.removeprefix("given.p")) - 1 for place in places]
