"""Finds out in advance what will keep a daemon from starting.

Nothing is made, opened for writing or connected to; what only opening can tell, it still may.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from smart_sync.config import Settings
from smart_sync.config.database_url import Location, Server
from smart_sync.control import socket_file
from smart_sync.core.trouble_codes import Code
from smart_sync.errors import ConfigError, SocketUnusable
from smart_sync.logs import printable, redact
from smart_sync.store.sqlite import scratch_copy
from smart_sync.store.sqlite.driver import may_be_sqlite


class Obstacle(NamedTuple):
    """What will keep a daemon from starting, and what to do; ``trouble``: its code in docs/faq.md."""

    reason: str
    trouble: Code


def raise_for_obstacles(settings: Settings, held: Location | None = None) -> None:
    """Raise `ConfigError` with all `obstacles`, if there are any."""
    if problems := obstacles(settings, held):
        raise ConfigError(tuple(f"{key}: {obstacle.reason}" for key, obstacle in problems.items()))


def obstacles(settings: Settings, held: Location | None = None) -> dict[str, Obstacle]:
    """Configuration key → what will keep a daemon with these settings from starting.

    ``held`` is the database that this process has open: it must not be opened a second time, since closing a file
    gives up all locks that the process has on it.
    """
    control, where = settings.control, settings.database.where
    path = Path(os.path.realpath(where)) if isinstance(where, Path) else None
    problems = {
        "control.socket": next(_socket_problems(control.socket), None),
        "control.group": _group_problem(control.group),
        "database.path": next(_database_problems(path, held), None) if path else None,
    }
    unknown: dict[str, str] = {}
    if path and not problems["database.path"]:
        unknown = scratch_copy.unknown_at(path, dict(settings.sync.defaults))
    elif isinstance(where, Server):
        from smart_sync.store.postgres import server_inventory

        unknown = server_inventory.unknown_at(where, dict(settings.sync.defaults))
    # A name or a path may be any text.
    mistakes = {key: Obstacle(problem, "config-mistake") for key, problem in unknown.items()}
    return {
        printable(redact(key)): Obstacle(printable(redact(obstacle.reason)), obstacle.trouble)
        for key, obstacle in (problems | mistakes).items()
        if obstacle
    }


def _socket_problems(path: Path) -> Iterator[Obstacle]:
    size = len(os.fsencode(path))
    if size > socket_file.MAX_BYTES:
        limit = socket_file.MAX_BYTES
        yield Obstacle(
            f"{path}: too long for a socket ({size} bytes of {limit}); give a shorter path", "control-socket"
        )
    if problem := _folder_problem(path):
        yield Obstacle(f"{path}: {problem}", "control-socket")
    if problem := socket_file.obstacle_at(path):
        yield Obstacle(problem, "control-socket")


def _group_problem(group: str) -> Obstacle | None:
    try:
        socket_file.gid(group)
    except SocketUnusable as error:
        return Obstacle(str(error), "control-socket")
    return None


def _database_problems(path: Path, held: Location | None) -> Iterator[Obstacle]:
    if problem := _folder_problem(path):
        yield Obstacle(f"{path}: {problem}", "database-rights")
    if not os.path.exists(path):  # noqa: PTH110  never raises
        return
    if not os.path.isfile(path):  # noqa: PTH113  never raises
        yield Obstacle(f"{path}: not a file; name the SQLite file, or one that is to be made", "database-missing")
    if not os.access(path, os.R_OK | os.W_OK):
        reason = "permission denied; it must be read and written by the daemon's user"
        yield Obstacle(f"{path}: {reason}", "database-rights")
    try:
        if isinstance(held, Path) and held.exists() and path.samefile(held):
            return
        readable = may_be_sqlite(path)
    except OSError as error:
        yield Obstacle(f"{path}: cannot be read: {error.strerror}", "database-rights")
        return
    if not readable:
        reason = "not a SQLite database; name another file, or restore it from a backup"
        yield Obstacle(f"{path}: {reason}", "database-missing")


def _folder_problem(path: Path) -> str:
    """Why no file can be created at ``path``, whose folder is created if missing; "" if one can."""
    above = (parent for parent in path.absolute().parents if os.path.exists(parent))  # noqa: PTH110  never raises
    folder = next(above, Path("/"))  # nothing is above "/"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied; {folder} must be writable for the daemon's user"
    return ""
