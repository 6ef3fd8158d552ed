"""Smart Sync: keeps a view counter's SQLite database in step with Google Sheets and parsed numbers."""

__version__ = "0.1.0"
