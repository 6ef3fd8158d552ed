"""Fixtures that several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_google import FakeGoogle
from world import World


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """A fake Google that answers over HTTP."""
    with FakeGoogle() as fake:
        yield fake


@pytest.fixture
async def world(tmp_path: Path, google: FakeGoogle) -> World:
    """A world with an empty database and an empty spreadsheet."""
    return await World(tmp_path, google).create()
