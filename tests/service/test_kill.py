"""SIGKILL at random moments of passes, while another process writes to the same database as the web app does."""

import os
import random
import signal
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daemon_process import NO_TRANSACTIONS, Daemon, run_command, weakened
from nursery import Nursery
from smart_sync.control.client import request_sync
from smart_sync.errors import SmartSyncError
from world import World

#: How often the daemon is killed; a soak says more.
KILLS = int(os.environ.get("SOAK_KILLS", "20"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(10)] for number in range(3)}


@pytest.fixture
def tmp_path(disk_folder: Path) -> Path:
    """On the disk: in memory a commit takes so short that hardly any kill falls into one."""
    return Path(tempfile.mkdtemp(dir=disk_folder))


@pytest.fixture
def config(world: World) -> Path:
    for name, accounts in PROJECTS.items():
        world.add_project(name, accounts)
    return world.config("[schedule]\nrun_on_start = false\n")


class WebApp(threading.Thread):
    """Writes to the shared database the whole time, in short transactions of its own."""

    def __init__(self, world: World) -> None:
        super().__init__(name="web-app", daemon=True)
        self._world = world
        self._over = threading.Event()
        self.written = 0

    def _connected(self) -> "sqlite3.Connection | psycopg.Connection[Any]":
        if self._world.url:
            return psycopg.connect(self._world.url, autocommit=True)
        return sqlite3.connect(self._world.path, timeout=30, isolation_level=None)

    def run(self) -> None:
        with closing(self._connected()) as connection:
            connection.execute("CREATE TABLE visits (at TEXT)")
            while not self._over.wait(0.002):
                connection.execute("BEGIN" if self._world.url else "BEGIN IMMEDIATE")
                connection.execute("INSERT INTO visits (at) VALUES (CAST(CURRENT_TIMESTAMP AS TEXT))")
                connection.execute("UPDATE projects SET last_admin_update = CAST(CURRENT_TIMESTAMP AS TEXT)")
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
    differ = "IS DISTINCT FROM" if world.url else "IS NOT"
    if not world.url:
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
        f" WHERE (m.followers, m.likes, m.comments, m.videos, m.views) {differ}"
        " (s.followers, s.likes, s.comments, s.videos, s.views)"
    )
    assert world.execute(torn) == []


def end_lease(world: World) -> None:
    """On a server the next daemon would wait until the lease of the one that was killed is over."""
    if world.url:
        world.execute("UPDATE smart_sync_leases SET expires_at = now() - interval '1 second' WHERE resource = 'leader'")


@dataclass
class Told:
    """What clients were reported before the kills, and how the kills fell."""

    #: The value that stood in every cell when the last pass was answered.
    acknowledged: int = 0
    #: The passes that were answered.
    answered: list[str] = field(default_factory=list)
    cut_off: int = 0
    #: Seconds of passes that were given their time.
    seconds: list[float] = field(default_factory=list)

    def ask(self, path: Path, value: int) -> None:
        """Ask for a pass and note the answer, or that there was none."""
        try:
            answer = request_sync(path)
        except SmartSyncError:
            self.cut_off += 1
            return
        self.answered.append(answer["run_id"])
        if answer["success_count"] == len(PROJECTS):
            self.acknowledged = value


def killed_while_it_starts(nursery: Nursery, choose: random.Random, told: Told, value: int) -> None:
    threading.Event().wait(choose.uniform(0.0, 0.1))
    nursery.kill()


def killed_at_the_answer(nursery: Nursery, choose: random.Random, told: Told, value: int) -> None:
    nursery.wait_until_ready()
    started = time.perf_counter()
    told.ask(nursery.socket, value)
    nursery.kill()
    told.seconds.append(time.perf_counter() - started)


def killed_in_a_pass(nursery: Nursery, choose: random.Random, told: Told, value: int) -> None:
    """Or a little after it, however fast the machine is today."""
    nursery.wait_until_ready()
    killer = threading.Timer(choose.uniform(0.0, 1.2 * statistics.median(told.seconds[-9:])), nursery.kill)
    killer.start()
    told.ask(nursery.socket, value)
    killer.join()


def kill_often(world: World, config: Path, kills: int, environment: Mapping[str, str] | None = None) -> Told:
    """So many lives, each checked after its end; before each every cell gets a new value."""
    choose, told = random.Random(SEED), Told()
    ends = (killed_at_the_answer, killed_while_it_starts, *[killed_in_a_pass] * 6)
    with Nursery(config, environment) as nursery:
        for value in range(1, kills + 1):
            type_everywhere(world, value)
            end = choose.choice(ends) if told.seconds else killed_at_the_answer
            nursery.start()
            end(nursery, choose, told, value)
            nursery.wait()
            end_lease(world)
            check(world)
            oldest = world.execute("SELECT min(followers) FROM account_metrics")[0][0] or 0
            assert oldest >= told.acknowledged, "an answer came before what it told of was written"
            finished = {row[0] for row in world.execute("SELECT id FROM sync_runs WHERE finished_at IS NOT NULL")}
            assert finished >= set(told.answered), "an answered pass is not in the history"
    return told


