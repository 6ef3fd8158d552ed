"""What may happen to the file under the daemon: no room, no right, gone, replaced, damaged, held by somebody else.

All of it is about a file.  What befalls a server is in test_postgres, test_postgres_kill and test_postgres_refusals;
that somebody else holds its rows in test_durability_rows; processes that start together in test_lease, test_standby.
"""

import asyncio
import os
import re
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon_process import COMMAND, PATIENCE, Daemon, run_command, write_config
from smart_sync.control.client import Client, request_sync
from smart_sync.core.model import Outcome, Trigger
from smart_sync.errors import DatabaseError, DatabaseReplaced, DatabaseUnusable
from smart_sync.store.schema import MIGRATIONS, open_database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from typed import sqlite
from world import KEY, World

MANY = [f"a{number}" for number in range(400)]
#: How long somebody else holds the file; a soak says a minute.
LOCKED = float(os.environ.get("SOAK_LOCKED", "0.5"))
NO_START = "[schedule]\nrun_on_start = false\n"


@pytest.fixture
def config(world: World) -> Path:
    """A daemon's configuration for the world: one project of two accounts, synced only when asked."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[1] * 5)
    return write_config(world.folder, NO_START, google=world.google, spreadsheet=KEY)


def ask(daemon: Daemon) -> tuple[int, dict[str, Any]]:
    return asyncio.run(Client(daemon.socket, timeout=PATIENCE).request("POST", "/api/admin/smart_sync"))


def intact(world: World) -> bool:
    return world.execute("PRAGMA integrity_check") == [("ok",)]


# No room.


async def test_a_full_database_fails_the_pass_whole_and_the_next_one_makes_up_for_it(world: World) -> None:
    """SQLITE_FULL in the middle of writing: the project is as it was, the reason is named, the next pass is right."""
    world.add_project("P", MANY)
    world.sheet("P", **{name: [1] * 5 for name in MANY})
    await world.sync()
    world.sheet("P", **{name: [2] * 5 for name in MANY})
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        # Every account written takes a page of its own, and there is room for some of them.
        world.execute("CREATE TABLE filler (x)")
        grow = "CREATE TRIGGER grow AFTER UPDATE ON account_metrics BEGIN INSERT INTO filler VALUES ({}); END"
        world.execute(grow.format("zeroblob(4000)"))
        pages = world.execute("PRAGMA page_count")[0][0]
        await sqlite(resources.database).execute(f"PRAGMA max_page_count = {pages + 200}")
        result = await SyncPass(resources).run(PassRequest(Trigger.CLI))
        assert result.results[0].outcome is Outcome.FAILED
        assert "the disk is full" in result.results[0].error
        assert {world.merged(name) for name in MANY} == {(1,) * 5}
        assert intact(world)
        await sqlite(resources.database).execute("PRAGMA max_page_count = 100000")
        await SyncPass(resources).run(PassRequest(Trigger.CLI))
    assert {world.merged(name) for name in MANY} == {(2,) * 5}
    assert len(world.snapshots()) == len(MANY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_costs_passes_and_no_data(world: World, tmp_path: Path) -> None:
    """With no byte left a pass fails with the remedy; when there is room again nothing is missing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no mount here: {mounted.stderr.decode().strip()}")
    try:
        small = World(disk, world.google)
        asyncio.run(small.create())
        small.add_project("P", MANY)
        small.sheet("P", **{name: [1] * 5 for name in MANY})
        config = write_config(tmp_path, NO_START, google=world.google, spreadsheet=KEY)
        config.write_text(config.read_text().replace("view_counter.db", str(small.path)))
        with Daemon(config) as daemon:
            assert ask(daemon)[1]["success_count"] == 1
            fill(disk / "filler")
            small.sheet("P", **{name: [2] * 5 for name in MANY})
            status, answer = ask(daemon)
            assert (status, answer["success"]) == (503, False) or answer["error_count"] == 1
            assert "full" in str(answer) or "disk refused" in str(answer)
            assert {small.merged(name) for name in MANY} == {(1,) * 5}
            (disk / "filler").unlink()
            assert ask(daemon)[1]["success_count"] == 1
            assert {small.merged(name) for name in MANY} == {(2,) * 5}
            assert daemon.stop() == 0
        assert intact(small)
        assert len(small.snapshots()) == len(MANY)
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def test_a_file_that_may_not_grow_any_more_fails_the_pass_with_the_remedy(config: Path, world: World) -> None:
    """A limit on the size of files (EFBIG) is a failed pass in one line, never half a project."""
    names = [f"n{number}" for number in range(500)]
    world.add_project("Q", names)
    world.sheet("Q", **{name: [1] * 5 for name in names})

    def limited() -> None:
        # Enough for the start of a pass in the write-ahead log, not for five hundred accounts.
        resource.setrlimit(resource.RLIMIT_FSIZE, (160_000, 160_000))

    command = [*COMMAND, "once", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, preexec_fn=limited, check=False)
    assert ended.returncode in {1, 4}, ended.stderr
    assert "the disk refused" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    for table in ("sheet_metrics", "account_metrics", "account_snapshots"):
        assert world.execute(f"SELECT count(*) FROM {table} WHERE account_id LIKE 'account-n%'") == [(0,)]
    assert run_command("once", "--config", str(config)).returncode == 0
    assert {world.merged(name) for name in names} == {(1,) * 5}
    assert intact(world)


