-- Passes that were asked for at the socket of a daemon that stands by: the one that leads runs them, and answers here.
CREATE TABLE sync_requests (
    id TEXT PRIMARY KEY,
    project_id TEXT,                    -- NULL: all
    dry_run INTEGER NOT NULL DEFAULT 0,
    asked_by TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    status INTEGER,                     -- HTTP's; NULL until there is an answer
    answer TEXT                         -- JSON
);
