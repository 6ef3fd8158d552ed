"""Reads files that other programs maintain: whole, with a size limit, and without blocking on FIFOs or devices."""

import errno
import os
import stat
from pathlib import Path

#: Seconds that a file is waited for where no deadline of the configuration says otherwise; why nothing came of it.
FILE_PATIENCE = 10.0
NO_ANSWER = f"no answer within {FILE_PATIENCE:g} s; if it is on a network drive, check that drive"
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_file(path: Path, limit: int, *, links: bool = True) -> tuple[bytes, os.stat_result]:
    """The content of the regular file at ``path`` and its status; a symbolic link is followed if ``links``.

    Raises OSError, whose ``strerror`` says why: there is none, it is something else (a FIFO, a device, a folder),
    it has more than ``limit`` bytes (EFBIG), the disk cannot be read, or ``path`` can be none.
    """
    # Without O_NONBLOCK opening a FIFO would wait for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise OSError(errno.EINVAL, f"it is {kind}, not a file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1) or b""
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes".replace(",", " "))
    return content, status
