"""Reading worksheets from Google: how many calls, which cells, which titles."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fake_google import EMAIL, Date, FakeGoogle, Rows
from smart_sync.core.model import Metrics, Project, Worksheet
from smart_sync.core.worksheet.table import read_table
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import open_sheets
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff
from smart_sync.sheets.source import ProcessMemory, SheetSource

QUICK = Backoff(initial=0.0, longest=0.0, jitter=0.0)
HEADER = ["Link", "Followers"]


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        yield fake


def project(title: str, spreadsheet: str = "") -> Project:
    return Project(id=f"id of {title}", name=title, spreadsheet=spreadsheet)


def worksheet(number: int) -> Rows:
    return [HEADER, [f"https://tiktok.com/@user{number}", number]]


async def read_all(
    sheets: SheetSource, titles: list[str], spreadsheet: str = ""
) -> dict[str, Worksheet | SheetUnavailable]:
    async def read(title: str) -> Worksheet | SheetUnavailable:
        try:
            return await sheets.read(project(title, spreadsheet))
        except SheetUnavailable as failure:
            return failure

    return dict(zip(titles, await asyncio.gather(*map(read, titles)), strict=True))


def rows(got: Worksheet | SheetUnavailable) -> Rows:
    assert isinstance(got, Worksheet), got
    return [[*row] for row in got.rows]


async def test_a_warm_pass_over_100_worksheets_takes_few_calls(google: FakeGoogle, tmp_path: Path) -> None:
    """All worksheets of a spreadsheet come in at most 3 read calls, and a cold start costs one token call besides."""
    titles = [f"Project {number:07}" for number in range(100)]
    google.add("k" * 44, {title: worksheet(number) for number, title in enumerate(titles)})
    async with open_sheets(google.settings(tmp_path, "k" * 44)) as sheets:
        sheets.begin()
        got = await read_all(sheets, titles)
        cold = [call.kind for call in google.calls]
        assert cold.count("token") == 1
        assert len(cold) <= 4
        assert set(cold) == {"token", "batch"}
        google.calls.clear()
        sheets.begin()
        assert await read_all(sheets, titles) == got
        usage = sheets.usage()
    assert google.count("batch") == len(google.calls) == usage.calls <= 3
    assert usage.bytes > 1000
    assert usage.retries == 0
    assert [rows(got[title])[1][1] for title in titles] == list(range(100))


async def test_fifty_first_reads_share_one_token(google: FakeGoogle, tmp_path: Path) -> None:
    """Fifty spreadsheets read for the first time at once cost one token call, one request in flight each."""
    keys = {f"name {number}": f"key-{number}" for number in range(50)}
    for key in keys.values():
        google.add(key, {"A": worksheet(1)})
    google.latency = 0.01
    settings = google.settings(tmp_path, spreadsheets=keys, concurrency=4)
    async with GoogleSheets(settings) as sheets:
        await asyncio.gather(*(sheets.read(project("A", name)) for name in keys))
    assert google.count("token") == 1
    assert google.count("batch") == len(google.calls) - 1 == 50
    assert google.peak_of_one == 1
    assert google.peak <= 4


async def test_those_who_come_a_moment_later_are_served_together(google: FakeGoogle, tmp_path: Path) -> None:
    """Projects that start together share a request, even if some look something up first."""
    titles = [f"Project {number}" for number in range(20)]
    google.add("key", {title: worksheet(number) for number, title in enumerate(titles)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:

        async def late(number: int, title: str) -> Worksheet:
            for _ in range(number):
                await asyncio.sleep(0)
            return await sheets.read(project(title))

        await asyncio.gather(*(late(number, title) for number, title in enumerate(titles)))
    assert google.count("batch") == 1


async def test_the_request_is_compact(google: FakeGoogle, tmp_path: Path) -> None:
    """A batch asks for unformatted values by rows without pretty-printing, in a URL of at most 2 kB."""
    titles = [f"A rather long title, № {number}" for number in range(60)]
    google.add("key", {title: worksheet(1) for title in titles})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        await read_all(sheets, titles)
    batches = [call for call in google.calls if call.kind == "batch"]
    assert sum(len(call.query["ranges"]) for call in batches) == 60
    for call in batches:
        assert call.query["valueRenderOption"] == ["UNFORMATTED_VALUE"]
        assert call.query["majorDimension"] == ["ROWS"]
        assert call.query["prettyPrint"] == ["false"]
        assert call.length <= 2048 - len("https://sheets.googleapis.com")


async def test_many_worksheets_are_one_request(google: FakeGoogle, tmp_path: Path) -> None:
    """A hundred worksheets are asked for at once, by a POST that stands for a GET, for its address would be long."""
    titles = [f"A rather long title, № {number}" for number in range(100)]
    google.add("key", {title: worksheet(number) for number, title in enumerate(titles)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        read = await read_all(sheets, titles)
    (call,) = [call for call in google.calls if call.kind == "batch"]
    assert (call.headers["X-HTTP-Method-Override"], len(call.query["ranges"])) == ("GET", 100)
    for number, title in enumerate(titles):
        assert rows(read[title]) == worksheet(number)


async def test_large_worksheets_are_read_apart_next_time(google: FakeGoogle, tmp_path: Path) -> None:
    """What was large last time is not asked for in one answer again: about 2 MB is enough."""
    big: Rows = [["x" * 1000] * 13] * 100
    google.add("key", {"A": big, "B": big, "C": big, "D": worksheet(1)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        await read_all(sheets, ["A", "B", "C", "D"])
        assert google.count("batch") == 1
        await read_all(sheets, ["A", "B", "C", "D"])
    assert [len(call.query["ranges"]) for call in google.calls if call.kind == "batch"][1:] == [1, 1, 2]


async def test_the_first_projects_go_on_while_the_rest_is_fetched(google: FakeGoogle, tmp_path: Path) -> None:
    """A project has its worksheet as soon as its own batch is here."""
    titles = [f"{number:03} " + "x" * 100 for number in range(120)]  # more than one request asks for
    google.add("key", {title: worksheet(1) for title in titles})
    google.fail("batch", how="hang", after=1)
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        reads = [asyncio.create_task(sheets.read(project(title))) for title in titles]
        assert (await reads[0]).rows == worksheet(1)
        assert not reads[-1].done()
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
        google.release.set()


@pytest.mark.parametrize(
    "title",
    [
        "it's",
        "''",
        "a/b",
        "A&B (1).x",
        "x-y",
        "D3",
        " padded ",
        "🎉 party",
        "../x",
        "a!b",
        "'q'!A1",
        "R1C1",
        "ß",
        "%27",
    ],
)
async def test_a_title_is_read_whatever_is_in_it(google: FakeGoogle, tmp_path: Path, title: str) -> None:
    """Every title that Google allows names its own worksheet."""
    google.add("key", {"Other": worksheet(1), title: worksheet(2)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        got = await read_all(sheets, [title, "Other"])
    assert rows(got[title]) == worksheet(2)
    assert google.count("batch") == len(google.calls) - 1 == 1


@pytest.mark.parametrize("count", [0, 1, 2, 200, 201, 202])
async def test_no_row_is_lost(google: FakeGoogle, tmp_path: Path, count: int) -> None:
    """A grid of any size arrives whole: blanks in the middle, rows wider than the header, a late last column."""
    grid: Rows = [[f"row {number}", *([""] * 3), number] for number in range(count)]
    gap: Rows = [HEADER, *([[]] * 420), ["a", 1, 2, 3, 4]]
    google.add("key", {"Grid": grid, "Gap": gap, "Emptied": [["", ""], [""]]})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        got = await read_all(sheets, ["Grid", "Gap", "Emptied"])
    assert rows(got["Grid"]) == grid
    assert rows(got["Gap"]) == gap
    assert rows(got["Emptied"]) == []


async def test_numbers_keep_their_kind(google: FakeGoogle, tmp_path: Path) -> None:
    """Cells arrive as Google sends them: no text is made a number, no number text."""
    cells = [1, 2.5, "12,5", "nan", True, "#N/A", 12345678901234567890, ""]
    google.add("key", {"A": [[*cells, "end"]]})
    async with GoogleSheets(google.settings(tmp_path, locale="en_US")) as sheets:
        got = (await sheets.read(project("A"))).rows[0]
    assert [(type(cell), cell) for cell in got[:-1]] == [(type(cell), cell) for cell in cells]


async def test_a_missing_worksheet_costs_two_calls_and_only_itself(google: FakeGoogle, tmp_path: Path) -> None:
    """Renamed and deleted worksheets cost two extra calls together, and never the other projects."""
    titles = [f"Project {number}" for number in range(20)]
    google.add("key", {title: worksheet(number) for number, title in enumerate(titles)})
    worksheets = google.spreadsheets["key"].worksheets
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        await read_all(sheets, titles)
        worksheets["Project 3 (old)"] = worksheets.pop("Project 3")
        del worksheets["Project 7"]
        google.calls.clear()
        got = await read_all(sheets, titles)
        assert [call.kind for call in google.calls] == ["batch", "metadata", "batch"]
        for title in titles:
            assert isinstance(got[title], SheetUnavailable if title in {"Project 3", "Project 7"} else Worksheet)
        said = got["Project 3"]
        assert isinstance(said, SheetUnavailable)
        assert 'worksheet "Project 3" is not in the spreadsheet' in said.reason
        assert '"Project 3 (old)"' in said.remedy
        worksheets["Project 7"] = worksheet(7)
        worksheets["Project 3"] = worksheets.pop("Project 3 (old)")
        google.calls.clear()
        got = await read_all(sheets, titles)
    assert [call.kind for call in google.calls] == ["batch"]
    assert rows(got["Project 7"]) == worksheet(7)


async def test_titles_that_differ_by_case_are_different(google: FakeGoogle, tmp_path: Path) -> None:
    """Ranges ignore case, projects do not: another project's worksheet is never taken for one's own."""
    google.add("key", {"Alpha": worksheet(1)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        got = await read_all(sheets, ["Alpha", "ALPHA"])
    assert rows(got["Alpha"]) == worksheet(1)
    assert isinstance(got["ALPHA"], SheetUnavailable)
    assert '"Alpha"' in got["ALPHA"].remedy


async def test_ranges_in_another_order_than_asked_are_each_their_own(google: FakeGoogle, tmp_path: Path) -> None:
    """Each worksheet is known by the title in its range; one that is nobody's is a failure, not another's numbers."""
    google.add("key", {"A": worksheet(1), "B": worksheet(2), "C": worksheet(3)})
    google.reorder = lambda ranges: ranges[::-1]
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        got = await read_all(sheets, ["A", "B", "C"])
        assert [rows(got[title]) for title in "ABC"] == [worksheet(1), worksheet(2), worksheet(3)]
        google.reorder = lambda ranges: [ranges[0], ranges[0], ranges[2]]
        sheets.begin()
        got = await read_all(sheets, ["A", "B", "C"])
    assert [rows(got[title]) for title in "AC"] == [worksheet(1), worksheet(3)]
    assert "is that of worksheet" in str(got["B"])


async def test_what_google_will_not_read_fails_alone(google: FakeGoogle, tmp_path: Path) -> None:
    """A worksheet that is in the list but has no cells (a chart) leaves the others whole."""
    google.add("key", {"A": worksheet(1), "Chart": [], "B": worksheet(2)}).charts = {"Chart"}
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        got = await read_all(sheets, ["A", "Chart", "B"])
    assert rows(got["A"]) == worksheet(1)
    assert rows(got["B"]) == worksheet(2)
    assert "Chart" in str(got["Chart"])
    assert [call.kind for call in google.calls] == ["token", "batch", "metadata", "batch", "batch"]


async def test_two_projects_may_share_a_worksheet(google: FakeGoogle, tmp_path: Path) -> None:
    """The same title asked for twice is fetched once and given to both."""
    google.add("key", {"A": worksheet(1)})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        one, other = await asyncio.gather(sheets.read(project("A")), sheets.read(project("A")))
    assert one == other
    assert google.calls[-1].query["ranges"] == ["'A'"]


class Later:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize("cell", ["1.234", 1.5, "12.5K", "2025-11-20 10:00", ""])
async def test_the_locale_is_asked_for_once_a_day(google: FakeGoogle, tmp_path: Path, cell: object) -> None:
    """A spreadsheet's own locale goes with its cells, whatever they are, and is remembered for a day by later runs."""
    spreadsheet = google.add("key", {"A": [[cell, "x"]]}, locale="de_DE")
    memory, clock = ProcessMemory(), Later()

    async def read() -> tuple[str, int]:
        async with GoogleSheets(google.settings(tmp_path, locale=""), memory, clock=clock) as sheets:
            locales = {(await sheets.read(project("A"))).locale for _ in range(2)}
        return locales.pop() if len(locales) == 1 else "several", google.count("metadata")

    assert await read() == ("de_DE", 1)
    spreadsheet.locale = "fr_FR"
    clock.now += timedelta(hours=23)
    assert await read() == ("de_DE", 1)
    clock.now += timedelta(hours=2)
    assert await read() == ("fr_FR", 2)
    clock.now -= timedelta(days=400)
    assert await read() == ("fr_FR", 3)


