"""Which SQLite files lie in a folder: one of them may be meant."""

import contextlib
import itertools
import os
from pathlib import Path

_MAGIC = b"SQLite format 3\0"
#: Entries of a folder that are looked at for other databases.
MAX_LOOKED_AT = 200


def databases_beside(path: Path) -> list[str]:
    """The names of other SQLite files in the folder of ``path``, a few: one of them may be meant.

    ``path`` itself is not touched, by whatever name: it may be open here, see `service.preflight.obstacles`.
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
    with contextlib.suppress(OSError):
        return may_be_sqlite(path) and path.stat().st_size > 0
    return False


def may_be_sqlite(path: Path) -> bool:
    """Whether a file is an SQLite file or empty, which SQLite takes for a new one.  Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) in (b"", _MAGIC)
