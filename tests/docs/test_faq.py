"""Each trouble that a message can name has a code, and each code an entry in docs/faq.md."""

import ast
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literal_texts import all_texts, calls_by_name, is_said, sample, says
from markdown_pages import DOCS, pages
from reference_configuration import every_section
from smart_sync.admin.checks.findings import Finding, Report
from smart_sync.cli.output import passes
from smart_sync.core.model import Problem
from smart_sync.core.trouble_codes import Code
from smart_sync.errors import (
    Busy,
    ConfigError,
    DaemonNotRunning,
    DatabaseError,
    DatabaseReplaced,
    DatabaseUnusable,
    NotLeading,
    ParserFailed,
    SheetUnavailable,
    SocketUnusable,
)
from smart_sync.parsers.failures import (
    AccountFailed,
    AccountGone,
    AccountRefused,
    CallFailed,
    NotReady,
    Refused,
    Throttled,
    TokenEnded,
    TokenRefused,
    TooMuch,
)
from smart_sync.parsers.parser import Paused, RoundOver, Unfetched
from smart_sync.parsers.token_file import TokensUnusable
from smart_sync.service.preflight import Obstacle
from smart_sync.sheets.google_errors import SpreadsheetMissing, SpreadsheetUnavailable
from smart_sync.store import pass_history
from smart_sync.sync.task_queue import BrokerUnavailable
from world import KEY, World