async def test_a_locale_in_the_configuration_is_asked_for_nowhere(google: FakeGoogle, tmp_path: Path) -> None:
    """``[sheets] locale`` decides for every spreadsheet and costs no call."""
    google.add("key", {"A": [["1.234"]]}, locale="de_DE")
    async with GoogleSheets(google.settings(tmp_path, locale="fr_FR")) as sheets:
        assert (await sheets.read(project("A"))).locale == "fr_FR"
    assert google.count("metadata") == 0


async def test_without_its_locale_a_spreadsheet_is_not_guessed_at(google: FakeGoogle, tmp_path: Path) -> None:
    """While Google does not tell the locale nothing is read, unless an older one is remembered."""
    google.add("key", {"A": worksheet(1)}, locale="de_DE")
    memory, clock = ProcessMemory(), Later()
    settings = google.settings(tmp_path, locale="")
    google.fail("metadata", times=4, status=503)
    async with GoogleSheets(settings, memory, QUICK, clock=clock) as sheets:
        assert isinstance((await read_all(sheets, ["A"]))["A"], SheetUnavailable)
        assert rows((await read_all(sheets, ["A"]))["A"]) == worksheet(1)
    clock.now += timedelta(days=9)
    google.fail("metadata", times=4, status=503)
    async with GoogleSheets(settings, memory, QUICK, clock=clock) as sheets:
        got = (await read_all(sheets, ["A"]))["A"]
        assert isinstance(got, Worksheet)
        assert got.locale == "de_DE"
        google.faults.clear()
        clock.now += timedelta(minutes=11)
        google.spreadsheets["key"].locale = "ru_RU"
        assert (await sheets.read(project("A"))).locale == "ru_RU"


