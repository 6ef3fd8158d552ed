"""What hides the web app's tables from our role, or rows of theirs, without any error.

With row level security a role sees the rows that a policy shows it: accounts would be missing, and snapshots stay as
they are.  With the tables in a schema that the role's search_path leaves out, a pass would make empty ones of its own.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

#: The tables of which policies hide rows from us that we read, change or delete; a policy that is true for all of them
#: is in no way.
_HIDING = """
SELECT c.relname, CAST(quote_ident(current_user) AS TEXT)
FROM (VALUES (1, 'projects', 'r'), (2, 'project_social_accounts', 'r'), (3, 'account_snapshots', 'r'),
             (4, 'account_snapshots', 'w'), (5, 'account_snapshots', 'd'), (6, 'parsed_metrics', 'r'))
     AS wanted (place, name, command)
JOIN pg_class c ON c.oid = to_regclass($1 || wanted.name) AND row_security_active(c.oid)
CROSS JOIN LATERAL (
    SELECT bool_or(p.polpermissive AND p.is_true) AS shown, bool_or(NOT p.polpermissive AND NOT p.is_true) AS hidden
    FROM (
        SELECT polpermissive, coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true'
               AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true' AS is_true
        FROM pg_policy WHERE polrelid = c.oid AND polcmd IN ('*', CAST(wanted.command AS "char"))
        AND EXISTS (SELECT 1 FROM unnest(polroles) AS r (oid) WHERE CASE r.oid WHEN 0 THEN true
                    ELSE pg_has_role(r.oid, 'USAGE') END)
    ) p
) policies
WHERE (wanted.command = 'r' OR $2 = 0) AND (NOT coalesce(policies.shown, false) OR policies.hidden)
ORDER BY wanted.place
"""
#: Another schema, in which the web app has the tables that ours lacks; not one where Smart Sync is at work already.
_ELSEWHERE = """
SELECT CAST(quote_ident(n.nspname) AS TEXT), CAST(quote_ident(current_user) AS TEXT),
       CAST(quote_ident(current_database()) AS TEXT)
FROM pg_namespace n
WHERE to_regclass($1) IS NULL AND n.nspname NOT LIKE 'pg\\_%' AND NOT EXISTS (
    SELECT 1 FROM pg_proc f WHERE f.pronamespace = n.oid AND f.proname = 'thousandths')
AND 2 = (SELECT count(*) FILTER (WHERE c.relname <> 'account_metrics') - count(*) FILTER (
             WHERE c.relname = 'account_metrics')
         FROM pg_class c WHERE c.relnamespace = n.oid
         AND c.relname IN ('projects', 'project_social_accounts', 'account_metrics'))
ORDER BY 1 LIMIT 1
"""


async def obstacle(
    fetch: Callable[[str, Sequence[Any]], Awaitable[list[Any]]], schema: str, *, read_only: bool = False
) -> str:
    """What keeps us from the shared tables of ``schema``, or from rows of theirs, with the remedy; "" if nothing.

    ``fetch`` gives the rows of a query; ``schema`` is in quotes where it needs them.
    """
    if hiding := await fetch(_HIDING, (f"{schema}.", int(read_only))):
        tables, role = list(dict.fromkeys(str(row[0]) for row in hiding)), hiding[0][1]
        each = ", the same for each of them" if len(tables) > 1 else ""
        return (
            f"row-level security may hide rows of {', '.join(tables)} from {role}; as the owner: CREATE POLICY"
            f" smart_sync ON {schema}.{tables[0]} TO {role} USING (true) WITH CHECK (true){each}, or ALTER ROLE {role}"
            " BYPASSRLS"
        )
    for other, role, database in await fetch(_ELSEWHERE, (f"{schema}.projects",)):
        return (
            f"table projects is in the schema {other}, and the role's search_path leads to {schema}:"
            f" ALTER ROLE {role} IN DATABASE {database} SET search_path = {other}, and give the rights there"
        )
    return ""
