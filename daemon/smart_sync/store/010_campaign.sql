-- counted: what the value is of: the key of a campaign (its dates and KPI), '' of the lifetime.
ALTER TABLE parsed_values ADD COLUMN counted TEXT NOT NULL DEFAULT '';
-- counted: what an account was asked for when it was asked last, in the same words.
ALTER TABLE parser_accounts ADD COLUMN counted TEXT NOT NULL DEFAULT '';
