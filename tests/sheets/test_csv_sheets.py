"""Worksheets from a directory of CSV files."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smart_sync.config import ScheduleSettings, SheetsSettings
from smart_sync.control import daemon_status
from smart_sync.core.model import Metrics, Project, Table
from smart_sync.core.worksheet.table import read_table
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import ParserFailed, SheetUnavailable
from smart_sync.parsers import csv_files
from smart_sync.sheets import csv_directory, open_sheets
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.scheduler import Scheduler
from smart_sync.sync.sync_pass import SyncPass
from world import World


class Drive:
    """A folder on a drive that hangs while `hangs`: whoever looks there waits until `end`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hangs, self._back = folder, False, threading.Event()

    def end(self) -> None:
        """It answers again."""
        self.hangs = False
        self._back.set()

    def slow(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The system's ``call``, as it is for what lies there."""

        def called(path: Any, *arguments: Any, **options: Any) -> Any:
            if self.hangs and isinstance(path, str | Path) and Path(path).is_relative_to(self.folder):
                self._back.wait(20)
            return call(path, *arguments, **options)

        return called


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    """A folder that can be made to hang."""
    drive = Drive(tmp_path / "drive")
    drive.folder.mkdir()
    for name in ("open", "stat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, drive.slow(getattr(os, name)))
    yield drive
    drive.end()


async def read(directory: Path, title: str, **settings: object) -> list[list[object]]:
    async with open_sheets(SheetsSettings(source="csv", directory=directory, **settings)) as sheets:  # type: ignore[arg-type]
        sheets.begin()
        return [list(row) for row in (await sheets.read(Project(id="1", name=title))).rows]


async def table_of(directory: Path, text: str) -> Table:
    (directory / "A.csv").write_text(text)
    async with open_sheets(SheetsSettings(source="csv", directory=directory)) as sheets:
        sheets.begin()
        return read_table(await sheets.read(Project(id="1", name="A")), Titles())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_the_usual_forms_are_read(tmp_path: Path, delimiter: str, mark: str, end: str) -> None:
    """Comma, semicolon or tab, with or without a byte order mark, whichever line ends: the same cells."""
    lines = [["Link", "Followers"], ["https://tiktok.com/@a", "1 234"], ['"quoted, ""twice"";\tx"', ""]]
    (tmp_path / "A.csv").write_bytes((mark + end.join(delimiter.join(line) for line in lines)).encode())
    assert await read(tmp_path, "A") == [
        ["Link", "Followers"],
        ["https://tiktok.com/@a", "1 234"],
        ['quoted, "twice";\tx', ""],
    ]


async def test_a_row_that_was_taken_apart_wrongly_has_no_numbers(tmp_path: Path) -> None:
    """A row with more fields than the header (an unquoted ``1,234``) is named and not read; blank fields are none."""
    lines = ["Link,Followers,Views", "https://x.test/@a,1,234,5", "https://x.test/@b,1,2,,", "https://x.test/@c,3"]
    found = await table_of(tmp_path, "\n".join([*lines, ""]))
    assert [row.metrics for row in found.rows] == [Metrics(), Metrics(1, views=2), Metrics(3)]
    assert found.rows[0].unreadable == {"followers", "views"}
    assert [(p.row, p.column, p.value) for p in found.problems] == [(2, "D", "5")]
    assert not found.not_understood


@pytest.mark.parametrize(("last", "read"), [("12", False), ("12\n", True), ("12,", True), ("12,\n", True)])
async def test_a_file_that_ends_in_the_middle_of_a_row(tmp_path: Path, last: str, read: bool) -> None:
    """A last row without its line's end and without all its fields is named, since its last number may be cut off.

    Many a program ends no last line: one with all its fields is whole, and so are shorter rows above it.
    """
    found = await table_of(tmp_path, f"Link,Followers,Views\nhttps://x.test/@a,5\nhttps://x.test/@b,{last}")
    assert found.rows[0].metrics == Metrics(5)
    assert found.rows[1].metrics == (Metrics(12) if read else Metrics())
    assert [p.row for p in found.problems] == ([] if read else [3])


@pytest.mark.parametrize("title", ["it's", "A&B (1).x", " padded ", "🎉", "x-y", "a.csv", "Тематика", "..a"])
async def test_a_title_is_a_file_name(tmp_path: Path, title: str) -> None:
    """Whatever a title is, its file is `<title>.csv`, and it is in the list of titles."""
    (tmp_path / f"{title}.csv").write_text("Link\n")
    assert await read(tmp_path, title) == [["Link"]]
    async with open_sheets(SheetsSettings(source="csv", directory=tmp_path)) as sheets:
        assert await sheets.titles() == [title]


async def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    """``SUMMER.CSV``, as some programs name it, is a worksheet; where there is a ``.csv`` too that one is read."""
    (tmp_path / "Summer.CSV").write_text("Link,Views\n")
    assert csv_directory.titles_in(tmp_path) == ["Summer"]
    assert await read(tmp_path, "Summer") == [["Link", "Views"]]
    (tmp_path / "Summer.csv").write_text("Link\n")
    assert csv_directory.titles_in(tmp_path) == ["Summer"]
    assert await read(tmp_path, "Summer") == [["Link"]]


@pytest.mark.parametrize(
    "title", ["../secret", "/etc/passwd", "..", ".", "", "a/../../secret", "..\\secret", "x\0y", "link"]
)
async def test_nothing_outside_the_directory_is_read(tmp_path: Path, title: str) -> None:
    """A title never leads out of the directory: not by dots, not by a slash, not by a link."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text("secret")
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SheetUnavailable) as failure:
        await read(inside, title)
    assert failure.value.remedy


async def test_a_missing_worksheet_names_those_that_are_there(tmp_path: Path) -> None:
    """The failure lists close titles."""
    (tmp_path / "Project One.csv").write_text("Link\n")
    with pytest.raises(SheetUnavailable, match='there is "Project One"'):
        await read(tmp_path, "Project 1")


async def test_a_missing_directory_is_a_failure(tmp_path: Path) -> None:
    """Without its directory the source says which one it wanted."""
    with pytest.raises(SheetUnavailable, match="gone"):
        await read(tmp_path / "gone", "A")


async def test_a_drive_that_hangs_costs_a_deadline_and_few_threads(hanging: Drive) -> None:
    """The directory is named by the deadline; however many worksheets and passes, no more threads hang than may."""
    directory = hanging.folder
    (directory / "A.csv").write_text("Link\n")
    hanging.hangs = True
    before = threading.active_count()
    settings = SheetsSettings(source="csv", directory=directory, deadline=0.05, concurrency=2)
    async with open_sheets(settings) as sheets:
        for _ in range(2):
            sheets.begin()
            reads = (sheets.read(Project("1", name)) for name in ("A", "B", "C", "A"))
            told = await asyncio.gather(*reads, sheets.titles(), return_exceptions=True)
            assert {str(one) for one in told} == {
                (
                    f"the directory of worksheets {directory} cannot be read: no answer within 0.05 s;"
                    " if it is on a network drive, check that drive"
                )
            }
        assert threading.active_count() - before <= 2
        hanging.end()
        sheets.begin()
        assert [list(row) for row in (await sheets.read(Project("1", "A"))).rows] == [["Link"]]


async def test_files_and_health_wait_for_no_drive_that_hangs(
    hanging: Drive, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a parser is told by its name, the directory of worksheets in the health; nobody waits in vain."""
    path = hanging.folder / "parsed.csv"
    path.write_text("link,views\n")
    monkeypatch.setattr(csv_files, "FILE_PATIENCE", 0.05)
    monkeypatch.setattr(daemon_status, "LOOK", 0.05)
    hanging.hangs = True
    parser = csv_files.CsvParser(csv_files.CsvSettings(path=path))
    with pytest.raises(ParserFailed, match=r"parsed\.csv cannot be read: no answer within"):
        await anext(parser.fetch([]))
    world.sections["sheets"] = {"source": "csv", "directory": hanging.folder}
    async with opened(world.settings, Reporter()) as resources:
        runner = Scheduler(SyncPass(resources).run, ScheduleSettings(), resources.clock, resources.database.rest)
        judge = daemon_status.DaemonStatus(resources, runner, time.monotonic())
        said = f"the directory of worksheets {hanging.folder} does not answer; if it is on a network drive"
        assert said in " ".join((await judge.healthz())["reasons"])
    hanging.end()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Link\n\xff\xfe", "not UTF-8 in line 2"),
        (b'Link\n"never closed', "unclosed quote"),
        (b"x" * 200_000, "field larger"),
    ],
)
async def test_what_is_no_csv_is_a_failure(tmp_path: Path, content: bytes, said: str) -> None:
    """Damaged files are refused as a whole, and the message says where to look."""
    (tmp_path / "A.csv").write_bytes(content)
    with pytest.raises(SheetUnavailable, match=said):
        await read(tmp_path, "A")


