-- Projects whose worksheet cannot be read.  A good read removes the row.
-- since: the first failed attempt after the last good read.
-- stale_since: since when it has been stale; NULL: it is not yet.
-- reason, remedy: why the worksheet cannot be read, and who must do what.
CREATE TABLE unread_projects (
    project_id TEXT PRIMARY KEY, since TEXT NOT NULL, stale_since TEXT,
    reason TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Parsers that are failing (since: their first bad pass after the last good one; told_at: when that was told), and
-- those that were (since NULL), with the time of their recovery; reason: why, of one that is well what it cannot read.
-- parser: its source.
-- since: of a failing one its first bad pass after the last good one.
-- told_at: when that was told.
-- recovered_at: when it last brought values again after it had failed.
-- reason: why it fails; of one that is well what of its source it cannot read.
-- projects: the names of those that it concerns.
CREATE TABLE parser_states (
    parser TEXT PRIMARY KEY, since TEXT, told_at TEXT, recovered_at TEXT, reason TEXT NOT NULL DEFAULT '',
    projects TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- One row if Smart Sync made this file because there was none: when.
-- at: when.
CREATE TABLE database_made (at TEXT NOT NULL);

-- Problems of worksheets that were told, by a hash of each.
-- problem: the hash.
CREATE TABLE told_problems (project_id TEXT, problem BLOB, PRIMARY KEY (project_id, problem)) WITHOUT ROWID;

-- outcome '': the project is well again.  told 0: its trouble must last for another pass before it is told.  ends: when the
-- last two troubles ended that were told, the newest first.
-- told: 0 while the trouble must last for another pass before it is told.
-- ends: when the last two troubles ended that were told, the newest first.
ALTER TABLE project_troubles ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
ALTER TABLE project_troubles ADD COLUMN ends TEXT NOT NULL DEFAULT '';
