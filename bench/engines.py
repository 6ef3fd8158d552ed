"""PostgreSQL: writing against COPY, a whole pass against a file, a pass after the server has looked at its tables."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from bench.measure import Row, Sizes, medians
from bench.worlds import WRITTEN, Passes, Size, create, passes, sheets_of
from postgres_server import absence, running
from smart_sync.config.database_url import server
from smart_sync.store.engine import Transaction
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.sqlite_to_postgres import move

#: Both sides on a server that was given memory, as its manual advises: in the 128 MB that it has untold the indexes of
#: tables that grow by 100,000 accounts a day have no room, where tables that are empty have.
SIZED = "-c shared_buffers=2GB -c max_wal_size=8GB"


def rows(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """The figures of a PostgreSQL server of its own; none where it is not installed."""
    with running() as there:
        if there is None:
            print(f"skipped: {absence()}", file=sys.stderr)  # noqa: T201
            return
        there.stop()
        there.start(f"-c listen_addresses='' {SIZED}")  # with fsync, as servers are
        size = Size(sizes.projects, sizes.accounts)
        with there.database() as url:
            writing, copy, ours, on_file, before, after = asyncio.run(_measure(size, sizes.rounds, folder, url))
    count = f"{size.total:,} changed accounts"
    yield Row(
        f"PostgreSQL: write {count}",
        writing,
        "COPY of the same rows into empty tables",
        copy,
        "s",
        "≤",
        2.5,
    )
    yield Row(f"PostgreSQL: a whole pass over {count}", ours, "the same pass on SQLite", on_file, "s", "≤", 1.3)
    yield Row("PostgreSQL: that pass after ANALYZE", after, "the day before, without", before, "s", "≤", 1.3)


async def _measure(size: Size, rounds: int, folder: Path, url: str) -> list[float]:
    """Medians of: writing, COPY, the whole pass, that on SQLite, the whole pass before and after ANALYZE."""
    path = folder / "file.db"
    await create(path, size)
    await move(path, server(url))
    found = []
    async with passes(path) as on_file, passes(url) as ours:
        spent = _watched(ours)
        version = 1
        for one in (on_file, ours):
            await one.run(sheets_of(size, version))
        for _ in range(rounds):
            version += 1
            file_took, _ = await _next_day(on_file, size, version)
            spent.clear()
            ours_took, _ = await _next_day(ours, size, version)
            writing, copy = sum(spent), _plain_copy(url, ours.now.date().isoformat())
            # Two days that begin alike, only that the server has looked at its tables before the second.
            days = []
            for statements in ((), ("ANALYZE",)):
                version += 1
                _written_out(url, *statements)
                days.append((await _next_day(ours, size, version))[0])
                await _next_day(on_file, size, version)
            found.append((writing, copy, ours_took, file_took, *days))
    return medians(zip(*found, strict=True))


def _written_out(url: str, *before: str) -> None:
    """Let the server have nothing left to write, after the statements ``before``."""
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in (*before, "CHECKPOINT"):
            admin.execute(statement)


async def _next_day(world: Passes, size: Size, version: int) -> tuple[float, int]:
    """Seconds of a pass in which every account has changed on a new day."""
    world.next_day()
    took, result = await world.run(sheets_of(size, version))
    changed = result.counts.changed
    if changed != size.total:
        raise RuntimeError(f"this measures something else: {changed} of {size.total} accounts have changed")
    return took, changed


def _watched(world: Passes) -> list[float]:
    """A list that gets the seconds of each write transaction, from its begin to the end of its commit."""
    database = world.database
    assert isinstance(database, PostgresDatabase)
    plain, spent = database.transaction, []

    @asynccontextmanager
    async def timed() -> AsyncIterator[Transaction]:
        async with plain() as transaction:
            began = time.perf_counter()
            yield transaction
        spent.append(time.perf_counter() - began)

    setattr(database, "transaction", timed)  # noqa: B010
    return spent


def _plain_copy(url: str, day: str) -> float:
    """Seconds of COPY for the rows of ``day`` into empty tables with the same indexes, each row sent as it is."""
    with psycopg.connect(url) as connection:
        sent = {}
        for table, of_day in WRITTEN.items():
            connection.execute(f"CREATE TABLE plain_{table} (LIKE {table} INCLUDING ALL)")
            query = f"COPY (SELECT * FROM {table} WHERE {of_day.format(repr(day))}) TO STDOUT"
            with connection.cursor().copy(query) as copy:
                sent[table] = [bytes(part) for part in copy]
        connection.commit()
        began = time.perf_counter()
        for table, parts in sent.items():
            with connection.cursor().copy(f"COPY plain_{table} FROM STDIN") as copy:
                for place in range(0, len(parts), 1000):
                    copy.write(b"".join(parts[place : place + 1000]))
        connection.commit()
        took = time.perf_counter() - began
        for table in sent:
            connection.execute(f"DROP TABLE plain_{table}")
        return took
