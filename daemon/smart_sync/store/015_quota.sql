-- The quotas that several processes share: a row for each request that a window has room for.  A request takes one that
-- is free, and gives it back a window after its end.  Used on PostgreSQL, by whose clock the times are.
-- quota: which one, such as that of a parser.
-- number: the row's, from 1.
-- free_at: from when on it is free, in seconds since 1970.
-- holder: the request that has it, '' if none.
CREATE TABLE quota_slots (
  quota TEXT NOT NULL,
  number INTEGER NOT NULL,
  -- Seconds since 1970.
  free_at REAL NOT NULL,
  holder TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (quota, number)
);
