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
