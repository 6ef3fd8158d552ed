"""Facts about spreadsheets that need not be asked again, such as the key for a title."""

import contextlib

from smart_sync.store.engine import Database, StoreError


class SpreadsheetCache:
    """A persistent key-value store in ``spreadsheet_facts``.

    Only a cache: where the table cannot be read or written, nothing is known, and Google is asked again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """The value stored for ``name``, if there is a readable one."""
        try:
            rows = await self._database.fetch("SELECT value FROM spreadsheet_facts WHERE name = ?", (name,))
        except StoreError:
            return None
        return rows[0][0] if rows else None

    async def put(self, name: str, value: str) -> None:
        """Store ``value`` for ``name`` if possible."""
        with contextlib.suppress(StoreError):
            async with self._database.transaction() as transaction:
                await transaction.execute(
                    "INSERT INTO spreadsheet_facts VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (name, value),
                )
