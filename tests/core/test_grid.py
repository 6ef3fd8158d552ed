"""Worksheets as the text they came in: `smart_sync.core.worksheet.grid`, and Google's answers taken apart into it."""

import json
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from smart_sync.core.model import Cell
from smart_sync.core.worksheet.grid import BLOCK, Grid
from smart_sync.sheets.responses import parse_values

#: What a database can hold: what it cannot is replaced.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
cells = st.one_of(st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(allow_nan=False), texts)
tables = st.lists(st.lists(cells, max_size=5), max_size=5)


def answer(**worksheets: Any) -> dict[str, Any]:
    ranges = [{"range": f"{title}!A1:Z9", "majorDimension": "ROWS", "values": v} for title, v in worksheets.items()]
    return {"spreadsheetId": "k", "valueRanges": ranges}


@settings(deadline=None)
@given(tables)
def test_rows_come_back(rows: list[list[Any]]) -> None:
    """A grid has the rows that it was made of, in order, one by one and as a whole."""
    grid = Grid.of(rows)
    assert grid == rows
    assert [grid[number] for number in range(len(grid))] == rows
    assert grid[1:3] == rows[1:3]
    assert grid != [*rows, []]


def test_many_rows_come_back() -> None:
    """Rows of several blocks come back, from the front, from the back and in any order."""
    rows: list[list[Cell]] = [[f"row {number}", number] for number in range(2 * BLOCK + 1)]
    grid = Grid.of(rows)
    assert grid == rows
    assert len(grid) == len(rows)
    assert [grid[number] for number in (0, BLOCK, BLOCK - 1, -1, 5)] == [rows[n] for n in (0, BLOCK, BLOCK - 1, -1, 5)]
    with pytest.raises(IndexError):
        grid[len(rows)]


@settings(deadline=None)
@given(st.lists(tables, min_size=1, max_size=3), st.sampled_from([None, 2]), st.booleans())
def test_an_answer_is_what_json_says(worksheets: list[Any], indent: int | None, escaped: bool) -> None:
    """Whatever the cells and however it is laid out, an answer holds what a JSON parser finds in it."""
    body = answer(**{f"W{number}": rows for number, rows in enumerate(worksheets)})
    content = json.dumps(body, indent=indent, ensure_ascii=escaped).encode()
    found = parse_values(content, len(worksheets))
    assert [values.rows for values in found] == worksheets
    assert [values.title for values in found] == [f"W{number}" for number in range(len(worksheets))]
    assert not any(values.flaw for values in found)


@settings(deadline=None)
@given(st.binary() | st.recursive(cells | st.floats(), lambda more: st.lists(more) | st.dictionaries(st.text(), more)))
def test_what_is_no_answer_is_refused(body: Any) -> None:
    """Whatever arrives in place of an answer is one error that is tried again."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(requests.exceptions.InvalidJSONError):
        parse_values(content, 1)


@settings(deadline=None)
@given(st.data())
def test_a_spoilt_answer_is_refused_or_read_as_json_reads_it(data: st.DataObject) -> None:
    """A sign more, less or other somewhere never gives rows that a JSON parser would not give."""
    content = bytearray(json.dumps(answer(A=[["Link", 'a"]b', 1], ["x\\", None, 2.5]])).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.binary(max_size=2) | st.sampled_from([b"]", b'"', b"["])
    )
    try:
        (values,) = parse_values(bytes(content), 1)
    except requests.exceptions.InvalidJSONError:
        return
    try:
        body = json.loads(content)
    except ValueError:
        # Only what does not matter here is passed over without a look at what is in it.
        assert values.rows == [["Link", 'a"]b', 1], ["x\\", None, 2.5]] or values.flaw
        return
    found = body["valueRanges"][0].get("values", [])
    assert values.flaw or json.dumps(list(values.rows)) == json.dumps(found)


def test_deep_nesting_is_a_flaw() -> None:
    """A cell of a hundred thousand brackets is the trouble of its worksheet, not the end of the program."""
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(requests.exceptions.InvalidJSONError):
        parse_values(f'{{"valueRanges": [{{"range": "A", "values": [[{deep}]]}}]}}'.encode(), 1)
