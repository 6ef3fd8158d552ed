"""Looking before the leap: what will keep a daemon from starting, as far as that can be told by looking.

Nothing is made, opened for writing or connected to; what only opening can tell, it still may.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from smart_sync.config import Settings
from smart_sync.control import socket_file
from smart_sync.core.results.health import Facts, no_projects
from smart_sync.errors import ConfigError, SocketUnusable
from smart_sync.logs import printable
from smart_sync.store import new_rows
from smart_sync.store.overview import standing
from smart_sync.sync.project import Resources

_MAGIC = b"SQLite format 3\0"
#: Entries of a folder that are looked at for other databases.
MAX_LOOKED_AT = 200


def demand_none(settings: Settings, held: Path | None = None) -> None:
    """Raise `ConfigError` with all `obstacles`, if there are any."""
    if found := obstacles(settings, held):
        raise ConfigError(tuple(f"{key}: {problem}" for key, problem in found.items()))


def obstacles(settings: Settings, held: Path | None = None) -> dict[str, str]:
    """Key → what will keep a daemon with these settings from starting, and what to do.

    ``held`` is the database that this process has open: it must not be opened beside SQLite, since closing a file
    gives up all locks that the process has on it.
    """
    control, path = settings.control, Path(os.path.realpath(settings.database.path))
    found = {
        "control.socket": next(_of_socket(control.socket), ""),
        "control.group": _of_group(control.group),
        "database.path": next(_of_database(path, held), ""),
    }
    if not found["database.path"]:
        found |= new_rows.unknown_at(path, dict(settings.sync.defaults))
    # A name or a path may be any text.
    return {key: printable(problem) for key, problem in found.items() if problem}


def _of_socket(path: Path) -> Iterator[str]:
    size = len(os.fsencode(path))
    if size > socket_file.MAX_BYTES:
        yield f"{path}: too long for a socket ({size} bytes of {socket_file.MAX_BYTES}); give a shorter path"
    if problem := _of_folder(path):
        yield f"{path}: {problem}"
    if problem := socket_file.in_the_way(path):
        yield problem


def _of_group(group: str) -> str:
    try:
        socket_file.gid(group)
    except SocketUnusable as error:
        return str(error)
    return ""


def _of_database(path: Path, held: Path | None) -> Iterator[str]:
    if problem := _of_folder(path):
        yield f"{path}: {problem}"
    if not os.path.exists(path):  # noqa: PTH110  never raises
        return
    if not os.path.isfile(path):  # noqa: PTH113  never raises
        yield f"{path}: not a file; name the SQLite file, or one that is to be made"
    if not os.access(path, os.R_OK | os.W_OK):
        yield f"{path}: permission denied; it must be read and written by the daemon's user"
    try:
        if held is not None and held.exists() and path.samefile(held):
            return
        with path.open("rb") as file:
            beginning = file.read(len(_MAGIC))
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror}"
        return
    if beginning not in (b"", _MAGIC):
        yield f"{path}: not a SQLite database; name another file, or restore it from a backup"


def databases_beside(path: Path) -> list[str]:
    """The names of other SQLite files in the folder of ``path``, a few: one of them may be meant.

    ``path`` itself is not touched, by whatever name: it may be open here, see `obstacles`.
    """
    with contextlib.suppress(OSError), os.scandir(path.absolute().parent) as entries:
        looked_at = list(itertools.islice(entries, MAX_LOOKED_AT))
        return sorted(entry.name for entry in looked_at if _is_other_database(entry, path))[:5]
    return []


def _is_other_database(entry: os.DirEntry[str], path: Path) -> bool:
    if entry.name.endswith(("-wal", "-shm", "-journal", ".lock")) or not entry.is_file():
        return False
    same = path.exists() and os.path.samestat(entry.stat(), path.stat())
    return not same and _is_sqlite(Path(entry.path))


def _is_sqlite(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
    return False


async def tell_of_projects(resources: Resources) -> None:
    """Log that the database was made just now, and that it has no projects which nothing will add."""
    path = resources.settings.database.path
    if resources.database.created:
        others = await asyncio.to_thread(databases_beside, path)
        beside = f"; beside it there is {', '.join(others)}" if others else ""
        resources.announce("database.created", path=str(path), reason=f"there was no database{beside}")
    stands = await standing(resources.database)
    creates = resources.settings.sync.create_missing == "projects"
    made = str(path) if stands.made_at else ""
    missing = no_projects(Facts(projects=stands.projects, creates_projects=creates, made_database=made))
    if missing:
        resources.announce("projects.missing", reason=missing)


def _of_folder(path: Path) -> str:
    """Why nothing can be made beside ``path``, whose folder is made where it is missing; "" if it can."""
    folder = next(parent for parent in path.absolute().parents if os.path.exists(parent))  # noqa: PTH110  never raises
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"permission denied; {folder} must be writable for the daemon's user"
    return ""
