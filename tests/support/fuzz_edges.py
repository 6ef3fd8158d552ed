"""Every edge where foreign text comes in, each with what must come of a wounded answer: a value, or its own error."""

import asyncio
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.control.test_control_fuzz import check, frame
from tests.parsers.test_parsers_recipes import IMITATIONS
from tests.parsers.test_parsers_recipes import parser as seller

import hostile
from control_clients import exchange, served
from fake_google import FakeGoogle
from fake_platforms import GOOD, account, drain, parser, recorded
from hostile import Hostile, answer, wounded_bytes, wounded_json, wounded_text
from smart_sync import config
from smart_sync.admin.ingest import ingest
from smart_sync.config import WebhookSettings
from smart_sync.control.client import Client
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS, Account, Cell, ParsedMetrics, Project, Worksheet
from smart_sync.core.results.webhook_messages import message
from smart_sync.errors import ConfigError, SheetUnavailable, SmartSyncError
from smart_sync.notify import http_post
from smart_sync.notify.sender import Sender
from smart_sync.parsers import recipes
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.http import opened as open_client
from smart_sync.parsers.parser import Parser, Unfetched
from smart_sync.service.preflight import obstacles
from smart_sync.sheets import credentials
from smart_sync.sheets.csv_directory import rows_of
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff
from smart_sync.store.schema import open_database
from world import NOON, World, link

#: One try at an edge.  Raises AssertionError, or whatever went through, if the edge does not hold.
Edge = Callable[[random.Random], Awaitable[None]]

ONCE = Backoff(tries=2, initial=0.0, longest=0.0, jitter=0.0)
SECRET = "whsec_" + "A" * 44
SHEETS = recorded("sheets/SpreadsheetTest.test_add_del_worksheet.json")
METADATA = next(entry["body"] for entry in SHEETS if "sheets" in entry["body"])
GRAPH_ERRORS = recorded("facebook/graph_errors.json")
#: What a platform says in place of an answer.
REFUSALS = {
    **dict.fromkeys(("facebook", "instagram", "threads"), GRAPH_ERRORS),
    "youtube": [recorded("youtube/error_response.json")],
}
FILES = {"files": [{"id": "key", "name": "A title"}], "kind": "drive#fileList"}
ROWS = [["Link", "Views"], *([link(f"a{number}"), "1.234" if number % 7 else number] for number in range(30))]
VALUES = {
    "spreadsheetId": "key",
    "valueRanges": [{"range": "A!A1:C99", "majorDimension": "ROWS", "values": ROWS}],
}
TOKEN = {"access_token": "ya29.good", "expires_in": 3599, "token_type": "Bearer"}
REFUSED = {
    "error": {"code": 403, "message": "no", "status": "X", "errors": [{"reason": "rateLimitExceeded"}], "details": []}
}
CONFIG = """
[database]
path = "x.db"
[sheets]
source = "google"
spreadsheet = "https://docs.google.com/spreadsheets/d/abc/edit"
api_url = "http://127.0.0.1:1"
timeout = "30s"
columns = { views = ["Seen"], link = ["Profile"] }
[sheets.spreadsheets]
"Other" = "key"
[schedule]
cron = "*/30 * * * *"
timezone = "Europe/Berlin"
[merge.platforms.tiktok]
views = "sheet"
[control]
socket = "control.sock"
mode = "0660"
group = ""
[ping]
url = "https://hc.example.com/x"
[[webhooks]]
url = "https://hooks.example.com/y"
secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
[parsers.youtube]
key = "k"
rate = "10/s"
[parsers.x]
kind = "http_json"
platforms = ["tiktok"]
url = "https://api.example.com/{username}"
headers = { "X-Key" = "abcdef" }
metrics = { views = "data.views" }
"""


def one_line(text: str, limit: int = 2000) -> None:
    """Whatever is said to a person stands in one line, is no novel and holds no traceback."""
    assert "\n" not in text, text
    assert len(text) < limit, text[:300]
    assert "Traceback" not in text
    text.encode()


def good(body: Any) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content


def kind_of(line: str) -> str:
    path = urlsplit(line.split(" ")[1]).path
    return (
        "token"
        if path.endswith("/token")
        else "drive"
        if "/drive/" in path
        else "batch"
        if ":batchGet" in path
        else "metadata"
    )


