"""Google in trouble: every fault at every moment, bounded in calls and time, without harm to the others."""

import asyncio
import gc
import json
import socket
import threading
import time
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pytest
import requests

from fake_google import AUDIENCE, EMAIL, FakeGoogle, Rows, private_key
from smart_sync.core import wording
from smart_sync.core.model import Project
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import transport
from smart_sync.sheets.google import GoogleSheets
from smart_sync.sheets.retries import Backoff

QUICK = Backoff(initial=0.0, longest=0.0, jitter=0.0)
ROWS: Rows = [["Link", "Followers"], ["https://tiktok.com/@a", 5]]
PRESENT, ABSENT = Project(id="1", name="A"), Project(id="2", name="Gone")
EVERY = 99


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        fake.add("key", {"A": ROWS})
        yield fake


async def read(sheets: GoogleSheets, project: Project) -> Any:
    try:
        return (await sheets.read(project)).rows
    except SheetUnavailable as failure:
        return failure


async def still_running(name: str) -> list[str]:
    """The tasks of this name that do not end at once."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith(name)]
    _, pending = await asyncio.wait(tasks, timeout=0.2) if tasks else ((), ())
    return [task.get_name() for task in pending]


PASSING: list[dict[str, Any]] = [
    {"status": 408},
    {"status": 429},
    {"status": 500},
    {"status": 503},
    {"how": "reset"},
    {"how": "truncate"},
    {"how": "html"},
    {"how": "garbage"},
    {"how": "timeout"},
]
LASTING: list[dict[str, Any]] = [{"status": 400}, {"status": 403}, {"status": 404}]


@pytest.mark.parametrize("times", [1, 2, EVERY], ids=["first", "second", "every"])
@pytest.mark.parametrize("moment", ["token", "metadata", "batch"])
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_what_passes_is_tried_again(
    google: FakeGoogle, tmp_path: Path, fault: dict[str, Any], moment: str, times: int
) -> None:
    """A passing fault costs a try each; four tries are the most, then the worksheet is unavailable, quickly."""
    timeouts = [5.0]
    if fault == {"how": "timeout"}:
        # On a machine that is busy a sound answer may take longer than the short one: then with the other.
        fault, timeouts = {"how": "hang"}, [0.08, 1.0]
    tries = min(times, 3) + 1 if moment != "batch" or times == EVERY else times + 2
    for timeout in timeouts:
        google.calls.clear()
        google.faults.clear()
        google.fail(moment, times, **fault)
        async with GoogleSheets(google.settings(tmp_path, timeout=timeout), backoff=QUICK) as sheets:
            sheets.begin()
            started = time.monotonic()
            present, absent = await asyncio.gather(read(sheets, PRESENT), read(sheets, ABSENT))
            elapsed = time.monotonic() - started
            usage = sheets.usage()
        if (google.count(moment), google.count("metadata", "batch")) == (tries, usage.calls):
            break
    assert google.count(moment) == tries
    assert usage.calls == google.count("metadata", "batch")
    assert elapsed < 4 * timeout + 1
    assert isinstance(absent, SheetUnavailable)
    if times != EVERY:
        assert present == ROWS
        assert 'worksheet "Gone" is not' in absent.reason
    else:
        assert isinstance(present, SheetUnavailable)
        assert present.remedy
        assert "\n" not in str(present)


@pytest.mark.parametrize("moment", ["metadata", "batch"])
@pytest.mark.parametrize("fault", LASTING, ids=lambda fault: str(fault["status"]))
async def test_what_lasts_is_not_tried_again(
    google: FakeGoogle, tmp_path: Path, fault: dict[str, Any], moment: str
) -> None:
    """A refusal is believed the first time, and says who must act."""
    google.fail(moment, EVERY, **fault)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        present, absent = await asyncio.gather(read(sheets, PRESENT), read(sheets, ABSENT))
    assert google.count(moment) == 1
    assert google.count("drive") == (fault["status"] == 404 and moment == "batch")
    for failure in (present, absent):
        assert isinstance(failure, SheetUnavailable)
        assert failure.remedy
    if fault["status"] == 403:
        assert f"share the spreadsheet with {EMAIL} as Viewer" in present.remedy


@pytest.mark.parametrize(("times", "tokens", "whole"), [(1, 2, True), (EVERY, 2, False)], ids=["first", "every"])
async def test_a_refused_token_is_renewed_once(
    google: FakeGoogle, tmp_path: Path, times: int, tokens: int, whole: bool
) -> None:
    """401 renews the token once; refused again, the worksheet is unavailable and the account named."""
    google.fail("batch", times, status=401)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        got = await read(sheets, PRESENT)
    assert google.count("token") == tokens
    assert google.count("batch") == 2
    assert got == ROWS if whole else EMAIL in str(got)


@pytest.mark.parametrize(("times", "whole"), [(1, True), (EVERY, False)], ids=["first", "every"])
async def test_refused_credentials_are_tried_once_more(
    google: FakeGoogle, tmp_path: Path, times: int, whole: bool
) -> None:
    """A refused assertion is tried once more with the key read anew; then the account is named, the key never."""
    google.fail("token", times, status=400)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        got = await read(sheets, PRESENT)
    assert google.count("token") == 2
    assert got == ROWS if whole else EMAIL in str(got)
    assert private_key()[0][100:140] not in str(got)


@pytest.mark.parametrize(("status", "tokens"), [(503, 4), (400, 2)])
async def test_spreadsheets_share_the_failure_of_the_token(
    google: FakeGoogle, tmp_path: Path, status: int, tokens: int
) -> None:
    """Without a token, a pass over many spreadsheets asks for one as often as a pass over a single one."""
    google.fail("token", EVERY, status=status)
    names = {f"{number}": f"key-{number}" for number in range(20)}
    async with GoogleSheets(google.settings(tmp_path, spreadsheets=names), backoff=QUICK) as sheets:
        got = await asyncio.gather(*(read(sheets, Project(id=name, name="A", spreadsheet=name)) for name in names))
    assert [type(failure) for failure in got] == [SheetUnavailable] * 20
    assert len(google.calls) == tokens


async def test_a_spreadsheet_that_only_drive_knows(google: FakeGoogle, tmp_path: Path) -> None:
    """A key that Drive gives and Sheets denies is not asked for again and again."""
    google.fail("batch", EVERY, status=404)
    async with GoogleSheets(google.settings(tmp_path, "Metrics"), backoff=QUICK) as sheets:
        assert "as Viewer" in str(await read(sheets, PRESENT))
    assert google.count("batch") == google.count("drive") == 2


def test_a_trickling_answer_does_not_hold_its_thread(google: FakeGoogle) -> None:
    """A byte now and then does not restart the clock: the thread is free after the timeout."""
    google.fail("batch", EVERY, how="trickle")
    with requests.Session() as session:
        transport.equip(session, transport.Adapter(google.url, 0.3, lambda _size: None))
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            session.get("https://sheets.googleapis.com/v4/spreadsheets/key/values:batchGet", timeout=5)
        assert time.monotonic() - started < 1


def test_an_answer_has_a_largest_size(google: FakeGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless answer is given up on before it fills the memory."""
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 2)
    google.fail("batch", EVERY, how="trickle")
    with requests.Session() as session:
        transport.equip(session, transport.Adapter(google.url, 60, lambda _size: None))
        with pytest.raises(transport.TooLarge):
            session.get("https://sheets.googleapis.com/v4/spreadsheets/key/values:batchGet", timeout=5)


