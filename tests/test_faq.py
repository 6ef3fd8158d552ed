"""Each trouble that a message can name has a code, and each code an entry in docs/faq.md."""

import ast
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smart_sync
from literal_texts import sample, texts_of
from markdown_pages import DOCS
from smart_sync.admin.checks.findings import Finding, Report
from smart_sync.core.model import Problem
from smart_sync.core.notices.troubles import TROUBLES, code_of, problem_on_record
from smart_sync.core.trouble_codes import Code
from smart_sync.parsers import facebook, instagram, threads, youtube
from world import KEY, World

SOURCE = Path(smart_sync.__file__).parent
PAGE = (DOCS / "faq.md").read_text()
ENTRIES = {
    found[1]: found[2]
    for found in re.finditer(r"^### ([a-z]+(?:-[a-z]+)*)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
#: What a person is notified of a trouble begins with one of these.
_FAILURES = (
    *("SheetUnavailable", "SpreadsheetUnavailable", "SpreadsheetMissing", "Problem", "Unreadable"),
    *("DatabaseError", "DatabaseUnusable", "DatabaseReplaced", "SocketUnusable", "DaemonNotRunning", "Busy"),
    *("ParserFailed", "AccountGone", "AccountFailed", "CallFailed", "Throttled", "TokenEnded", "TokenRefused"),
    *("Paused", "RoundOver"),
)
#: Texts whose words are made elsewhere, and what follows a value that says what happened.
_MADE_ELSEWHERE = (
    *("X1 is X1", "X1: X1", "X1; X1", "link: X1", "db: X1", "X1 (X1): X1", "X1; see: smart-sync check"),
    *("X1; X1; correct it, or X1", "X1; X1X1; restore it, or X1", "X1: X1; X1", "X1: X1; free some space"),
    *("X1: X1; correct [database] pathX1", "X1X1X1 X1", "X1: the source says nothing of it"),
)


def messages() -> list[tuple[str, str]]:
    """Place and text of each message of ours about something that went wrong."""
    found = [(place, text) for place, _call, text in texts_of(dict.fromkeys(_FAILURES, 1))]
    for place, call, text in texts_of({"Finding": 2}):
        level = call.args[0]
        is_good = isinstance(level, ast.Constant) and level.value == "ok"
        if not is_good and len(call.args) > 1 and text == sample(call.args[1]):
            found.append((place, text))
    return [(place, text) for place, text in found if text not in _MADE_ELSEWHERE]


def test_the_page_has_an_entry_for_each_code() -> None:
    """And no entry for a code that there is not."""
    assert ENTRIES.keys() == TROUBLES.keys() == {*get_args(Code)}


@pytest.mark.parametrize("code", TROUBLES)
def test_an_entry_says_what_to_do(code: str) -> None:
    """Each begins with what is seen, in words that messages about it hold, and ends with what to do."""
    text = " ".join(ENTRIES[code].split())
    assert text.startswith("You see")
    assert "Do: " in text
    quoted = re.findall(r"`([^`]+)`", text.partition("Do: ")[0])
    assert any(code_of(one.replace("…", "X1")) == code for one in quoted) or code in ("parser-terms", "token-ended"), (
        quoted
    )


@pytest.mark.parametrize(("place", "text"), messages(), ids=lambda text: text[:40])
def test_every_message_has_a_code(place: str, text: str) -> None:
    """A new way to fail is put to the entry that explains it, or gets one of its own."""
    assert code_of(text), place


def test_the_terms_of_the_platforms_have_a_code() -> None:
    """What `check` says of them, until they are accepted."""
    for parser in (youtube.YouTube, facebook.Facebook, instagram.Instagram, threads.Threads):
        assert code_of(f"parser x: {parser.terms}; if you keep to that: [parsers.x] accepted = true") == "parser-terms"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (
            'Spring: worksheet "Spring" is not in the spreadsheet; rename the worksheet; there is "Summer"',
            "sheet-missing",
        ),
        ("P: robot@x.iam.gserviceaccount.com may not read Metrics; share the spreadsheet with it", "sheet-not-shared"),
        ("P: worksheet P has no column for the link; name it Link; headers seen: Url", "column-missing"),
        ("P!F7: views: not a number (много)", "number-unreadable"),
        ("P!F7: views of @a jumped from 1,000 to 100,000: a digit too many; correct it, or: x", "suspect-value"),
        ("P!A4: the row is gone; the last known values are used; row 5: @b may be it; restore it", "rows-gone"),
        ("/x.db: the disk is full; free some space, the next pass writes what is missing", "disk-full"),
        ("/x.db: another process has held the database locked for too long; find it with fuser", "database-locked"),
        ("P: stale, last read 2026-03-10 12:00 UTC", "stale"),
        ("parser tiktok: the token of @a is dead: revoked; grant a new one and put it into x", "token-ended"),
        ("two programs write snapshots: of 3 accounts the newest row of the other one differs", "two-masters"),
        ("nothing that anybody knows", ""),
    ],
)
def test_a_message_finds_its_entry(message: str, code: str) -> None:
    """Whole messages, with the values that are filled in."""
    assert code_of(message) == code


