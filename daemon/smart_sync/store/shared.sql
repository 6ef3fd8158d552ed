-- The tables shared with the web app: made only where it has not made them.  Never altered, never dropped.
-- The indexes are made only together with their table.
-- The defaults are for readers that compute with every column: nothing is NULL that a new project has no value for.  The
-- dates hold everything, so they are as good as none; a target or KPI of 0 is none.

-- name: the title of its worksheet.
-- google_sheet_name: '' or the spreadsheet that [sheets.spreadsheets] names.
-- start_date, end_date: the campaign's first and last day, as 2026-01-31; of use to parsers with count = "campaign".
-- target_views: what `smart-sync report` measures progress by.
-- kpi_views: views from which a video counts in the campaign.
-- is_active: 1: it is synced.
-- geo, created_at, is_finished, allowed_platforms, last_admin_update: the web app's own; not looked at.
-- id: the web app's.
CREATE TABLE projects (
    id TEXT PRIMARY KEY, name TEXT, google_sheet_name TEXT DEFAULT '',
    start_date TEXT DEFAULT '2000-01-01', end_date TEXT DEFAULT '2099-12-31',
    target_views INTEGER DEFAULT 0, geo TEXT DEFAULT '', kpi_views INTEGER DEFAULT 0,
    created_at TEXT, is_active INTEGER DEFAULT 1, is_finished INTEGER DEFAULT 0,
    allowed_platforms TEXT
        DEFAULT '{"tiktok": true, "instagram": true, "facebook": true, "youtube": true, "threads": true}',
    last_admin_update TEXT
);

-- platform: tiktok, instagram, facebook, youtube or threads.
-- username: the name on the platform.
-- profile_link: what a worksheet's row is matched by.
-- topic, telegram_user: taken from the worksheet for new accounts; shown in reports.
-- added_at: of two accounts with one link the older counts.
-- status: the web app's own; not looked at.
-- is_active: 1 (or NULL): it is synced.
-- id: the web app's; of an account that Smart Sync creates a UUID made of project and link.
CREATE TABLE project_social_accounts (
    id TEXT PRIMARY KEY, project_id TEXT, platform TEXT, username TEXT, profile_link TEXT,
    status TEXT DEFAULT '', topic TEXT DEFAULT '', telegram_user TEXT DEFAULT '',
    added_at TEXT, is_active INTEGER DEFAULT 1,
    UNIQUE (project_id, profile_link)
);

-- One row of Smart Sync per account and local day; the web app may have others.
-- id: of ours a UUID made of account and day.
-- snapshot_time: the time at which the values were as they are here; it moves with [snapshots] on_existing = "update".
-- {metric}: its value then; 0 also where nobody knows.
CREATE TABLE account_snapshots (
    id TEXT PRIMARY KEY, account_id TEXT,
    followers INTEGER, likes INTEGER, comments INTEGER, videos INTEGER, views INTEGER, snapshot_time TEXT
);
CREATE INDEX account_snapshots_account_time ON account_snapshots (account_id, snapshot_time);