@pytest.mark.parametrize("fact", ["", "de_DE", "soon de_DE", "2026-03-01", "0001-01-01T00:00:00+14:00 de_DE"])
async def test_a_spoilt_memory_is_none(google: FakeGoogle, tmp_path: Path, fact: str) -> None:
    """Whatever is remembered of a locale, Google is asked where it cannot be read."""
    google.add("key", {"A": worksheet(1)}, locale="it_IT")
    memory = ProcessMemory()
    await memory.put("locale\nkey", fact)
    async with GoogleSheets(google.settings(tmp_path, locale=""), memory) as sheets:
        assert (await sheets.read(project("A"))).locale == "it_IT"


async def test_dates_and_durations_arrive_as_text(google: FakeGoogle, tmp_path: Path) -> None:
    """What Sheets made a date or a duration of is no number, and a problem of its cell; numbers stay numbers."""
    cells = [Date(46054, "01.02.2026"), Date(1.0625, "25:30:00"), 46054, 1.5]
    google.add("key", {"A": [["Link", "Followers", "Likes", "Comments", "Views"], ["https://tiktok.com/@a", *cells]]})
    async with GoogleSheets(google.settings(tmp_path, locale="ru_RU")) as sheets:
        read = await sheets.read(project("A"))
    assert read.rows[1][1:] == ["01.02.2026", "25:30:00", 46054, 1.5]
    found = read_table(read, Titles())
    assert found.rows[0].metrics == Metrics(comments=46054)
    assert [(problem.column, problem.value) for problem in found.problems] == [
        ("B", "01.02.2026"),
        ("C", "25:30:00"),
        ("E", "1.5"),
    ]


