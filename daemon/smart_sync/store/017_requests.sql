-- Passes that were asked for at the socket of a daemon that stands by: the one that leads runs them, and answers here.
-- project_id: NULL for all active projects
-- asked_by: the user and the process, and their machine
-- asked_at: a stamp; a day later the row is removed
-- status: of the answer, as HTTP has it; NULL until there is one
-- answer: JSON; before that how many leaders have begun with it
-- id: the request's.
-- dry_run: 1 if nothing is to be written.
CREATE TABLE sync_requests (
  id TEXT PRIMARY KEY,
  project_id TEXT,
  dry_run INTEGER NOT NULL DEFAULT 0,
  asked_by TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  status INTEGER,
  answer TEXT
);
