"""One table of nasty strings at every entrance: nothing of it drives a log, a terminal, SQL or a path."""

import asyncio
import csv
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

import terminal
from daemon_process import PATIENCE, Daemon, write_config
from fake_google import FakeGoogle
from nasty import NASTY, NASTY_TEXTS
from smart_sync import logs
from smart_sync.admin.checks import check
from smart_sync.control.client import Client
from smart_sync.core.model import Outcome
from smart_sync.sheets.csv_directory import CsvSheets
from world import HEADER, KEY, PostgresWorld, World, link

#: What can travel through JSON over HTTP and into SQLite: everything but lone surrogates.
TEXTS = {name: text for name, text in NASTY.items() if text.isascii() or text == text.encode(errors="replace").decode()}
#: Few enough for a process per command, and all that drive terminals or forge lines.
DRIVING = {name: text for name, text in TEXTS.items() if len(text) < 200}
#: Bytes that drive a terminal: escapes, other control characters, and text that changes its direction.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: What a terminal gets from rich itself: colours, the cursor, hidden or shown, lines erased.
OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r")


def forged(output: str, form: str = "json") -> list[str]:
    """The lines of a log that are not ours."""
    bad = []
    if form == "console":
        ours = re.compile(
            r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} (DEBUG|INFO|WARNING|ERROR) \[SmartSync\] [a-z]+\.[a-z_]+( |$)"
        )
        # Of our own events this is the one that the table forges, with a field that it does not have.
        return [line for line in output.splitlines() if not ours.match(line) or re.search(r" success=True$", line)]
    for line in output.splitlines():
        try:
            bad += [] if json.loads(line)["logger"] == "SmartSync" else [line]
        except (ValueError, KeyError, TypeError):
            bad.append(line)
    return bad


def infest(world: World) -> None:
    """Every nasty string in every cell, link, name and user name that people or programs can write."""
    names = list(DRIVING.values())
    world.add_project("Honest", ["a"])
    world.sheet("Honest", a=[7] * 5)
    # A server holds no NUL.
    of_tables = {text: text.replace("\0", "") if world.url else text for text in TEXTS.values()}
    for number, text in enumerate(names):
        put = "INSERT INTO projects (id, name, is_active) VALUES (?, ?, 1) ON CONFLICT DO NOTHING"
        world.execute(put, (f"p{number}", of_tables[text]))
        world.execute(put, (of_tables[text], f"Id {number}"))
    world.add_project("Cells")
    rows: list[list[Any]] = [list(HEADER)]
    for number, text in enumerate(TEXTS.values()):
        world.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?1, 'project-Cells', ?2, ?2, ?2) ON CONFLICT DO NOTHING",
            (f"x{number}", of_tables[text]),
        )
        world.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?1, 'project-Cells', 'tiktok', ?1, ?2)",
            (f"y{number}", link(f"y{number}")),
        )
        rows += [[text, text, text, text, text, text, text, text], ["", link(f"y{number}"), *[text] * 5]]
    world.google.spreadsheets[KEY].worksheets["Cells"] = rows
    for number, text in enumerate(names):
        world.google.spreadsheets[KEY].worksheets[text] = [[text] * 8, ["", link(f"z{number}"), text, 1, 1, 1, 1]]


@pytest.fixture
def config(world: World) -> Path:
    infest(world)
    text = '[schedule]\nrun_on_start = false\n[log]\nlevel = "debug"\n[sync]\ncreate_missing = "accounts"\n'
    return write_config(world.folder, text, google=world.google, spreadsheet=KEY)


@pytest.mark.parametrize("form", ["json", "console"])
def test_log_answers_and_database_hold_it_as_text(config: Path, world: World, form: str) -> None:
    """In cells, headers, names and links: no log line forged, no answer torn, no neighbour hurt."""
    config.write_text(config.read_text().replace("[log]", f'[log]\nformat = "{form}"'))
    tables = world.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
    with Daemon(config) as daemon:
        daemon.hang_up()
        for path in ("smart_sync", "sync_status"):
            method = "POST" if path == "smart_sync" else "GET"
            status, answer = asyncio.run(Client(daemon.socket, timeout=PATIENCE).request(method, f"/api/admin/{path}"))
            assert status == 200
            assert answer["success"]
        assert daemon.stop() == 0
        output = daemon.output()
    assert forged(output, form) == []
    assert CONTROLS.findall(output) == []
    assert world.merged("a") == (7,) * 5
    assert world.execute("SELECT name, sql FROM sqlite_master ORDER BY name") == tables
    assert world.execute("PRAGMA integrity_check") == [("ok",)]
    assert world.execute("SELECT count(*) FROM projects WHERE name = 'Honest'") == [(1,)]


async def test_a_server_holds_it_as_text(tmp_path: Path, google: FakeGoogle, prepared: str) -> None:
    """What PostgreSQL cannot hold (a NUL) hurts no neighbour either, in two passes and a check."""
    world = PostgresWorld(tmp_path, google, prepared)
    infest(world)
    world.google.spreadsheets[KEY].worksheets["Cells"][0] += ["Topic", "Telegram"]
    for number, row in enumerate(world.google.spreadsheets[KEY].worksheets["Cells"][1:]):
        row[7:] = [row[2], row[2], row[2]]
        world.google.spreadsheets[KEY].worksheets["Cells"].append(["", link(f"new{number}"), *[1] * 5, *row[7:]])
    world.sections["sync"] = {"create_missing": "accounts"}
    for value in (7, 8):
        world.google.spreadsheets[KEY].worksheets["Honest"][1][2:7] = [value] * 5
        results = {one.project.name: one for one in (await world.sync()).results}
        assert world.merged("a") == (value,) * 5
        assert [one.error for one in results.values() if one.outcome is Outcome.FAILED] == []
        assert dict(results["Cells"].failed_accounts) == {}
    assert [one.message for one in (await check(world.settings)).findings if "Honest" in one.message]


