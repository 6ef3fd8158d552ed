"""Real answers of Google, replayed over HTTP to the real library."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from fake_google import FakeGoogle
from smart_sync.core.model import Project
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff

RECORDED = sorted((Path(__file__).parents[1] / "recorded" / "sheets").glob("*.json"))
QUICK = Backoff(initial=0.0, longest=0.0, jitter=0.0)


def answers(path: Path) -> list[dict[str, Any]]:
    return [entry for entry in json.loads(path.read_text()) if entry["method"] == "GET"]


def value_ranges() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every recorded range of values: its file, its spreadsheet, what Google said."""
    for path in RECORDED:
        for entry in answers(path):
            parts = unquote(urlsplit(entry["url"]).path).split("/")
            if entry["status"] == 200 and len(parts) > 4 and parts[4].startswith("values"):
                for found in entry["body"].get("valueRanges", [entry["body"]]):
                    yield path.stem, parts[3], found


def test_there_is_something_to_replay() -> None:
    """The recordings are here."""
    assert len(RECORDED) == 15
    assert len(list(value_ranges())) > 30


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        yield fake


@pytest.mark.parametrize("file", [path.stem for path in RECORDED])
async def test_recorded_answers_are_read_as_they_are(google: FakeGoogle, tmp_path: Path, file: str) -> None:
    """Every range of values that Google ever answered arrives whole, whatever its worksheet is called."""
    for key, found in [(key, found) for name, key, found in value_ranges() if name == file]:
        title = "D3" if "D3" in found["range"] else "Sheet1"
        google.add(key, {})
        google.faults.clear()
        google.fail("batch", 1, status=200, body={"spreadsheetId": key, "valueRanges": [found]})
        async with GoogleSheets(google.settings(tmp_path, key, locale="en_US"), backoff=QUICK) as sheets:
            got = await sheets.read(Project(id="1", name=title))
        assert got.rows == found.get("values", [])
    assert google.count("metadata", "drive") == 0


@pytest.mark.parametrize("file", [path.stem for path in RECORDED])
async def test_recorded_metadata_names_the_worksheets(google: FakeGoogle, tmp_path: Path, file: str) -> None:
    """Every recorded answer about a spreadsheet gives its titles, or the failure that it is."""
    for entry in answers(next(path for path in RECORDED if path.stem == file)):
        parts = urlsplit(entry["url"]).path.split("/")
        if parts[1:3] != ["v4", "spreadsheets"] or len(parts) != 4:
            continue
        google.faults.clear()
        google.fail("metadata", 1, status=entry["status"], body=entry["body"])
        google.add(parts[3], {}, title=parts[3])
        async with GoogleSheets(google.settings(tmp_path, parts[3]), backoff=QUICK) as sheets:
            if entry["status"] == 200:
                sheets_said = [sheet["properties"]["title"] for sheet in entry["body"]["sheets"]]
                assert await sheets.titles() == sheets_said
            else:
                with pytest.raises(SheetUnavailable, match="as Viewer"):
                    await sheets.titles()


async def test_recorded_drive_files_find_the_spreadsheet(google: FakeGoogle, tmp_path: Path) -> None:
    """Google's own list of files leads from the title to the key."""
    entry = next(
        entry
        for path in RECORDED
        for entry in answers(path)
        if urlsplit(entry["url"]).path == "/drive/v3/files" and entry["body"]["files"]
    )
    file = entry["body"]["files"][0]
    google.add(file["id"], {"A": [["Link"]]}, title="not this one")
    google.fail("drive", 1, status=200, body=entry["body"])
    async with GoogleSheets(google.settings(tmp_path, file["name"]), backoff=QUICK) as sheets:
        assert (await sheets.read(Project(id="1", name="A"))).rows == [["Link"]]
