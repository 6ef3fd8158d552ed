"""A consistent copy of an SQLite file, made while others keep writing."""

import contextlib
import glob
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from smart_sync.errors import DatabaseError, DatabaseUnusable, SmartSyncError
from smart_sync.store.sqlite.driver import connect, damage, explain

#: Seconds that a web app without WAL may hold the file.
_PATIENCE = 60.0
#: So many copies of before an upgrade are kept; the oldest go.
KEPT = 3


def copy(database: Path, target: Path) -> None:
    """Copy ``database`` to ``target``, which must not exist; only its owner may read it (mode 0600).

    The name appears when the copy is whole, verified and on the disk.  With WAL nobody waits for it.
    Raises `SmartSyncError`, and then leaves nothing behind.
    """
    try:
        with _unfinished(target) as unfinished:
            _copy(database, unfinished)
            _verify(unfinished)
            _sync(unfinished)
            # Fails if the name has been taken meanwhile.
            os.link(unfinished, target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise explain(error, target if "full" in str(error) else database) from None
    except OSError as error:
        raise SmartSyncError(f"{target}: cannot be written: {error.strerror}; choose another place") from None


def keep_before_upgrade(database: Path, version: int, now: datetime) -> Path:
    """Copy ``database`` of schema ``version`` to a file next to it; the newest `KEPT` such copies are kept.

    Raises `DatabaseError`: without a copy nothing is to be changed.
    """
    file = Path(os.path.realpath(database))
    target = file.with_name(f"{file.stem}.schema-{version}.{now:%Y%m%dT%H%M%SZ}.backup")
    try:
        if not target.exists():  # it was made in this second, of the same tables
            copy(file, target)
    except SmartSyncError as error:
        raise DatabaseError(
            f"{database}: its tables are of an older version (schema {version}), and there can be no copy of it before"
            f" they are changed: {error}",
            trouble="database-version",
        ) from None
    kept = sorted(file.parent.glob(f"{glob.escape(file.stem)}.schema-*.backup"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A new file next to ``target`` that only its owner may read, deleted at the end with SQLite's side files."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def _copy(database: Path, target: Path) -> None:
    with closing(connect(database, timeout=_PATIENCE)) as source, closing(connect(target, "rwc")) as made:
        # In one go: in steps it would begin anew with every write of another process.
        source.backup(made)


def _verify(made: Path) -> None:
    with closing(connect(made, "rw")) as connection:
        trouble = damage(connection, made)
    if isinstance(trouble, DatabaseUnusable):
        raise DatabaseUnusable(
            "the copy is corrupted, and so is the database; restore an older backup", trouble="database-damaged"
        )
    if trouble is not None:
        raise trouble


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
