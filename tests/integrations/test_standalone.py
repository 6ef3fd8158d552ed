"""The Python way in: blocking, from any thread, the contract's dictionary, no exception for what can be fixed."""

import asyncio
import base64
import json
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import assert_type

import pytest
import stamina
import structlog
from stamina.instrumentation import RetryDetails

from daemon_process import Daemon
from fake_google import Call
from smart_sync import sync_all_projects_standalone, sync_single_project_standalone
from smart_sync.core.answers import PassAnswer, ProjectAnswer
from smart_sync.errors import Busy
from smart_sync.store.instance_lock import InstanceLock
from smart_sync.store.schema import open_database
from smart_sync.sync.once import once
from world import HEADER, KEY, World


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's key; the fake Google in place of the real one."""
    monkeypatch.setenv("SMART_SYNC_SHEETS__API_URL", world.google.url)
    world.add_project("P", ["a"], project_id="1")
    world.add_project("Q", ["b"], project_id="2")
    world.sheet("P", a=[1] * 5)
    world.sheet("Q", b=[2] * 5)
    return world.google.credentials(world.folder / "key.json")


def test_all_projects_are_synced(world: World, key: Path) -> None:
    """The answer is the control channel's, and the numbers are in the database when it returns."""
    answer = assert_type(sync_all_projects_standalone(world.address, str(key), KEY), PassAnswer)  # for type checkers
    assert (answer["success"], answer["total_projects"], answer["error_count"]) == (True, 2, 0)
    assert (world.merged("a"), world.merged("b")) == ((1,) * 5, (2,) * 5)


def test_one_project_is_synced_and_an_unknown_one_refused(world: World, key: Path) -> None:
    """Only the project that is named is touched; one that is not there is answered, not raised."""
    answer = assert_type(sync_single_project_standalone(world.address, key, KEY, "2"), ProjectAnswer)
    assert answer["updated_count"] == 1
    assert (world.merged("a"), world.merged("b")) == (None, (2,) * 5)
    unknown = sync_single_project_standalone(world.address, key, KEY, "nobody")
    assert unknown == {"success": False, "error": "Project not found", "project_id": "nobody"}


@pytest.mark.parametrize("form", ["text", "base64", "dict", "path"])
def test_credentials_are_taken_in_every_form(world: World, key: Path, form: str) -> None:
    """A path, the JSON as text, or a dict; the database as a path or as an object with db_path."""
    encoded = base64.b64encode(key.read_bytes()).decode()
    given = {"text": key.read_text(), "base64": encoded, "dict": json.loads(key.read_text()), "path": key}[form]
    answer = sync_all_projects_standalone(SimpleNamespace(db_path=world.address), given, KEY)
    assert answer["degraded_count"] == 0