# No right.


def test_a_read_only_file_is_refused_with_the_remedy(config: Path, world: World) -> None:
    """A file that may not be written to is refused at the start in one line that says what to do; exit 1 or 2."""
    if os.geteuid() == 0:
        if subprocess.run(["chattr", "+i", world.path], capture_output=True, check=False).returncode:
            pytest.skip("root may write to any file, and this file system knows no immutable ones")
    else:
        world.path.chmod(0o444)
    try:
        refused = run_command("once", "--config", str(config))
    finally:
        subprocess.run(["chattr", "-i", world.path], capture_output=True, check=False)
    assert refused.returncode in {1, 2}
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("smart-sync:")]
    assert re.search("read-only|cannot be opened|not permitted", line)


async def test_a_connection_that_may_not_write_fails_every_pass_and_says_why(world: World) -> None:
    """SQLITE_READONLY during a pass is a failed pass that names the remedy, and nothing is changed."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    world.sheet("P", a=[2] * 5)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        await sqlite(resources.database).execute("PRAGMA query_only = ON")
        with pytest.raises(DatabaseError, match=r"read-only; give the daemon's user write permission"):
            await SyncPass(resources).run(PassRequest(Trigger.CLI))
        await sqlite(resources.database).execute("PRAGMA query_only = OFF")
        assert world.merged("a") == (1,) * 5
        await SyncPass(resources).run(PassRequest(Trigger.CLI))
    assert world.merged("a") == (2,) * 5


# Gone, or another one.


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    other = path.with_name("restored.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)
    other.replace(path)


@pytest.mark.parametrize("happening", [removed, replaced])
def test_a_daemon_whose_file_was_taken_away_ends_with_a_clear_last_line(
    config: Path, world: World, happening: Any
) -> None:
    """No pass is acknowledged into a file that nobody sees: exit 1, and the reason last."""
    with Daemon(config) as daemon:
        assert ask(daemon)[1]["success_count"] == 1
        happening(world.path)
        status, answer = ask(daemon)
        assert (status, answer["success"]) == (503, False)
        assert daemon.process.wait(PATIENCE) == 1
        (failed,) = daemon.events("sync.failed")
        assert happening.__name__ in failed["reason"]
        assert daemon.output().splitlines()[-1].startswith("smart-sync: ")
    if happening is replaced:
        for leftover in ("-wal", "-shm"):
            world.path.with_name(world.path.name + leftover).unlink(missing_ok=True)
        with Daemon(config) as daemon:
            assert request_sync(daemon.socket)["success_count"] == 1
        assert intact(world)


def test_it_is_not_taken_for_a_mistake_in_a_reloaded_file(config: Path, world: World) -> None:
    """After a reload, too, a file taken away ends the daemon, rather than sending it back to older settings."""
    with Daemon(config) as daemon:
        status, _ = asyncio.run(Client(daemon.socket, timeout=PATIENCE).request("POST", "/api/admin/reload"))
        assert status == 200
        daemon.wait_for("READY=1")
        replaced(world.path)
        ask(daemon)
        assert daemon.process.wait(PATIENCE) == 1
        assert daemon.events("config.rejected") == []


async def test_a_file_taken_away_in_the_middle_of_a_pass_is_not_acknowledged(world: World) -> None:
    """The end of a pass looks once more: what it wrote must be where the web app reads."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        read = resources.sheets.read

        async def read_and_lose(project: Any) -> Any:
            await asyncio.to_thread(world.path.unlink)
            return await read(project)

        resources.sheets.read = read_and_lose  # type: ignore[method-assign]
        with pytest.raises(DatabaseReplaced):
            await SyncPass(resources).run(PassRequest(Trigger.CLI))