def test_sigkill_anywhere_loses_nothing(config: Path, world: World) -> None:
    """However often it is killed: intact, no duplicate day, no project by halves, no acknowledged pass lost."""
    web_app = WebApp(world)
    web_app.start()
    kills = max(KILLS // 3, 6) if world.url else KILLS
    told = kill_often(world, config, kills)
    with Daemon(config) as daemon:
        assert request_sync(daemon.socket)["success_count"] == len(PROJECTS)
    web_app.stop()
    check(world)
    assert {world.merged(account) for accounts in PROJECTS.values() for account in accounts} == {(kills,) * 5}
    assert len(world.snapshots()) == 30 * len(
        world.execute("SELECT DISTINCT date(snapshot_time) FROM account_snapshots")
    )
    assert world.execute("SELECT count(*) FROM visits") == [(web_app.written,)]
    assert told.answered, "no pass was ever answered: the kills come too early"
    assert told.cut_off, "no pass was ever cut off: the kills come too late"
    print(  # noqa: T201
        f"kills: tried {kills}, broken 0; {told.cut_off} in the middle of a pass, {len(told.answered)} after its answer"
    )


#: Daemons that break a promise, and what then must be found.
WEAKER = {
    "an answer before the work": (
        "import asyncio, dataclasses, smart_sync.sync.sync_pass as sync\n"
        "plain, kept = sync.SyncPass.run, []\n"
        "async def run(self, request):\n"
        "    answer = await plain(self, dataclasses.replace(request, dry_run=True))\n"
        "    async def later():\n"
        "        await asyncio.sleep(1)\n"
        "        await plain(self, request)\n"
        "    kept.append(asyncio.create_task(later()))\n"
        "    return answer\n"
        "sync.SyncPass.run = run\n"
    ),
    "no transactions": NO_TRANSACTIONS,
    "a new snapshot every time": (
        "import uuid, smart_sync.core.merge.day_snapshot as days, smart_sync.store.snapshots as snapshots\n"
        "days.snapshot_id = snapshots.snapshot_id = lambda *_: str(uuid.uuid4())\n"
        "snapshots.TODAYS += ' LIMIT 0'\n"
    ),
}


@pytest.mark.sqlite  # what they break is the one code of both engines, or SQLite's own transactions
@pytest.mark.parametrize("weaker", WEAKER)
def test_a_weaker_daemon_is_seen_to_lose(config: Path, world: World, weaker: str) -> None:
    """Negative control: the same kills find a daemon that answers too early, writes piecemeal, or doubles a day."""
    with pytest.raises(AssertionError):
        kill_often(world, config, 100, weakened(world.folder, WEAKER[weaker]))


#: A process that kills itself when it has sent so many statements to the new database.
AT_STATEMENT = (
    "import os, signal\n"
    "from smart_sync.store.{module} import {transaction} as transaction\n"
    "plain, left = transaction.execute, {statement}\n"
    "async def execute(self, sql, parameters=()):\n"
    "    global left\n"
    "    left -= 1\n"
    "    if not left:\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return await plain(self, sql, parameters)\n"
    "transaction.execute = execute\n"
)
TRANSACTIONS = {
    False: ("sqlite.sqlite_transaction", "SqliteTransaction"),
    True: ("postgres.postgres_transaction", "PostgresTransaction"),
}


@pytest.mark.parametrize("statement", [2, 12])
def test_a_first_start_that_is_killed_can_be_made_again(bare: World, statement: int) -> None:
    """SIGKILL between the statements that make or adopt a database: the next start finds nothing, or all."""
    config = bare.config()
    module, transaction = TRANSACTIONS[bool(bare.url)]
    code = AT_STATEMENT.format(module=module, transaction=transaction, statement=statement)
    killed = run_command("once", "--config", str(config), environment=weakened(bare.folder, code))
    assert killed.returncode == -signal.SIGKILL
    # Who leads is settled before any table is made.
    assert set(bare.tables()) <= {"smart_sync_leases"}
    end_lease(bare)
    made = run_command("once", "--config", str(config))
    assert made.returncode == 4, "no project is there yet, and that is told"
    assert "projects" in bare.tables()


def test_the_check_sees_what_a_crash_could_leave(config: Path, world: World) -> None:
    """Negative control: each kind of damage that `check` looks for is found when it is there."""
    type_everywhere(world, 1)
    with Daemon(config) as daemon:
        request_sync(daemon.socket)
    check(world)
    twice = "INSERT INTO account_snapshots SELECT 'twice', account_id, 0, 0, 0, 0, 0, snapshot_time"
    for damage, mended in (
        (
            "UPDATE account_metrics SET followers = 5 WHERE account_id = 'account-p0a3'",
            "UPDATE account_metrics SET followers = 1 WHERE account_id = 'account-p0a3'",
        ),
        (f"{twice} FROM account_snapshots LIMIT 1", "DELETE FROM account_snapshots WHERE id = 'twice'"),
        ("DELETE FROM account_metrics WHERE account_id = 'account-p1a0'", ""),
    ):
        world.execute(damage)
        with pytest.raises(AssertionError):
            check(world)
        if mended:
            world.execute(mended)
            check(world)
