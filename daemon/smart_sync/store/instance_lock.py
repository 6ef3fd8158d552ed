"""One instance per database: an advisory lock on a file next to it, released when the process ends in any way."""

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from smart_sync.config.database_url import Location, Server
from smart_sync.errors import Busy, DatabaseUnusable

#: Seconds between two tries of a process that waits.
_PAUSE_SECONDS = 0.1
#: What a daemon adds to its process id in the file: it keeps the lock, so nobody need wait for it.
_DAEMON = "daemon"


class InstanceLock:
    """Holds ``<database>.smart-sync.lock`` for one database at a time, until the ``with`` block ends.

    It belongs to the process that took it: a child that is forked meanwhile has no part in it.
    """

    def __init__(self, *, daemon: bool = False) -> None:
        self._mark = f" {_DAEMON}" if daemon else ""
        self._held: tuple[Path, int] | None = None
        _alive.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def take(self, database: Location, *, patience: float = 0.0) -> None:
        """Lock ``database`` instead of the current one; blocks for up to ``patience`` seconds.

        Raises `Busy` if another instance holds it until then, or a daemon does, which will not let it go; goes on
        holding the old one then.  A symbolic link is as good as the file it leads to.
        """
        if isinstance(database, Server):
            # There a lease says who works (`store.postgres.lease`).
            self.release()
            return
        database = database.resolve()
        if self._held is not None and self._held[0] == database:
            return
        path = _path(database)
        ends = time.monotonic() + patience
        of_daemon = False
        while True:
            fd = _locked(path, self._mark)
            if fd is not None:
                break
            # Twice: between locking and writing, the file still says who held it before.
            was_of_daemon, of_daemon = of_daemon, _holder(path).endswith(_DAEMON)
            if time.monotonic() >= ends or (was_of_daemon and of_daemon):
                raise _busy(path)
            time.sleep(_PAUSE_SECONDS)
        self.release()
        self._held = (database, fd)

    def renew(self) -> None:
        """Lock again if the lock file was removed: another instance would not see this one.

        Raises `Busy` if that has happened already.  Where no file can be made, it is tried again the next time.
        """
        if self._held is None:
            return
        database, fd = self._held
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), _path(database).stat()):
                return
        self._held = None
        try:
            self.take(database)
        except DatabaseUnusable:
            self._held = database, fd
        except BaseException:
            self._held = database, fd
            raise
        else:
            os.close(fd)

    def forget(self) -> None:
        """Close the lock in a forked child without releasing the parent's."""
        if self._held is not None:
            os.close(self._held[1])
            self._held = None

    def release(self) -> None:
        """Release the lock."""
        # The file stays: removing it would let two instances lock two different files of one name.
        if self._held is not None:
            # Not by closing alone: a child that knows nothing of us may have inherited the descriptor.
            fcntl.flock(self._held[1], fcntl.LOCK_UN)
            self.forget()


_alive: weakref.WeakSet[InstanceLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_alive):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)


def _path(database: Path) -> Path:
    return database.with_name(f"{database.name}.smart-sync.lock")


def _locked(path: Path, mark: str) -> int | None:
    """The descriptor of the file at ``path``, locked; None if another process holds the lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
    except OSError as error:
        raise DatabaseUnusable(
            f"{path}: cannot be opened: {error.strerror}; check the folder's owner", trouble="database-rights"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    with contextlib.suppress(OSError):  # a full disk: the lock counts, not who is said to hold it
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}{mark}\n".encode())
    return fd


def _holder(path: Path) -> str:
    """The holder's process id and whether it is a daemon, as written in the file."""
    try:
        with path.open("rb") as file:
            return file.read(64).decode(errors="replace").strip()
    except OSError:
        return ""


def _busy(path: Path) -> Busy:
    pid, _, kind = _holder(path).partition(" ")
    then = "ask it with: smart-sync sync" if kind == _DAEMON else "try again when its pass is over"
    return Busy(f"{path}: another instance (pid {pid or 'unknown'}) holds the database; {then}")
