"""`store.cached_query`: what is remembered of the database is never older than its last commit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from smart_sync.store.cached_query import CachedQuery
from smart_sync.store.engine import Database
from smart_sync.store.sqlite.database import SqliteDatabase


@pytest.fixture(params=["wal", "delete"])
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A database with a table of one row, in either journal mode: the web app chooses it."""
    path = tmp_path / "view_counter.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    return path


class Sum:
    """Adds the numbers up, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, database: Database) -> int:
        """The sum."""
        self.asked += 1
        rows = await database.glance("SELECT sum(number) FROM numbers")
        return int(rows[0][0])


async def test_every_commit_is_seen_at_once(file: Path) -> None:
    """What another process commits, and what we commit ourselves, is in the next answer."""
    async with SqliteDatabase(file) as database:
        fresh = CachedQuery(database, Sum())
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            seen = [await fresh.get()]
            other.execute("INSERT INTO numbers VALUES (10)")
            seen.append(await fresh.get())
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO numbers VALUES (100)")
            seen.append(await fresh.get())
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO numbers VALUES (1000)")
            seen.append(await fresh.get())
            other.execute("COMMIT")
            seen.append(await fresh.get())
    assert seen == [1, 11, 111, 111, 1111]


async def test_nothing_is_read_twice(file: Path) -> None:
    """As long as nobody commits, one query does for all who ask."""
    async with SqliteDatabase(file) as database:
        total = Sum()
        fresh = CachedQuery(database, total)
        assert [await fresh.get() for _ in range(5)] == [1] * 5
    assert total.asked == 1


async def test_a_commit_while_it_reads_is_not_lost(file: Path) -> None:
    """A commit that comes after the read, but before its result is put away, is in the next answer."""
    async with SqliteDatabase(file) as database:
        total = Sum()

        async def overtaken(database: Database) -> int:
            found = await total(database)
            if total.asked == 1:
                with closing(sqlite3.connect(file, isolation_level=None)) as other:
                    other.execute("INSERT INTO numbers VALUES (10)")
            return found

        fresh = CachedQuery(database, overtaken)
        assert [await fresh.get(), await fresh.get()] == [1, 11]


async def test_a_lock_does_not_hold_up_the_event_loop(file: Path) -> None:
    """A locked file does not make the question for its version wait: there is an answer, or none."""
    async with SqliteDatabase(file) as database:
        before = database.version()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            locked = database.version()
            other.execute("ROLLBACK")
        wal = (await database.glance("PRAGMA journal_mode"))[0][0] == "wal"
        assert locked == (before if wal else None)
        assert database.version() == before