@pytest.mark.parametrize(("named", "expected"), [("", "Pacific/Kiritimati"), ("Asia/Tokyo", "Asia/Tokyo")])
async def test_days_stay_those_of_the_database(
    world: World, key: Path, monkeypatch: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    """Without a configuration the days are those the daemon counts by, unless the environment names others."""
    async with open_database(world.where, "Pacific/Kiritimati"):
        pass
    if named:
        monkeypatch.setenv("SMART_SYNC_SCHEDULE__TIMEZONE", named)
    assert sync_all_projects_standalone(world.address, key, KEY)["success_count"] == 2
    assert world.execute("SELECT name FROM clock_zone") == [(expected,)]
    assert world.execute("SELECT count(*) > 0 FROM clock_changes") == [(1,)]


async def test_it_works_where_a_loop_is_running_already(world: World, key: Path) -> None:
    """Called from a coroutine's thread it blocks, and returns the same."""
    assert asyncio.get_running_loop().is_running()
    assert sync_all_projects_standalone(world.address, key, KEY)["success_count"] == 2


def test_what_an_operator_can_mend_is_answered_not_raised(world: World, key: Path, tmp_path: Path) -> None:
    """No database, a held database, a spreadsheet nobody knows: a dictionary that says so, without a key in it."""
    nowhere = sync_all_projects_standalone("/proc/nowhere/x.db", key, KEY)
    assert (nowhere["success"], nowhere["results"]) == (False, [])
    assert "/proc/nowhere" in nowhere["error"]
    unknown = sync_all_projects_standalone(world.address, key, "x" * 44)
    assert unknown["degraded_count"] == 2
    with Daemon(world.config("[schedule]\nrun_on_start = false\n")):
        held = sync_single_project_standalone(world.address, key, KEY, "1")
    assert (held["success"], held["project_id"]) == (False, "1")
    assert "holds the database" in held["error"]


def test_nothing_of_the_host_is_set_up(world: World, key: Path) -> None:
    """Neither logging nor structlog nor stamina's hooks of the host are other ones after a call."""
    told: list[object] = []

    def hook(details: RetryDetails) -> None:
        told.append(details)

    stamina.instrumentation.set_on_retry_hooks([hook])
    try:
        before = (list(logging.getLogger().handlers), logging.getLogger("SmartSync").handlers[:])
        assert sync_all_projects_standalone(world.address, key, KEY)["success"] is True
        assert (list(logging.getLogger().handlers), logging.getLogger("SmartSync").handlers[:]) == before
        assert structlog.is_configured() is False
        for attempt in stamina.retry_context(on=KeyError, attempts=2, wait_initial=0, wait_jitter=0):
            with attempt:
                if attempt.num == 1:
                    raise KeyError
        assert len(told) == 1  # the host's own retry
    finally:
        stamina.instrumentation.set_on_retry_hooks([])


def test_events_go_to_the_hosts_logging(world: World, key: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are records of the logger SmartSync, which the host filters and formats as it likes."""
    caplog.set_level(logging.INFO, "SmartSync")
    sync_all_projects_standalone(world.address, key, KEY)
    messages = [record.getMessage() for record in caplog.records if record.name == "SmartSync"]
    assert any(message.startswith("[SmartSync] sync.finished ") for message in messages)


def test_four_calls_at_once_each_run_their_own_pass(world: World, key: Path) -> None:
    """From four threads: nobody is refused, and there are four passes."""
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: sync_all_projects_standalone(world.address, key, KEY), range(4)))
    assert [answer["success"] for answer in answers] == [True] * 4
    assert world.execute("SELECT count(*) FROM sync_runs") == [(4,)]


@pytest.mark.parametrize("given", [None, "", 5, "no/such.db", "\0", "x" * 5000, SimpleNamespace(db_path=None)])
def test_a_database_that_is_not_there_is_an_error(key: Path, given: object) -> None:
    """Whatever is given in its place: an error, and no new file, of which a success could be told."""
    answer = sync_all_projects_standalone(given, key, KEY)
    assert (answer["success"], answer["results"]) == (False, [])
    assert not Path("no/such.db").exists()


@pytest.mark.parametrize("given", ["no/such.json", "QUJD" * 700 + "Q", "{", b"\xff", 5, {"a": 1}, "\0"])
def test_a_key_that_is_of_no_use_is_an_error(world: World, key: Path, given: object) -> None:
    """A missing file, a cut key, rubbish: an error that quotes nothing of it, and no pass."""
    answer = sync_single_project_standalone(world.address, given, KEY, "1")
    assert (answer["success"], answer["project_id"]) == (False, "1")
    assert "QUJDQUJDQUJD" not in str(answer)
    assert world.execute("SELECT count(*) FROM sync_runs") == [(0,)]


def test_what_is_handed_in_goes_before_the_environment(
    world: World, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that are meant for a daemon do not replace a caller's own arguments."""
    for name, value in (("PATH", str(world.folder / "other.db")), ("URL", "postgresql://nobody@127.0.0.1:1/other")):
        monkeypatch.setenv(f"SMART_SYNC_DATABASE__{name}", value)
        assert sync_all_projects_standalone(world.address, key, KEY)["degraded_count"] == 0
        monkeypatch.delenv(f"SMART_SYNC_DATABASE__{name}")
    monkeypatch.setenv("SMART_SYNC_SHEETS__SPREADSHEET", "x" * 44)
    monkeypatch.setenv("SMART_SYNC_SHEETS__CREDENTIALS", "/nowhere")
    assert sync_all_projects_standalone(world.address, key, KEY)["degraded_count"] == 0
    monkeypatch.setenv("SMART_SYNC_SHEETS", "no table")
    assert sync_all_projects_standalone(world.address, key, KEY)["success"] is False


def test_a_mistake_in_the_arguments_or_the_environment_is_named(
    world: World, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which argument, or which variable, is wrong is said in the words of the configuration."""
    for nothing in (None, "", " "):
        answer = sync_all_projects_standalone(world.address, key, nothing)  # type: ignore[arg-type]
        assert answer["error"] == "sheets_name: expected the spreadsheet's key, URL or title"
    monkeypatch.setenv("SMART_SYNC_SCHEDULE__EVERY", "often")
    answer = sync_all_projects_standalone(world.address, key, KEY)
    assert answer["error"].startswith("the environment: SMART_SYNC_SCHEDULE__EVERY: expected a duration")


def forked(child: Callable[[], bool]) -> int:
    """A process of which ``child`` is all; its exit code is 0 if that returns True."""
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            code = 0 if child() else 1
        os._exit(code)
    return pid


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_no_part_in_the_lock(tmp_path: Path) -> None:
    """It neither keeps the lock of a parent that is done, nor gives away the lock of one that is not."""
    path, (reading, writing) = tmp_path / "x.db", os.pipe()
    with InstanceLock() as lock:
        lock.take(path)

        def child() -> bool:
            os.close(writing)
            with lock:  # leaves the block, as a forked worker would
                pass
            return os.read(reading, 1) == b""

        pid = forked(child)
        with pytest.raises(Busy), InstanceLock() as other:
            other.take(path)
    with InstanceLock() as other:
        other.take(path)
    os.close(writing)
    os.close(reading)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_call_after_fork_runs_its_own_pass(world: World, key: Path) -> None:
    """Where the parent has made calls before, a child's call works, and so does the parent's next."""
    assert sync_all_projects_standalone(world.address, key, KEY)["success"] is True
    pid = forked(lambda: bool(sync_all_projects_standalone(world.address, key, KEY)["success"]))
    assert os.waitpid(pid, 0)[1] == 0
    assert sync_all_projects_standalone(world.address, key, KEY)["success"] is True
    assert world.execute("SELECT count(*) FROM sync_runs") == [(3,)]


def test_a_daemon_is_not_waited_for_and_a_pass_is(tmp_path: Path) -> None:
    """Who waits is told of a daemon at once, and of another pass only when the time is over."""
    for daemon in (True, False):
        with InstanceLock(daemon=daemon) as holder, InstanceLock() as other:
            holder.take(tmp_path / "x.db")
            with pytest.raises(Busy, match="smart-sync sync" if daemon else "when its pass is over"):
                other.take(tmp_path / "x.db", patience=60 if daemon else 0.3)


async def test_a_google_that_hangs_leaves_threads_to_the_others(world: World) -> None:
    """A pass without a daemon has as many threads as the daemon: it asks for all spreadsheets, though some hang."""
    hanging = min(32, (os.cpu_count() or 1) + 4)  # as many as an event loop has threads by default
    names = {f"s{number}": f"{number:044}" for number in range(hanging + 1)}
    for name, key in names.items():
        world.google.add(key, {name: [list(HEADER)]})
        world.add_project(name)
        world.execute("UPDATE projects SET google_sheet_name = ? WHERE name = ?", (name, name))
    world.sections["sheets"] = world.google.settings(
        world.folder, KEY, spreadsheets=names, concurrency=64, timeout=60.0, reads_per_minute=3000
    )
    asked, all_asked = set(), threading.Event()

    def arrived(call: Call) -> None:
        if call.kind == "batch":
            asked.add(call.path)
            if len(asked) > hanging:
                all_asked.set()
            world.google.release.wait(60)

    world.google.arrived = arrived
    under_way = asyncio.create_task(asyncio.to_thread(once, world.settings))
    try:
        assert await asyncio.to_thread(all_asked.wait, 20)
    finally:
        world.google.release.set()
        await under_way
