-- Days whose digest was told, so that a restart does not repeat it.
CREATE TABLE told_digests (day TEXT PRIMARY KEY, told_at TEXT NOT NULL) WITHOUT ROWID;

-- One row while passes cannot be run, as far as people were told: since when.
CREATE TABLE failed_passes (since TEXT PRIMARY KEY) WITHOUT ROWID;
