-- What cells said before: each edit of a number that a pass has found, by the pass's time (read_at).  NULL: nothing readable.
CREATE TABLE sheet_edits (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, cell TEXT NOT NULL
);
CREATE INDEX sheet_edits_of_account ON sheet_edits (account_id, metric, read_at);
CREATE INDEX sheet_edits_by_age ON sheet_edits (read_at);
