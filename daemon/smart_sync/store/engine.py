"""The interface between the store and its engines: one SQL text, run by each engine in its way.

Writes go together, and where that is refused part by part: what one part does wrong costs no other part.

The text is SQLite's, as far as PostgreSQL takes it too (its functions of time are made there, in a schema of ours):
``?`` or ``?1`` for parameters, ``ON CONFLICT`` in place of ``INSERT OR …``, columns in ``DO UPDATE`` named with their
table, ``CASE`` in place of ``iif``, an alias for every subquery, ``flag = 1`` in place of ``flag``, ``CAST(? AS TEXT)
IS NULL``, ``BIGINT`` in place of ``INTEGER``, no scalar ``min`` or ``max``, no column that is not grouped by.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from smart_sync.aio.rate_limit import Limit
from smart_sync.errors import DatabaseUnusable, SmartSyncError


def upsert(table: str, columns: str, key: str) -> str:
    """The statement that inserts a row with all ``columns`` of a table, or replaces the one with its ``key``.

    Both are names, comma separated.
    """
    names, of_key = columns.split(", "), key.split(", ")
    rest = ", ".join(f"{name} = excluded.{name}" for name in names if name not in of_key)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT ({key}) DO UPDATE SET {rest}"
    )


class StoreError(Exception):
    """A database operation failed; the message is in the engine's own words.

    ``meaning`` is the same for the administrator, in one line: what happened, where, what to do.
    """

    def __init__(self, message: str, meaning: SmartSyncError) -> None:
        super().__init__(message)
        self.meaning = meaning


class Refused(StoreError):
    """This statement was refused (a type, a constraint, no such table): others may succeed."""


class TooSlow(Refused):
    """This query was cancelled at its time limit: it would be for other rows too."""


class Busy(StoreError):
    """Another process holds a lock for longer than we wait: no other row would succeed either."""


class Down(StoreError):
    """The whole database is in trouble (full, no permission, damaged, missing), not one row."""


class Lost(Down):
    """Another instance has taken over the writing; this one must write no more."""


def table_gone(table: str) -> str:
    """The error, with its remedy, for a table that existed before and is missing."""
    return f"the table {table} is gone; restore it from a backup, or finish the migration that has renamed it"


def newer_version(name: str, version: int, newest: int) -> DatabaseUnusable:
    """The error for a database ``name`` whose tables are of a ``version`` beyond the ``newest`` that is known."""
    known = f"schema {version}, this one knows {newest}"
    message = f"{name}: written by a newer Smart Sync ({known}); upgrade it, or restore the backup of before"
    return DatabaseUnusable(message, trouble="database-version")


#: Seconds of waiting for another process after which that is told.
LONG_WAIT = 5.0

#: The errors of the whole database: the transaction is to be given up.
OF_THE_WHOLE = (Busy, Down)


class Reader(Protocol):
    """Anything that can run queries: a `Database`, or an open `Transaction`."""

    @property
    def dialect(self) -> "Dialect":
        """The engine-specific parts of the SQL."""

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query. Raises `StoreError`, as all methods here do."""


class Dialect(Protocol):
    """The engine-specific parts: the catalogue, and creating tables."""

    #: The SQL that gives the bytes of the whole database.
    size: str

    def as_json(self, columns: str) -> str:
        """The SQL for one JSON text of the ``columns`` (their names) of all rows of a subquery, in order."""

    def as_text(self, column: str) -> str:
        """The SQL that compares a column of the web app's own table, of whatever type, with our texts."""

    async def columns(self, source: Reader, table: str) -> list[str]:
        """The names of the columns of a table; none if there is no such table."""

    async def made(self, source: Reader, name: str) -> tuple[str, str, str] | None:
        """What exists under ``name``, in any case: "table", "view" or "index", its name, and our text of a view."""

    async def is_unique(self, source: Reader, table: str, column: str) -> bool:
        """Whether a column is by itself the primary key of a table, or has a unique index over all rows."""

    async def has_index(self, source: Reader, table: str, column: str) -> bool:
        """Whether an index over all rows of a table starts with a column."""

    async def shape(self, source: Reader) -> str:
        """What `adopt` has gone by: another text once a table was changed. "" where nothing depends on it."""

    def making(self, statement: str, *, fresh: bool) -> str:
        """A statement of our SQL files in this engine's dialect; "" if it does not need it.

        ``fresh``: there are no rows yet that a migration could have to change.
        """

    async def prepare(self, transaction: "Transaction") -> None:
        """Create what the SQL text needs in the database."""

    async def adopt(self, transaction: "Transaction") -> None:
        """Make the shared tables readable with our types, whatever the web app's are."""

    async def show(self, transaction: "Transaction", name: str, view: str) -> None:
        """Create or replace the view ``name`` by the statement ``view``."""


