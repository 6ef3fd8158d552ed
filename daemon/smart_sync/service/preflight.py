"""What will keep a daemon from starting, as far as that can be found out beforehand.

Nothing is made, opened for writing or connected to; what only opening can tell, it still may.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from smart_sync.config import Settings
from smart_sync.config.database_url import Location, Server
from smart_sync.control import socket_file
from smart_sync.errors import ConfigError, SocketUnusable
from smart_sync.logs import printable, redact
from smart_sync.store.sqlite import scratch_copy
from smart_sync.store.sqlite.driver import may_be_sqlite


def demand_none(settings: Settings, held: Location | None = None) -> None:
    """Raise `ConfigError` with all `obstacles`, if there are any."""
    if found := obstacles(settings, held):
        raise ConfigError(tuple(f"{key}: {problem}" for key, problem in found.items()))


def obstacles(settings: Settings, held: Location | None = None) -> dict[str, str]:
    """Key → what will keep a daemon with these settings from starting, and what to do.

    ``held`` is the database that this process has open: it must not be opened a second time, since closing a file
    gives up all locks that the process has on it.
    """
    control, where = settings.control, settings.database.where
    path = Path(os.path.realpath(where)) if isinstance(where, Path) else None
    found = {
        "control.socket": next(_socket_problems(control.socket), ""),
        "control.group": _group_problem(control.group),
        "database.path": next(_database_problems(path, held), "") if path else "",
    }
    if path and not found["database.path"]:
        found |= scratch_copy.unknown_at(path, dict(settings.sync.defaults))
    elif isinstance(where, Server):
        from smart_sync.store.postgres import server_inventory

        found |= server_inventory.unknown_at(where, dict(settings.sync.defaults))
    # A name or a path may be any text.
    return {printable(redact(key)): printable(redact(problem)) for key, problem in found.items() if problem}


def _socket_problems(path: Path) -> Iterator[str]:
    size = len(os.fsencode(path))
    if size > socket_file.MAX_BYTES:
        yield f"{path}: too long for a socket ({size} bytes of {socket_file.MAX_BYTES}); give a shorter path"
    if problem := _folder_problem(path):
        yield f"{path}: {problem}"
    if problem := socket_file.obstacle_at(path):
        yield problem


def _group_problem(group: str) -> str:
    try:
        socket_file.gid(group)
    except SocketUnusable as error:
        return str(error)
    return ""


def _database_problems(path: Path, held: Location | None) -> Iterator[str]:
    if problem := _folder_problem(path):
        yield f"{path}: {problem}"
    if not os.path.exists(path):  # noqa: PTH110  never raises
        return
    if not os.path.isfile(path):  # noqa: PTH113  never raises
        yield f"{path}: not a file; name the SQLite file, or one that is to be made"
    if not os.access(path, os.R_OK | os.W_OK):
        yield f"{path}: permission denied; it must be read and written by the daemon's user"
    try:
        if isinstance(held, Path) and held.exists() and path.samefile(held):
            return
        readable = may_be_sqlite(path)
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror}"
        return
    if not readable:
        yield f"{path}: not a SQLite database; name another file, or restore it from a backup"


def _folder_problem(path: Path) -> str:
    """Why nothing can be made in the folder of ``path``, whose folder is made where it is missing; "" if it can."""
    above = (parent for parent in path.absolute().parents if os.path.exists(parent))  # noqa: PTH110  never raises
    folder = next(above, Path("/"))  # nothing is above "/"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied; {folder} must be writable for the daemon's user"
    return ""
