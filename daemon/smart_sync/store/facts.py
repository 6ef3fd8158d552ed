"""What the reader learned about spreadsheets and need not ask Google again, such as the key behind a title."""

from smart_sync.store.database import Database


class SpreadsheetFacts:
    """A small lasting dictionary in ``spreadsheet_facts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """The value remembered for ``name``."""
        rows = await self._database.fetch("SELECT value FROM spreadsheet_facts WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    async def put(self, name: str, value: str) -> None:
        """Remember ``value`` for ``name``."""
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO spreadsheet_facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )
