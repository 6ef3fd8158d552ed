"""The days of ``[schedule] timezone`` as a table, ``clock_changes``, so that any client can compute them."""

import sqlite3
from contextlib import closing

from smart_sync.config.database_url import Location, Server
from smart_sync.core.days import clock_changes
from smart_sync.store.engine import Database, Transaction
from smart_sync.store.sqlite.driver import connect


def local_day(moment: str) -> str:
    """The SQL for the local day of the SQL expression ``moment``, as in the view ``account_growth``."""
    return (
        f"date(datetime({moment}), coalesce((SELECT ahead FROM clock_changes"
        f" WHERE since <= datetime({moment}) ORDER BY since DESC LIMIT 1), '+0 seconds'))"
    )


_ORDER = ("datetime(snapshot_time)", "strftime('%f', snapshot_time)", "replace(snapshot_time, 'T', ' ')")
#: The SQL terms that order snapshots by their time, whatever its notation (`datetime` cuts fractions of a second off),
#: and the other way round.
IN_ORDER, NEWEST_FIRST = ", ".join(_ORDER), ", ".join(f"{term} DESC" for term in _ORDER)


async def set_clocks(transaction: Transaction, timezone: str) -> None:
    """Make the days of all snapshots, old ones too, those of ``timezone``."""
    wanted = clock_changes(timezone)
    if await transaction.fetch("SELECT since, ahead FROM clock_changes ORDER BY since") != [*wanted]:
        await transaction.execute("DELETE FROM clock_changes")
        await transaction.execute_many("INSERT INTO clock_changes (since, ahead) VALUES (?, ?)", wanted)
    if await transaction.fetch("SELECT name FROM clock_zone") != [(timezone,)]:
        await transaction.execute("DELETE FROM clock_zone")
        await transaction.execute("INSERT INTO clock_zone (name) VALUES (?)", (timezone,))


def zone_of(where: Location) -> str | None:
    """The time zone of the days in the database at ``where``; None if not set yet, or the file is unreadable.

    Raises `SmartSyncError` where a server does not answer: with another zone its days would be moved.
    """
    if isinstance(where, Server):
        from smart_sync.store.postgres.server_inventory import asked

        rows = asked(where, "SELECT name FROM clock_zone")
        return str(rows[0][0]) if rows else None
    try:
        with closing(connect(where)) as connection:
            return next((str(name) for (name,) in connection.execute("SELECT name FROM clock_zone")), None)
    except sqlite3.Error:
        return None


async def day_at(database: Database, at: str) -> str:
    """The day of the stamp ``at`` by the database's time zone."""
    rows = await database.fetch(f"SELECT {local_day('?1')}", (at,))
    return str(rows[0][0])
