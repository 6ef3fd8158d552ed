-- Our own tables and views.  Shared tables are made by shared.sql, and only where they are missing.
-- No foreign keys into the shared tables: the web app must stay free to delete what it owns.

-- The tables that every pass writes keep their rows by rowid, so that those of a project, which were made together,
-- lie together: with the key itself as the order (WITHOUT ROWID) each random id is another page to write.

-- The merged values: what the frontend reads.
-- {metric}: the merged value; 0 with a winner of NULL where nobody has ever given one.
-- {metric}_winner: which side gave the value: sheet, parsed, both, pinned, or carried (an older one stands in); NULL: none.
-- {metric}_changed_at: when the value last changed.
-- updated_at: when a pass last wrote the row.
CREATE TABLE account_metrics (
    account_id TEXT NOT NULL PRIMARY KEY,
    followers INTEGER NOT NULL, likes INTEGER NOT NULL, comments INTEGER NOT NULL,
    videos INTEGER NOT NULL, views INTEGER NOT NULL,
    followers_winner TEXT, likes_winner TEXT, comments_winner TEXT, videos_winner TEXT, views_winner TEXT,
    followers_changed_at TEXT NOT NULL, likes_changed_at TEXT NOT NULL, comments_changed_at TEXT NOT NULL,
    videos_changed_at TEXT NOT NULL, views_changed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

-- The last sheet values read; they stand in when Google is away.
-- {metric}: what the cell said; NULL: no value.
-- read_at: the read that brought these values; worksheet_reads.read_at has the last one that found them again.
-- worksheet, row: where the values stand, the row from 1 as the sheet shows it.
CREATE TABLE sheet_metrics (
    account_id TEXT NOT NULL PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, "row" INTEGER NOT NULL
);

-- The inbox: parsers, the web app and scripts upsert here.
-- {metric}: the newest parsed value; NULL: no value.
-- source: who says it, for people.
-- parsed_at: when it was parsed, UTC; the newer of two sources counts.
-- precision: exact, or rounded (12.4K as 12400); then the sheet wins where both round to the same.
CREATE TABLE parsed_metrics (
    account_id TEXT PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER,
    source TEXT NOT NULL DEFAULT '',
    parsed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    "precision" TEXT NOT NULL DEFAULT 'exact'
) WITHOUT ROWID;

-- What strategy "latest" compares with: the parsed values that the last pass saw.
-- {metric}: the parsed value that the last pass saw.
CREATE TABLE parsed_seen (
    account_id TEXT PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER
) WITHOUT ROWID;

-- One row per project: its last good read.
-- rows: rows with a link.
-- worksheet: its title then.
-- read_at: when it was read.
CREATE TABLE worksheet_reads (
    project_id TEXT PRIMARY KEY,
    worksheet TEXT NOT NULL, read_at TEXT NOT NULL, rows INTEGER NOT NULL
) WITHOUT ROWID;

-- What the reader learned about spreadsheets, e.g. the key behind a title.
-- name: what is remembered, such as the title of a spreadsheet.
-- value: the fact, such as its key.
CREATE TABLE spreadsheet_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Values that jumped against their own history, until they are confirmed, change again or have stood for a day.
-- old, new: the value before and now.
-- since: when it was found.
-- place: the cell, if it was typed.
CREATE TABLE suspects (
    account_id TEXT NOT NULL, metric TEXT NOT NULL,
    old INTEGER NOT NULL, new INTEGER NOT NULL, since TEXT NOT NULL, place TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, metric)
) WITHOUT ROWID;

-- The passes, as long as [history] keep.
-- id: run_id in the log.
-- trigger: startup, timer, socket or cli.
-- requested_by: who asked: uid and pid of the socket's peer.
-- finished_at: NULL: it is running, or was cut off.
-- projects, succeeded, failed, degraded: projects; the degraded ones are among the succeeded.
-- accounts, updated, changed: active accounts; those whose merged values were written; those whose values changed.
-- snapshots: new ones.
-- calls: to Google.
-- started_at: when the pass began.
CREATE TABLE sync_runs (
    id TEXT PRIMARY KEY,
    "trigger" TEXT NOT NULL, requested_by TEXT NOT NULL DEFAULT '',
    started_at TEXT NOT NULL, finished_at TEXT,
    projects INTEGER NOT NULL DEFAULT 0, succeeded INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    degraded INTEGER NOT NULL DEFAULT 0, accounts INTEGER NOT NULL DEFAULT 0, updated INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0, snapshots INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sync_runs_started_at ON sync_runs (started_at);

-- What became of each project in a pass.
-- run_id: sync_runs.id.
-- outcome: synced, unchanged, degraded or failed.
-- error: why, of a degraded or failed one.
-- accounts, sheet, parsed, updated, changed: active accounts; those read from the sheet; those with parsed values; those written; those whose values changed.
-- snapshots: new ones.
-- stages: a JSON object: stage → seconds.
-- problems: a JSON list of objects: worksheet, row, column, reason, value, code (of docs/faq.md), count (for how many it stands); versions before 1.0 wrote sentences.
-- project_name: the project's name then.
-- finished_at: when the project was done.
-- seconds: how long it took.
CREATE TABLE sync_project_runs (
    run_id TEXT NOT NULL, project_id TEXT NOT NULL, project_name TEXT NOT NULL,
    outcome TEXT NOT NULL, error TEXT NOT NULL DEFAULT '', finished_at TEXT NOT NULL,
    accounts INTEGER NOT NULL DEFAULT 0, sheet INTEGER NOT NULL DEFAULT 0, parsed INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, snapshots INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, stages TEXT NOT NULL DEFAULT '{}', problems TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run_id, project_id)
) WITHOUT ROWID;
CREATE INDEX sync_project_runs_project ON sync_project_runs (project_id, finished_at);
