"""A database as version 4 of the schema left it, which is what is out there."""

import sqlite3
from contextlib import closing
from pathlib import Path

from smart_sync.store import schema

VERSION = 4


def schema_4(path: Path, *statements: str, version: int = VERSION) -> Path:
    """Make a database of schema 4 (or ``version``) at ``path``, with the rows that ``statements`` insert."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in ("shared.sql", *schema.MIGRATIONS[:version]):
            for statement in schema._statements(name):
                connection.execute(statement)
        connection.execute("CREATE TABLE smart_sync_schema (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO smart_sync_schema VALUES (?)", (version,))
        for statement in statements:
            connection.execute(statement)
    return path
