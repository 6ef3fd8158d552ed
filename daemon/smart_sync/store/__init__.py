"""SQLite, through aiosqlite: schema, migrations, queries."""
