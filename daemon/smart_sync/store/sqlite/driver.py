"""The SQLite library: opening files, the meaning of errors, and recognising databases."""

import asyncio
import contextlib
import itertools
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smart_sync.errors import DatabaseError, DatabaseUnusable
from smart_sync.store.engine import Busy, Down, Refused, StoreError, TooSlow, table_gone

if TYPE_CHECKING:
    import aiosqlite

#: Seconds that a configured query may take.
MAX_ASKING = 60.0
#: Before this version two processes that write a WAL file can corrupt it.
WAL_SAFE_SINCE = (3, 51, 3)


#: Seconds that one who only looks waits for another process that has locked the file.
READING_PATIENCE = 5.0


def connect(
    path: Path,
    mode: Literal["ro", "rw", "rwc"] = "ro",
    *,
    timeout: float = READING_PATIENCE,
    any_thread: bool = False,
    own_transactions: bool = False,
) -> sqlite3.Connection:
    """The one way to open an SQLite file, whatever characters its path has. Raises `sqlite3.Error`.

    ``mode``: with "ro" nothing can be written, whatever it is told; with "rwc" the file is made where there is none.
    ``timeout``: seconds that a statement waits for another process.
    ``any_thread``: several take turns with it.  ``own_transactions``: none is begun but by BEGIN.
    """
    return sqlite3.connect(
        uri(path, mode),
        uri=True,
        timeout=timeout,
        check_same_thread=not any_thread,
        isolation_level=None if own_transactions else "DEFERRED",
    )


def uri(path: Path, mode: str) -> str:
    """The file as `connect` and ATTACH name it."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def version_at_risk() -> bool:
    """Whether the SQLite library in use has the WAL-reset bug."""
    return sqlite3.sqlite_version_info < WAL_SAFE_SINCE


def is_busy(error: Exception) -> bool:
    """Whether another connection has locked the file: worth a retry."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, sqlite3.OperationalError) and code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


#: Errors of the file as a whole: what one row could not do, no other row can.
_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL,
    }
)  # fmt: skip


def _is_of_the_file(error: Exception) -> bool:
    """Whether the whole file is in trouble (full, no permission, damaged, locked), not one row."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_FILE


#: How SQLite's driver refuses a query in whose result some TEXT is not valid UTF-8.
_UNDECODABLE = "Could not decode to UTF-8"


def readable(raw: bytes) -> str:
    """TEXT with replacement characters for invalid UTF-8. Used only if there is some: it doubles a query's time."""
    return raw.decode(errors="replace")


async def rows_of(connection: "aiosqlite.Connection", sql: str, parameters: Sequence[Any]) -> list[Any]:
    """All rows of a query, even if TEXT is invalid; an open transaction stays open."""
    try:
        return list(await connection.execute_fetchall(sql, parameters))
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_UNDECODABLE):
            raise
    connection.text_factory = readable
    return list(await connection.execute_fetchall(sql, parameters))


@contextlib.contextmanager
def translated_errors(path: Path, *, read_only: bool = False) -> Iterator[None]:
    """Inside, the driver's errors become `engine`'s."""
    try:
        yield
    except OverflowError as error:  # a number beyond SQLite's
        raise Refused(str(error), DatabaseError(f"{path}: {error}")) from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise translated(error, path, read_only=read_only) from error


def translated(error: Exception, path: Path, *, read_only: bool = False) -> StoreError:
    """A driver's error as one of `engine`."""
    kind = Busy if is_busy(error) else Down if _is_of_the_file(error) else Refused
    return kind(str(error) or type(error).__name__, (explain_reading if read_only else explain)(error, path))


