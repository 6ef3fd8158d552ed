-- {metric}_counted: what the parsed value that counts is of: the key of a campaign, '' of the lifetime; NULL: there is none.
-- A metric that is counted otherwise has a new beginning, and no growth from the old one.
ALTER TABLE account_metrics ADD COLUMN followers_counted TEXT;
ALTER TABLE account_metrics ADD COLUMN likes_counted TEXT;
ALTER TABLE account_metrics ADD COLUMN comments_counted TEXT;
ALTER TABLE account_metrics ADD COLUMN videos_counted TEXT;
ALTER TABLE account_metrics ADD COLUMN views_counted TEXT;
UPDATE account_metrics SET
    followers_counted = CASE WHEN followers_winner IN ('parsed', 'both') THEN '' END,
    likes_counted = CASE WHEN likes_winner IN ('parsed', 'both') THEN '' END,
    comments_counted = CASE WHEN comments_winner IN ('parsed', 'both') THEN '' END,
    videos_counted = CASE WHEN videos_winner IN ('parsed', 'both') THEN '' END,
    views_counted = CASE WHEN views_winner IN ('parsed', 'both') THEN '' END;
