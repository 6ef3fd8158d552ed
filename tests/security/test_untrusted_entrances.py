"""The table of nasty strings at the entrances that are not worksheets: files, arguments, requests, addresses."""

import asyncio
import csv
import io
import json
import os
import re
import resource
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.security.test_untrusted_text import CONTROLS, DRIVING, TEXTS, forged

from daemon_process import PATIENCE, Daemon, write_config
from nasty import NASTY
from smart_sync.admin.ingest import ingest
from smart_sync.cli import main
from smart_sync.control.client import Client
from world import HEADER, KEY, NOON, World, link

COLUMNS = [
    "account_id",
    "link",
    "followers",
    "likes",
    "comments",
    "videos",
    "views",
    "source",
    "parsed_at",
    "precision",
]
#: What can be an argument of a command or the name of a file.
NAMES = {name: text for name, text in DRIVING.items() if "\0" not in text}


@pytest.fixture
def honest(world: World) -> World:
    world.add_project("Honest", ["a"])
    world.sheet("Honest", a=[7] * 5)
    return world


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_ingested_files(honest: World, form: Any) -> None:
    """In every column of every line of a file: the good line is stored, and nothing but counts."""
    good: dict[str, Any] = {"account_id": "account-a", "followers": 7}
    lines = [good]
    for text in TEXTS.values():
        lines += [{**good, "followers": 8, column: text} for column in COLUMNS if column not in ("source", "followers")]
        lines += [{**good, "followers": text}, {**good, "source": text}, {text: text}]
    done = await ingest(honest.path, written(lines, form), form, NOON)
    assert done.stored >= 1
    assert honest.execute("SELECT DISTINCT account_id, typeof(value) FROM parsed_values") == [("account-a", "integer")]
    await honest.sync()
    assert honest.execute("PRAGMA integrity_check") == [("ok",)]