async def test_a_title_is_looked_up_once_and_remembered(google: FakeGoogle, tmp_path: Path) -> None:
    """A spreadsheet named by title costs one Drive call ever; a replaced one is found again."""
    google.add("key-1", {"A": worksheet(1)}, title='Our "metrics" \\ 2025')
    memory = ProcessMemory()
    settings = google.settings(tmp_path, spreadsheet='Our "metrics" \\ 2025')
    for drive_calls in (1, 1):
        async with GoogleSheets(settings, memory) as sheets:
            assert (await sheets.read(project("A"))).rows == worksheet(1)
        assert google.count("drive") == drive_calls
    google.spreadsheets["key-2"] = google.spreadsheets.pop("key-1")
    async with GoogleSheets(settings, memory) as sheets:
        assert (await sheets.read(project("A"))).rows == worksheet(1)
        assert await sheets.titles() == ["A"]
    assert google.count("drive") == 2
    assert await memory.get('Our "metrics" \\ 2025') == "key-2"


@pytest.mark.parametrize(
    "where", ["https://docs.google.com/spreadsheets/d/the-key_1/edit#gid=0", "the-key_1", "Metrics"]
)
async def test_a_spreadsheet_is_found_by_key_url_or_title(google: FakeGoogle, tmp_path: Path, where: str) -> None:
    """Whichever way the spreadsheet is named, it is read; only a title asks Drive."""
    google.add("the-key_1", {"A": worksheet(1), "B": []})
    async with GoogleSheets(google.settings(tmp_path, where)) as sheets:
        assert await sheets.titles() == ["A", "B"]
        assert (await sheets.read(project("A"))).rows == worksheet(1)
    assert google.count("drive") == (where == "Metrics")