@contextlib.asynccontextmanager
async def time_limit(connection: "aiosqlite.Connection", path: Path) -> AsyncIterator[None]:
    """Inside, a statement of ``connection`` may take `MAX_ASKING` seconds. Raises `TooSlow` after that.

    It ends, too, when nobody waits for it any more: else it would keep the connection, and the process, for ever.
    """
    try:
        async with asyncio.timeout(MAX_ASKING):
            yield
    except BaseException as error:
        await connection.interrupt()
        if isinstance(error, TimeoutError):
            late = f"no answer within {MAX_ASKING:g} s"
            raise TooSlow(late, DatabaseError(f"{path}: {late}")) from None
        raise


_NO_TABLE = re.compile(r"no such table: (?:\w+\.)?(\w+)")


def explain(error: Exception, path: Path) -> DatabaseError:
    """The meaning of a driver's error for the administrator, in one line."""
    text = str(error).lower()
    if is_busy(error):
        return DatabaseError(
            f"{path}: another process has held the database locked for too long; find it with fuser",
            trouble="database-locked",
        )
    if "is full" in text:
        return DatabaseError(
            f"{path}: the disk is full; free some space, the next pass writes what is missing", trouble="disk-full"
        )
    if "readonly" in text or "read-only" in text:
        return DatabaseError(
            f"{path}: read-only; give the daemon's user write permission for the file and its folder",
            trouble="database-rights",
        )
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return DatabaseUnusable(
            f"{path}: not an intact SQLite database ({error}); restore it from a backup", trouble="database-damaged"
        )
    if "disk i/o" in text:
        return _disk_refused(path, str(error))
    if "unable to open" in text:
        return DatabaseUnusable(
            f"{path}: cannot be opened; check that the folder exists and may be written to", trouble="database-rights"
        )
    if missing := _NO_TABLE.search(str(error)):
        return DatabaseError(f"{path}: {table_gone(missing[1])}", trouble="database-columns")
    return DatabaseError(f"{path}: {error}")


def explain_reading(error: Exception, path: Path) -> DatabaseError:
    """`explain` for a program that only reads and needs no write permission."""
    text = str(error).lower()
    if "unable to open" in text or "readonly" in text:
        return DatabaseError(
            f"{path}: SQLite has to make {path.name}-shm next to it, and this user may not;"
            " run it as the daemon's user, or while the daemon is running",
            trouble="database-rights",
        )
    return explain(error, path)


#: One line: "ok", or the first thing that is wrong with the file.
QUICK_CHECK = "PRAGMA quick_check(1)"


def damage(connection: sqlite3.Connection, path: Path) -> DatabaseError | None:
    """`explain_check` for SQLite's quick check of the open file."""
    return explain_check(connection.execute(QUICK_CHECK).fetchone()[0], path)


def explain_check(verdict: object, path: Path) -> DatabaseError | None:
    """The meaning of `QUICK_CHECK`'s result for the administrator; None if the file is intact.

    A page that could not be read just now says nothing of what it holds: no backup is called for.
    """
    verdict_line = " ".join(str(verdict).split())
    if verdict_line == "ok":
        return None
    code = _UNREAD_PAGE.search(verdict_line)
    if code is not None and int(code[1]) & 0xFF in _PASSING:
        return _disk_refused(path, verdict_line)
    return DatabaseUnusable(
        f"{path}: the file is corrupted ({verdict_line}); restore it from a backup", trouble="database-damaged"
    )


#: How SQLite's check says that a page could not be read: with SQLite's own code of why.
_UNREAD_PAGE = re.compile(r"error code[= ](\d{1,6})")
_PASSING = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def _disk_refused(path: Path, reason: str) -> DatabaseError:
    return DatabaseError(
        f"{path}: the disk refused ({reason}); see dmesg, the quota and the free space", trouble="database-damaged"
    )


_MAGIC = b"SQLite format 3\0"
#: Entries of a folder that are looked at for other databases.
MAX_LOOKED_AT = 200


def databases_beside(path: Path) -> list[str]:
    """The names of a few other SQLite files in the folder of ``path``, one of which may be meant.

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
    """Whether a file is an SQLite file, or empty, which SQLite treats as a new one. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) in (b"", _MAGIC)
