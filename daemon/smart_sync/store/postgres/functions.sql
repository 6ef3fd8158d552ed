-- What the one SQL text needs of SQLite, in plain SQL.  Every function is total: what is no time gives NULL.
-- {helpers} is the schema that holds them, {date} the pattern of a date that there is.
--
-- A parameter that is used once lets a function become part of the query, whatever it is given; a call costs ten times
-- as much.

-- A time in ISO 8601, in whatever notation, as a moment in UTC.
CREATE OR REPLACE FUNCTION {helpers}.moment(text) RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN $1 ~ '^{date}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?$'
THEN $1::timestamp
WHEN $1 ~ '^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([ T]([01]\d|2[0-4]):[0-5]\d(:[0-5]\d(\.\d+)?)? *(Z|[-+](0\d|1[0-4]):[0-5]\d)?)? *$'
THEN make_timestamp(substr($1, 1, 4)::int, substr($1, 6, 2)::int, 1, 0, 0, 0)
     + make_interval(days => substr($1, 9, 2)::int - 1, hours => coalesce(nullif(substr($1, 12, 2), ''), '0')::int,
                     mins => coalesce(nullif(substr($1, 15, 2), ''), '0')::int,
                     secs => coalesce(substring($1 FROM '^.{16}:(\d\d(?:\.\d+)?)'), '0')::float8)
     - coalesce(substring($1 FROM '^.{16}.*([-+]\d\d:\d\d) *$'), '0')::interval
END $$;

-- First our own notations, which are nearly all there is: six times as fast.
CREATE OR REPLACE FUNCTION {helpers}.datetime(text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN $1 ~ '^{date}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?$'
THEN replace(substr($1, 1, 19), 'T', ' ')
ELSE to_char({helpers}.moment($1), 'YYYY-MM-DD HH24:MI:SS') END $$;

CREATE OR REPLACE FUNCTION {helpers}.datetime(text, text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT to_char({helpers}.moment($1) + $2::interval, 'YYYY-MM-DD HH24:MI:SS') $$;

CREATE OR REPLACE FUNCTION {helpers}.date(text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT substr({helpers}.datetime($1), 1, 10) $$;

CREATE OR REPLACE FUNCTION {helpers}.date(text, text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT to_char({helpers}.moment($1) + $2::interval, 'YYYY-MM-DD') $$;

-- Rounded, and never up to the next minute, as SQLite does it.
CREATE OR REPLACE FUNCTION {helpers}.thousandths(text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN $1 ~ '^{date}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}000$'
THEN substr($1, 1, 23)
ELSE to_char({helpers}.moment($1) + CASE substr($1, 18, 6) WHEN '59.999' THEN interval '0' ELSE interval '0.0005 s' END,
             'YYYY-MM-DD"T"HH24:MI:SS.MS') END $$;

CREATE OR REPLACE FUNCTION {helpers}.strftime(text, text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE $1
    WHEN '%f' THEN substr({helpers}.thousandths($2), 18)
    WHEN '%Y-%m-%dT%H:%M:%f' THEN {helpers}.thousandths($2)
    WHEN '%Y-%m-%dT%H:%M:%f000' THEN {helpers}.thousandths($2) || '000'
    WHEN '%Y-%m-%dT%H:%M:%S' THEN replace({helpers}.datetime($2), ' ', 'T')
END $$;

CREATE OR REPLACE FUNCTION {helpers}.julianday(text) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT date_part('epoch', {helpers}.moment($1)) / 86400 + 2440587.5 $$;

CREATE OR REPLACE FUNCTION {helpers}.round(double precision, integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT round($1::numeric, $2)::float8 $$;

CREATE OR REPLACE FUNCTION {helpers}.json_each(text) RETURNS TABLE (value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1000 AS $$ SELECT json_array_elements_text($1::json) $$;

-- Immutable, so that the planner sees the values.
CREATE OR REPLACE FUNCTION {helpers}.listed(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT ARRAY(SELECT json_array_elements_text($1::json)) $$;

CREATE OR REPLACE FUNCTION {helpers}.typeof(anyelement) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN $1 IS NULL THEN 'null' ELSE CASE pg_typeof($1)::oid
    WHEN 20 THEN 'integer' WHEN 21 THEN 'integer' WHEN 23 THEN 'integer'
    WHEN 700 THEN 'real' WHEN 701 THEN 'real' WHEN 1700 THEN 'real' WHEN 17 THEN 'blob' ELSE 'text' END
END $$;

CREATE OR REPLACE FUNCTION {helpers}.joined(text, text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT coalesce($1 || ',' || $2, $1, $2) $$;
CREATE OR REPLACE AGGREGATE {helpers}.group_concat(text) (sfunc = {helpers}.joined, stype = text);

-- What the columns of the web app are read as (`catalogue.py`).
CREATE OR REPLACE FUNCTION {helpers}.stamp(timestamp) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT to_char($1, 'YYYY-MM-DD"T"HH24:MI:SS.US') $$;

CREATE OR REPLACE FUNCTION {helpers}.number(text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN $1 ~ '^ *[-+]?\d{1,18} *$' THEN trim($1)::bigint WHEN lower($1) IN ('t', 'true') THEN 1
WHEN lower($1) IN ('f', 'false') THEN 0 END $$;
