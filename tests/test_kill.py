"""SIGKILL at random moments of passes, while another process writes to the same file as the web app does."""

import os
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from daemon_process import Daemon, write_config
from smart_sync.control.client import request_sync
from smart_sync.errors import SmartSyncError
from world import KEY, World

#: How often the daemon is killed; a soak says more.
KILLS = int(os.environ.get("SOAK_KILLS", "30"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(10)] for number in range(3)}


@pytest.fixture
def config(world: World) -> Path:
    for name, accounts in PROJECTS.items():
        world.add_project(name, accounts)
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


class WebApp(threading.Thread):
    """Writes to the shared file the whole time, in short transactions of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="web-app", daemon=True)
        self._path = path
        self._over = threading.Event()
        self.written = 0

    def run(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, at TEXT)")
            while not self._over.wait(0.002):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO visits (at) VALUES (datetime('now'))")
                connection.execute("UPDATE projects SET last_admin_update = datetime('now')")
                connection.execute("COMMIT")
                self.written += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


def type_everywhere(world: World, value: int) -> None:
    """Every cell of every worksheet says ``value``: so a project written by halves shows."""
    for name, accounts in PROJECTS.items():
        world.sheet(name, **{account: [value] * 5 for account in accounts})


def check(world: World) -> None:
    """What holds after a crash at any moment."""
    assert world.execute("PRAGMA integrity_check") == [("ok",)]
    doubled = "SELECT account_id, date(snapshot_time) FROM account_snapshots GROUP BY 1, 2 HAVING count(*) > 1"
    assert world.execute(doubled) == []
    halves = (
        "SELECT a.project_id FROM project_social_accounts a LEFT JOIN account_metrics m ON m.account_id = a.id"
        " GROUP BY 1 HAVING count(DISTINCT coalesce(m.followers, -1)) > 1 OR count(DISTINCT coalesce(m.views, -1)) > 1"
    )
    assert world.execute(halves) == []
    torn = (
        "SELECT 1 FROM account_metrics m JOIN sheet_metrics s USING (account_id)"
        " WHERE (m.followers, m.likes, m.comments, m.videos, m.views) IS NOT"
        " (s.followers, s.likes, s.comments, s.videos, s.views)"
    )
    assert world.execute(torn) == []


def test_sigkill_anywhere_loses_nothing(config: Path, world: World) -> None:
    """However often it is killed: intact, no duplicate day, no project by halves, no acknowledged pass lost."""
    choose = random.Random(SEED)
    web_app = WebApp(world.path)
    web_app.start()
    acknowledged = 0
    for value in range(1, KILLS + 1):
        type_everywhere(world, value)
        with Daemon(config) as daemon:
            killer = threading.Timer(choose.uniform(0.0, 0.12), daemon.process.kill)
            killer.start()
            try:
                if request_sync(daemon.socket)["success_count"] == len(PROJECTS):
                    acknowledged = value
            except SmartSyncError:
                pass
            killer.join()
            daemon.process.wait()
        check(world)
        oldest = world.execute("SELECT min(followers) FROM account_metrics")[0][0] or 0
        assert oldest >= acknowledged
    with Daemon(config) as daemon:
        assert request_sync(daemon.socket)["success_count"] == len(PROJECTS)
    web_app.stop()
    check(world)
    assert {world.merged(account) for accounts in PROJECTS.values() for account in accounts} == {(KILLS,) * 5}
    assert len(world.snapshots()) == 30
    assert world.execute("SELECT count(*) FROM visits") == [(web_app.written,)]
    print(f"kills: tried {KILLS}, broken 0")  # noqa: T201


def test_the_check_sees_what_a_crash_could_leave(config: Path, world: World) -> None:
    """Negative control: each kind of damage that `check` looks for is found when it is there."""
    type_everywhere(world, 1)
    with Daemon(config) as daemon:
        request_sync(daemon.socket)
    check(world)
    twice = "INSERT INTO account_snapshots SELECT 'twice', account_id, 0, 0, 0, 0, 0, snapshot_time"
    for damage in (
        "UPDATE account_metrics SET followers = 5 WHERE account_id = 'account-p0a3'",
        "DELETE FROM account_metrics WHERE account_id = 'account-p1a0'",
        f"{twice} FROM account_snapshots LIMIT 1",
    ):
        with closing(sqlite3.connect(world.path)) as connection:
            intact = "\n".join(connection.iterdump())
        world.execute(damage)
        with pytest.raises(AssertionError):
            check(world)
        world.path.unlink()
        for leftover in ("-wal", "-shm"):
            world.path.with_name(world.path.name + leftover).unlink(missing_ok=True)
        with closing(sqlite3.connect(world.path)) as connection:
            connection.executescript(intact)
