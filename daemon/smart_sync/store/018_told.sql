-- told: whether a pass has told of it; one that a pass was cut off before it could tell is told by the next.
ALTER TABLE suspects ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
-- problem_count: how many there were, of which `problems` has the first; NULL: versions before did not count.
ALTER TABLE sync_project_runs ADD COLUMN problem_count INTEGER;
