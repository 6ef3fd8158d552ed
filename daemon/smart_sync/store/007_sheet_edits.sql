-- What cells said before: each edit of a number that a pass has found, by the pass's time (read_at).  NULL: nothing readable.
CREATE TABLE sheet_edits (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, cell TEXT NOT NULL
);
CREATE INDEX sheet_edits_of_account ON sheet_edits (account_id, metric, read_at);
CREATE INDEX sheet_edits_by_age ON sheet_edits (read_at);

-- Snapshots of past days that a person has mended: what they said before, and when that was.
CREATE TABLE snapshot_repairs (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, day TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE INDEX snapshot_repairs_of_account ON snapshot_repairs (account_id);
