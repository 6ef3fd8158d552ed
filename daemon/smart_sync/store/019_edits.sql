-- Edits are removed in the order in which they came (store.sheet_edits), and each pass had to keep this index.
DROP INDEX IF EXISTS sheet_edits_by_age;
