"""The socket's file: created at its path without replacing a file or another program's socket.

It appears under its name only when it listens and has its final rights, by one rename.
"""

import asyncio
import fcntl
import grp
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from smart_sync.errors import SocketUnusable

#: Clients that the kernel lets wait; it lowers the number to net.core.somaxconn.
BACKLOG = 4096
#: A path that the kernel takes for a socket is no longer.
MAX_BYTES = 107
_LOCK_TRIES = 50
_LOCK_PAUSE = 0.02

_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFREG: "a file"}


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening, non-blocking socket and the file that stands for it."""

    socket: socket.socket
    path: Path
    #: Device and inode: cannot be given to another file while the socket is open.
    identity: tuple[int, int]
    #: The file's group.
    gid: int

    def is_there(self) -> bool:
        """Whether clients still find it at its path."""
        try:
            return _identity(self.path.lstat()) == self.identity
        except OSError:
            return False

    def unlink(self) -> None:
        """Remove the file, if what is at the path is still ours."""
        try:
            if _identity(self.path.lstat()) == self.identity:
                self.path.unlink()
        except OSError:
            pass  # it is gone already, or we may no longer: the next start takes it for stale


async def listen(path: Path, *, mode: int, group: str = "") -> Listener:
    """Listen at ``path`` with exactly ``mode`` whatever the umask; replaces only a stale socket of our own user.

    ``group`` is a name or a number; empty leaves it to the file system.  A missing parent directory is made.
    Raises `SocketUnusable`, and leaves what is there untouched.
    """
    with _translated_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        async with _directory_lock(path.parent):
            refuse_unless_stale(path)
            return bind_socket(path, mode, gid(group))


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise SocketUnusable(f"{path}: cannot listen there: {reason}; fix it or change [control] socket") from None


@asynccontextmanager
async def _directory_lock(directory: Path) -> AsyncIterator[None]:
    """Serialise the check and rename of daemons that start at the same time."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOCK_PAUSE)
        else:
            raise SocketUnusable(f"{directory}: locked by another process; find it with lslocks and end it")
        yield
    finally:
        os.close(descriptor)


def refuse_unless_stale(path: Path) -> None:
    """Raise `SocketUnusable` unless the path is free or a dead daemon's socket."""
    if problem := obstacle_at(path):
        raise SocketUnusable(problem)
    if path.is_socket() and _answers(path):
        raise SocketUnusable(f"{path}: another program listens there; stop it or change [control] socket")


def obstacle_at(path: Path) -> str:
    """What occupies ``path`` and must not be replaced; "" if nothing, or a socket of our own user. Raises `OSError`."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    remedy = "move it away or change [control] socket"
    if not stat.S_ISSOCK(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        return f"{path}: {kind} is in the way of the control socket; {remedy}"
    if status.st_uid != os.geteuid():
        return f"{path}: a socket of another user (uid {status.st_uid}) is in the way; {remedy}"
    return ""


def _answers(path: Path) -> bool:
    """Whether a process listens on the socket; if in doubt (a full queue, another socket type), yes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def temporary_of(path: Path) -> Path:
    """The path of the socket before it listens.

    Just as long as ``path``, so that the kernel takes (up to `MAX_BYTES`) or refuses both.  The lock on the folder
    keeps two daemons from using it together.
    """
    return path.with_name("~" * len(os.fsencode(path.name)))


def bind_socket(path: Path, mode: int, gid: int) -> Listener:
    """Bind beside the path with these rights, then move into place. Raises OSError."""
    temporary = temporary_of(path)
    _remove_leftover(temporary)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), mode)  # never wider than asked, not even for a moment
        listening.bind(str(temporary))
        try:
            if gid not in (-1, temporary.lstat().st_gid):  # a sandbox may refuse to change owners
                os.chown(temporary, -1, gid)
            temporary.chmod(mode)  # the umask narrowed it
            listening.listen(BACKLOG)
            listening.setblocking(False)
            status = temporary.lstat()
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except BaseException:
        listening.close()
        raise
    return Listener(listening, path, _identity(status), status.st_gid)


def _remove_leftover(temporary: Path) -> None:
    """Remove the socket of a daemon killed between bind and rename; report anything else."""
    try:
        status = temporary.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid():
        temporary.unlink()


def gid(group: str) -> int:
    """The group's number, -1 for "leave it". Raises `SocketUnusable` if the group does not exist."""
    if not group:
        return -1
    if group.isascii() and group.isdigit() and len(group) < 10:
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise SocketUnusable(
            f'there is no group "{group}"; create it with groupadd, or change [control] group'
        ) from None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
