"""Many rows at once: their columns as arrays that one statement unnests; rows that are only added by COPY.

Measured with 20,000 accounts in four tables: arrays cost the server as much as COPY into a temporary table and a
statement that reads it, and need no right to make one.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from smart_sync.store.postgres.statements import GIVEN, Bulk, numbered

if TYPE_CHECKING:
    from psycopg import AsyncConnection

#: For fewer rows a statement for each, sent without waiting, costs less; more than so many are sent in parts.
LEAST, MOST = 8, 20_000
_IN_COPY, _ODD_IN_COPY = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}), re.compile(r"[\\\t\n\r]")
_IN_ARRAY, _ODD_IN_ARRAY = str.maketrans({"\\": "\\\\", '"': '\\"'}), re.compile(r'[\\"]')

Row = Sequence[Any]


async def parts(rows: Iterable[Row]) -> list[list[Row]]:
    """``rows`` in parts of `MOST`, made in a thread."""

    def made() -> list[list[Row]]:
        left = iter(rows)
        return list(iter(lambda: list(islice(left, MOST)), []))

    return await asyncio.to_thread(made)


async def run(connection: "AsyncConnection[Any]", bulk: Bulk, types: Sequence[str], rows: Sequence[Row]) -> int:
    """Run ``bulk`` for ``rows``, whose values have these types there; returns the number of rows changed."""
    cursor = connection.cursor()
    if bulk.copy:
        data = await asyncio.to_thread(encoded, rows)
        async with cursor.copy(bulk.copy) as copy:
            await copy.write(data)
        return cursor.rowcount
    arrays = await asyncio.to_thread(_arrays, rows, bulk.key)
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    names = ", ".join(f"p{number}" for number in range(1, len(types) + 1))
    await cursor.execute(bulk.sql.replace(GIVEN, f"unnest({given}) AS given({names})"), arrays)
    return cursor.rowcount


async def types_of(connection: "AsyncConnection[Any]", sql: str) -> list[str]:
    """The types that the server gives the parameters of ``sql``."""
    cursor = await connection.execute(f"PREPARE smart_sync_types AS {numbered(sql)}")
    await cursor.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'smart_sync_types'")
    found = await cursor.fetchone()
    await cursor.execute("DEALLOCATE smart_sync_types")
    return list(found[0]) if found else []


def encoded(rows: Iterable[Row]) -> bytes:
    """``rows`` as COPY reads them."""
    lines = map("\t".join, zip(*map(_copied, zip(*rows, strict=True)), strict=True))
    return "".join([f"{line}\n" for line in lines]).encode()


def _copied(column: Sequence[Any]) -> Iterable[str]:
    # Column by column most need no look at each value: four times as fast as row by row.
    kinds = set(map(type, column))
    if kinds == {int}:
        return map(str, column)
    if kinds == {str} and not _ODD_IN_COPY.search("".join(column)):
        return column
    return ["\\N" if value is None else _text(value).translate(_IN_COPY) for value in column]


def _arrays(rows: Sequence[Row], key: Sequence[int]) -> list[str]:
    """The columns of ``rows`` as the texts of arrays; of several with one ``key`` (places of values) the last."""
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
