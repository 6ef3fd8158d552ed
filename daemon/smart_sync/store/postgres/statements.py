"""Translates the SQL text for PostgreSQL: parameters, and many rows in one statement or COPY."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

#: What is no parameter, though it holds a question mark: text and names in quotes, comments; then parameters.
_PARAMETER = re.compile(r"""--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|\?(\d*)""")
#: A table, perhaps behind its schema, whose name is in quotes where it needs them.
_SCHEMA = r'(?:(?:\w+|"(?:[^"]|"")*")\.)?'
_INSERT = re.compile(
    rf"\s*(?P<into>INSERT INTO (?P<table>{_SCHEMA}\w+) \((?P<columns>[^)]*)\))\s+"
    r"(?:VALUES \((?P<values>.*?)\)|(?P<select>SELECT .*? FROM )(?P<rest>.*?))\s*(?P<conflict>ON CONFLICT.*)?",
    re.DOTALL,
)
_UPDATE = re.compile(
    rf"\s*(?P<set>UPDATE {_SCHEMA}\w+(?: AS \w+)? SET .*?)(?: FROM (?P<rest>.*?))? WHERE (?P<where>.*)", re.DOTALL
)
_DELETE = re.compile(rf"\s*(?P<from>DELETE FROM {_SCHEMA}(?P<table>\w+)) WHERE (?P<where>.*)", re.DOTALL)
#: A list given as JSON.  As a subquery it would be joined, row by row with every row where the planner expects few;
#: as an array its values are looked up in an index, or hashed.
_LISTED = re.compile(
    r"\b(?P<negated>NOT )?IN \(SELECT (?:value|CAST\(value AS TEXT\)) FROM json_each\((?P<list>\?\d*)\)\)"
)
#: As rows of a join the planner knows their number only where they are those of an array.
_JOINED = re.compile(r"\bjson_each\((\?\d*)\) ([a-z]\w*)")
#: SQLite's `date` would round what `datetime` cuts off; ours cuts it off itself, and is part of the query then.
_CUT = re.compile(r"\bdate\(datetime\(([\w.?]+)\)")
_TARGET = re.compile(r"ON CONFLICT \(([^)]*)\) DO UPDATE")
_SHARED_WRITE = re.compile(
    r"(\s*(?:INSERT INTO|UPDATE|DELETE FROM) )(projects|project_social_accounts|account_snapshots)\b"
)


@cache
def numbered(sql: str) -> str:
    """``sql`` with PostgreSQL's parameters, lists as arrays, and simplified day expressions."""
    with_arrays = _JOINED.sub(r"unnest(listed(\1)) \2(value)", _LISTED.sub(_as_array, sql))
    return _with_parameters(_CUT.sub(r"date(\1", with_arrays), "$")


def _as_array(match: re.Match[str]) -> str:
    return f"{'<> ALL' if match['negated'] else '= ANY'} (listed({match['list']}))"


def _with_parameters(sql: str, mark: str) -> str:
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if not match[0].startswith("?"):
            return match[0]
        count += not match[1]
        return f"{mark}{match[1] or count}"

    return _PARAMETER.sub(number, sql)


@cache
def written_to(sql: str, schema: str) -> tuple[str, bool]:
    """``sql`` writing to the web app's own table, not to the view that we read it through; and whether it does."""
    changed, times = _SHARED_WRITE.subn(lambda match: f"{match[1]}{schema}.{match[2]}", sql, count=1)
    return (changed, True) if times and _SHARED_WRITE.match(sql) else (sql, False)


#: Where a `Bulk` names the rows it is for: as ``given``, with the columns p1, p2, …
GIVEN = "{given}"


class Bulk(NamedTuple):
    """A statement that does for all rows of `GIVEN` what another does for one row."""

    sql: str
    #: The places of the values that make the key: of two rows with one key only the last is written.
    key: Sequence[int]
    #: Where the rows are only added: the COPY that does that, and `sql` where it meets what is there.
    copy: str = ""


@cache
def bulk(sql: str) -> Bulk | None:
    """The `Bulk` of a statement, if there is an equivalent one; else None."""
    marked = _with_parameters(sql, "given.p")
    if match := _DELETE.fullmatch(marked):
        itself = re.search(rf"\b(?:FROM|JOIN) {_SCHEMA}{match['table']}\b", match["where"])
        return None if itself else Bulk(f"{match['from']} USING {GIVEN} WHERE {match['where']}", ())
    if "(SELECT" in marked:  # a row may change what the next one finds
        return None
    if match := _INSERT.fullmatch(marked):
        return _insert(match)
    if match := _UPDATE.fullmatch(marked):
        more = f", {match['rest']}" if match["rest"] else ""
        return Bulk(f"{match['set']} FROM {GIVEN}{more} WHERE {match['where']}", _places(match["where"]))
    return None


def _insert(match: re.Match[str]) -> Bulk | None:
    conflict, values = match["conflict"] or "", (match["values"] or "").split(", ")
    if "given." in conflict:
        return None
    if not match["values"]:
        return Bulk(f"{match['into']} {match['select']}{GIVEN}, {match['rest']} {conflict}", ())
    columns = match["columns"].split(", ")
    key: Sequence[int] = ()
    copy = ""
    if values == [f"given.p{number}" for number in range(1, len(columns) + 1)]:
        added = f"COPY {match['table']} ({match['columns']}) FROM STDIN"
        if not conflict:
            return Bulk("", (), added)
        copy = added if conflict == "ON CONFLICT DO NOTHING" else ""
    if target := _TARGET.match(conflict):
        of_key = [dict(zip(columns, values, strict=False)).get(name, "") for name in target[1].split(", ")]
        if not all(re.fullmatch(r"given\.p\d+", value) for value in of_key):
            return None
        key = _places(" ".join(of_key))
    return Bulk(f"{match['into']} SELECT {match['values']} FROM {GIVEN} {conflict}", key, copy)