async def test_tokens_that_expire_are_renewed_in_time(google: FakeGoogle, tmp_path: Path) -> None:
    """A token is renewed before it expires, and one revoked early costs one more call, for all spreadsheets."""
    google.add("other", {"A": ROWS})
    settings = google.settings(tmp_path, spreadsheets={"two": "other"})
    async with GoogleSheets(settings, backoff=QUICK) as sheets:
        both = [PRESENT, Project(id="3", name="A", spreadsheet="two")]
        assert await asyncio.gather(*(read(sheets, project) for project in both)) == [ROWS, ROWS]
        google.revoke_tokens()
        assert await asyncio.gather(*(read(sheets, project) for project in both)) == [ROWS, ROWS]
        assert google.count("token") == 2
        google.revoke_tokens()
        google.token_lifetime = 1
        assert await read(sheets, PRESENT) == ROWS
        google.calls.clear()
        assert await read(sheets, PRESENT) == ROWS
    assert [call.kind for call in google.calls] == ["token", "batch"]


async def test_a_new_key_is_noticed(google: FakeGoogle, tmp_path: Path) -> None:
    """Credentials that were damaged or missing are looked for again at the next read."""
    settings = google.settings(tmp_path)
    path = tmp_path / "credentials.json"
    path.unlink()
    async with GoogleSheets(settings, backoff=QUICK) as sheets:
        assert "cannot be read" in str(await read(sheets, PRESENT))
        google.credentials(path, private_key="nonsense")
        assert "damaged" in str(await read(sheets, PRESENT))
        google.credentials(path)
        assert await read(sheets, PRESENT) == ROWS


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (403, {"details": [{"reason": "SERVICE_DISABLED"}]}, "not enabled"),
        (403, {"errors": [{"reason": "accessNotConfigured"}]}, "not enabled"),
        (400, {"message": "This operation is not supported for this document"}, "Save as Google Sheets"),
        (418, {"message": "teapot"}, "418 teapot"),
    ],
)
async def test_known_refusals_are_told_apart(
    google: FakeGoogle, tmp_path: Path, status: int, error: dict[str, object], said: str
) -> None:
    """Mistakes that people make when they set up the sheet get their own remedy."""
    google.fail("batch", EVERY, status=status, body={"error": {"code": status, "message": "", **error}})
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        assert said in str(await read(sheets, PRESENT))
    assert google.count("batch") == 1


