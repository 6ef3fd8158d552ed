"""SQLite's catalogue, and opening a file: new, intact, ours to create."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from smart_sync.errors import DatabaseUnusable
from smart_sync.store.engine import Reader, Transaction
from smart_sync.store.sqlite.driver import QUICK_CHECK, explain_check

if TYPE_CHECKING:
    from smart_sync.store.sqlite.database import SqliteDatabase

_UNIQUE = """
SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 AND pk = 1 AND (SELECT max(pk) FROM pragma_table_info(?1)) = 1
UNION ALL
SELECT 1 FROM pragma_index_list(?1) i WHERE i."unique" AND NOT i.partial
   AND (SELECT group_concat(name) FROM pragma_index_info(i.name)) = ?2
"""
_INDEXED = """
SELECT 1 FROM pragma_index_list(?1) i WHERE NOT i.partial
AND (SELECT name FROM pragma_index_info(i.name) WHERE seqno = 0) = ?2 LIMIT 1
"""
#: Column of ids → whether it has no affinity and holds numbers.
UNTYPED_IDS = {
    f"{table}.{column}": f"SELECT 1 FROM pragma_table_info('{table}') WHERE name = '{column}'"
    " AND (type = '' OR type LIKE '%BLOB%')"
    f" AND EXISTS (SELECT 1 FROM {table} WHERE typeof({column}) IN ('integer', 'real'))"
    for table, column in (
        ("projects", "id"),
        ("project_social_accounts", "id"),
        ("project_social_accounts", "project_id"),
    )
}


def untyped(column: str) -> DatabaseUnusable:
    """The error for an untyped id ``column`` with numbers, which no text equals."""
    return DatabaseUnusable(
        f"{column} holds numbers and has no type, so that no row is found by it; give it TEXT or INTEGER",
        trouble="database-columns",
    )


class SqliteDialect:
    """`engine.Dialect` for SQLite."""

    size = "(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)"

    def as_json(self, columns: str) -> str:
        """The SQL for one JSON text of the ``columns`` of all rows of a subquery, in order."""
        return f"json_group_array(json_array({columns}))"

    def as_text(self, column: str) -> str:
        """The column itself: SQLite compares by what is stored."""
        return column

    async def columns(self, source: Reader, table: str) -> list[str]:
        """The names of the columns of a table, generated ones too; none if there is no such table."""
        shown = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden != 1"
        return [row[0] for row in await source.fetch(shown, (table,))]

    async def made(self, source: Reader, name: str) -> tuple[str, str, str] | None:
        """What exists under ``name``, in any case: "table", "view" or "index", its name, and a view's text."""
        rows = await source.fetch("SELECT type, name, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE", (name,))
        return (str(rows[0][0]), str(rows[0][1]), str(rows[0][2])) if rows else None

    async def is_unique(self, source: Reader, table: str, column: str) -> bool:
        """Whether a column is by itself the primary key of a table, or has a unique index over all rows."""
        return bool(await source.fetch(_UNIQUE, (table, column)))

    async def has_index(self, source: Reader, table: str, column: str) -> bool:
        """Whether an index over all rows of a table begins with a column."""
        return bool(await source.fetch(_INDEXED, (table, column)))

    async def shape(self, source: Reader) -> str:
        """Nothing: a column's type changes nothing."""
        return ""

    def making(self, statement: str, *, fresh: bool) -> str:
        """The statement unchanged: our SQL files are in SQLite's dialect."""
        return statement

    async def prepare(self, transaction: Transaction) -> None:
        """Nothing: the SQL text is SQLite's."""

    async def adopt(self, transaction: Transaction) -> None:
        """Refuse numeric ids in a column without a type: in SQLite values have types, columns need none."""
        for column, sql in UNTYPED_IDS.items():
            if await transaction.fetch(sql):
                raise untyped(column)

    async def show(self, transaction: Transaction, name: str, view: str) -> None:
        """Create or replace the view ``name`` by the statement ``view``."""
        existing = await self.made(transaction, name)
        if existing is not None and existing[::2] == ("view", view):
            return
        await transaction.execute(f"DROP VIEW IF EXISTS {name}")
        await transaction.execute(view)


def is_new(path: Path) -> bool:
    """Whether the file is empty; a missing one is created, with its folder. Raises `DatabaseUnusable`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(
            f"{path.parent}: cannot be created: {error.strerror}; check [database] path", trouble="database-rights"
        ) from None
    if path.exists() and not path.is_file():
        raise DatabaseUnusable(f"{path}: not a file; check [database] path", trouble="database-missing")
    if not path.exists():
        # The umask says who else may write.  SQLite would let the owner alone, and its -wal and -shm follow the file.
        with contextlib.suppress(OSError):  # SQLite says why
            path.touch()
        return True
    return path.stat().st_size == 0


async def prepare_file(database: "SqliteDatabase") -> None:
    """Set WAL mode for a new file; refuse a damaged one; leave the journal mode of others."""
    if database.created:
        await database.execute("PRAGMA journal_mode = WAL")
    else:
        verdict = (await database.fetch(QUICK_CHECK))[0][0]
        if trouble := explain_check(verdict, database.path):
            raise trouble
    # FULL: what a pass has acknowledged survives a power cut.
    await database.execute("PRAGMA synchronous = FULL")
