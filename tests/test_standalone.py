"""The Python way in: blocking, from any thread, the contract's dictionary, no exception for what can be mended."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from daemon_process import Daemon, write_config
from smart_sync import sync_all_projects_standalone, sync_single_project_standalone
from smart_sync.store.schema import open_database
from world import KEY, World


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A call sets up the log where nobody has; it must not be the log of later tests."""
    yield
    structlog.reset_defaults()


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
    """The answer is the control channel's, and the numbers are in SQLite when it returns."""
    answer = sync_all_projects_standalone(str(world.path), str(key), KEY)
    assert (answer["success"], answer["total_projects"], answer["error_count"]) == (True, 2, 0)
    assert (world.merged("a"), world.merged("b")) == ((1,) * 5, (2,) * 5)


def test_one_project_is_synced_and_an_unknown_one_refused(world: World, key: Path) -> None:
    """Only the project that is named is touched; one that is not there is answered, not raised."""
    assert sync_single_project_standalone(world.path, key, KEY, "2")["updated_count"] == 1
    assert (world.merged("a"), world.merged("b")) == (None, (2,) * 5)
    unknown = sync_single_project_standalone(world.path, key, KEY, "nobody")
    assert unknown == {"success": False, "error": "Project not found", "project_id": "nobody"}


@pytest.mark.parametrize("form", ["text", "dict", "path"])
def test_credentials_are_taken_in_every_form(world: World, key: Path, form: str) -> None:
    """A path, the JSON as text, or a dict; the database as a path or as an object with db_path."""
    given = {"text": key.read_text(), "dict": json.loads(key.read_text()), "path": key}[form]
    answer = sync_all_projects_standalone(SimpleNamespace(db_path=str(world.path)), given, KEY)
    assert answer["degraded_count"] == 0


@pytest.mark.parametrize(("named", "expected"), [("", "Pacific/Kiritimati"), ("Asia/Tokyo", "Asia/Tokyo")])
async def test_days_stay_those_of_the_database(
    world: World, key: Path, monkeypatch: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    """Without a configuration the days are those the daemon counts by, unless the environment names others."""
    async with open_database(world.path, "Pacific/Kiritimati"):
        pass
    if named:
        monkeypatch.setenv("SMART_SYNC_SCHEDULE__TIMEZONE", named)
    assert sync_all_projects_standalone(world.path, key, KEY)["success_count"] == 2
    assert world.execute("SELECT name FROM clock_zone") == [(expected,)]
    assert world.execute("SELECT count(*) > 0 FROM clock_changes") == [(1,)]


async def test_it_works_where_a_loop_is_running_already(world: World, key: Path) -> None:
    """Called from a coroutine's thread it blocks, and returns the same."""
    assert asyncio.get_running_loop().is_running()
    assert sync_all_projects_standalone(world.path, key, KEY)["success_count"] == 2


def test_what_an_operator_can_mend_is_answered_not_raised(world: World, key: Path, tmp_path: Path) -> None:
    """No database, a held database, a spreadsheet nobody knows: a dictionary that says so, without a key in it."""
    nowhere = sync_all_projects_standalone("/proc/nowhere/x.db", key, KEY)
    assert (nowhere["success"], nowhere["results"]) == (False, [])
    assert "/proc/nowhere" in nowhere["error"]
    unknown = sync_all_projects_standalone(world.path, key, "x" * 44)
    assert unknown["degraded_count"] == 2
    config = write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)
    with Daemon(config):
        held = sync_single_project_standalone(world.path, key, KEY, "1")
    assert (held["success"], held["project_id"]) == (False, "1")
    assert "holds the database" in held["error"]
