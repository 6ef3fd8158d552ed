-- The clocks of [schedule] timezone: from each moment on (UTC, in the notation of datetime(); '' is the beginning) so
-- far ahead of UTC.  Empty where they are UTC's.  Plain rows, so that any SQLite client sees the same days.
-- since: from when on, '' from the beginning.
-- ahead: how far local time is ahead of UTC, as '+3600 seconds'.
CREATE TABLE clock_changes (since TEXT PRIMARY KEY, ahead TEXT NOT NULL) WITHOUT ROWID;

-- One row: the zone's name, for those who come without a configuration.
-- name: as the IANA time zone database has it.
CREATE TABLE clock_zone (name TEXT NOT NULL);

-- Each day of that zone against the day before.  A gap in days gives no delta; of several snapshots of a day the last
-- counts.  datetime() leaves fractions of seconds out, which date() would round up: into the next day.
-- day: the local day, as 2026-01-31.
-- {metric}: the value of the day's last snapshot.
-- {metric}_delta: the difference to the day before.
-- ends_carried: metrics, comma separated, for which the day ends a carried stretch.
CREATE VIEW account_growth AS
WITH labelled AS (
    SELECT account_id, id, datetime(snapshot_time) AS at, followers, likes, comments, videos, views,
           date(datetime(snapshot_time), coalesce(
               (SELECT ahead FROM clock_changes WHERE since <= datetime(snapshot_time) ORDER BY since DESC LIMIT 1),
               '+0 seconds')) AS day
    FROM account_snapshots
), last_of_day AS (
    SELECT account_id, day, followers, likes, comments, videos, views,
           row_number() OVER (PARTITION BY account_id, day ORDER BY at DESC, id) AS nth
    FROM labelled
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
