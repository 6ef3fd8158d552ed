-- What a pass has given to workers on other machines ([sync] workers), on PostgreSQL; the rows of the last pass are kept.
-- The tokens by which a late worker is refused are in smart_sync_leases.
-- run_id: sync_runs.id.
CREATE TABLE fan_out_passes (
  run_id TEXT PRIMARY KEY,
  -- request: the time of the pass, and by what all who take part decide (JSON)
  request TEXT NOT NULL,
  -- parsed: 1 once the parsed values are as fresh as the pass waits for
  parsed INTEGER NOT NULL DEFAULT 0
);
-- The spreadsheets of that pass, and who is at work on each.
-- run_id: sync_runs.id.
-- worker: its name, '' where nobody is at work on it.
CREATE TABLE fan_out_spreadsheets (
  -- spreadsheet: its key, or what the configuration calls it
  spreadsheet TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  -- projects: JSON
  projects TEXT NOT NULL,
  -- tries: how many workers have begun it
  tries INTEGER NOT NULL DEFAULT 0,
  -- token: that of the last of them
  token INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  -- seen_at: its last sign of life, in seconds since 1970 by the server's clock; NULL: nobody is at work on it
  seen_at REAL,
  -- finished: 1 when the worker is done, 2 when the pass has taken the results
  finished INTEGER NOT NULL DEFAULT 0,
  -- trouble: why its worker could not do it
  trouble TEXT NOT NULL DEFAULT '',
  -- usage: what reading has cost (JSON)
  usage TEXT NOT NULL DEFAULT '{}'
);
-- What became of the projects; written with the numbers that it tells of, so that a worker that dies takes none along.
-- run_id: sync_runs.id.
-- spreadsheet: which one the project's worksheet is in.
-- worksheet_read: 1 if it was read.
CREATE TABLE fan_out_results (
  project_id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  spreadsheet TEXT NOT NULL,
  worksheet_read INTEGER NOT NULL,
  -- result: JSON
  result TEXT NOT NULL
);