async def test_projects_in_other_spreadsheets(google: FakeGoogle, tmp_path: Path) -> None:
    """`[sheets.spreadsheets]` says where a project's google_sheet_name is; else the default, if it is alone."""
    google.add("key", {"A": worksheet(1)})
    google.add("other", {"A": worksheet(2)})
    async with GoogleSheets(google.settings(tmp_path, spreadsheets={"Second": "other"})) as sheets:
        assert (await sheets.read(project("A", "Second"))).rows == worksheet(2)
        assert (await sheets.read(project("A", "what people type"))).rows == worksheet(1)
        for known in ("Metrics", "key", "https://docs.google.com/spreadsheets/d/key/edit"):
            assert (await sheets.read(replace(project("A", known), one_of_several=True))).rows == worksheet(1)
        with pytest.raises(SheetUnavailable, match='no spreadsheet is configured for "Metrics 2025"'):
            await sheets.read(replace(project("A", "Metrics 2025"), one_of_several=True))
    async with GoogleSheets(google.settings(tmp_path, "", spreadsheets={"Second": "other"})) as sheets:
        with pytest.raises(SheetUnavailable, match="no spreadsheet is configured"):
            await sheets.read(project("A"))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("no-such-key", f"share the spreadsheet with {EMAIL} as Viewer"),
        ("No such title", f"share the spreadsheet with {EMAIL} as Viewer"),
        ("https://docs.google.com/spreadsheets/d/no-such-key/edit", f"share the spreadsheet with {EMAIL} as Viewer"),
        ("Twins", "2 spreadsheets are called"),
        ("private", f"{EMAIL} may not read"),
    ],
)
async def test_a_spreadsheet_that_cannot_be_found_says_who_must_act(
    google: FakeGoogle, tmp_path: Path, where: str, said: str
) -> None:
    """Wrong keys, titles, addresses and missing access are told apart, in one line, without the key."""
    google.add("twin-1", {}, title="Twins")
    google.add("twin-2", {}, title="Twins")
    google.add("private", {"A": worksheet(1)}, title="Other").shared = False
    async with GoogleSheets(google.settings(tmp_path, where), backoff=QUICK) as sheets:
        got = await read_all(sheets, ["A", "B"])
    for failure in got.values():
        assert isinstance(failure, SheetUnavailable)
        assert said in str(failure)
        assert "\n" not in str(failure)
    assert len(google.calls) <= 4


async def test_a_project_without_a_name_has_no_worksheet(google: FakeGoogle, tmp_path: Path) -> None:
    """An empty title is refused without asking Google."""
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        with pytest.raises(SheetUnavailable, match="has no name"):
            await sheets.read(project(""))
    assert google.calls == []


async def test_a_user_without_a_home_can_read(
    google: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a container; the environment of the process, which its programs inherit, is as before."""

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.delenv("HOME", raising=False)
    google.add("key", {"A": [["Link", "Followers"], ["https://tiktok.com/@a", 5]]})
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        assert len((await sheets.read(Project(id="1", name="A"))).rows) == 2
    assert "HOME" not in os.environ