def _places(text: str) -> Sequence[int]:
    return [int(number) - 1 for number in dict.fromkeys(re.findall(r"given\.p(\d+)", text))]


if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: For fewer rows a statement for each, sent without waiting, costs less.
LEAST = 8
#: Rows that are sent together: the larger, the longer the server waits for the first, and we for the last.
MOST = 1_000
_IN_COPY, _ODD_IN_COPY = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}), re.compile(r"[\\\t\n\r]")
_IN_ARRAY, _ODD_IN_ARRAY = str.maketrans({"\\": "\\\\", '"': '\\"'}), re.compile(r'[\\"]')

T = TypeVar("T")
Row = Sequence[Any]


async def copy(
    connection: "AsyncConnection[Any]", bulk: Bulk, rows: Iterator[Row], sent: list[Row] | None = None
) -> int | None:
    """COPY ``rows`` into the table of ``bulk``; return how many.

    With a list for the rows ``sent``, None if they were refused, and then nothing is left of them.
    """
    from psycopg import DataError, IntegrityError, NotSupportedError, ProgrammingError

    def portion() -> bytes | None:
        some = list(islice(rows, MOST))
        if sent is not None:
            sent.extend(some)
        return encoded(some) if some else None

    cursor = connection.cursor()
    if sent is not None:
        await cursor.execute("SAVEPOINT copied")
    try:
        async with cursor.copy(bulk.copy) as copy, contextlib.aclosing(ahead(portion)) as portions:
            async for data in portions:
                await copy.write(data)
        added: int | None = cursor.rowcount
    except (DataError, IntegrityError, NotSupportedError, ProgrammingError):
        if sent is None:
            raise
        await cursor.execute("ROLLBACK TO copied")
        added = None
    if sent is not None:
        await cursor.execute("RELEASE copied")
    return added


async def run(connection: "AsyncConnection[Any]", bulk: Bulk, types: Sequence[str], rows: Iterator[Row]) -> int:
    """Run ``bulk`` for rows whose columns have these types; return the number of rows changed."""

    def arrays() -> list[str] | None:
        some = list(islice(rows, MOST))
        return as_arrays(some, bulk.key) if some else None

    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    names = ", ".join(f"p{number}" for number in range(1, len(types) + 1))
    sql = bulk.sql.replace(GIVEN, f"unnest({given}) AS given({names})")
    changed = 0
    # No pipeline: psycopg 3.3 waits for the answer before it has sent all, and for ever if that is a megabyte.
    async with contextlib.aclosing(ahead(arrays)) as portions:
        async for portion in portions:
            changed += (await connection.execute(sql, portion)).rowcount
    return changed


async def ahead(make: Callable[[], T | None]) -> AsyncGenerator[T]:
    """The results of ``make`` until it returns None, each computed in a thread while the one before is used."""
    coming = asyncio.create_task(asyncio.to_thread(make), name="store:rows")
    try:
        while (made := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(make), name="store:rows")
            yield made
    finally:
        await asyncio.wait({coming})
        if not coming.cancelled():
            coming.exception()  # of rows that nobody waits for any more


async def types_of(connection: "AsyncConnection[Any]", sql: str) -> list[str]:
    """The server's types of the parameters of ``sql``."""
    cursor = await connection.execute(f"PREPARE smart_sync_types AS {numbered(sql)}")
    await cursor.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'smart_sync_types'")
    row = await cursor.fetchone()
    await cursor.execute("DEALLOCATE smart_sync_types")
    return list(row[0]) if row else []


def encoded(rows: Iterable[Row]) -> bytes:
    """``rows`` in COPY's format."""
    lines = map("\t".join, zip(*map(_copied, zip(*rows, strict=True)), strict=True))
    return "\n".join([*lines, ""]).encode()


def _copied(column: Sequence[Any]) -> Iterable[str]:
    # Column by column most need no look at each value: four times as fast as row by row.
    kinds = set(map(type, column))
    if kinds == {int}:
        return map(str, column)
    if kinds == {str} and not _ODD_IN_COPY.search("".join(column)):
        return column
    return ["\\N" if value is None else _text(value).translate(_IN_COPY) for value in column]


def as_arrays(rows: Sequence[Row], key: Sequence[int]) -> list[str]:
    """The columns of ``rows`` as array texts; of rows with the same ``key`` (column indexes) the last."""
    if key:
        rows = list({tuple([row[place] for place in key]): row for row in rows}.values())
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(column: Sequence[Any]) -> str:
    kinds = set(map(type, column))
    if kinds == {int}:
        return f"{{{','.join(map(str, column))}}}"
    if kinds == {str} and not _ODD_IN_ARRAY.search("".join(column)):
        return '{"' + '","'.join(column) + '"}'
    texts = ["NULL" if value is None else f'"{_text(value).translate(_IN_ARRAY)}"' for value in column]
    return f"{{{','.join(texts)}}}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return str(value)
