"""Power cuts: the daemon's own writes, replayed with unsynced sectors dropped and reordered.

SOAK_CUTS=18000 SOAK_SEED=7 pytest -s tests/store/test_power_cut.py
"""

import os
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from daemon_process import Daemon, weakened, write_config
from power_cut import Act, Disk, acts, contents, moments, recording, refusal
from smart_sync.control.client import request_sync
from world import KEY, World

CUTS = int(os.environ.get("SOAK_CUTS", "250"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PASSES = 12
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(40)] for number in range(3)}

pytestmark = pytest.mark.skipif(bool(refusal()), reason=refusal() or "never")


def record(world: World, synchronous: str) -> tuple[dict[str, bytes], list[Act]]:
    """The files before some passes over ever new values, and what the daemon then does to them."""
    for name, accounts in PROJECTS.items():
        world.add_project(name, accounts)
    config = write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)
    log = world.folder / "strace.log"
    with Daemon(config, weakened(world.folder, _as_if(synchronous))) as daemon:
        daemon.hang_up()
        before = contents(world.path)
        with recording(daemon.process.pid, log):
            for value in range(1, PASSES + 1):
                for name, accounts in PROJECTS.items():
                    world.sheet(name, **{account: [value] * 5 for account in accounts})
                assert request_sync(daemon.socket)["success_count"] == len(PROJECTS)
            assert daemon.stop() == 0
    return before, acts(log, world.path)


def _as_if(synchronous: str) -> str:
    """Code that gives the daemon another ``synchronous``, and frequent checkpoints, so that all of SQLite is played."""
    return (
        "import smart_sync.store.sqlite.database as store\n"
        "plain = store.SqliteDatabase.execute\n"
        "async def execute(self, sql):\n"
        f"    await plain(self, sql.replace('= FULL', '= {synchronous}'))\n"
        "    await plain(self, 'PRAGMA wal_autocheckpoint = 60')\n"
        "store.SqliteDatabase.execute = execute\n"
    )


def broken(path: Path, acknowledged: int) -> str:
    """What is wrong with the database that a power cut has left; empty: nothing."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                return str(verdict)
            halves = connection.execute(
                "SELECT 1 FROM project_social_accounts a LEFT JOIN account_metrics m ON m.account_id = a.id"
                " GROUP BY a.project_id HAVING count(DISTINCT coalesce(m.views, -1)) > 1"
            ).fetchall()
            doubled = connection.execute(
                "SELECT 1 FROM account_snapshots GROUP BY account_id, date(snapshot_time) HAVING count(*) > 1"
            ).fetchall()
            oldest = connection.execute("SELECT min(views) FROM account_metrics").fetchone()[0] or 0
    except sqlite3.Error as error:
        return str(error)
    if halves or doubled:
        return "half a project, or a day twice"
    return "" if oldest >= acknowledged else f"pass {acknowledged} was acknowledged, {oldest} is there"


def cut_often(world: World, before: Mapping[str, bytes], recorded: Sequence[Act]) -> list[str]:
    """Cut the power at many moments; returns what was broken."""
    choose = random.Random(SEED)
    folder = world.folder / "after"
    folder.mkdir()
    disk, acknowledged, found, done = Disk(before), 0, [], 0
    for moment in moments(recorded, CUTS, choose):
        for act in recorded[done:moment]:
            disk.do(act)
            acknowledged += act.kind == "said" and act.data.startswith(b"HTTP/1.1 200")
        done = moment
        wrong = broken(disk.cut(choose, folder, world.path), acknowledged)
        found += [wrong] if wrong else []
    return found


def test_wal_with_full_loses_nothing(world: World) -> None:
    """After a power cut at any moment: intact, no project by halves, and every acknowledged pass is there."""
    found = cut_often(world, *record(world, "FULL"))
    print(f"power cuts: tried {CUTS}, broken {len(found)}")  # noqa: T201
    assert found == []


@pytest.mark.parametrize("weaker", ["OFF", "NORMAL"])
def test_less_than_full_is_seen_to_lose(world: World, weaker: str) -> None:
    """Negative control: with a weaker ``synchronous`` the same cuts do lose acknowledged passes, or the whole file."""
    found = cut_often(world, *record(world, weaker))
    print(f"power cuts, synchronous={weaker}: tried {CUTS}, broken {len(found)}")  # noqa: T201
    assert any("was acknowledged" in wrong for wrong in found)
    assert weaker != "OFF" or any("acknowledged" not in wrong for wrong in found)