# Damaged, or from elsewhere.


def damage_pages(path: Path) -> None:
    """Those of a table that is written last in a pass: it would begin to write, if nobody looked before."""
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sync_runs'").fetchall()
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = os.urandom(4096)
    path.write_bytes(content)


def damage_header(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [damage_pages, damage_header, truncate])
@pytest.mark.parametrize("command", ["run", "once"])
def test_a_damaged_file_is_refused_untouched(config: Path, world: World, damage: Any, command: str) -> None:
    """A corrupted file: exit 2, one line with the remedy, and not a byte of it is changed."""
    world.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(world.path)
    before = world.path.read_bytes()
    refused = run_command(command, "--config", str(config))
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    line = refused.stderr
    assert "restore it from a backup" in line
    assert world.path.read_bytes() == before


def test_a_schema_from_the_future_is_refused_untouched(config: Path, world: World) -> None:
    """A file that a newer Smart Sync wrote: exit 2, told to upgrade, nothing migrated."""
    world.execute("UPDATE smart_sync_schema SET version = 1000")
    refused = run_command("once", "--config", str(config))
    assert refused.returncode == 2
    assert f"schema 1000, this one knows {len(MIGRATIONS)}" in refused.stderr
    assert "upgrade" in refused.stderr
    assert world.execute("SELECT version FROM smart_sync_schema") == [(1000,)]


# Held by somebody else.


async def test_a_lock_is_outwaited_while_there_is_patience(world: World) -> None:
    """A pass waits for the process that holds the file, and then writes everything."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    with closing(sqlite3.connect(world.path, isolation_level=None, check_same_thread=False)) as other:
        async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
            other.execute("BEGIN EXCLUSIVE")
            running = asyncio.ensure_future(SyncPass(resources).run(PassRequest(Trigger.CLI)))
            done, _ = await asyncio.wait({running}, timeout=LOCKED)
            assert not done
            other.execute("COMMIT")
            result = await running
    assert result.results[0].outcome is Outcome.SYNCED
    assert world.merged("a") == (1,) * 5
    print(f"locks: tried 1 of {LOCKED:g} s, broken 0")  # noqa: T201


async def test_a_file_locked_at_the_start_is_an_error_with_a_remedy(world: World) -> None:
    """Opening waits too, and gives up in one line."""
    with closing(sqlite3.connect(world.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="find it with fuser") as refused:
            async with open_database(world.path, patience=0.2):
                pass
    assert not isinstance(refused.value, DatabaseUnusable)


def test_of_two_daemons_and_many_onces_one_at_a_time_works(config: Path, world: World) -> None:
    """Of processes that start together one holds the database, the others exit 75, and no day is doubled."""
    command = [*COMMAND, "once", "--config", str(config)]
    several = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(5)]
    codes = [process.wait(PATIENCE) for process in several]
    assert set(codes) <= {0, 75}
    assert 0 in codes
    with Daemon(config) as daemon:
        refused = [run_command(name, "--config", str(config)).returncode for name in ("run", "once")]
        assert refused == [75, 75]
        assert ask(daemon)[1]["success_count"] == 1
    assert len(world.snapshots()) == 2


def test_the_instance_lock_is_what_keeps_them_apart(config: Path, world: World) -> None:
    """Negative control: without the lock, `once` does run next to a daemon; even then no day is doubled."""
    unlocked = (
        "import sys, smart_sync.store.instance_lock as lock\n"
        "lock.InstanceLock.take = lambda self, database, **_: None\n"
        "from smart_sync.cli.main import main\n"
        f"sys.argv = ['smart-sync', 'once', '--config', {str(config)!r}]\n"
        "main()\n"
    )
    with Daemon(config) as daemon:
        beside = subprocess.run([sys.executable, "-c", unlocked], capture_output=True, timeout=PATIENCE, check=False)
        assert beside.returncode == 0
        assert ask(daemon)[1]["success_count"] == 1
    assert len(world.snapshots()) == 2
    assert world.merged("a") == (1,) * 5
