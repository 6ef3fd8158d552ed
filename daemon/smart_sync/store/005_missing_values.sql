-- {metric}_known_since: since when the metric has a value; NULL: it has none.
-- {metric}_carried_since: since when that value stands in; NULL: it does not.
-- left_since: the account's row is gone for good and no parser has a value, so it is in no total any more.
ALTER TABLE account_metrics ADD COLUMN followers_known_since TEXT;
ALTER TABLE account_metrics ADD COLUMN likes_known_since TEXT;
ALTER TABLE account_metrics ADD COLUMN comments_known_since TEXT;
ALTER TABLE account_metrics ADD COLUMN videos_known_since TEXT;
ALTER TABLE account_metrics ADD COLUMN views_known_since TEXT;
ALTER TABLE account_metrics ADD COLUMN followers_carried_since TEXT;
ALTER TABLE account_metrics ADD COLUMN likes_carried_since TEXT;
ALTER TABLE account_metrics ADD COLUMN comments_carried_since TEXT;
ALTER TABLE account_metrics ADD COLUMN videos_carried_since TEXT;
ALTER TABLE account_metrics ADD COLUMN views_carried_since TEXT;
ALTER TABLE account_metrics ADD COLUMN left_since TEXT;

-- project_id: whose worksheet the row is in.
-- gone_since: since when the row is missing; NULL: it is there.
-- gone_clock: worksheet_reads.clock then.
-- gone_at_once: it is gone with too many others, so its values stand in without a time limit.
-- gone_accepted: the absence is confirmed or has lasted too long: the sheet has no vote any more.
-- held: the metrics, comma separated, whose cells an accident of their column has emptied; the last values stand in.
ALTER TABLE sheet_metrics ADD COLUMN project_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sheet_metrics ADD COLUMN gone_since TEXT;
ALTER TABLE sheet_metrics ADD COLUMN gone_clock REAL NOT NULL DEFAULT 0;
ALTER TABLE sheet_metrics ADD COLUMN gone_at_once INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sheet_metrics ADD COLUMN gone_accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sheet_metrics ADD COLUMN held TEXT NOT NULL DEFAULT '';

-- clock: seconds between good reads, those before or after a failed one left out.
-- interrupted: the last one failed.
ALTER TABLE worksheet_reads ADD COLUMN clock REAL NOT NULL DEFAULT 0;
ALTER TABLE worksheet_reads ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;

-- Worksheets of which nothing could be understood in the last pass: not there, empty, or without a header (code).
-- accepted: a person has said that it is meant, so the project has no sheet values as long as it stays so.
-- code: what is wrong: missing, empty, or no header.
-- since: the first pass that found it so.
CREATE TABLE worksheet_troubles (
    project_id TEXT PRIMARY KEY, code TEXT NOT NULL, since TEXT NOT NULL, accepted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Columns that had values and were not in the worksheet in the last pass.
CREATE TABLE lost_columns (
    project_id TEXT NOT NULL, metric TEXT NOT NULL, PRIMARY KEY (project_id, metric)
) WITHOUT ROWID;

-- Rows for which no account was created, because they may be those of an account whose row is missing (account_id).
-- link: as the row has it.
-- row: its number.
-- platform, username, topic, telegram: what the row says.
-- account_id: the account whose row it may be.
-- reason: why no account was created.
-- since: the first pass that found it.
CREATE TABLE doubtful_rows (
    project_id TEXT NOT NULL, link TEXT NOT NULL, "row" INTEGER NOT NULL,
    platform TEXT NOT NULL, username TEXT NOT NULL, topic TEXT NOT NULL, telegram TEXT NOT NULL,
    account_id TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (project_id, link)
) WITHOUT ROWID;

UPDATE sheet_metrics SET project_id = coalesce(
    (SELECT CAST(a.project_id AS TEXT) FROM project_social_accounts a WHERE a.id = sheet_metrics.account_id), '');

-- A value counts as known since the oldest snapshot above 0 (text is none); without one since it last changed.
UPDATE account_metrics SET
    followers_known_since = CASE WHEN followers_winner IS NOT NULL THEN followers_changed_at END,
    likes_known_since = CASE WHEN likes_winner IS NOT NULL THEN likes_changed_at END,
    comments_known_since = CASE WHEN comments_winner IS NOT NULL THEN comments_changed_at END,
    videos_known_since = CASE WHEN videos_winner IS NOT NULL THEN videos_changed_at END,
    views_known_since = CASE WHEN views_winner IS NOT NULL THEN views_changed_at END,
    followers_carried_since = CASE WHEN followers_winner = 'carried' THEN updated_at END,
    likes_carried_since = CASE WHEN likes_winner = 'carried' THEN updated_at END,
    comments_carried_since = CASE WHEN comments_winner = 'carried' THEN updated_at END,
    videos_carried_since = CASE WHEN videos_winner = 'carried' THEN updated_at END,
    views_carried_since = CASE WHEN views_winner = 'carried' THEN updated_at END;

UPDATE account_metrics SET
    followers_known_since = CASE WHEN followers_winner IS NOT NULL THEN coalesce(s.followers, followers_known_since) END,
    likes_known_since = CASE WHEN likes_winner IS NOT NULL THEN coalesce(s.likes, likes_known_since) END,
    comments_known_since = CASE WHEN comments_winner IS NOT NULL THEN coalesce(s.comments, comments_known_since) END,
    videos_known_since = CASE WHEN videos_winner IS NOT NULL THEN coalesce(s.videos, videos_known_since) END,
    views_known_since = CASE WHEN views_winner IS NOT NULL THEN coalesce(s.views, views_known_since) END
FROM (
    SELECT CAST(account_id AS TEXT) AS account_id,
           min(CASE WHEN typeof(followers) IN ('integer', 'real') AND followers > 0 THEN at END) AS followers,
           min(CASE WHEN typeof(likes) IN ('integer', 'real') AND likes > 0 THEN at END) AS likes,
           min(CASE WHEN typeof(comments) IN ('integer', 'real') AND comments > 0 THEN at END) AS comments,
           min(CASE WHEN typeof(videos) IN ('integer', 'real') AND videos > 0 THEN at END) AS videos,
           min(CASE WHEN typeof(views) IN ('integer', 'real') AND views > 0 THEN at END) AS views
    FROM (SELECT *, strftime('%Y-%m-%dT%H:%M:%f', snapshot_time) || '000' AS at FROM account_snapshots)
    GROUP BY 1
) s WHERE s.account_id = account_metrics.account_id;
