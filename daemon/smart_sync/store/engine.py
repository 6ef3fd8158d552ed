"""What the store asks of a database, whichever engine it is: one SQL text, and each engine's own way to run it.

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
from smart_sync.errors import SmartSyncError


def upsert(table: str, columns: str, key: str) -> str:
    """The statement that puts a row of ``columns`` (all there are) into a table, in place of the one with its ``key``.

    Both are names, comma separated.
    """
    names, of_key = columns.split(", "), key.split(", ")
    rest = ", ".join(f"{name} = excluded.{name}" for name in names if name not in of_key)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT ({key}) DO UPDATE SET {rest}"
    )


class StoreError(Exception):
    """The database has not done what it was told; says why in the engine's own words.

    ``meaning`` is the same for the administrator, in one line: what happened, where, what to do.
    """

    def __init__(self, message: str, meaning: SmartSyncError) -> None:
        super().__init__(message)
        self.meaning = meaning


class Refused(StoreError):
    """This statement was refused (a type, a constraint, no such table): another one, or another row, may be taken."""


class TooSlow(Refused):
    """This query was cut off after the time that it may take: it would be for other rows too."""


class Busy(StoreError):
    """Another process holds what is wanted, for longer than we wait: what one row could not do, no other can."""


class Down(StoreError):
    """The database as a whole is in trouble (no room, no right, damaged, not there), not one row."""


class Lost(Down):
    """Another instance does this now: it is for that one to write, and this one writes no more."""


def table_gone(table: str) -> str:
    """What is wrong, and to be done, where a table is missing that was there before."""
    return f"the table {table} is gone; restore it from a backup, or finish the migration that has renamed it"


#: Seconds of waiting for another process after which that is told.
LONG_WAIT = 5.0

#: The errors of the whole database: the transaction is to be given up.
OF_THE_WHOLE = (Busy, Down)


class Reader(Protocol):
    """Whatever can be asked: a `Database`, or an open `Transaction`."""

    @property
    def dialect(self) -> "Dialect":
        """How the engine names what the one text cannot."""

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query.  Raises `StoreError`, as everything here does."""


class Dialect(Protocol):
    """What each engine has its own way for: the catalogue, and making tables."""

    #: The SQL that gives the bytes of the whole database.
    size: str

    def as_json(self, columns: str) -> str:
        """The SQL that makes one JSON text of the ``columns`` (their names) of all rows of a subquery, in its order."""

    async def columns(self, source: Reader, table: str) -> list[str]:
        """The names of the columns of a table; none if there is no such table."""

    async def made(self, source: Reader, name: str) -> tuple[str, str, str] | None:
        """What bears a ``name``, whatever its case: "table", "view" or "index", its name, and our text of a view."""

    async def is_unique(self, source: Reader, table: str, column: str) -> bool:
        """Whether a column is by itself the primary key of a table, or has a unique index over all rows."""

    async def has_index(self, source: Reader, table: str, column: str) -> bool:
        """Whether an index over all rows of a table begins with a column."""

    def making(self, statement: str, *, fresh: bool) -> str:
        """A statement of our SQL files as this engine takes it; "" where it has no need of it.

        ``fresh``: there are no rows yet that a migration could have to change.
        """

    async def prepare(self, transaction: "Transaction") -> None:
        """Make what the one SQL text needs in the database."""

    async def adopt(self, transaction: "Transaction") -> None:
        """Let the shared tables be read with our types, whatever those of the web app's are."""

    async def show(self, transaction: "Transaction", name: str, view: str) -> None:
        """Let the view ``name`` be as the statement ``view`` makes it."""


class Transaction(Reader, Protocol):
    """The statements of one open write transaction."""

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; returns the number of rows it changed."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``rows``; returns the number of rows changed.

        The rows may be made in a thread.  Of two rows for one key the last one counts.
        """

    @property
    def open(self) -> bool:
        """False once an error (a full disk, say) has ended the transaction on its own."""


class Database(Reader, Protocol):
    """A database that is open.  Nobody writes in two transactions of one, or of two Smart Syncs, at once."""

    #: How it is called in messages: a path, or an address without its password.
    name: str
    #: Whether it was made when it was opened, because there was none.
    created: bool

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction: committed as a whole, or rolled back whatever ends the block."""

    def steady(self) -> AbstractAsyncContextManager[None]:
        """Inside, every query sees one and the same committed state.  For programs that only read and end."""

    async def glance(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for small answers, for which a client waits: never queued behind the large reads of a pass."""

    async def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """`fetch` for a configured query: it can look and nothing else, sees no snapshots of ours, and has 60 s."""

    async def columns(self, sql: str) -> list[str]:
        """The names of the columns that `ask` would give; it is prepared, so what it cannot be is known."""

    async def check_in_place(self) -> None:
        """Raise `DatabaseReplaced` if others no longer find what is open, `NotLeading` if another instance leads."""

    def locked_seconds(self) -> float:
        """Seconds for which another process has kept us from it, once they are worth telling; else 0."""

    def limit(self, name: str, calls: int, seconds: float) -> Limit | None:
        """The limit of the quota ``name`` that all processes on this database share; None: one process is alone."""

    async def rest(self) -> None:
        """A pass is over: give back what it has left in memory."""


def ignored() -> Refused:
    """The error for a row that was left out without one, as by RAISE(IGNORE), or RETURN NULL on a server."""
    message = "a rule of the table ignores the row"
    return Refused(message, SmartSyncError(message))


T = TypeVar("T")
R = TypeVar("R")


async def write_or_split(
    transaction: Transaction, whole: T, parts: Callable[[T], Iterable[T]], write: Callable[[T], Awaitable[R]]
) -> tuple[list[R], list[tuple[T, str]]]:
    """What ``write`` returned, for the whole or for each part of it, and the parts that were refused, with the reason.

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
    """What ``write`` returned, or why ``part`` was refused."""
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
