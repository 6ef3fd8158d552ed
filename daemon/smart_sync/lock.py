"""One instance per database: an advisory lock beside the file, gone with the process however it ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from smart_sync.errors import Busy, DatabaseUnusable


class InstanceLock:
    """Holds ``<database>.smart-sync.lock`` for one database at a time, until the ``with`` block ends."""

    def __init__(self) -> None:
        self._held: tuple[Path, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def take(self, database: Path) -> None:
        """Hold the lock of ``database`` in place of the one held now.

        Raises `Busy` if another instance holds it, and then goes on holding the old one.  A symbolic link is as
        good as the file it leads to.
        """
        database = database.resolve()
        if self._held is not None and self._held[0] == database:
            return
        fd = _locked(database.with_name(f"{database.name}.smart-sync.lock"))
        self._release()
        self._held = (database, fd)

    def _release(self) -> None:
        # The file stays: removing it would let two instances lock two different files of one name.
        if self._held is not None:
            os.close(self._held[1])
            self._held = None


def _locked(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
    except OSError as error:
        raise DatabaseUnusable(f"{path}: cannot be opened: {error.strerror}; check the folder's owner") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 20).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise Busy(
            f"{path}: another instance (pid {holder}) holds the database; ask it with: smart-sync sync"
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd
