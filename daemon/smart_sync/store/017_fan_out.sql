-- What a pass gives to workers on other machines (`[sync] workers`), on PostgreSQL.  Only the rows of the last pass are kept.
-- The tokens by which a late worker is refused are in smart_sync_leases.
CREATE TABLE fan_out_passes (
  run_id TEXT PRIMARY KEY,
  -- Its time, and by what all who take part decide (JSON).
  request TEXT NOT NULL,
  -- 1 once the parsed values are as fresh as this pass waits for.
  parsed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE fan_out_spreadsheets (
  spreadsheet TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  -- JSON.
  projects TEXT NOT NULL,
  -- How many workers have begun it, and the token of the last.
  tries INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  -- Its last sign of life: seconds since 1970, by the server's clock; NULL: nobody is at work on it.
  seen_at REAL,
  finished INTEGER NOT NULL DEFAULT 0,
  -- Why it could not do it.
  trouble TEXT NOT NULL DEFAULT '',
  -- What reading has cost (JSON).
  usage TEXT NOT NULL DEFAULT '{}'
);
-- Written with the numbers that they tell of, so that a worker that dies afterwards takes none along.
CREATE TABLE fan_out_results (
  project_id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  spreadsheet TEXT NOT NULL,
  worksheet_read INTEGER NOT NULL,
  -- JSON.
  result TEXT NOT NULL
);