@pytest.mark.parametrize("body", [{"error": "bad gateway"}, [], "oops", {"error": {}}, b"<html>"])
async def test_an_error_that_is_not_googles_is_survived(google: FakeGoogle, tmp_path: Path, body: object) -> None:
    """Error bodies of proxies, which make gspread fail, are a fault like any other."""
    google.fail("batch", 2, status=502, body=body)
    google.fail("batch", EVERY, status=403, body=body, after=1)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        assert await read(sheets, PRESENT) == ROWS
        assert EMAIL in str(await read(sheets, PRESENT))


async def test_drives_own_rate_limit_is_waited_for(google: FakeGoogle, tmp_path: Path) -> None:
    """Drive says 403 for "too many requests": it is tried again."""
    body = {"error": {"code": 403, "message": "Rate", "errors": [{"reason": "userRateLimitExceeded"}]}}
    google.fail("drive", 1, status=403, body=body)
    async with GoogleSheets(google.settings(tmp_path, "Metrics"), backoff=QUICK) as sheets:
        assert await read(sheets, PRESENT) == ROWS


async def test_retry_after_is_honoured(google: FakeGoogle, tmp_path: Path) -> None:
    """When Google says how long to wait, that is how long is waited."""
    google.fail("batch", 1, status=429, headers={"Retry-After": "1"})
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        started = time.monotonic()
        assert await read(sheets, PRESENT) == ROWS
    assert 1.0 <= time.monotonic() - started < 2.0


async def test_no_wait_goes_beyond_the_deadline(google: FakeGoogle, tmp_path: Path) -> None:
    """A Retry-After beyond the deadline is not waited for: the worksheet is unavailable at once."""
    google.fail("batch", EVERY, status=503, headers={"Retry-After": "3600"})
    async with GoogleSheets(google.settings(tmp_path, deadline=60), backoff=QUICK) as sheets:
        started = time.monotonic()
        assert isinstance(await read(sheets, PRESENT), SheetUnavailable)
    assert time.monotonic() - started < 2
    assert google.count("batch") == 1


@pytest.mark.parametrize("how", ["hang", "trickle"])
async def test_an_outage_is_given_up_on_within_the_deadline(google: FakeGoogle, tmp_path: Path, how: str) -> None:
    """However Google hangs, a pass has its answers by the deadline, and later reads of that pass call nobody."""
    google.fail("batch", EVERY, how=how)
    async with GoogleSheets(google.settings(tmp_path, timeout=0.4, deadline=0.6), backoff=QUICK) as sheets:
        sheets.begin()
        started = time.monotonic()
        assert "within 0.6 s" in str(await read(sheets, PRESENT))
        assert 0.5 < time.monotonic() - started < 1.0
        calls = len(google.calls)
        assert "within 0.6 s" in str(await read(sheets, PRESENT))
        assert len(google.calls) == calls
        google.faults.clear()
        google.release.set()
        sheets.begin()
        assert await read(sheets, PRESENT) == ROWS