class Edges:
    """All edges over one hostile server, one folder and one database; use `opened`."""

    def __init__(self, folder: Path, server: Hostile, google: FakeGoogle) -> None:
        self._folder = folder
        self._server = server
        self._google = google
        self._world: World
        self._means: Asking
        self._unix: Hostile
        self._socket: Path

    def all(self) -> dict[str, Edge]:
        """The edges by name."""
        return {
            **{kind: self._sheets(kind) for kind in ("token", "batch", "metadata", "drive")},
            **{kind: self._parser(kind) for kind in GOOD},
            **{recipe: self._seller(recipe) for recipe in IMITATIONS},
            "webhook": self._webhook,
            "ping": self._ping,
            "worksheet file": self._worksheet_file,
            "parsed file": self._parsed_file,
            "rows": self._rows,
            "control server": self._control_server,
            "control client": self._control_client,
            "configuration": self._configuration,
            "key": self._key,
        }

    def _sheets(self, kind: str) -> Edge:
        bodies = {"token": TOKEN, "batch": VALUES, "metadata": METADATA, "drive": FILES}

        async def read(chance: random.Random) -> None:
            refusal = chance.random() < 0.2
            bad = answer(chance, REFUSED if refusal else bodies[kind], chance.choice((400, 403)) if refusal else 200)
            self._server.say = lambda line: bad if kind_of(line) == kind else good(bodies[kind_of(line)])
            where = "A title" if kind == "drive" else "key"
            settings = self._google.settings(self._folder, where, api_url=self._server.url, timeout=1.0, deadline=3.0)
            async with GoogleSheets(settings, backoff=ONCE) as sheets:
                sheets.begin()
                try:
                    if kind == "metadata":
                        for title in await sheets.titles():
                            title.encode()
                    check_worksheet(await sheets.read(Project("1", "A")))
                except SheetUnavailable as failure:
                    one_line(str(failure))

        return read

    def _parser(self, kind: str) -> Edge:
        async def ask(chance: random.Random) -> None:
            body, status = GOOD[kind][0], 200
            if kind in REFUSALS and chance.random() < 0.3:
                body, status = chance.choice(REFUSALS[kind]), chance.choice((400, 403))
            bad = answer(chance, body, status)
            self._server.say = lambda _line: bad
            await _asked(parser(kind, self._server.url, timeout=1.0), account(kind), self._means)

        return ask

    def _seller(self, recipe: str) -> Edge:
        """A rented source: of its answers, which follow each other, one is wounded."""
        link, exchanges, _, _ = IMITATIONS[recipe]

        async def ask(chance: random.Random) -> None:
            said = [good(body) for _, _, body in exchanges]
            wounded = chance.randrange(len(said))
            said[wounded] = answer(chance, exchanges[wounded][2])
            first = len(self._server.asked)
            self._server.say = lambda _line: said[min(len(self._server.asked) - first, len(said)) - 1]
            asked = seller(recipe, self._server.url, timeout=1.0, steps=impatient(recipe))
            await _asked(asked, account("tiktok", 0, link), self._means)

        return ask

    async def _webhook(self, chance: random.Random) -> None:
        bad = answer(chance, {"ok": True})
        self._server.say = lambda _line: bad

        async def resolver(_host: str, _port: int) -> list[str]:
            odd = chance.choice(("::", "nonsense", "127.0.0.1%x", "", "0x7f.1", "127.0.0.2", "\ud800", "fe80::1%lo"))
            return [odd, "127.0.0.1"] if chance.random() < 0.2 else ["127.0.0.1"]

        webhook = WebhookSettings.model_validate(
            {"url": f"http://hooks.example.com:{self._server.port}/x", "secret": SECRET, "allow_private": True}
        )
        told = message("name", "webhook.test", "2026-03-10T12:00:00.000000", {})
        one_line((await Sender(resolver, timeout=2).send(webhook, told, datetime.now(UTC))).reason)

    async def _ping(self, chance: random.Random) -> None:
        bad = answer(chance, "OK")
        self._server.say = lambda _line: bad
        try:
            async with asyncio.timeout(2):
                assert isinstance(await http_post.request_status("GET", self._server.url + "/ping", proxied=True), int)
        except (http_post.NotReached, TimeoutError) as failure:
            one_line(str(failure))

    async def _worksheet_file(self, chance: random.Random) -> None:
        text = 'Link,Views,Note\nhttps://www.tiktok.com/@a,"1 234",x\nhttps://www.tiktok.com/@b,5,"y ""z"""\n'
        try:
            check_worksheet(Worksheet("A", rows_of(wounded_text(chance, text * 3), "A")))
        except SheetUnavailable as failure:
            one_line(str(failure))

    async def _parsed_file(self, chance: random.Random) -> None:
        row = {
            "account_id": "account-a",
            "link": link("a"),
            "views": 5,
            "source": "x",
            "parsed_at": "2026-03-01T12:00:00Z",
        }
        if chance.random() < 0.5:
            content, form = wounded_json(chance, row) + b"\n" + json.dumps(row).encode(), "jsonl"
        else:
            names = ",".join(row)
            content, form = wounded_text(chance, names + "\n" + ",".join(map(str, row.values())) + "\n"), "csv"
        done = await ingest(self._world.path, content.decode(errors="replace"), form, NOON)  # type: ignore[arg-type]
        for mistake in done.mistakes:
            one_line(str(mistake))

    async def _rows(self, chance: random.Random) -> None:
        """Cells of SQLite of any type, in the tables that others write: a pass goes through, and the rest is synced."""
        table, columns = chance.choice(
            (
                ("parsed_metrics", (*METRICS, "source", "parsed_at", "precision")),
                ("parsed_values", ("metric", "value", "source", "parsed_at", "precision", "link")),
                ("project_social_accounts", ("platform", "username", "profile_link", "added_at", "is_active")),
                ("projects", ("name", "google_sheet_name", "is_active")),
            )
        )
        odd: Any = chance.choice(
            (b"\xff\xfe", b"", "", 5, -1, 1.5, 1e300, float("inf"), None, "x" * 5000, "a\0b", 2**62, "-3")
        )
        key = "account_id" if table.startswith("parsed_") else "id"
        victim = "project-Odd" if table == "projects" else "account-odd"
        column = chance.choice(columns)
        with closing(sqlite3.connect(self._world.path)) as connection:
            before = connection.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (victim,)).fetchone()[0]
            try:
                with connection:
                    value = "CAST(? AS TEXT)" if isinstance(odd, bytes) and chance.random() < 0.5 else "?"
                    connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {key} = ?", (odd, victim))
            except sqlite3.IntegrityError:
                return
            result = await self._world.sync()
            with connection:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (before, victim))
        (honest,) = [one for one in result.results if one.project.id == "project-Honest"]
        assert honest.outcome in ("synced", "unchanged"), honest.error
        for one in result.results:
            one_line(one.error, 10_000)  # a name of the web app's is shown whole

    async def _control_server(self, chance: random.Random) -> None:
        sent = frame(chance)
        received = await exchange(self._socket, sent)
        assert bool(received) == bool(sent)
        check(received)

    async def _control_client(self, chance: random.Random) -> None:
        bad = answer(chance, {"success": True, "results": [], "error": "x"})
        self._unix.say = lambda _line: bad
        client = Client(self._folder / "other.sock", timeout=2)
        try:
            await client.status() if chance.random() < 0.5 else await client.sync()
        except SmartSyncError as failure:
            one_line(str(failure))

    async def _configuration(self, chance: random.Random) -> None:
        path = self._folder / "config.toml"
        path.write_bytes(wounded_text(chance, CONFIG))
        try:
            for key, obstacle in obstacles(config.load(path)).items():
                one_line(f"{key}: {obstacle.reason}")
        except ConfigError as refusal:
            for problem in refusal.problems:
                one_line(problem)

    async def _key(self, chance: random.Random) -> None:
        path = self._folder / "wounded.json"
        info = json.loads((self._folder / "credentials.json").read_text())
        path.write_bytes(
            wounded_json(chance, info) if chance.random() < 0.7 else wounded_bytes(chance, json.dumps(info).encode())
        )
        self._server.say = lambda line: good({"token": TOKEN, "batch": VALUES}.get(kind_of(line), METADATA))
        settings = self._google.settings(self._folder, api_url=self._server.url, timeout=1.0, deadline=3.0)
        async with GoogleSheets(settings.model_copy(update={"credentials": path}), backoff=ONCE) as sheets:
            try:
                credentials.find(path)
                check_worksheet(await sheets.read(Project("1", "A")))
            except SheetUnavailable as failure:
                one_line(str(failure))


