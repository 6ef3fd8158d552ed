"""The report as a file: complete in itself, escaped everywhere, small, and made without touching the database."""

import base64
import hashlib
import json
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from daemon_process import run_command
from nasty import NASTY_TEXTS
from report_data import NOW, ReportDatabase, fill, grown, report_of
from smart_sync.report.attention import stale_section
from smart_sync.report.inputs import Options, ProjectFacts
from smart_sync.report.markup import el, escaped
from smart_sync.report.words import Words

#: Bidirectional overrides and isolates, and control characters but for the line break.
HARMFUL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def database(tmp_path: Path) -> ReportDatabase:
    return ReportDatabase(tmp_path / "view_counter.db")


class Page(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._text: list[str] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self.feed(html)
        self.text = "".join(self._text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in self.inline:
            self.inline[self._inside].append(data)
        else:
            self._text.append(data)


def made(database: ReportDatabase, project: str | None = None, days: int = 90) -> str:
    return report_of(database.path, project, days, NOW).decode()


def nasty(database: ReportDatabase) -> None:
    """Every nasty text as a project, an account, its link, a platform, a worksheet and an error."""
    for number, text in enumerate(NASTY_TEXTS):
        storable = text.encode(errors="replace").decode()
        project_id = database.project(storable, project_id=f"p{number}")
        account = database.account(project_id, storable, link=storable, platform=storable)
        database.snapshots(account, grown({0: 20, 1: 10}))
        database.merged(account, [20] * 5, winner="sheet")
        database.parsed(account, [10] * 5, storable)
        database.sheet(account, [20] * 5, storable, 2)
        database.passed(project_id, "failed", storable)
    database.execute("UPDATE sync_runs SET \"trigger\" = '<script>alert(1)</script>'")
    database.execute("UPDATE sync_project_runs SET outcome = '<script>alert(1)</script>' WHERE project_id = 'p3'")


def test_names_are_text_everywhere(database: ReportDatabase) -> None:
    """No text from the database makes an element, an attribute, a script or a turn of direction."""
    plain = ReportDatabase(database.path.with_name("plain.db"))
    plain.snapshots(plain.account(plain.project("P"), "a"), grown({0: 20, 1: 10}))
    nasty(database)
    html = made(database)
    page, harmless = Page(html), Page(made(plain))
    assert {tag for tag, _ in page.elements} - {tag for tag, _ in harmless.elements} <= {"a", "caption"}
    assert len(page.inline["script"]) == 2
    assert page.inline["script"][1:] == harmless.inline["script"][1:]
    assert not HARMFUL.search(html.partition('<script type="application/json"')[0])
    assert "<script>alert(1)</script>" in page.text
    assert set(json.loads(page.inline["script"][0])) == {"start", "days", "projects", "texts"}


def test_links_lead_to_web_pages_only(database: ReportDatabase) -> None:
    """A profile link is a link only if it is http or https; and nothing else on the page leads or loads anything."""
    nasty(database)
    for link in ("javascript://evil.example/%0aalert(1)", "file://evil.example/x", "//evil.example/x"):
        database.account("p0", link, link=link)
    page = Page(made(database))
    hrefs = [attributes["href"] for tag, attributes in page.elements if "href" in attributes]
    assert {str(href).partition(":")[0] for href in hrefs if not str(href).startswith("#")} == {"http", "https"}
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "data", "action", "style", "background", "poster", "ping"} & attributes.keys(), tag
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in page.inline["style"][0]
    assert "@import" not in page.inline["style"][0]


def test_the_policy_allows_exactly_what_is_inline(database: ReportDatabase) -> None:
    """The content security policy refuses everything but this very script and style, known by their hashes."""
    page = Page(made(database))
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    for name, inline in (("script-src", page.inline["script"][-1]), ("style-src", page.inline["style"][0])):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[name] == [f"'sha256-{digest}'"]


def test_the_licence_of_uplot_travels_with_it(database: ReportDatabase) -> None:
    """The copy of uPlot in the file carries its licence."""
    assert "Copyright (c) 2022 Leon Sorokin" in made(database)


def test_markup_escapes_what_is_not_markup() -> None:
    """Text and attributes are escaped by the one function that makes elements."""
    assert el("p", "<b>", el("i", '"&'), title='">') == '<p title="&quot;&gt;">&lt;b&gt;<i>&quot;&amp;</i></p>'
    assert escaped("a\u202eb\0") == "a\\u202eb\\x00"


def test_two_hundred_accounts_for_a_year(database: ReportDatabase) -> None:
    """200 accounts × 365 days take less than 2 MB and 2 s of a processor."""
    fill(database, projects=5, accounts=200, days=365)
    start = time.process_time()
    page = report_of(database.path, None, 365, NOW)
    assert time.process_time() - start < 2
    assert len(page) < 2_000_000


@pytest.mark.parametrize("create", [True, False])
def test_an_empty_database_is_a_report(tmp_path: Path, create: bool) -> None:
    """Without projects, and even without tables, there is a page that says so."""
    path = tmp_path / "empty.db"
    if create:
        ReportDatabase(path)
    else:
        path.touch()
    page = Page(report_of(path, options=Options("operator")).decode())
    assert "There is no active project" in page.text
    assert "No pass has been run yet" in page.text


def test_a_project_without_values_is_shown(database: ReportDatabase) -> None:
    """A project without accounts, without snapshots, or with those of a single day is no trouble."""
    database.project("No accounts")
    database.account(database.project("No values"), "a")
    database.snapshots(database.account(database.project("One day"), "b"), grown({0: 1_234}))
    page = Page(made(database))
    assert "1,234" in page.text
    assert page.text.count("No snapshots in this time.") == 2


def test_what_is_missing_is_said(database: ReportDatabase) -> None:
    """A change across a gap says since when, one without all accounts how many; what is stale says why."""
    project_id = database.project("P")
    database.snapshots(database.account(project_id, "gap"), grown({0: 1_500, 9: 1_000}))
    database.snapshots(database.account(project_id, "behind"), grown({4: 7}))
    database.parsed(f"{project_id}/gap", [1] * 5, "2026-03-05 12:00:00")
    database.read(project_id, "2026-03-07T12:00:00")
    database.passed(project_id, "degraded", "the worksheet was renamed")
    text = Page(made(database)).text
    for said in (
        "+500", "since 1 Mar 2026, 1 of 2 accounts", "last known values stand in: the worksheet was renamed",
        "last read 3 days ago", "parsed 5 days ago", "newest values 4 days behind the project's",
    ):  # fmt: skip
        assert said in text


def test_the_database_is_only_read(database: ReportDatabase, tmp_path: Path) -> None:
    """Not a byte of the file changes, not even by moving what is still in the write-ahead log into it."""
    account = database.account(database.project("P"), "a")
    left = tmp_path / "left" / "view_counter.db"
    left.parent.mkdir()
    with closing(sqlite3.connect(database.path)) as open_too:
        open_too.execute("SELECT 1 FROM projects").fetchall()
        database.snapshots(account, grown({0: 4_321, 1: 1}))
        for end in ("", "-wal"):
            left.with_name(left.name + end).write_bytes(database.path.with_name(database.path.name + end).read_bytes())
    before, stat = left.read_bytes(), left.stat()
    assert b"4,321" in report_of(left)
    assert left.read_bytes() == before
    assert left.stat().st_mtime_ns == stat.st_mtime_ns


def test_a_writer_is_no_obstacle(database: ReportDatabase) -> None:
    """While another process is in the middle of a transaction, the report shows the state before it."""
    account = database.account(database.project("P"), "a")
    database.snapshots(account, grown({0: 4_321}))
    with closing(sqlite3.connect(database.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE account_snapshots SET views = 1")
        assert "4,321" in made(database)
        writer.execute("ROLLBACK")


def configured(folder: Path) -> Path:
    path = folder / "config.toml"
    path.write_text('[database]\npath = "view_counter.db"\n[sheets]\ndirectory = "."\n')
    return path


def test_the_command_writes_the_file(database: ReportDatabase, tmp_path: Path) -> None:
    """`report -o FILE --project P --days N` writes the file and says so on standard error."""
    database.snapshots(database.account(database.project("P"), "a"), grown({0: 4_321}))
    output = tmp_path / "out.html"
    options = ("-o", str(output), "--project", "P", "--days", "30")
    ended = run_command("report", *options, "--config", str(configured(tmp_path)))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "out.html" in ended.stderr
    assert "4,321" in output.read_text()


def test_errors_are_one_line_with_a_remedy(database: ReportDatabase, tmp_path: Path) -> None:
    """No database, no such project, no such folder: one line each, and an earlier file stays as it was."""
    config, output = str(configured(tmp_path)), tmp_path / "out.html"
    output.write_text("earlier")
    unknown = run_command("report", "-o", str(output), "--project", "nobody", "--config", config)
    nowhere = run_command("report", "-o", str(tmp_path / "none" / "out.html"), "--config", config)
    database.path.unlink()
    missing = run_command("report", "-o", str(output), "--config", config)
    database.path.write_bytes(b"no database at all" * 100)
    junk = run_command("report", "-o", str(output), "--config", config)
    for ended, said in ((unknown, "nobody"), (nowhere, "none"), (missing, "smart-sync once"), (junk, "backup")):
        assert ended.returncode in (1, 2)
        assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
        assert said in ended.stderr
    assert output.read_text() == "earlier"


def test_the_page_goes_where_it_is_told(database: ReportDatabase, tmp_path: Path) -> None:
    """A folder is refused in one line and left empty, a device takes the page and stays one, a full one is named."""
    config, folder = str(configured(tmp_path)), tmp_path / "folder"
    folder.mkdir()
    refused = run_command("report", "-o", str(folder), "--config", config)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "folder: cannot be written: Is a directory" in refused.stderr
    assert not list(folder.iterdir())
    assert not list(tmp_path.glob(".*.new"))
    assert run_command("report", "-o", "/dev/null", "--config", config).returncode == 0
    assert Path("/dev/null").is_char_device()
    full = run_command("report", "-o", "/dev/full", "--config", config)
    assert full.returncode == 1
    assert "/dev/full: cannot be written: No space left on device" in full.stderr
    assert Path("/dev/full").is_char_device()


def test_a_stale_project_is_marked() -> None:
    """Since when its worksheet could not be read any more, beside its last good read."""
    since = datetime(2026, 3, 10, 18, tzinfo=UTC)
    project = ProjectFacts("p", "P", worksheet_read_at=since - timedelta(hours=7), stale_since=since)
    shown = str(stale_section(project, since + timedelta(hours=1), Words()))
    assert "stale: its worksheet cannot be read" in shown
    assert "stale:" not in str(stale_section(replace(project, stale_since=None), since, Words()))
