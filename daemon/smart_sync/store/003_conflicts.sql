-- The last conflict of each metric under strategy "latest": both sides had changed, and the sheet's value was taken.
-- sheet: the sheet's value, which counts.
-- parsed: the parsed value, which does not.
-- at: the pass that found it.
-- place: the cell.
CREATE TABLE conflicts (
    account_id TEXT NOT NULL, metric TEXT NOT NULL,
    sheet INTEGER NOT NULL, parsed INTEGER NOT NULL, at TEXT NOT NULL, place TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, metric)
) WITHOUT ROWID;