#: Every command that shows what others have written.
SCREENS = (["sync"], ["status"], ["check"], ["webhooks"], ["history"], ["growth"], ["explain", link("y7")])


def test_no_terminal_is_driven(config: Path, world: World) -> None:
    """On a terminal, whatever names and cells hold, only our own colours and cursor movements come out."""
    with Daemon(config) as daemon:
        daemon.hang_up()
        ended = {
            " ".join(words): terminal.run([*words, "--config", str(config)], 120, world.folder) for words in SCREENS
        }
    screens = {command: shown.raw for command, shown in ended.items()}
    assert {shown.code for shown in ended.values()} <= {0, 1, 4}
    for command, shown in screens.items():
        assert CONTROLS.findall(OWN.sub("", shown)) == [], command
        assert not [title for title in ("\x1b]0;owned", "\x1b]8;;https://evil", "\x1b[2J") if title in shown], command
    for command in ("sync", "status", "check", "growth"):
        assert "Honest" in screens[command], screens[command][-2000:]


@pytest.mark.parametrize("argument", DRIVING.values(), ids=list(DRIVING))
async def test_a_title_never_leads_out_of_the_csv_folder(tmp_path: Path, argument: str) -> None:
    """Whatever a project is called, the CSV source opens a file of its folder or none."""
    from smart_sync.config import SheetsSettings
    from smart_sync.core.model import Project
    from smart_sync.errors import SheetUnavailable

    folder = tmp_path / "sheets"
    folder.mkdir()
    for outside in (tmp_path / "x.csv", tmp_path / "secret.csv"):
        outside.write_text("Link,Followers\nx,1\n")
    sheets = CsvSheets(SheetsSettings(source="csv", directory=folder))
    for title in (argument, f"../{argument}", f"../x{argument}", "../secret", "..\\x", f"{argument}/../../x"):
        with pytest.raises(SheetUnavailable) as refused:
            await sheets.read(Project("p", title))
        assert CONTROLS.findall(logs.printable(str(refused.value))) == []


async def test_cells_of_csv_files_are_as_harmless(world: World) -> None:
    """The same table as a CSV file: the pass ends, and the honest row is right."""
    folder = world.folder / "sheets"
    folder.mkdir()
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(HEADER)
    for text in TEXTS.values():
        writer.writerow([text] * 8)
    writer.writerow(["@a", link("a"), 7, 7, 7, 7, 7, ""])
    (folder / "P.csv").write_text(target.getvalue(), newline="")
    world.add_project("P", ["a"])
    world.sections["sheets"] = {"source": "csv", "directory": folder}
    result = await world.sync_one()
    assert result.outcome in {Outcome.SYNCED, Outcome.DEGRADED}
    if result.outcome is Outcome.SYNCED:
        assert world.merged("a") == (7,) * 5


@pytest.mark.parametrize("status", [200, 400, 403])
async def test_what_a_platform_answers_is_text_too(world: World, status: int) -> None:
    """A source that answers with the table, as values or errors: no line is forged, the inbox has only counts."""
    texts = list(DRIVING.values())
    world.add_project("P", ["a", *(f"x{number}" for number in range(len(texts)))])
    world.sheet("P", a=[7] * 5)
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    try:
        with Answering(texts, status) as url:
            own = {
                "kind": "http_json",
                "platforms": ["tiktok"],
                "url": url + "/{username}",
                "metrics": {"followers": "fans", "views": "more"},
            }
            world.sections["parsers"] = {"own": own}
            await world.sync()
    finally:
        structlog.reset_defaults()
    assert "parser." in stream.getvalue()
    assert forged(stream.getvalue()) == []
    assert CONTROLS.findall(stream.getvalue()) == []
    assert world.merged("a") == (7,) * 5
    assert set(world.execute("SELECT typeof(value) FROM parsed_values")) <= {("integer",)}


class Answering:
    """An HTTP server that answers ``/x<number>`` with that text, everywhere in the answer."""

    def __init__(self, texts: list[str], status: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Not on the tests' standard error."""

            def do_GET(self) -> None:
                number = re.search(r"/x(\d+)", self.path)
                text = texts[int(number[1])] if number else "7"
                body = json.dumps({"fans": text, "more": [text], "error": {"message": text, "type": text}, text: text})
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("text", NASTY_TEXTS[:60], ids=list(NASTY)[:60])
def test_printable_is_printable(text: str) -> None:
    """What is shown of a nasty string is one line without control characters."""
    assert CONTROLS.findall(logs.printable(text)) == []
    assert "\n" not in logs.printable(text)


def test_without_it_a_line_is_forged(config: Path, world: World) -> None:
    """Negative control: what the checks above look for is there in text that nobody has cleaned."""
    raw = "\n".join(DRIVING.values())
    assert CONTROLS.findall(OWN.sub("", raw))
    assert forged('{"level":"INFO","logger":"SmartSync"}\nx\nINFO [SmartSync] sync.finished') != []
