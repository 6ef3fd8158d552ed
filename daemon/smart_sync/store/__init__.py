"""The database, an SQLite file or a PostgreSQL server's: schema, migrations, queries in one SQL text."""
