-- What our own parsers and `smart-sync ingest` bring: the newest value of each metric by each source.
-- link: the link of the account that was asked for, '' where the source says only the account's id.
-- source: the parser, or who says it.
-- value: a count.
-- parsed_at: when it was parsed.
-- precision: exact or rounded.
CREATE TABLE parsed_values (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL,
    value INTEGER NOT NULL, parsed_at TEXT NOT NULL, "precision" TEXT NOT NULL DEFAULT 'exact',
    link TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, metric, source)
) WITHOUT ROWID;

-- Parsed values that have been taken back, wherever they stand: they have no vote, unless they were parsed after until.
-- whoever: nor has the same number of another source.  parsed_at is what their source gave ('': none).
-- source: who said it.
-- value: what was said.
-- any_source: 1 if the same number of another source has no vote either.
-- parsed_at: what its source gave as its time, '' if none.
-- until: a value parsed later has a vote again.
-- reason: why it was taken back.
-- at: when.
CREATE TABLE forgotten_values (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL, value INTEGER NOT NULL,
    any_source INTEGER NOT NULL, parsed_at TEXT NOT NULL, until TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (account_id, metric, source, value)
) WITHOUT ROWID;
CREATE INDEX forgotten_values_by_source ON forgotten_values (source);

-- Values whose parsed_at was ahead of our clock: such a value counts as parsed when it was first seen.
-- place: the table, or the query, that it is from.
-- source: who says it.
-- parsed_at: the time that it gives.
-- seen_at: when it was first seen: what counts.
CREATE TABLE values_ahead (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, place TEXT NOT NULL, source TEXT NOT NULL,
    parsed_at TEXT NOT NULL, seen_at TEXT NOT NULL,
    PRIMARY KEY (account_id, metric, place, source)
) WITHOUT ROWID;

-- Values that were taken back and are still said: those without which the last pass has decided.
-- place: the table, or the query, that it is from.
-- source: who says it.
-- value: the number.
-- parsed_at: what its source gives as its time.
CREATE TABLE values_taken_back (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, place TEXT NOT NULL, source TEXT NOT NULL,
    value INTEGER NOT NULL, parsed_at TEXT NOT NULL,
    PRIMARY KEY (account_id, metric, place, source, value, parsed_at)
) WITHOUT ROWID;

-- The links of accounts that have had several which mean different profiles, each since when ('': since ever).
-- since: from when on.
-- link: the link then.
CREATE TABLE account_link_changes (
    account_id TEXT NOT NULL, since TEXT NOT NULL, link TEXT NOT NULL, PRIMARY KEY (account_id, since)
) WITHOUT ROWID;

-- link: the account's link when it was decided about last.
ALTER TABLE account_metrics ADD COLUMN link TEXT;
UPDATE account_metrics SET link = '';
-- By a join: no index of the web app's table finds its ids as text.
UPDATE account_metrics SET link = coalesce(a.link, '')
FROM (SELECT CAST(id AS TEXT) AS id, CAST(profile_link AS TEXT) AS link FROM project_social_accounts) a
WHERE a.id = account_metrics.account_id;
