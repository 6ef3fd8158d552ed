"""The frontend reads while a pass writes, and waits for nothing.  How fast, `make bench ARGS="--only reading"` says."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from world import World

ACCOUNTS = [f"a{number}" for number in range(300)]


class Frontend(threading.Thread):
    """Reads without pause, and does not wait for a lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="frontend", daemon=True)
        self._path = path
        self.over = threading.Event()
        self.read, self.refused, self.halves = 0, 0, 0

    def run(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=0)) as connection:
            while not self.over.is_set():
                try:
                    rows = connection.execute("SELECT DISTINCT views FROM account_metrics").fetchall()
                except sqlite3.OperationalError:
                    self.refused += 1
                else:
                    self.read += 1
                    self.halves += len(rows) > 1


@contextmanager
def reading(path: Path) -> Iterator[Frontend]:
    frontend = Frontend(path)
    frontend.start()
    try:
        yield frontend
    finally:
        frontend.over.set()
        frontend.join()


@pytest.mark.parametrize("journal", ["wal", "delete"])
async def test_a_pass_holds_up_no_reader(world: World, journal: str) -> None:
    """Reads during passes all succeed at once and never see half a project; as a control, without WAL they do not."""
    assert world.execute(f"PRAGMA journal_mode = {journal}") == [(journal,)]
    world.add_project("P", ACCOUNTS)
    with reading(world.path) as frontend:
        for value in range(1, 6):
            world.sheet("P", **{account: [value] * 5 for account in ACCOUNTS})
            await world.sync()
    assert {world.merged(account) for account in ACCOUNTS} == {(5,) * 5}
    assert frontend.read > 5
    assert frontend.halves == 0
    assert (frontend.refused == 0) is (journal == "wal")
