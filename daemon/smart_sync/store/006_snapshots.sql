-- What the sheet said before: one row per cell that a read found changed; of an account, metric and hour four at the
-- most, the last of which later ones update.  NULL: there was, or is, no value.  Kept as long as [history] keep.
CREATE TABLE sheet_edits (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, metric TEXT NOT NULL, old INTEGER, new INTEGER,
    read_at TEXT NOT NULL, worksheet TEXT NOT NULL, cell TEXT NOT NULL
);
CREATE INDEX sheet_edits_of_account ON sheet_edits (account_id, metric, read_at);
CREATE INDEX sheet_edits_by_age ON sheet_edits (read_at);

-- What `smart-sync snapshots repair` has changed in a past day's row of ours.
CREATE TABLE snapshot_repairs (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL, day TEXT NOT NULL, metric TEXT NOT NULL,
    old INTEGER, new INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE INDEX snapshot_repairs_account ON snapshot_repairs (account_id);

-- Each day of the zone against the day before.  A gap in days gives no delta, nor does the day on which a value becomes
-- known: before it the row has 0 for readers that need a number.  Of several snapshots of a day the last counts, by
-- fractions of a second as well, which datetime() leaves out, and date() would round up into the next day.
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
), known AS (
    SELECT account_id,
        date(datetime(followers_known_since), coalesce((SELECT ahead FROM clock_changes
        WHERE since <= datetime(followers_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')) AS followers,
        date(datetime(likes_known_since), coalesce((SELECT ahead FROM clock_changes
        WHERE since <= datetime(likes_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')) AS likes,
        date(datetime(comments_known_since), coalesce((SELECT ahead FROM clock_changes
        WHERE since <= datetime(comments_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')) AS comments,
        date(datetime(videos_known_since), coalesce((SELECT ahead FROM clock_changes
        WHERE since <= datetime(videos_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')) AS videos,
        date(datetime(views_known_since), coalesce((SELECT ahead FROM clock_changes
        WHERE since <= datetime(views_known_since) ORDER BY since DESC LIMIT 1), '+0 seconds')) AS views
    FROM account_metrics
)
SELECT d.account_id, d.day,
       d.followers, CASE WHEN d.last_day = date(d.day, '-1 day') AND (k.account_id IS NULL OR d.last_day >= k.followers)
            THEN d.followers - d.last_followers END AS followers_delta,
       d.likes, CASE WHEN d.last_day = date(d.day, '-1 day') AND (k.account_id IS NULL OR d.last_day >= k.likes)
            THEN d.likes - d.last_likes END AS likes_delta,
       d.comments, CASE WHEN d.last_day = date(d.day, '-1 day') AND (k.account_id IS NULL OR d.last_day >= k.comments)
            THEN d.comments - d.last_comments END AS comments_delta,
       d.videos, CASE WHEN d.last_day = date(d.day, '-1 day') AND (k.account_id IS NULL OR d.last_day >= k.videos)
            THEN d.videos - d.last_videos END AS videos_delta,
       d.views, CASE WHEN d.last_day = date(d.day, '-1 day') AND (k.account_id IS NULL OR d.last_day >= k.views)
            THEN d.views - d.last_views END AS views_delta
FROM beside_the_last d LEFT JOIN known k ON k.account_id = CAST(d.account_id AS TEXT);
