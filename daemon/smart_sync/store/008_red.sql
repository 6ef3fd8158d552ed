-- Projects whose worksheet could not be read: since when (the first failed attempt after the last good read), why, and
-- since when they have been stale.  A good read removes the row.
CREATE TABLE unread_projects (
    project_id TEXT PRIMARY KEY, since TEXT NOT NULL, stale_since TEXT,
    reason TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Parsers that are failing: since when, why, and when that was told (NULL: not yet).
CREATE TABLE failing_parsers (
    parser TEXT PRIMARY KEY, since TEXT NOT NULL, told_at TEXT, reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- One row if Smart Sync made this file because there was none: when.
CREATE TABLE database_made (at TEXT NOT NULL);
