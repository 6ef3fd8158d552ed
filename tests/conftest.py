"""Fixtures that several test modules share."""

import contextlib
import functools
import gc
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from beside import Beside
from celery_processes import redis
from fake_google import FakeGoogle
from postgres_server import Server, absence, shared
from postgres_sessions import KEPT
from smart_sync import logs
from smart_sync.core.redaction import KnownSecrets
from world import PostgresWorld, World

# The same examples in each run, so that red means that a change has broken something; `make hunt` draws new ones.
hypothesis.settings.register_profile("suite", derandomize=True)
hypothesis.settings.register_profile("hunt", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


#: Where files are in memory, and the bytes of room there that a run may need.
_MEMORY, _ROOM = Path("/dev/shm"), 4 * 2**30


def _in_memory() -> None:
    """Let temporary files of the tests, and of all that they start, be in memory where there is room for them.

    A database is synced to the disk with each commit: the tests would wait for it a third of their time.  What would
    become of a file without power is played from a recording, and does not depend on where the file is.
    """
    with contextlib.suppress(OSError):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
            os.environ.setdefault("TMPDIR", str(_MEMORY))
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", os.environ["TMPDIR"])
            tempfile.tempdir = None


_in_memory()


#: What a module uses that starts processes, servers or a browser.
_STARTS = {
    "beside", "browser", "celery_processes", "daemon_process", "multiprocessing", "nursery", "postgres_server",
    "loaded_program", "subprocess", "systemd_machine", "terminal", "web_server",
}  # fmt: skip
#: Those whose properties or crowds take long.
_LONG = {
    "test_control_fuzz", "test_control_limits", "test_days", "test_durability_rows", "test_edit_picture",
    "test_fault_schedules", "test_fuzz_edges", "test_mutations", "test_parsers_failures", "test_settled",
    "test_state_machine", "test_typing_mistakes", "test_votes_over_time",
}  # fmt: skip
#: Passes over a world are slow; those of this module say whether a pass works at all.
_PASSES = {"test_pass"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What `make quick` leaves out: whatever starts something beside the interpreter, most passes, long properties."""
    for item in items:
        module, name = getattr(item, "module", None), _name_of(item)
        fixtures = set(getattr(item, "fixturenames", ()))
        starts = _starts(module) or fixtures & {"postgres", "postgres_server", "broker"} or "postgres" in item.name
        if starts or name in _LONG or ("world" in fixtures and name not in _PASSES):
            item.add_marker(pytest.mark.slow)


def _name_of(item: pytest.Item) -> str:
    module: Any = getattr(item, "module", None)
    return str(module.__name__).rpartition(".")[2]


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import stay: nobody has to look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


@functools.cache
def _starts(module: Any) -> bool:
    """Whether a module of tests uses one of `_STARTS`."""
    used = {getattr(one, "__module__", getattr(one, "__name__", "")) for one in vars(module).values()}
    return not used.isdisjoint(_STARTS)


@pytest.fixture(autouse=True)
def _log_of_nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test has made of the log, or of the process's limits, is not the next one's."""
    limit = resource.setrlimit

    def lasting(which: int, limits: tuple[int, int]) -> None:
        # Commands that are called here in the process allow it no core dump, for good.
        if which != resource.RLIMIT_CORE:
            limit(which, limits)

    monkeypatch.setattr(resource, "setrlimit", lasting)
    yield
    logs.reset()
    logs._protected = KnownSecrets()


@pytest.fixture(scope="module")
def disk_folder() -> Iterator[Path]:
    """A folder on the disk, for what begins a file system of its own there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="smart-sync-") as folder:
        yield Path(folder)


@pytest.fixture
def log() -> StringIO:
    """What was logged so far, a JSON object a line."""
    stream = StringIO()
    logs.configure("json", "debug", stream)
    return stream


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """A fake Google that answers over HTTP."""
    with FakeGoogle() as fake:
        yield fake


#: The modules whose worlds are on both engines; tests that ask for more than the one SQL text are marked ``sqlite``.
#: The others are about a file (its bytes, locks, library and copies), or about what is shown and sent, whatever the
#: database is: their commands are compared on both in `test_postgres_commands`.
BOTH_ENGINES = {
    *("test_pass", "test_digest", "test_metrics", "test_pins", "test_typed_cells", "test_falls", "test_snapshots"),
    *("test_edits", "test_confirm", "test_repair", "test_suspects", "test_durability_rows", "test_twins"),
    *("test_new_rows", "test_adoption", "test_missing", "test_votes", "test_explain", "test_explain_nobody"),
    *("test_growth_rows", "test_parsed_query", "test_ingest", "test_history", "test_freshness", "test_coverage"),
    *("test_writer", "test_parsers_retention", "test_parser_health", "test_parsers_schedule"),
    *("test_webhooks_findings", "test_kill", "test_adopt", "test_names", "test_people", "test_clock_doubts"),
    *("test_campaign", "test_campaign_votes", "test_campaign_answers", "test_counts", "test_days", "test_headers"),
    *("test_link_cells", "test_links_behind", "test_growth", "test_collector", "test_parsers_check", "test_check"),
    *("test_parsers_csv", "test_webhooks_delivery", "test_ping", "test_events", "test_standalone", "test_drill"),
    *("test_daemon", "test_fault_schedules"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    name = metafunc.module.__name__.rpartition(".")[2]
    given = [str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")]
    chosen = metafunc.definition.get_closest_marker("sqlite") or any("engine" in names for names in given)
    if name in BOTH_ENGINES and "engine" in metafunc.fixturenames and not chosen:
        metafunc.parametrize("engine", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | None]:
    """A PostgreSQL server for this run, if there can be one."""
    own = tmp_path_factory.getbasetemp()
    with shared(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Server | None) -> Iterator[str]:
    """The URL of a new database on that server."""
    if postgres_server is None:
        pytest.skip(absence())
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def prepared(postgres_server: Server | None) -> Iterator[str]:
    """The same with our tables in it."""
    if postgres_server is None:
        pytest.skip(absence())
    with postgres_server.prepared() as url:
        yield url


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the database that a world is on; "": a file."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    if "bare" in request.fixturenames:
        return str(request.getfixturevalue("postgres"))
    url = str(request.getfixturevalue("prepared"))
    monkeypatch.setattr(psycopg.AsyncConnection, "connect", KEPT.connect)
    return url


@pytest.fixture
async def world(tmp_path: Path, google: FakeGoogle, engine: str) -> World:
    """A world with an empty database and an empty spreadsheet."""
    return PostgresWorld(tmp_path, google, engine) if engine else await World(tmp_path, google).create()


@pytest.fixture
def bare(tmp_path: Path, google: FakeGoogle, engine: str) -> World:
    """A world in whose database nobody has made a table yet."""
    return PostgresWorld(tmp_path, google, engine) if engine else World(tmp_path, google)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: make packages, as root")
    with redis(tmp_path) as address:
        yield address


@pytest.fixture
def beside(tmp_path: Path, google: FakeGoogle) -> Beside:
    """A web app's database that `smart-sync adopt` has looked at and written a configuration for."""
    beside = Beside(tmp_path, google)
    key = google.credentials(tmp_path / "google.json")
    adopted = beside.command("adopt", str(beside.world.path), "-o", str(beside.config), "--credentials", str(key))
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    return beside
