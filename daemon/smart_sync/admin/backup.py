"""``smart-sync backup FILE``: a copy of the database as it was at one moment, while everything goes on writing."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from smart_sync.config.database_url import Location, Server
from smart_sync.core.command_answers import BackupAnswer
from smart_sync.errors import DatabaseUnusable, SmartSyncError
from smart_sync.store.sqlite.driver import describe, judge, sqlite

#: Seconds that a web app without WAL may hold the file.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made and verified."""

    path: Path
    size: int

    def answer(self) -> BackupAnswer:
        """For ``--json``."""
        return {"success": True, "path": str(self.path), "bytes": self.size}


def back_up(database: Location, target: Path) -> Backup:
    """Copy ``database`` to ``target``, which must not exist; only its owner may read it (mode 0600).

    The name appears when the copy is whole, verified and on the disk.  With WAL nobody waits for it.
    Raises `SmartSyncError`, and then leaves nothing behind.
    """
    if isinstance(database, Server):
        raise SmartSyncError(
            f"{database}: a server's database is backed up by its own tool: pg_dump -Fc --file={target}"
        )
    if not database.exists():
        raise DatabaseUnusable(f"{database}: there is no database yet; check [database] path")
    if os.path.lexists(target):
        raise SmartSyncError(f"{target}: exists already, and a backup overwrites nothing; name another file")
    try:
        with _unfinished(target) as copy:
            _copy(database, copy)
            _verify(copy)
            _sync(copy)
            # Fails if the name has been taken meanwhile.
            os.link(copy, target)
        _sync(target.parent)
        return Backup(target, target.stat().st_size)
    except sqlite.Error as error:
        raise describe(error, target if "full" in str(error) else database) from None
    except OSError as error:
        raise SmartSyncError(f"{target}: cannot be written: {error.strerror}; choose another place") from None


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A new file next to ``target`` that only its owner may read, gone at the end together with what SQLite adds."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def _copy(database: Path, copy: Path) -> None:
    with (
        closing(_connect(f"{database.absolute().as_uri()}?mode=ro")) as source,
        closing(_connect(copy.absolute().as_uri())) as target,
    ):
        # In one go: in steps it would begin anew with every write of another process.
        source.backup(target)


def _connect(uri: str) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite.connect(uri, uri=True, timeout=_PATIENCE)
    return connection


def _verify(copy: Path) -> None:
    with closing(_connect(copy.absolute().as_uri())) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    trouble = judge(verdict, copy)
    if isinstance(trouble, DatabaseUnusable):
        told = " ".join(str(verdict).split())
        raise DatabaseUnusable(f"the copy is corrupted ({told}), and so is the database; restore an older backup")
    if trouble is not None:
        raise trouble


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
