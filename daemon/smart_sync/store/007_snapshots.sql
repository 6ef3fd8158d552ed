-- What the sheet said before: one row per cell that a read found changed; of an account, metric and hour four at the
-- most, the last of which later ones update.  NULL: there was, or is, no value.  Kept as long as [history] keep.
CREATE TABLE sheet_edits (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, cell TEXT NOT NULL
);
CREATE INDEX sheet_edits_of_account ON sheet_edits (account_id, metric, read_at);
CREATE INDEX sheet_edits_by_age ON sheet_edits (read_at);

-- When a value that had stood in gave way to one that counts: what it seems to have grown that day, it grew before.
CREATE TABLE carried_ends (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, ended_at TEXT NOT NULL,
    PRIMARY KEY (account_id, metric, ended_at)
) WITHOUT ROWID;

-- What `smart-sync snapshots repair` has changed in a past day's row of ours.
CREATE TABLE snapshot_repairs (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, day TEXT NOT NULL, metric TEXT NOT NULL,
    old INTEGER, new INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE INDEX snapshot_repairs_account ON snapshot_repairs (account_id);

-- Each day of the zone against the day before.  A gap in days gives no delta, nor does the day on which a value becomes
-- known: before it the row has 0 for readers that need a number, and _known is 0.  On a day that is _caught_up a value
-- that had stood in was read again.  Of several snapshots of a day the last counts, by fractions of a second as well,
-- which datetime() leaves out, and date() would round up into the next day.
DROP VIEW IF EXISTS account_growth;
CREATE VIEW account_growth AS
WITH labelled AS (
    SELECT account_id, id, datetime(snapshot_time) AS at, strftime('%f', snapshot_time) AS second,
           replace(snapshot_time, 'T', ' ') AS text, followers, likes, comments, videos, views,
           date(datetime(snapshot_time), coalesce(
               (SELECT ahead FROM clock_changes WHERE since <= datetime(snapshot_time) ORDER BY since DESC LIMIT 1),
               '+0 seconds')) AS day
    FROM account_snapshots
), last_of_day AS (
    SELECT account_id, day, followers, likes, comments, videos, views,
           row_number() OVER (PARTITION BY account_id, day ORDER BY at DESC, second DESC, text DESC, id) AS nth
    FROM labelled
), beside_the_last AS (
    SELECT *, lag(day) OVER before AS last_day,
           lag(followers) OVER before AS last_followers, lag(likes) OVER before AS last_likes,
           lag(comments) OVER before AS last_comments, lag(videos) OVER before AS last_videos,
           lag(views) OVER before AS last_views
    FROM last_of_day WHERE nth = 1 AND day IS NOT NULL
    WINDOW before AS (PARTITION BY account_id ORDER BY day)
)
SELECT b.account_id, b.day,
       b.followers,
       CASE WHEN b.last_day = date(b.day, '-1 day') AND (m.account_id IS NULL OR b.last_day >= date(
           datetime(m.followers_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.followers_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')))
           THEN b.followers - b.last_followers END AS followers_delta,
       m.account_id IS NULL OR coalesce(b.day >= date(
           datetime(m.followers_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.followers_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')), 0) AS followers_known,
       EXISTS (SELECT 1 FROM carried_ends e WHERE e.account_id = CAST(b.account_id AS TEXT) AND e.metric = 'followers'
           AND date(datetime(e.ended_at), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(e.ended_at) ORDER BY since DESC LIMIT 1), '+0 seconds')) = b.day)
           AS followers_caught_up,
       b.likes,
       CASE WHEN b.last_day = date(b.day, '-1 day') AND (m.account_id IS NULL OR b.last_day >= date(
           datetime(m.likes_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.likes_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')))
           THEN b.likes - b.last_likes END AS likes_delta,
       m.account_id IS NULL OR coalesce(b.day >= date(
           datetime(m.likes_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.likes_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')), 0) AS likes_known,
       EXISTS (SELECT 1 FROM carried_ends e WHERE e.account_id = CAST(b.account_id AS TEXT) AND e.metric = 'likes'
           AND date(datetime(e.ended_at), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(e.ended_at) ORDER BY since DESC LIMIT 1), '+0 seconds')) = b.day)
           AS likes_caught_up,
       b.comments,
       CASE WHEN b.last_day = date(b.day, '-1 day') AND (m.account_id IS NULL OR b.last_day >= date(
           datetime(m.comments_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.comments_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')))
           THEN b.comments - b.last_comments END AS comments_delta,
       m.account_id IS NULL OR coalesce(b.day >= date(
           datetime(m.comments_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.comments_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')), 0) AS comments_known,
       EXISTS (SELECT 1 FROM carried_ends e WHERE e.account_id = CAST(b.account_id AS TEXT) AND e.metric = 'comments'
           AND date(datetime(e.ended_at), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(e.ended_at) ORDER BY since DESC LIMIT 1), '+0 seconds')) = b.day)
           AS comments_caught_up,
       b.videos,
       CASE WHEN b.last_day = date(b.day, '-1 day') AND (m.account_id IS NULL OR b.last_day >= date(
           datetime(m.videos_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.videos_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')))
           THEN b.videos - b.last_videos END AS videos_delta,
       m.account_id IS NULL OR coalesce(b.day >= date(
           datetime(m.videos_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.videos_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')), 0) AS videos_known,
       EXISTS (SELECT 1 FROM carried_ends e WHERE e.account_id = CAST(b.account_id AS TEXT) AND e.metric = 'videos'
           AND date(datetime(e.ended_at), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(e.ended_at) ORDER BY since DESC LIMIT 1), '+0 seconds')) = b.day)
           AS videos_caught_up,
       b.views,
       CASE WHEN b.last_day = date(b.day, '-1 day') AND (m.account_id IS NULL OR b.last_day >= date(
           datetime(m.views_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.views_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')))
           THEN b.views - b.last_views END AS views_delta,
       m.account_id IS NULL OR coalesce(b.day >= date(
           datetime(m.views_known_since), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(m.views_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')), 0) AS views_known,
       EXISTS (SELECT 1 FROM carried_ends e WHERE e.account_id = CAST(b.account_id AS TEXT) AND e.metric = 'views'
           AND date(datetime(e.ended_at), coalesce((SELECT ahead FROM clock_changes
           WHERE since <= datetime(e.ended_at) ORDER BY since DESC LIMIT 1), '+0 seconds')) = b.day)
           AS views_caught_up
FROM beside_the_last b LEFT JOIN account_metrics m ON m.account_id = CAST(b.account_id AS TEXT);
