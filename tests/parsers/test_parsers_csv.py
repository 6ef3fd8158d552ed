"""Parsed values from files."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_platforms import drain, values
from smart_sync import logs
from smart_sync.core.model import METRICS, Account, Metrics, Precision
from smart_sync.parsers.csv_files import MAX_BAD_LINES, CsvParser, CsvSettings
from smart_sync.parsers.file_rows import BadLine, Format, Row, read_rows
from world import World

ACCOUNTS = [
    Account("a", "p1", "tiktok", "charli", "https://www.tiktok.com/@charli"),
    Account("b", "p2", "tiktok", "charli", "https://www.tiktok.com/@charli"),
    Account("c", "p1", "youtube", "google", "https://www.youtube.com/@google"),
]


def rows(text: str, form: Format = "csv") -> list[Row | BadLine]:
    return list(read_rows(StringIO(text, newline=""), form))


def parser(path: Path, text: str | bytes) -> CsvParser:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvParser(CsvSettings(kind="csv", source="csv", path=path))


async def test_accounts_are_found_by_id_link_and_identity(tmp_path: Path) -> None:
    """A row counts for the account with its id, or all with its link, however the link was pasted."""
    text = "account_id,link,followers,views\nc,,5,\n,https://www.tiktok.com/@charli,7,\n,tiktok.com/@Charli/?x=1,,9\n,nobody,1,\n"
    found, failure = await drain(parser(tmp_path / "parsed.csv", text), ACCOUNTS)
    assert failure is None
    assert [(value.account_id, value.metrics.followers, value.metrics.views) for value in values(found)] == [
        ("c", 5, None),
        ("a", 7, None),
        ("b", 7, None),
        ("a", None, 9),
        ("b", None, 9),
    ]


async def test_a_line_of_two_accounts_counts_for_neither(tmp_path: Path) -> None:
    """Where columns were sorted apart the id is one account's and the link another's: named, and nobody's numbers."""
    torn = "c,tiktok.com/@Charli,5\n"
    fine = "c,youtube.com/@Google/,7\na,https://www.tiktok.com/@charli,8\nb,https://www.tiktok.com/@of-before,9\n"
    asked = parser(tmp_path / "parsed.csv", f"account_id,link,followers\n{torn}{fine}")
    found, failure = await drain(asked, ACCOUNTS)
    assert failure is None
    assert [(value.account_id, value.metrics.followers) for value in values(found)] == [("c", 7), ("a", 8), ("b", 9)]
    assert "line 2: its account_id is that of https://www.youtube.com/@google, its link that of another" in asked.flaw


A, B = "https://www.tiktok.com/@a", "https://www.tiktok.com/@b"


@pytest.mark.parametrize(
    "lines",
    [
        f",{A},5,,,\n,{A},,9,,\n",
        f",{A},4,,one,\n,{A},5,9,two,\n",
        f",{A},9,9,,2026-03-08\n,{A},5,9,,2026-03-09\n,{B},1,1,,\n",
        f",{A},9,9,,\n,{B},1,1,,\naccount-a,,5,,,\n",
    ],
)
async def test_several_lines_of_an_account_count_as_they_do_for_ingest(world: World, lines: str) -> None:
    """A line for each metric, source or day: none is lost, of one source the last counts."""
    world.add_project("P", ["a", "b"])
    file = world.folder / "parsed.csv"
    file.write_text(f"account_id,link,followers,views,source,parsed_at\n{lines}")
    os.utime(file, (world.now.timestamp(),) * 2)
    world.sections["parsers"] = {"csv": {"path": file}}
    await world.sync()
    assert world.merged("a") == (5, 0, 0, 0, 9)


EXCEL = "\ufefflink;followers;views\r\nhttps://www.tiktok.com/@a;12 480;1,5K\r\n"


@pytest.mark.parametrize(
    "text",
    [
        EXCEL,
        "sep=;\r\n" + EXCEL.removeprefix("\ufeff"),
        '"sep=;"\r\n' + EXCEL.removeprefix("\ufeff"),
        "\ufeffsep=;\r\n" + EXCEL.removeprefix("\ufeff"),
        EXCEL.replace(";", "\t"),
        EXCEL.replace("followers", "note, and more;followers").replace("@a;", "@a;x,y,z;"),
    ],
)
def test_what_excel_saves_is_read(text: str) -> None:
    """Semicolons and tabs, a byte order mark and a line ``sep=;`` are what Excel writes; lines keep their numbers."""
    assert [row.metrics if isinstance(row, Row) else row for row in rows(text)] == [Metrics(12_480, views=1500)]
    assert [row.line for row in rows(text)] == [text.count("\n")]


def test_a_file_with_semicolons_may_have_decimal_commas() -> None:
    """What is another number where the comma is a decimal sign is a mistake there, and none among commas."""
    (bad,) = rows("link;views\nx;25,000\n")
    assert isinstance(bad, BadLine)
    assert "its separators" in bad.reason
    (good,) = rows('link,views\nx,"25,000"\n')
    assert isinstance(good, Row)
    assert good.metrics.views == 25_000


def test_a_leading_decimal_sign_is_one_in_a_file_too() -> None:
    """A file is read by the same grammar as a cell."""
    (row,) = rows("link,views,likes\nx,.5M,12 likes\n")
    assert isinstance(row, Row)
    assert row.metrics == Metrics(likes=12, views=500_000)


