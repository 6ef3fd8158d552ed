"""Answers that ended the daemon once, at every restart again: each costs a worksheet at most, in one line."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from daemon_process import PATIENCE, Daemon, write_config
from fake_google import FakeGoogle, Rows
from smart_sync.aio.http_client import LONGEST_WAIT, retry_after
from smart_sync.control.client import Client
from smart_sync.core.model import Project
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import transport
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff
from world import KEY, World

QUICK = Backoff(initial=0.0, longest=0.0, jitter=0.0)
ROWS: Rows = [["Link", "Followers"], ["https://tiktok.com/@a", 5]]
PROJECT = Project(id="1", name="A")
DEEP = b"[" * 200_000
DEEP_ERROR = b'{"error": ' * 50_000 + b"{}" + b"}" * 50_000


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        fake.add("key", {"A": ROWS, "B": ROWS})
        yield fake


def token(access_token: object = "ya29.good", **more: object) -> dict[str, Any]:
    return {"kind": "token", "status": 200, "body": {"access_token": access_token, **more}}


HOSTILE: dict[str, dict[str, Any]] = {
    "expires_in soon": token(expires_in="soon"),
    "expires_in NaN": token() | {"body": b'{"access_token": "ya29.good", "expires_in": NaN}'},
    "expires_in a list": token(expires_in=[1]),
    "access_token 5": token(5),
    "access_token null": token(None),
    "access_token a list": token(["a"]),
    "access_token no ASCII": token("ж"),
    "access_token a surrogate": token() | {"body": b'{"access_token": "\\ud800"}'},
    "access_token a line break": token("ya29.a\nb"),
    "access_token endless": token("a" * 100_000),
    "token nested": {"kind": "token", "status": 200, "body": DEEP},
    "token refused, nested": {"kind": "token", "status": 400, "body": DEEP_ERROR},
    "token redirect": {"kind": "token", "status": 302, "headers": {"Location": "http://[::1"}},
    "200 nested": {"kind": "batch", "status": 200, "body": DEEP},
    "400 nested": {"kind": "batch", "status": 400, "body": DEEP},
    "403 nested": {"kind": "batch", "status": 403, "body": DEEP_ERROR},
    "403 shapes": {"kind": "batch", "status": 403, "body": {"error": {"errors": 5, "details": [{"reason": []}]}}},
    "404 nested": {"kind": "batch", "status": 404, "body": DEEP},
    "a redirect to no address": {"kind": "batch", "status": 302, "headers": {"Location": "http://[::1"}},
    "Retry-After beyond all days": {
        "kind": "batch",
        "status": 503,
        "headers": {"Retry-After": "1 Jan 99999999999999999999 0:0:0 GMT"},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_the_worksheets_trouble(google: FakeGoogle, tmp_path: Path, name: str) -> None:
    """While it is given, the worksheet is unavailable, said in one line; as soon as Google is well, it is read."""
    fault = {"body": None, "headers": {}} | HOSTILE[name]
    google.fail(fault.pop("kind"), 99, **fault)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        with pytest.raises(SheetUnavailable) as trouble:
            await sheets.read(PROJECT)
        assert trouble.value.remedy
        assert "\n" not in str(trouble.value)
        assert len(str(trouble.value)) < 500
        google.faults.clear()
        assert (await sheets.read(PROJECT)).rows == ROWS


@pytest.mark.parametrize("expires_in", [1e30, -1e30, "3599", 0, None, float("inf")])
async def test_any_number_is_a_life(google: FakeGoogle, tmp_path: Path, expires_in: object) -> None:
    """A token that lives for absurdly long, or says nothing of it, is used for as long as Google takes it."""
    google.spreadsheets["key"].worksheets = {"A": ROWS}
    google._tokens["ya29.good"] = (10**12, "https://www.googleapis.com/auth/spreadsheets.readonly", "")
    google.fail("token", 1, **{key: value for key, value in token(expires_in=expires_in).items() if key != "kind"})
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        assert (await sheets.read(PROJECT)).rows == ROWS


@pytest.mark.parametrize(
    ("cell", "said"), [('["x"]', "B2 holds a list"), ('{"x": 1}', "B2 holds an object")], ids=["list", "object"]
)
async def test_a_cell_that_is_none(google: FakeGoogle, tmp_path: Path, cell: str, said: str) -> None:
    """A list or an object in a cell is the trouble of that worksheet, named with its cell; the other one is read."""
    good = '{"range": "B!A1:B2", "values": [["Link", "Followers"], ["https://tiktok.com/@a", 5]]}'
    bad = good.replace("B!", "A!").replace("5]", cell + "]")
    google.fail("batch", 1, status=200, body=f'{{"valueRanges": [{bad}, {good}]}}'.encode())
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        values = await sheets_of(sheets, "A", "B")
    assert isinstance(values[0], SheetUnavailable)
    assert said in values[0].reason
    assert values[1] == ROWS
    assert google.count("batch") == 1


async def test_a_lone_surrogate_is_no_character(google: FakeGoogle, tmp_path: Path) -> None:
    """In a cell or a title it arrives as U+FFFD, which a database, a URL and a log line can hold."""
    body = b'{"valueRanges": [{"range": "A!A1:B2", "values": [["Link", "x\\ud83d"], ["https://tiktok.com/@a", 5]]}]}'
    google.fail("batch", 1, status=200, body=body)
    titles = b'{"sheets": [{"properties": {"title": "T\\udfff"}}, {"properties": {"title": "A"}}]}'
    google.fail("metadata", 1, status=200, body=titles)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        assert (await sheets.read(PROJECT)).rows == [["Link", "x\ufffd"], ROWS[1]]
        assert await sheets.titles() == ["T\ufffd", "A"]


async def test_drive_pages_have_an_end(google: FakeGoogle, tmp_path: Path) -> None:
    """A list of files that always has a further page is given up on."""
    google.fail("drive", 10_000, status=200, body={"files": [], "nextPageToken": "again"})
    async with GoogleSheets(google.settings(tmp_path, "A title"), backoff=QUICK) as sheets:
        with pytest.raises(SheetUnavailable, match="list of files"):
            await sheets.read(PROJECT)
    assert google.count("drive") == 4 * 20


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1 Jan 99999999999999999999 0:0:0 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", LONGEST_WAIT),
        ("999999999999999999999", LONGEST_WAIT),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("", None),
        ("\ud800", None),
        ("120", 120.0),
        ("Fri, 27 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_wait_or_nothing(said: str, seconds: float | None) -> None:
    """Whatever the header holds becomes seconds, a day at the most, or nothing."""
    assert retry_after(said, datetime(2026, 11, 27, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("name", ["access_token 5", "token nested", "403 nested", "a redirect to no address"])
def test_the_daemon_goes_on(world: World, name: str) -> None:
    """The process that is given such an answer calls the project degraded, and syncs it when Google is well again."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    fault = {"body": None, "headers": {}} | HOSTILE[name]
    world.google.fail(fault.pop("kind"), 99, **fault)
    text = 'deadline = "1s"\n[schedule]\nrun_on_start = false\n'
    with Daemon(write_config(world.folder, text, google=world.google, spreadsheet=KEY)) as daemon:

        def outcome() -> str:
            answer = asyncio.run(Client(daemon.socket, timeout=PATIENCE).request("POST", "/api/admin/smart_sync"))[1]
            return str(answer["results"][0]["outcome"])

        assert outcome() == "degraded"
        world.google.faults.clear()
        assert outcome() == "synced"
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.output()


def test_a_head_that_trickles_does_not_hold_its_thread() -> None:
    """A header now and then does not restart the clock either: the thread is free after the timeout."""
    over = threading.Event()

    def trickle(listening: socket.socket) -> None:
        connected, _ = listening.accept()
        with connected, contextlib.suppress(OSError):
            connected.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.05):
                connected.sendall(b"X-Y: z\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening, requests.Session() as session:
        thread = threading.Thread(target=trickle, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        transport.equip(session, transport.Adapter(url, 0.3, lambda _size: None))
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            session.get(f"{url}/v4/spreadsheets/key", timeout=5)
        assert time.monotonic() - started < 3
        over.set()
        thread.join()


async def sheets_of(sheets: GoogleSheets, *names: str) -> list[Any]:
    """The rows or the failure of each worksheet, asked for together."""

    async def read(name: str) -> Any:
        try:
            return (await sheets.read(Project(id=name, name=name))).rows
        except SheetUnavailable as failure:
            return failure

    return list(await asyncio.gather(*map(read, names)))