def impatient(recipe: str) -> list[dict[str, Any]]:
    """The steps of a recipe, which wait for a job for a moment only."""
    steps: list[dict[str, Any]] = recipes.read(recipe)["steps"]
    return [step | ({"wait": "1ms", "timeout": "100ms"} if "until" in step else {}) for step in steps]


async def _asked(asked: Parser, whom: Account, means: Asking) -> None:
    found, failure = await drain(asked, [whom], means)
    if failure is not None:
        one_line(str(failure))
    for item in found:
        if isinstance(item, Unfetched):
            one_line(item.reason)
        else:
            check_parsed(item)


def check_worksheet(worksheet: Worksheet) -> None:
    """Cells are scalars, and texts that a database can hold."""
    for row in worksheet.rows:
        for cell in row:
            assert isinstance(cell, Cell), type(cell)
            str(cell).encode()


def check_parsed(values: ParsedMetrics) -> None:
    """Counts, or nothing."""
    assert isinstance(values, ParsedMetrics)
    for count in values.metrics:
        assert count is None or (type(count) is int and 0 <= count < 2**63), count


@asynccontextmanager
async def opened(folder: Path, google: FakeGoogle) -> AsyncIterator[Edges]:
    """The edges, with what they need."""
    async with AsyncExitStack() as stack:
        edges = Edges(folder, await stack.enter_async_context(hostile.hostile()), google)
        edges._unix = await stack.enter_async_context(hostile.hostile(folder / "other.sock"))
        edges._socket = await stack.enter_async_context(served(folder))
        google.credentials(folder / "credentials.json")
        # One client for all parsers, as in a pass: making one takes longer than a hundred answers.
        edges._means = Asking(await stack.enter_async_context(open_client()))
        (folder / "world").mkdir()
        edges._world = world = World(folder / "world", google)
        await stack.enter_async_context(open_database(world.path))
        world.add_project("Honest", ["a"])
        world.add_project("Odd", ["odd"])
        world.sheet("Honest", a=[7] * 5)
        world.sheet("Odd", odd=[8] * 5)
        world.parsed("odd", [9] * 5, source="x")
        sql = "INSERT INTO parsed_values (account_id, metric, source, value, parsed_at) VALUES (?, 'views', 'x', 9, ?)"
        world.execute(sql, ("account-odd", stamp(world.now)))
        world.parsed("a", [9] * 5, source="x")
        yield edges
