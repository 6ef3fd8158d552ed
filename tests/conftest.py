"""Fixtures that several test modules share."""

import os
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import hypothesis
import pytest

from beside import Beside
from celery_processes import redis
from fake_google import FakeGoogle
from smart_sync import logs
from world import World

# The same examples in each run, so that red means that a change has broken something; `make hunt` draws new ones.
hypothesis.settings.register_profile("suite", derandomize=True)
hypothesis.settings.register_profile("hunt", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(autouse=True)
def _log_of_nobody() -> Iterator[None]:
    """What one test has made of the log is not the log of the next."""
    yield
    logs.reset()


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


@pytest.fixture
async def world(tmp_path: Path, google: FakeGoogle) -> World:
    """A world with an empty database and an empty spreadsheet."""
    return await World(tmp_path, google).create()


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
