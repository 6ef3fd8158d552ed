-- Whom each parser (the name of its table in the configuration) has asked about, and what it remembers of them.
-- asked_at: when, by which link.  next_at: not before, after failures in a row (gone: private or deleted); NULL: `every` says
-- when.  remembered: a JSON object of ids that the platform gave.
-- parser: its table in the configuration.
-- link: the link by which it was asked about.
-- asked_at: when.
-- next_at: it is not asked about before; NULL where `every` says when.
-- failures: how often in a row it gave nothing.
-- gone: 1 if it is private or deleted.
-- remembered: a JSON object of ids that the platform gave.
CREATE TABLE parser_accounts (
    parser TEXT, account_id TEXT, link TEXT NOT NULL, asked_at TEXT NOT NULL, next_at TEXT,
    failures INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0, remembered TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (parser, account_id)
) WITHOUT ROWID;

-- Parsers that may ask nobody before `until`.
-- parser: its table in the configuration.
-- until: until when.
-- reason: why.
CREATE TABLE parser_pauses (parser TEXT PRIMARY KEY, until TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;

-- Requests that count against a parser's budget, in blocks.  A block that is still in use is as large as it was granted, and
-- as late as it may be used.
-- id: the block's.
-- parser: its table in the configuration.
-- at: when the last of them was made.
-- requests: how many.
CREATE TABLE parser_requests (id TEXT PRIMARY KEY, parser TEXT NOT NULL, at TEXT NOT NULL, requests INTEGER NOT NULL);
CREATE INDEX parser_requests_at ON parser_requests (parser, at);
