-- What the sheet said before: one row per cell that a read found changed; of an account, metric and hour four at the
-- most, the last of which later ones update.  Kept as long as [history] keep.
-- old, new: what the cell said before, and then; NULL: no value.
-- read_at: the read that found it.
-- worksheet, cell: where.
-- seq: the order in which they were found.
CREATE TABLE sheet_edits (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, cell TEXT NOT NULL
);
CREATE INDEX sheet_edits_of_account ON sheet_edits (account_id, metric, read_at);
CREATE INDEX sheet_edits_by_age ON sheet_edits (read_at);

-- What `smart-sync snapshots repair` has changed in a past day's row of ours.
-- seq: the order in which they were made.
-- day: the local day, as 2026-01-31.
-- old, new: the value before and after.
-- at: when it was changed.
CREATE TABLE snapshot_repairs (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, day TEXT NOT NULL, metric TEXT NOT NULL,
    old INTEGER, new INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE INDEX snapshot_repairs_account ON snapshot_repairs (account_id);

-- Stretches in which a last value stood in, and which have ended on a later day than they began.
-- metrics: which ones, comma separated.
-- ended_at: the pass that found a value again.
CREATE TABLE carried_stretches (
    account_id TEXT NOT NULL, ended_at TEXT NOT NULL, metrics TEXT NOT NULL,
    PRIMARY KEY (account_id, ended_at)
) WITHOUT ROWID;