@pytest.mark.parametrize(
    ("moment", "fault", "told"),
    [
        ("token", {"status": 500}, "Google answers 500 for an access token"),
        ("token", {"how": "html"}, "Google's answer for an access token is not what it should be"),
        ("batch", {"status": 429}, "Google's read quota is used up"),
    ],
    ids=["token-500", "token-html", "batch-429"],
)
async def test_what_was_answered_last_is_told_with_the_deadline(
    google: FakeGoogle, tmp_path: Path, moment: str, fault: dict[str, Any], told: str
) -> None:
    """Who runs out of time between two tries is told what the last one came to, and its remedy; the next pass anew."""
    slow = Backoff(initial=5.0, longest=5.0, jitter=0.0)
    google.fail(moment, 1, **fault)
    async with GoogleSheets(google.settings(tmp_path, deadline=0.3), backoff=slow) as sheets:
        sheets.begin()
        failure = await read(sheets, PRESENT)
        assert isinstance(failure, SheetUnavailable)
        assert "within 0.3 s; the last answer: " + told in failure.reason
        assert failure.remedy
        google.fail("token" if moment == "token" else "batch", EVERY, how="hang")
        sheets.begin()
        assert "the last answer" not in str(await read(sheets, PRESENT))
        google.release.set()


async def test_one_broken_spreadsheet_leaves_the_others_whole(google: FakeGoogle, tmp_path: Path) -> None:
    """Spreadsheets do not wait for each other: one that hangs costs only its own projects."""
    for number in range(5):
        google.add(f"key-{number}", {"A": ROWS})
    names = {f"{number}": f"key-{number}" for number in range(5)}
    google.spreadsheets["key-3"].shared = False
    google.fail("batch", 1, how="hang")
    async with GoogleSheets(google.settings(tmp_path, timeout=0.3, spreadsheets=names), backoff=QUICK) as sheets:
        projects = [Project(id=name, name="A", spreadsheet=name) for name in names]
        got = await asyncio.gather(*(read(sheets, project) for project in projects))
        google.release.set()
    assert [item == ROWS for item in got] == [True, True, True, False, True]


async def test_cancelling_the_only_reader_leaves_nothing_behind(google: FakeGoogle, tmp_path: Path) -> None:
    """Cancellation passes through at once; the task behind it ends, and the next read works."""
    google.fail("batch", 1, how="hang")
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        reading = asyncio.create_task(sheets.read(PRESENT))
        await asyncio.to_thread(google.hanging.wait)
        started = time.monotonic()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await still_running("spreadsheet") == []
        again = asyncio.create_task(read(sheets, PRESENT))
        assert time.monotonic() - started < 0.3
        google.release.set()
        assert await again == ROWS
        assert not [
            task for task in asyncio.all_tasks() if task.get_name().startswith("spreadsheet") and not task.done()
        ]


async def test_cancelling_one_reader_does_not_harm_the_others(google: FakeGoogle, tmp_path: Path) -> None:
    """Every other caller that waits for the same batch gets the worksheet."""
    google.fail("batch", 1, how="hang")
    async with GoogleSheets(google.settings(tmp_path, timeout=0.25), backoff=QUICK) as sheets:
        one, other = (asyncio.create_task(sheets.read(PRESENT)) for _ in range(2))
        await asyncio.to_thread(google.hanging.wait)
        one.cancel()
        assert (await other).rows == ROWS
        assert one.cancelled()
        google.release.set()


async def test_closing_answers_everybody_at_once(google: FakeGoogle, tmp_path: Path) -> None:
    """Leaving the reader while Google hangs takes no time, and all who wait are told."""
    google.fail("batch", EVERY, how="hang")
    sheets = GoogleSheets(google.settings(tmp_path, timeout=1))
    async with sheets:
        waiting = [asyncio.create_task(read(sheets, project)) for project in (PRESENT, ABSENT)]
        await asyncio.to_thread(google.hanging.wait)
        started = time.monotonic()
    assert time.monotonic() - started < 0.3
    google.release.set()
    assert ["stopped" in str(await task) for task in waiting] == [True, True]


async def test_bugs_are_not_swallowed(google: FakeGoogle, tmp_path: Path) -> None:
    """An error that nobody expects is raised by everybody who waits, as it is."""

    class Broken:
        async def get(self, title: str) -> str | None:
            raise ZeroDivisionError(title)

        async def put(self, title: str, key: str) -> None: ...

    async with GoogleSheets(google.settings(tmp_path), Broken()) as sheets:
        got = await asyncio.gather(sheets.read(PRESENT), sheets.read(ABSENT), return_exceptions=True)
    assert [type(item) for item in got] == [ZeroDivisionError] * 2


