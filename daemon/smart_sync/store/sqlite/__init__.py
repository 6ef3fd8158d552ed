"""SQLite as the store, through aiosqlite: the embedded default."""