async def test_what_is_no_file_does_not_hang(tmp_path: Path) -> None:
    """A directory or a pipe in place of the file is refused, at once."""
    (tmp_path / "A.csv").mkdir()
    os.mkfifo(tmp_path / "B.csv")
    with pytest.raises(SheetUnavailable, match="it is a folder, not a file"):
        await read(tmp_path, "A")
    with pytest.raises(SheetUnavailable, match="it is a FIFO, not a file"):
        await read(tmp_path, "B")


async def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused instead of filling the memory."""
    monkeypatch.setattr(csv_directory, "MAX_FILE_BYTES", 10)
    (tmp_path / "A.csv").write_text("x" * 11)
    with pytest.raises(SheetUnavailable, match="larger than"):
        await read(tmp_path, "A")


async def test_the_locale_and_the_usage_are_given(tmp_path: Path) -> None:
    """The configured locale goes with the cells; files are counted from the start of the pass."""
    (tmp_path / "A.csv").write_text("Link\n")
    async with open_sheets(SheetsSettings(source="csv", directory=tmp_path, locale="de_DE")) as sheets:
        sheets.begin()
        assert (await sheets.read(Project(id="1", name="A"))).locale == "de_DE"
        assert (sheets.usage().calls, sheets.usage().files) == (0, 1)
        sheets.begin()
        assert sheets.usage().files == 0


def test_a_directory_in_place_of_a_worksheet_costs_no_descriptor(tmp_path: Path) -> None:
    """A directory named like a worksheet is refused, pass after pass, and nothing stays open."""
    (tmp_path / "P.csv").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(SheetUnavailable, match="not a link or a folder"):
            csv_directory.read_file(tmp_path, "P")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_titles_are_of_worksheets_that_can_be_read(tmp_path: Path) -> None:
    """A link is refused by reading, so it is no title either."""
    (tmp_path / "A.csv").write_text("Link\n")
    (tmp_path / "B.csv").symlink_to(tmp_path / "A.csv")
    (tmp_path / "C.csv").mkdir()
    assert csv_directory.titles_in(tmp_path) == ["A"]
    with pytest.raises(SheetUnavailable, match="not a link"):
        csv_directory.read_file(tmp_path, "B")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (
            "Отчёт, май, 2026, всё\nLink;Views\nx/y;5,5\n",
            [["Отчёт, май, 2026, всё"], ["Link", "Views"], ["x/y", "5,5"]],
        ),
        ("sep=;\r\nLink;Views\r\nx/y;5\r\n", [[], ["Link", "Views"], ["x/y", "5"]]),
        ("sep=\t\nLink\tViews, all\n", [[], ["Link", "Views, all"]]),
        ('a;b;c\nLink,"Views; all"\n', [["a;b;c"], ["Link", "Views; all"]]),
        ("Profil;Abos\nx;1\n", [["Profil", "Abos"], ["x", "1"]]),
    ],
)
async def test_the_titles_tell_the_delimiter(tmp_path: Path, content: str, rows: list[list[str]]) -> None:
    """Whatever stands above the table, the row with the known titles tells what separates the fields."""
    (tmp_path / "A.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert await read(tmp_path, "A") == rows


async def test_the_titles_of_the_configuration_tell_too(tmp_path: Path) -> None:
    """A name of `[sheets.columns]` is a title like the others."""
    (tmp_path / "A.csv").write_text("a,b,c\nProfil;Abos\nx;1\n")
    got = await read(tmp_path, "A", columns={"link": ["Profil"], "followers": ["Abos"]})
    assert got == [["a,b,c"], ["Profil", "Abos"], ["x", "1"]]
