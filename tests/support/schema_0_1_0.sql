-- The schema of 0.1.0, as its first passes made it: the shared tables, and our own at version 1.
-- The tables shared with the web app: made only where it has not made them.  Never altered, never dropped.
-- The indexes are made only together with their table.

CREATE TABLE projects (
    id TEXT PRIMARY KEY, name TEXT, google_sheet_name TEXT, start_date TEXT, end_date TEXT,
    target_views INTEGER, geo TEXT, kpi_views INTEGER, created_at TEXT,
    is_active INTEGER DEFAULT 1, is_finished INTEGER DEFAULT 0, allowed_platforms TEXT, last_admin_update TEXT
);

CREATE TABLE project_social_accounts (
    id TEXT PRIMARY KEY, project_id TEXT, platform TEXT, username TEXT, profile_link TEXT,
    status TEXT, topic TEXT, telegram_user TEXT, added_at TEXT, is_active INTEGER DEFAULT 1,
    UNIQUE (project_id, profile_link)
);

CREATE TABLE account_snapshots (
    id TEXT PRIMARY KEY, account_id TEXT,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER, snapshot_time TEXT
);
CREATE INDEX account_snapshots_account_time ON account_snapshots (account_id, snapshot_time);
-- Our own tables and views.  Shared tables are made by shared.sql, and only where they are missing.
-- No foreign keys into the shared tables: the web app must stay free to delete what it owns.

-- The merged values: what the frontend reads.  A metric's winner says which side gave the value
-- (sheet, parsed, both, carried; NULL: nobody had one), its changed_at when the value last changed.
CREATE TABLE account_metrics (
    account_id TEXT PRIMARY KEY,
    followers INTEGER NOT NULL, likes INTEGER NOT NULL, comments INTEGER NOT NULL,
    videos INTEGER NOT NULL, views INTEGER NOT NULL,
    followers_winner TEXT, likes_winner TEXT, comments_winner TEXT, videos_winner TEXT, views_winner TEXT,
    followers_changed_at TEXT NOT NULL, likes_changed_at TEXT NOT NULL, comments_changed_at TEXT NOT NULL,
    videos_changed_at TEXT NOT NULL, views_changed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) WITHOUT ROWID;

-- The last sheet values read; they stand in when Google is away.  read_at is the read that brought
-- these values; worksheet_reads.read_at the last one that found them again.
CREATE TABLE sheet_metrics (
    account_id TEXT PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, "row" INTEGER NOT NULL
) WITHOUT ROWID;

-- The inbox: parsers, the web app and scripts upsert here.  NULL means no value.
CREATE TABLE parsed_metrics (
    account_id TEXT PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER,
    source TEXT NOT NULL DEFAULT '',
    parsed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    "precision" TEXT NOT NULL DEFAULT 'exact'
) WITHOUT ROWID;

-- What strategy "latest" compares with: the parsed values that the last pass saw.
CREATE TABLE parsed_seen (
    account_id TEXT PRIMARY KEY,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER
) WITHOUT ROWID;

-- One row per project: its last good read, and the fingerprint of all that the pass decided from.
CREATE TABLE worksheet_reads (
    project_id TEXT PRIMARY KEY,
    worksheet TEXT NOT NULL, read_at TEXT NOT NULL, rows INTEGER NOT NULL, fingerprint BLOB
) WITHOUT ROWID;

-- What the reader learned about spreadsheets, e.g. the key behind a title.
CREATE TABLE spreadsheet_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Values that jumped against their own history, until they are confirmed, change again or have stood for a day.
CREATE TABLE suspects (
    account_id TEXT NOT NULL, metric TEXT NOT NULL,
    old INTEGER NOT NULL, new INTEGER NOT NULL, since TEXT NOT NULL, place TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, metric)
) WITHOUT ROWID;

CREATE TABLE sync_runs (
    id TEXT PRIMARY KEY,
    "trigger" TEXT NOT NULL, requested_by TEXT NOT NULL DEFAULT '',
    started_at TEXT NOT NULL, finished_at TEXT,
    projects INTEGER NOT NULL DEFAULT 0, succeeded INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    degraded INTEGER NOT NULL DEFAULT 0, accounts INTEGER NOT NULL DEFAULT 0, updated INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0, snapshots INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sync_runs_started_at ON sync_runs (started_at);

CREATE TABLE sync_project_runs (
    run_id TEXT NOT NULL, project_id TEXT NOT NULL, project_name TEXT NOT NULL,
    outcome TEXT NOT NULL, error TEXT NOT NULL DEFAULT '', finished_at TEXT NOT NULL,
    accounts INTEGER NOT NULL DEFAULT 0, sheet INTEGER NOT NULL DEFAULT 0, parsed INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, snapshots INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, stages TEXT NOT NULL DEFAULT '{}', problems TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run_id, project_id)
) WITHOUT ROWID;
CREATE INDEX sync_project_runs_project ON sync_project_runs (project_id, finished_at);

-- Each UTC day against the day before.  A gap in days gives no delta; of several snapshots of a day the last counts.
CREATE VIEW account_growth AS
WITH last_of_day AS (
    SELECT account_id, date(snapshot_time) AS day, followers, likes, comments, videos, views,
           row_number() OVER (PARTITION BY account_id, date(snapshot_time) ORDER BY datetime(snapshot_time) DESC, id) AS nth
    FROM account_snapshots
), beside_the_last AS (
    SELECT *, lag(day) OVER before AS last_day,
           lag(followers) OVER before AS last_followers, lag(likes) OVER before AS last_likes,
           lag(comments) OVER before AS last_comments, lag(videos) OVER before AS last_videos,
           lag(views) OVER before AS last_views
    FROM last_of_day WHERE nth = 1 AND day IS NOT NULL
    WINDOW before AS (PARTITION BY account_id ORDER BY day)
)
SELECT account_id, day,
       followers, CASE WHEN last_day = date(day, '-1 day') THEN followers - last_followers END AS followers_delta,
       likes,     CASE WHEN last_day = date(day, '-1 day') THEN likes - last_likes END AS likes_delta,
       comments,  CASE WHEN last_day = date(day, '-1 day') THEN comments - last_comments END AS comments_delta,
       videos,    CASE WHEN last_day = date(day, '-1 day') THEN videos - last_videos END AS videos_delta,
       views,     CASE WHEN last_day = date(day, '-1 day') THEN views - last_views END AS views_delta
FROM beside_the_last;