PAGE = (DOCS / "faq.md").read_text()
ENTRIES = {
    found[1]: found[2]
    for found in re.finditer(r"^### ([a-z]+(?:-[a-z]+)*)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
#: What is made of a trouble → its class; the position of its text, and that of its code if it has one.
_MADE: dict[str, tuple[type, int, int]] = {
    **{
        one.__name__: (one, 0, 99)
        for one in (
            *(DatabaseError, DatabaseUnusable, DatabaseReplaced, NotLeading, SocketUnusable, DaemonNotRunning, Busy),
            *(ParserFailed, Paused, RoundOver, TokensUnusable, BrokerUnavailable),
            *(AccountGone, AccountFailed, AccountRefused, CallFailed, NotReady, Throttled, TooMuch),
            *(Refused, TokenEnded, TokenRefused, ConfigError),
        )
    },
    **{one.__name__: (one, 0, 4) for one in (SheetUnavailable, SpreadsheetUnavailable, SpreadsheetMissing)},
    "Problem": (Problem, 0, 5),
    "Finding": (Finding, 1, 3),
    "Obstacle": (Obstacle, 0, 1),
    "Unfetched": (Unfetched, 1, 4),
}
#: Without one: that a webhook is not reached, a reason that becomes another error's, and what has its code on record.
_MODULES_WITHOUT = ("__init__", "write_probe", "pass_history")
#: Without a code: what the database says of a statement that it refuses, and what other classes have explained.
_WITHOUT = (
    *("X1: X1", "db: X1", "half of a pair of code points (X1) is no text"),
    *("a rule of the table ignores the row", "too many rows are refused"),
)

#: Their messages are made of parts, in several modules.
_SAID_IN_PARTS = (
    *("parser-terms", "no-projects", "stale", "same-account", "link-unreadable", "number-ambiguous", "suspect-value"),
    *("number-unreadable", "pinned", "campaign-unclear", "clock"),
)


@functools.cache
def messages() -> list[tuple[str, str, str]]:
    """Place, text ("" where it is made elsewhere) and code ("?" for one that is a variable) of each trouble of ours."""
    return [
        (f"{module}:{node.lineno}", text, code)
        for module, name, node in calls_by_name()
        if name in _MADE
        for text, code in _of_call(node, *_MADE[name])
    ]


def _of_call(node: ast.Call, kind: type, of_text: int, of_code: int) -> Iterator[tuple[str, str]]:
    """The text and the code of what a call makes; nothing of a finding that is in order."""
    if kind is Finding and isinstance(node.args[0], ast.Constant) and node.args[0].value == "ok":
        return
    word = "code" if kind is Problem else "trouble"
    named = [one.value for one in node.keywords if one.arg == word] + node.args[of_code : of_code + 1]
    if named:
        code = str(named[0].value) if isinstance(named[0], ast.Constant) else "?"
    else:
        code = str({one.name: one.default for one in fields(kind)}[word] if is_dataclass(kind) else getattr(kind, word))
    yield (sample(node.args[of_text]) if len(node.args) > of_text else ""), code


def test_the_page_has_an_entry_for_each_code() -> None:
    """And no entry for a code that there is not."""
    assert ENTRIES.keys() == {*get_args(Code)}


@pytest.mark.parametrize("code", get_args(Code))
def test_an_entry_says_what_to_do(code: str) -> None:
    """Each begins with what is seen, in words that messages about it hold, and ends with what to do."""
    text = " ".join(ENTRIES[code].split())
    assert text.startswith("You see")
    assert "Do: " in text
    quoted = re.findall(r"`([^`]*[a-z][^`]*)`", re.split(r"(?<=[`.)])\. [A-Z]|Do: ", text)[0])
    said = [text for _place, text, of in messages() if of == code and text]
    assert any(says(one, part) for one in said for part in quoted) or code in _SAID_IN_PARTS, (quoted, said)
    assert [part for part in quoted if not is_said(part)] == []


_TABLE = re.compile(r"^\| (?:the message|в сообщении)[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", re.MULTILINE)


def quoted_messages() -> Iterator[tuple[str, str]]:
    """Page and quoted text of each row of a table about messages: in the first column, between ` or « »."""
    for page in pages():
        for table in _TABLE.findall(page.read_text()):
            for row in table.splitlines():
                for text in re.findall(r"`([^`]+)`|«([^»]+)»|\*([^*]+)\*", row.split("|")[1]):
                    yield page.name, "".join(text)


@pytest.mark.parametrize(("page", "quoted"), [*quoted_messages()])
def test_a_message_that_a_page_explains_is_one_of_ours(page: str, quoted: str) -> None:
    """In the words that are shown today, English or Russian."""
    assert is_said(quoted), page


def test_a_key_that_a_message_or_page_names_is_one() -> None:
    """Each ``[section] key`` in a text of ours, or on a page, is a key of the configuration."""
    known = {key.heading for section in every_section() for key in section.keys}
    sections = "|".join(sorted({heading.partition(".")[0] for heading in known}))
    named = re.compile(rf"\[({sections})\] ([a-z]+(?:_[a-z]+)*)(?=[`;,.)\"]|$)")
    shown = [*all_texts(), *(page.read_text() for page in pages())]
    keys = {".".join(found) for text in shown for found in named.findall(text)}
    assert len(keys) > 20
    assert keys - known == set()


@pytest.mark.parametrize(("place", "text", "code"), messages())
def test_every_message_has_a_code(place: str, text: str, code: str) -> None:
    """A new way to fail is put to the entry that explains it, or gets one of its own, where it is found."""
    assert code or text in _WITHOUT or (not text and place.startswith(_MODULES_WITHOUT)), place


async def test_a_code_reaches_every_answer(world: World) -> None:
    """A worksheet that is gone and a cell that cannot be read: the pass answers, shows and keeps their codes."""
    world.add_project("P", ["a"])
    world.add_project("Gone", ["b"])
    world.sheet("P", a=["junk", 1, 1, 1, 1])
    del world.google.spreadsheets[KEY].worksheets["Gone"]
    result = await world.sync()
    answers = {one.project.name: one.answer() for one in result.results}
    assert (answers["Gone"].get("code"), answers["P"].get("code")) == ("sheet-missing", None)
    assert answers["P"]["problem_codes"] == ["number-unreadable"]
    assert [line.rpartition("[")[2] for line in passes.notes_of(answers["P"])][-1] == "number-unreadable]"
    ((kept,),) = world.execute("SELECT problems FROM sync_project_runs WHERE project_name = 'P'")
    assert [one["code"] for one in json.loads(kept)] == ["number-unreadable"]


@given(st.builds(Problem, st.text(), st.text(), st.none() | st.integers(1, 10**6), st.none(), st.text()))
def test_a_problem_comes_back_from_the_record(problem: Problem) -> None:
    """As it was written, with its code and count."""
    coded = replace(problem, code="rows-gone", count=7)
    assert pass_history._problems(json.dumps([asdict(coded)])) == [coded]


def test_check_shows_the_code() -> None:
    """Behind each finding that is not in order; what is in order has none."""
    answer = Report(
        (Finding("error", "the disk is full", trouble="disk-full"), Finding("ok", "well", trouble="drill"))
    ).answer()
    assert [finding["code"] for finding in answer["findings"]] == ["disk-full", ""]