class Transaction(Reader, Protocol):
    """An open write transaction."""

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows changed."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``rows``; return the number of rows changed.

        The rows may be made in a thread.  Of two rows for one key the last one counts.
        """

    @property
    def open(self) -> bool:
        """False once an error (a full disk, say) has ended the transaction on its own."""


class Database(Reader, Protocol):
    """An open database. Write transactions never overlap, neither in one instance nor between several."""

    #: How it is called in messages: a path, or an address without its password.
    name: str
    #: Whether it was made when it was opened, because there was none.
    created: bool

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction: committed as a whole, or rolled back whatever ends the block."""

    def steady(self) -> AbstractAsyncContextManager[None]:
        """Inside, all queries see the same committed state. For programs that only read and end."""

    async def glance(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for small results that a client waits for: never queued behind a pass's large reads."""

    async def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for a configured query: read-only, without our own snapshots, at most 60 s."""

    async def columns(self, sql: str) -> list[tuple[str, str]]:
        """The column names of `ask` with this query, which is prepared and thereby checked.

        Each with the SQL that reads it as a column of that name in our tables is read.
        """

    async def check_in_place(self) -> None:
        """Raise `DatabaseReplaced` if the path leads to another file, `NotLeading` if another instance leads."""

    async def check_access(self) -> None:
        """Raise `Refused` if rows of the web app's are hidden from us, which nothing else would say."""

    def locked_seconds(self) -> float:
        """How long another process has been locking us out, in seconds; 0 while it is too short to report."""

    def limit(self, name: str, calls: int, seconds: float) -> Limit | None:
        """The limit of the quota ``name``, shared by all processes on this database; None if only one uses it."""

    async def rest(self) -> None:
        """Release the memory that a pass used."""


def ignored() -> Refused:
    """The error for a row silently left out, as by RAISE(IGNORE), or RETURN NULL on a server."""
    message = "a rule of the table ignores the row"
    return Refused(message, SmartSyncError(message))


T = TypeVar("T")
R = TypeVar("R")


async def write_or_split(
    transaction: Transaction, whole: T, parts: Callable[[T], Iterable[T]], write: Callable[[T], Awaitable[R]]
) -> tuple[list[R], list[tuple[T, str]]]:
    """The results of ``write`` for the whole or for each part of it, and the refused parts with reasons.

    ``parts`` divides what was refused; a part that it cannot divide any further (it gives none) is left out, and leaves
    nothing behind.  Raises `StoreError` if the file is in trouble, or if it has ended the transaction, which must
    then be given up.
    """
    done, reason = await _try(transaction, whole, write)
    if not reason:
        return done, []
    refused, smaller = [], list(parts(whole))
    for part in smaller:
        more, worse = await write_or_split(transaction, part, parts, write)
        done += more
        refused += worse
    return done, refused if smaller else [(whole, reason)]


async def _try(transaction: Transaction, part: T, write: Callable[[T], Awaitable[R]]) -> tuple[list[R], str]:
    """The result of ``write``, or why ``part`` was refused."""
    await transaction.execute("SAVEPOINT part")
    try:
        done, reason = [await write(part)], ""
    except StoreError as error:
        if not transaction.open or isinstance(error, OF_THE_WHOLE):
            raise
        await transaction.execute("ROLLBACK TO part")
        done, reason = [], str(error) or type(error).__name__
    await transaction.execute("RELEASE part")
    return done, reason
