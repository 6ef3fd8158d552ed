"""Inspects a web app's database on a server before Smart Sync writes to it; read-only."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from smart_sync.config.database_url import Server
from smart_sync.errors import SmartSyncError
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.server_connection import CONNECTING, require_library
from smart_sync.store.postgres.sqlstates import translated
from smart_sync.store.projects import TABLES, Given
from smart_sync.store.schema import REQUIRED
from smart_sync.store.sqlite.inventory import Inventory, moment_of
from smart_sync.store.sqlite.scratch_copy import unknown_among

_UNIQUE_LINKS = """
SELECT 1 FROM pg_index i WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indpred IS NULL
AND (SELECT array_agg(CAST(a.attname AS text) ORDER BY a.attname) FROM pg_attribute a
     WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) = ARRAY['profile_link', 'project_id']
"""
_TRIGGERS = """
SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgrelid = to_regclass(?) AND NOT t.tgisinternal ORDER BY 1
"""
_REFERENCES = """
SELECT CAST(k.conrelid AS regclass) || '.' || a.attname FROM pg_constraint k
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.confrelid = to_regclass(?) ORDER BY 1
"""
_SPREADSHEETS = (
    "SELECT google_sheet_name FROM {table} WHERE google_sheet_name > '' GROUP BY 1 ORDER BY count(*) DESC, 1"
)
#: Of a column of texts: those that a time in ISO 8601 begins, and those with a zone that is not that of UTC.
_ISO = r"CAST(snapshot_time AS text) ~ '^\d{4}-\d\d-\d\d([ T]\d\d:\d\d|$)'"
_ZONED = r"CAST(snapshot_time AS text) ~ '[-+]\d\d:\d\d$' AND CAST(snapshot_time AS text) !~ '[-+]00:00$'"
_COLUMNS = """
SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid IN (to_regclass('projects'), to_regclass('project_social_accounts')) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def unknown_at(server: Server, defaults: Given) -> dict[str, str]:
    """`scratch_copy.unknown_at` for a server's tables; called outside any event loop."""
    wanted = {section: values for section, values in defaults.items() if values}
    if not wanted:
        return {}
    columns: dict[str, list[str]] = {}
    with suppress(SmartSyncError):  # what is wrong with the server is reported where it is opened
        for table, column in asked(server, _COLUMNS):
            columns.setdefault(next(section for section, name in TABLES.items() if name == table), []).append(column)
        return unknown_among(columns, wanted)
    return {}


def asked(server: Server, sql: str) -> list[Any]:
    """The rows of a query from outside any event loop; none if the table does not exist.

    Raises `SmartSyncError` where the server does not answer.
    """
    require_library()
    import psycopg

    try:
        with psycopg.connect(
            server.url.get_secret_value(), connect_timeout=CONNECTING, application_name="smart-sync"
        ) as connection:
            return connection.execute(sql).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise translated(error, server.name, broken=True).meaning from None


async def take(server: Server, now: datetime) -> Inventory:
    """Inspect the database of ``server``. Raises `StoreError` and `DatabaseUnusable`."""
    async with PostgresDatabase(server, read_only=True) as database, database.steady():
        dialect = database.dialect
        known = {table: await dialect.types(database, table) for table in REQUIRED}
        shared = {table: f"{dialect.schema}.{table}" for table, columns in known.items() if columns}
        types = {table: {name: kind for name, kind, _ in columns} for table, columns in known.items()}

        async def column(sql: str, *parameters: Any) -> list[Any]:
            return [row[0] for row in await database.fetch(sql, parameters)]

        triggers: dict[str, str] = {}
        references: list[str] = []
        for name in shared.values():
            triggers |= {str(row[0]): str(row[1]) for row in await database.fetch(_TRIGGERS, (name,))}
            references += [str(one) for one in await column(_REFERENCES, name)]
        accounts = shared.get("project_social_accounts")
        spreadsheets = "google_sheet_name" in types["projects"]
        stamp, unreadable, zoned = "", 0, ""
        if (kind := types["account_snapshots"].get("snapshot_time", "")) and (table := shared["account_snapshots"]):
            utc = " AT TIME ZONE 'UTC'" if kind == "timestamp with time zone" else ""
            where = "" if kind.startswith("timestamp") else f" WHERE {_ISO}"
            (stamp,) = await column(f"SELECT CAST(max(snapshot_time{utc}) AS text) FROM {table}{where}")
            if where:
                (unreadable,) = await column(f"SELECT count(*) FROM {table} WHERE NOT coalesce({_ISO}, false)")
                (zoned,) = await column(f"SELECT max(CAST(snapshot_time AS text)) FROM {table} WHERE {_ZONED}")
        return Inventory(
            journal_mode="",
            rows={table: (await column(f"SELECT count(*) FROM {name}"))[0] for table, name in shared.items()},
            id_types={table: (types[table]["id"],) for table in shared if "id" in types[table]},
            adopted=bool(await dialect.columns(database, "account_metrics"))
            and bool(await dialect.columns(database, "smart_sync_schema")),
            unique_links=bool(await column(_UNIQUE_LINKS, accounts)) if accounts else True,
            triggers=triggers,
            references=tuple(references),
            spreadsheets=tuple(await column(_SPREADSHEETS.format(table=shared["projects"]))) if spreadsheets else (),
            newest_stamp=str(stamp or ""),
            newest_at=moment_of(str(stamp or "")),
            unreadable_stamps=unreadable,
            zoned_stamp=str(zoned or ""),
            written_at=now,
        )