@given(st.text())
def test_any_message_has_one_code_or_none(message: str) -> None:
    """Whatever Google, SQLite or a cell says in it."""
    assert code_of(message) in {*TROUBLES, ""}


#: What is made of a trouble → the position and the name of its code.
CODED = {
    "Problem": (5, "code"),
    **dict.fromkeys(("SheetUnavailable", "SpreadsheetUnavailable", "SpreadsheetMissing"), (4, "trouble")),
}


def test_each_trouble_of_a_worksheet_brings_its_code() -> None:
    """Whoever finds one says with it where it is explained; nothing else has to know it by its words."""
    bare = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODED:
                place, name = CODED[node.func.id]
                named = len(node.args) > place or any(word.arg == name for word in node.keywords)
                bare += [] if named else [f"{path.name}:{node.lineno}"]
    assert bare == []


async def test_a_code_reaches_every_answer(world: World) -> None:
    """A worksheet that is gone and a cell that cannot be read: the pass answers their codes, and keeps them."""
    world.add_project("P", ["a"])
    world.add_project("Gone", ["b"])
    world.sheet("P", a=["junk", 1, 1, 1, 1])
    del world.google.spreadsheets[KEY].worksheets["Gone"]
    result = await world.sync()
    answers = {one.project.name: one.answer() for one in result.results}
    assert (answers["Gone"].get("code"), answers["P"].get("code")) == ("sheet-missing", None)
    ((kept,),) = world.execute("SELECT problems FROM sync_project_runs WHERE project_name = 'P'")
    assert [one["code"] for one in json.loads(kept)] == ["number-unreadable"]


@given(st.builds(Problem, st.text(), st.text(), st.none() | st.integers(1, 10**6), st.none(), st.text()))
def test_a_problem_comes_back_from_the_record(problem: Problem) -> None:
    """As it was written, with its code and count."""
    coded = replace(problem, code="rows-gone", count=7)
    assert problem_on_record(json.loads(json.dumps(asdict(coded)))) == coded


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (
            {"reason": "views: not a number", "worksheet": "P", "row": 7, "column": "F", "value": "many"},
            Problem("views: not a number", "P", 7, "F", "many", "number-unreadable"),
        ),
        (
            "P: 1,234 more problems",
            Problem("1,234 more problems", "P", code="number-unreadable", count=1_234),
        ),
        (
            "Spring! 2026!F7: views: not a number (many (a lot))",
            Problem("views: not a number", "Spring! 2026", 7, "F", "many (a lot)", "number-unreadable"),
        ),
        (
            "P!4: the row is gone; restore it (https://tiktok.com/@a)",
            Problem("the row is gone; restore it", "P", 4, None, "https://tiktok.com/@a", "rows-gone"),
        ),
        ("no sentence of ours", Problem("no sentence of ours", "")),
        ({"reason": 5, "code": "no such code", "count": "many"}, Problem("5", "")),
        (None, Problem("None", "")),
    ],
)
def test_what_earlier_versions_have_left_is_understood(told: object, problem: Problem) -> None:
    """Objects without a code get it by their words, sentences their parts too; what is neither stays one text."""
    assert problem_on_record(told) == problem


def test_check_shows_the_code() -> None:
    """Behind each finding that is not in order; what is in order has none."""
    answer = Report((Finding("error", "x.db: the disk is full"), Finding("ok", "the disk is full"))).answer()
    assert [finding["code"] for finding in answer["findings"]] == ["disk-full", ""]
