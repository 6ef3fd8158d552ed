"""Quotas that several processes share, on PostgreSQL: the limit holds over all of them, whatever becomes of each."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smart_sync.config.database_url import server
from smart_sync.store.postgres import quota_slots
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.schema import open_database

CALLS, WINDOW = 12, 0.4
#: Seconds of the proof; `make soak` takes more.
SECONDS = float(os.environ.get("SOAK_QUOTA", "2"))
PROCESSES, KILLED, HALTED = 6, 2, 1
SCRIPT = Path(__file__).parents[1] / "support" / "quota_process.py"


@pytest.fixture
async def tables(postgres: str) -> str:
    async with open_database(server(postgres)):
        return postgres


def most_in_a_window(moments: list[float]) -> int:
    """The most that any window has seen."""
    first, most = 0, 0
    for number, moment in enumerate(moments):
        while moments[first] <= moment - WINDOW:
            first += 1
        most = max(most, number - first + 1)
    return most


def arrivals(url: str, file: Path, kind: str, seconds: float, count: int = PROCESSES) -> list[float]:
    """When a request was made, by any of ``count`` processes: two of them are killed in between, one is halted."""
    file.touch()
    command = [sys.executable, str(SCRIPT), url, str(file), str(CALLS), str(WINDOW), kind]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        limit = time.monotonic() + 60
        while len({line.split()[1] for line in file.read_text().splitlines()}) < count:
            assert time.monotonic() < limit, "not all of them have had a turn"
            time.sleep(0.05)
        time.sleep(seconds / 4)
        processes[-1].send_signal(signal.SIGSTOP)
        for process in processes[:KILLED]:
            process.kill()
        time.sleep(seconds / 4)
        processes[-1].send_signal(signal.SIGCONT)
        time.sleep(seconds / 2)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return sorted(int(line.split()[0]) / 1e9 for line in file.read_text().splitlines())


def test_no_window_has_more_than_the_limit(tables: str, tmp_path: Path) -> None:
    """Six processes, two killed and one halted in the middle: no window sees more than the limit, and hardly fewer."""
    found = arrivals(tables, tmp_path / "arrived", "shared", SECONDS)
    most = most_in_a_window(found)
    windows = (found[-1] - found[0]) / (WINDOW + 0.05)
    told = f"at most {most} of {CALLS} in any {WINDOW} s, {len(found) / windows:.1f} on average"
    whole = f"{PROCESSES} processes, {KILLED} killed, {HALTED} halted"
    print(f"quota: tried {len(found)}, broken {int(most > CALLS)}; {whole}: {told}")  # noqa: T201
    assert most <= CALLS
    # What the killed ones held is lost for a while, never for good.
    assert len(found) > CALLS * windows / 3


def test_quotas_of_their_own_are_seen_to_be_too_much(tables: str, tmp_path: Path) -> None:
    """Negative control: processes that each keep the limit by themselves go beyond it together."""
    found = arrivals(tables, tmp_path / "arrived", "own", 0, count=KILLED + HALTED)
    assert most_in_a_window(found) > CALLS


async def test_what_a_killed_process_held_comes_back(tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that nobody gives back is free again a window after its request must have ended."""
    monkeypatch.setattr(quota_slots, "MARGIN", 0.1)
    async with PostgresDatabase(server(tables)) as killed, PostgresDatabase(server(tables)) as other:
        limit = killed.limit("q", 1, 0.1)
        assert isinstance(limit, quota_slots.SharedLimit)
        await limit._taken("killed", None, 0.2)  # and never given back
        began = time.monotonic()
        async with other.limit("q", 1, 0.1).slot() as waited:
            assert 0.4 <= waited <= time.monotonic() - began


async def test_nobody_waits_longer_than_is_wanted(tables: str) -> None:
    """Who has no turn in time is told, and has taken nothing."""
    loop = asyncio.get_running_loop()
    async with PostgresDatabase(server(tables)) as database:
        limit = database.limit("q", 1, 0.3)
        async with limit.slot():
            pass
        with pytest.raises(TimeoutError):
            async with limit.slot(loop.time() + 0.1):
                pass
        async with limit.slot(loop.time() + 5) as waited:
            assert waited < 0.3


async def test_each_keeps_to_its_own_limit(tables: str) -> None:
    """Processes that were configured differently share what both may use; different quotas share nothing."""
    async with PostgresDatabase(server(tables)) as database:
        wide, narrow = database.limit("q", 3, 60), database.limit("q", 1, 60)
        for limit in (wide, wide, wide):
            async with limit.slot():
                pass
        until = asyncio.get_running_loop().time() + 0.05
        for limit, free in ((narrow, False), (wide, False), (database.limit("other", 1, 60), True)):
            try:
                async with limit.slot(until):
                    assert free
            except TimeoutError:
                assert not free
        rows = await database.fetch(
            "SELECT quota, max(number), count(*) FROM quota_slots GROUP BY quota ORDER BY quota"
        )
    assert [tuple(row) for row in rows] == [("other", 1, 1), ("q", 3, 3)]


async def test_a_clock_that_was_set_back_does_not_stop_the_reading(tables: str) -> None:
    """Rows that would be free in hours by the server's clock are free."""
    async with PostgresDatabase(server(tables)) as database:
        limit = database.limit("clock", 1, 0.1)
        async with limit.slot():
            pass
        await database.at_once("UPDATE quota_slots SET free_at = free_at + 36000")
        async with asyncio.timeout(5), limit.slot():
            pass