def written(lines: list[dict[str, Any]], form: str) -> str:
    if form == "jsonl":
        return "\n".join(map(json.dumps, lines))
    target = io.StringIO()
    writer = csv.DictWriter(target, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(lines)
    return target.getvalue()


async def test_names_of_files(world: World) -> None:
    """Files with nasty names in the folder of worksheets are projects of that name, or none, and stay as they are."""
    folder = world.folder / "sheets"
    folder.mkdir()
    rows = ",".join(map(str, HEADER)) + "\n"
    for number, text in enumerate(NAMES.values()):
        if "/" not in text and len(os.fsencode(text)) < 250:
            (folder / f"{text}.csv").write_text(f"{rows}x,{link(f'x{number}')},7,7,7,7,7,\n")
    (folder / "Honest.csv").write_text(f"{rows}a,{link('a')},7,7,7,7,7,\n")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    world.sections["sheets"] = {"source": "csv", "directory": folder}
    world.sections["sync"] = {"create_missing": "projects"}
    result = await world.sync()
    assert "Honest" in {one.project.name for one in result.results if one.outcome == "synced"}
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert world.execute("SELECT count(*) FROM projects WHERE name = 'Honest'") == [(1,)]


def test_requests(honest: World) -> None:
    """As options, paths and headers of requests: an answer of one line of ASCII each, and no line forged in the log."""
    config = write_config(
        honest.folder, '[schedule]\nrun_on_start = false\n[log]\nformat = "console"\n', google=honest.google,
        spreadsheet=KEY,
    )  # fmt: skip

    async def ask(path: Path) -> None:
        for text in TEXTS.values():
            escaped = quote(text[:2000], safe="")
            for method, target in (
                ("POST", f"/api/admin/smart_sync?project_id={escaped}"),
                ("GET", f"/api/admin/sync_history?project_id={escaped}"),
                ("GET", f"/healthz?{escaped}=1"),
                ("GET", f"/{escaped}"),
            ):
                status, answer = await Client(path, timeout=PATIENCE).request(method, target)
                assert status in {200, 400, 404, 431}
                assert answer["success"] is (status == 200)

    with Daemon(config) as daemon:
        daemon.hang_up()
        asyncio.run(ask(daemon.socket))
        assert daemon.stop() == 0
        output = daemon.output()
    assert forged(output, "console") == []
    assert CONTROLS.findall(output) == []
    assert honest.execute("SELECT count(*) FROM projects") == [(1,)]


#: Every command that takes a text, with ``{}`` where it goes.
COMMANDS = {
    "once": ["once", "{}"],
    "sync": ["sync", "{}"],
    "explain": ["explain", "{}"],
    "confirm": ["confirm", "{}"],
    "growth": ["growth", "{}"],
    "history": ["history", "--project", "{}"],
    "report": ["report", "--output", "-", "--project", "{}"],
    "parse": ["parse", "{}"],
    "backup": ["backup", "{}/x.db"],
    "ingest": ["ingest", "{}.csv"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments(
    honest: World, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an argument of every command: text that drives no terminal, no traceback, and nothing written anywhere."""
    config = write_config(honest.folder, google=honest.google, spreadsheet=KEY)
    # What a command forbids itself would hold for all later tests of this process.
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    # A folder of its own: relative names must not lead to anything.
    monkeypatch.chdir(honest.folder)
    texts = list(NAMES.values()) if command not in ("once", "sync", "parse") else list(NAMES.values())[::8]
    there = {path.name for path in honest.folder.iterdir()}
    for text in texts:
        words = [word.replace("{}", text) for word in COMMANDS[command]]
        # What begins with a dash is a value here, not an option.
        arguments = [*words[:-1], "--", words[-1]] if "--project" not in words else words
        monkeypatch.setattr(sys, "argv", ["smart-sync", *arguments])
        monkeypatch.setenv("SMART_SYNC_CONFIG", str(config))
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code in {0, 1, 2, 3, 4}
        said = capsys.readouterr()
        shown = said.err if command == "report" else said.out + said.err
        assert CONTROLS.findall(shown) == [], repr(text)
        assert "Traceback" not in shown
    leftover = {path.name for path in honest.folder.iterdir()} - there
    assert {name for name in leftover if not name.startswith(("view_counter.db", "weakened"))} == set()


async def test_addresses(world: World) -> None:
    """As user names, link and platform in a source's URL: one segment of the path, one host, whatever they are."""
    texts = list(DRIVING.values())
    world.add_project("P", ["a"])
    world.sheet("P", a=[7] * 5)
    for number, text in enumerate(texts):
        world.execute(
            "INSERT OR IGNORE INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?1, 'project-P', 'tiktok', ?2, ?3)",
            (f"x{number}", text, f"https://www.tiktok.com/@{text}"),
        )
    with Listening() as (url, asked):
        own = {
            "kind": "http_json",
            "platforms": ["tiktok"],
            "url": url + "/api/{username}/{link}?p={platform}",
            "metrics": {"followers": "f"},
        }
        world.sections["parsers"] = {"own": own}
        await world.sync()
    assert len(asked) > len(texts) // 4
    for line, host in asked:
        assert re.fullmatch(r"GET /api/[^/?#\s]+/[^/?#\s]*\?p=[^/?#&\s]* HTTP/1.1", line), line
        assert host == url.removeprefix("http://")
    assert world.merged("a") == (7,) * 5


class Listening:
    """An HTTP server that notes the request lines it gets, and their hosts."""

    def __init__(self) -> None:
        asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Not on the tests' standard error."""

            def do_GET(self) -> None:
                asked.append((self.requestline, self.headers["Host"]))
                self.send_response(200)
                self.send_header("Content-Length", "8")
                self.end_headers()
                self.wfile.write(b'{"f": 7}')

        self._asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> tuple[str, list[tuple[str, str]]]:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}", self._asked

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_the_table_is_nasty() -> None:
    """Negative control: the strings that reach these entrances do drive terminals, lead out of folders and forge."""
    everything = "\n".join(NAMES.values())
    assert CONTROLS.findall(everything)
    assert forged(everything, "console")
    assert any(Path("/folder", text).resolve().parent != Path("/folder") for text in NAMES.values())
    assert len(NAMES) > len(NASTY) // 2
