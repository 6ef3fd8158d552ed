"""The database, a SQLite file or one of a PostgreSQL server: schema, migrations, queries in one SQL text."""
