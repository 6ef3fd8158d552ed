-- Days whose digest was told, so that a restart does not repeat it.
-- day: the local day, as 2026-01-31.
-- told_at: when it was queued.
CREATE TABLE told_digests (day TEXT PRIMARY KEY, told_at TEXT NOT NULL) WITHOUT ROWID;

-- One row while passes cannot be run, as far as people were told: since when.
-- since: the first pass that could not be run.
CREATE TABLE failed_passes (since TEXT PRIMARY KEY) WITHOUT ROWID;
