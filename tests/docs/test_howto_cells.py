"""What the pages for managers say of cells and titles is what worksheets are read by."""

import re
from pathlib import Path

import pytest

from markdown_pages import DOCS
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.core.worksheet.table import read_pinned
from smart_sync.core.worksheet.titles import Titles

LOCALES = ("en_US", "ru_RU", "de_DE")
GOOGLE_SHEET = (DOCS / "how-to" / "google-sheet.md").read_text()
MANAGERS = [DOCS / "how-to" / "correct-a-number.md", DOCS / "ru" / "correct-a-number.md"]


def codes(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def read(cell: str, locale: str) -> int | str | None:
    """The count, None for no value, "" for what is none."""
    try:
        return read_count(cell, locale)
    except Unreadable as problem:
        count, other = read_pinned(cell, (locale, "", 0), problem)
        return count if other is None else ""


def test_the_table_of_cells() -> None:
    """Whatever stands on its left is understood, in one of three countries; what stands on its right is reported."""
    table = GOOGLE_SHEET.partition("## What a cell may say")[2].partition("\n\nThe whole")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    understood = [cell for left, _ in rows for cell in codes(left)]
    reported = [cell for _, right in rows for cell in codes(right)]
    assert len(understood) > 15
    assert [cell for cell in understood if all(read(cell, locale) == "" for locale in LOCALES)] == []
    assert len(reported) > 7
    assert [cell for cell in reported if read(cell, "ru_RU") != ""] == []


@pytest.mark.parametrize("page", MANAGERS, ids=["en", "ru"])
def test_the_managers_pages(page: Path) -> None:
    """Each cell that a manager may type is a number in an English or a Russian spreadsheet; the other is none."""
    (paragraph,) = [one for one in page.read_text().split("\n\n") if "`10-12K`" in one]
    may, _, may_not = re.split(r"(Not understood:|Нельзя:)", paragraph)
    assert len(codes(may)) > 4
    assert [cell for cell in codes(may) if all(read(cell, locale) == "" for locale in LOCALES)] == []
    assert [read(cell, "ru_RU") for cell in codes(may_not)] == [""]
    assert read("950!", "ru_RU") == 950


def test_the_titles_that_the_pages_name() -> None:
    """Each name of a column is understood as one."""
    titles = Titles()
    section = GOOGLE_SHEET.partition("- A column `Link`")[2].partition("- Title rows")[0]
    named = ["Link", *codes(section)]
    named += re.findall(
        r"«([^»]+)»", MANAGERS[1].read_text().partition("Нельзя переименовывать столбцы")[2].split("и сам")[0]
    )
    assert len(named) > 15
    assert [name for name in named if "." not in name.replace("тыс.", "") and titles.meaning(name) is None] == []
