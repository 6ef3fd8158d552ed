-- Values that a person has pinned: they win over worksheet and parsers.
-- place: 'command', or 'cell' for a mark in a cell as of its last read.
-- since: when it was pinned.
-- pinned_by: who; in a cell '', for a cell does not say.
-- until: the last local day on which the pin counts; NULL: for ever.
-- why: the reason that was given.
-- value: what counts.
CREATE TABLE pins (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, place TEXT NOT NULL,
    value INTEGER NOT NULL, since TEXT NOT NULL, pinned_by TEXT NOT NULL DEFAULT '', until TEXT,
    why TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, metric, place)
) WITHOUT ROWID;

-- cause: what probably happened to a typed number, '' for a merged value that jumped.
-- typed: whether it is a typed number.
-- held: the last good value stands in for it; since '' then: confirmed, so that it is held no more.
ALTER TABLE suspects ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE suspects ADD COLUMN typed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE suspects ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
-- was_unknown: 1: there was no value before; `old`, which cannot be NULL, is 0 and says nothing.
ALTER TABLE suspects ADD COLUMN was_unknown INTEGER NOT NULL DEFAULT 0;

-- A fall of an account's followers that only one read of a parser has found: it counts when a second one finds it too.
-- source: the parser.
-- value: what it has found.
-- parsed_at: when.
CREATE TABLE doubted_falls (
    account_id TEXT NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL,
    value INTEGER NOT NULL, parsed_at TEXT NOT NULL,
    PRIMARY KEY (account_id, metric, source)
) WITHOUT ROWID;
