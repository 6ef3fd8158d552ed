"""How things stand is never older than the last commit: nothing is kept between two questions."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from smart_sync.store.schema import open_database
from smart_sync.store.sqlite.database import SqliteDatabase
from smart_sync.store.unread_projects import standing


@pytest.fixture(params=["wal", "delete"])
async def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A database of ours in either journal mode: the web app chooses it."""
    path = tmp_path / "view_counter.db"
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
    return path


async def test_every_commit_is_seen_at_once(database: Path) -> None:
    """What another process commits, and what we commit ourselves, is in the next answer."""
    insert = "INSERT INTO projects (id, name, is_active) VALUES ('{}', '{}', 1)"
    async with SqliteDatabase(database) as ours:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            seen = [(await standing(ours)).projects]
            other.execute(insert.format("a", "A"))
            seen.append((await standing(ours)).projects)
            async with ours.transaction() as transaction:
                await transaction.execute(insert.format("b", "B"))
            seen.append((await standing(ours)).projects)
            other.execute("BEGIN IMMEDIATE")
            other.execute(insert.format("c", "C"))
            seen.append((await standing(ours)).projects)
            other.execute("COMMIT")
            stands = await standing(ours)
    assert [*seen, stands.projects] == [0, 1, 2, 2, 3]
    assert [project.name for project in stands.active] == ["A", "B", "C"]


async def test_a_lock_does_not_hold_up_the_event_loop(database: Path) -> None:
    """Whoever locks the file makes the question wait, but not the event loop; the answer comes when the lock ends."""
    async with SqliteDatabase(database) as ours:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            asking = asyncio.create_task(standing(ours))
            async with asyncio.timeout(1):
                await asyncio.sleep(0.05)
            other.execute("ROLLBACK")
            assert (await asking).projects == 0