async def test_source_time_and_precision(tmp_path: Path) -> None:
    """What the row says of source, time and precision holds; else the parser's name and the file's own time."""
    text = "\ufefflink,Followers,source,parsed_at,precision\n{0},1,shop,2026-03-01T10:00:00+02:00,rounded\n{1},2,,,\n"
    path = tmp_path / "parsed.csv"
    found, _failure = await drain(parser(path, text.format(ACCOUNTS[0].link, ACCOUNTS[2].link)), ACCOUNTS[::2])
    first, second = values(found)
    assert (first.source, first.parsed_at) == ("shop", datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert first.precision is Precision.ROUNDED
    assert (second.source, second.precision) == ("csv", Precision.EXACT)
    assert second.parsed_at == datetime.fromtimestamp(path.stat().st_mtime, UTC)


BAD_CSV = {
    "followers,link\n1,\n": "line 2: neither account_id nor link",
    "followers,link\n,x\n": "line 2: no metric has a value",
    "followers,link\nmany,x\n": "line 2: followers: not a count",
    "followers,link\n-1,x\n": "line 2: followers: negative",
    "followers,link,parsed_at\n1,x,soon\n": "line 2: parsed_at is not a time",
    "followers,link,precision\n1,x,about\n": "line 2: precision is neither",
    'followers,link\n1,"a\nb"\n-1,x\n': "line 4: followers",
    "followers,name\n1,x\n": "line 1: the header names neither",
}


@pytest.mark.parametrize("text", BAD_CSV)
def test_bad_lines_of_csv(text: str) -> None:
    """A bad line is reported with its number and what is wrong with it."""
    (bad,) = [row for row in rows(text) if isinstance(row, BadLine)]
    assert str(bad).startswith(BAD_CSV[text])


def test_json_lines() -> None:
    """One object a line; blank lines are nothing, bad ones are told, the others are kept."""
    text = '{"link": "x", "followers": 5, "views": "1,234"}\n\nnonsense\n[1]\n'
    text += '{"account_id": 7, "likes": null, "views": 2}\n'
    text += '{"link": "x", "likes": [1]}\n{"link": true, "likes": 1}\n'
    good = [row for row in rows(text, "jsonl") if isinstance(row, Row)]
    assert [(row.line, row.account_id, row.link, row.metrics) for row in good] == [
        (1, "", "x", Metrics(followers=5, views=1234)),
        (5, "7", "", Metrics(views=2)),
    ]
    assert [row.line for row in rows(text, "jsonl") if isinstance(row, BadLine)] == [3, 4, 6, 7]


@given(st.lists(st.lists(st.text(), max_size=5), max_size=5), st.sampled_from(["csv", "jsonl"]))
def test_reading_never_raises(table: list[list[str]], form: Format) -> None:
    """Whatever a file holds, every line is a row or a bad line."""
    text = "link,followers,parsed_at\n" + "\n".join(",".join(cells) for cells in table)
    assert all(isinstance(row, Row | BadLine) for row in read_rows(StringIO(text, newline=""), form))


@given(st.builds(Metrics, *[st.none() | st.integers(0, 2**63 - 1)] * 5).filter(lambda m: any(v is not None for v in m)))
def test_what_is_written_is_read(metrics: Metrics) -> None:
    """Every count from 0 to 2^63-1, and every absence of one, survives both formats."""
    record: dict[str, Any] = {"link": "x", **metrics._asdict()}
    line = ",".join("" if value is None else str(value) for value in record.values())
    found = [*rows(f"link,{','.join(METRICS)}\n{line}\n"), *rows(json.dumps(record), "jsonl")]
    assert [row.metrics for row in found if isinstance(row, Row)] == [metrics, metrics]


async def test_bad_lines_are_reported_once_per_version(tmp_path: Path) -> None:
    """A file's bad lines are logged when it is first read and when it has changed, at most twenty and a count."""
    stream = StringIO()
    logs.configure("json", "info", stream)
    asked = parser(tmp_path / "parsed.csv", "link,followers\n" + "x,many\n" * 100)
    await drain(asked, ACCOUNTS)
    await drain(asked, ACCOUNTS)
    lines: Sequence[str] = stream.getvalue().splitlines()
    assert len(lines) == MAX_BAD_LINES + 1
    assert "80 more lines" in lines[-1]
    (tmp_path / "parsed.csv").write_text("link,followers\nx,many\n")
    await drain(asked, ACCOUNTS)
    assert len(stream.getvalue().splitlines()) == MAX_BAD_LINES + 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no line is below its header"),
        ("link,followers\n", "no line is below its header"),
        ("<!doctype html>\n<title>Sign in</title>\n", "line 1: the header names neither account_id nor link"),
        ("link,followers\nx,many\n", "line 2: followers: "),
        ("link,views,likes, Views\nx,1,2,3\n", "line 1: the header names views twice"),
    ],
)
async def test_a_file_without_values_is_a_failure(tmp_path: Path, text: str, why: str) -> None:
    """What should have written it has failed, or it is another file: told as any parser that brings nothing."""
    found, failure = await drain(parser(tmp_path / "parsed.csv", text), ACCOUNTS)
    assert not found
    assert f"{tmp_path / 'parsed.csv'} has no values: {why}" in str(failure)


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"\xff\xfe\x00", "not a text file")])
async def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that is missing or no text is the parser's failure, with the path in it."""
    asked = parser(tmp_path / "parsed.csv", content or b"")
    if content is None:
        (tmp_path / "parsed.csv").unlink()
    found, failure = await drain(asked, ACCOUNTS)
    assert not found
    assert words in str(failure)
    assert str(tmp_path) in str(failure)