async def test_what_the_body_raises_comes_out_as_it_is(google: FakeGoogle, tmp_path: Path) -> None:
    """The reader wraps nobody's errors into groups."""
    with pytest.raises(ZeroDivisionError):
        async with GoogleSheets(google.settings(tmp_path)):
            raise ZeroDivisionError


@pytest.mark.parametrize("token_uri", [AUDIENCE, "https://accounts.google.com/token", "http://sts.example/token"])
async def test_nothing_leaves_for_google(
    google: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token_uri: str
) -> None:
    """With api_url set, no name is resolved and no address connected to but api_url's: not by any thread."""
    resolved: list[object] = []
    real = socket.getaddrinfo

    def watched(host: Any, *args: Any, **kwargs: Any) -> Any:
        resolved.append(host)
        if host != "127.0.0.1":
            raise socket.gaierror(f"{host} is not ours")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    settings = google.settings(tmp_path, "Metrics")
    google.credentials(tmp_path / "credentials.json", token_uri=token_uri)
    threads = set(threading.enumerate())
    async with GoogleSheets(settings, backoff=QUICK) as sheets:
        await asyncio.gather(read(sheets, PRESENT), read(sheets, ABSENT))
        assert await sheets.titles() == ["A"]
        started = {type(thread).__name__ for thread in set(threading.enumerate()) - threads}
    assert set(resolved) == {"127.0.0.1"}
    assert not {name for name in started if "Boundary" in name}
    assert google.count("other") == 0


async def test_api_url_may_have_a_path(google: FakeGoogle, tmp_path: Path) -> None:
    """An egress proxy may sit below a path: Google's paths are put behind it."""
    async with GoogleSheets(google.settings(tmp_path, api_url=google.url + "/egress/"), backoff=QUICK) as sheets:
        await read(sheets, PRESENT)
    assert {call.path for call in google.calls} == {"/egress/token"}


async def test_a_google_that_is_not_there(google: FakeGoogle, tmp_path: Path) -> None:
    """Refused connections are failures with a remedy, not bugs."""
    async with GoogleSheets(google.settings(tmp_path, api_url="http://127.0.0.1:1"), backoff=QUICK) as sheets:
        got = await read(sheets, PRESENT)
    assert isinstance(got, SheetUnavailable)
    assert got.remedy


async def test_no_connection_is_left_open(google: FakeGoogle, tmp_path: Path) -> None:
    """Closing the reader closes its sockets: none is left for the garbage collector to warn about."""
    async with GoogleSheets(google.settings(tmp_path)) as sheets:
        await read(sheets, PRESENT)
    del sheets
    gc.collect()


async def test_no_secret_is_said(google: FakeGoogle, tmp_path: Path) -> None:
    """Whatever fails, neither the key nor a token is in the message."""
    google.fail("batch", EVERY, status=403)
    async with GoogleSheets(google.settings(tmp_path), backoff=QUICK) as sheets:
        said = str(await read(sheets, PRESENT))
    key = json.loads((tmp_path / "credentials.json").read_text())["private_key"]
    assert not [line for line in key.splitlines() if line and line in said]
    assert "ya29" not in said


async def test_looking_for_alike_names_holds_up_nobody(
    google: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of missing worksheets are told with the likely names, and the event loop goes on meanwhile."""
    google.add("many", {f"Campaign {number}": [["Link"]] for number in range(200)})
    threads: set[int] = set()

    def alike(*arguments: Any, **more: Any) -> list[str]:
        threads.add(threading.get_ident())
        return get_close_matches(*arguments, **more)

    monkeypatch.setattr(wording, "get_close_matches", alike)
    async with GoogleSheets(google.settings(tmp_path, "many"), backoff=QUICK) as sheets:
        sheets.begin()
        missing = [Project(str(number), f"Kampagne {number}") for number in range(200)]
        found = await asyncio.gather(*map(sheets.read, missing), return_exceptions=True)
    assert all(isinstance(one, SheetUnavailable) and "Campaign" in one.remedy for one in found)
    assert threads
    assert threading.get_ident() not in threads
