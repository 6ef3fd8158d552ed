"""Whether a server can be used at all: its version, its schema, a pooler before it, rows that it hides.

A pooler in transaction mode gives each transaction whatever session is free, also the web app's: what we set for ours
(read-only for those that only read, say) would hold for theirs, and their writes would be refused.  So nothing is set
before it is known that a session is our own.
"""

import asyncio
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from smart_sync.config.database_url import Server
from smart_sync.core.trouble_codes import Code
from smart_sync.errors import DatabaseUnusable
from smart_sync.store.postgres.bounded_connection import shut
from smart_sync.store.postgres.catalogue import quoted
from smart_sync.store.postgres.obstacles import obstacle
from smart_sync.store.postgres.server_connection import CONNECTING, connect, rows
from smart_sync.store.postgres.sqlstates import no_connection, translated

if TYPE_CHECKING:
    from psycopg import AsyncConnection

OLDEST = 130000  # of an older server not all of the SQL text is understood
#: Any other would refuse a pass for one sign in one cell; the second one keeps what it is given as it is.
ENCODINGS = ("UTF8", "SQL_ASCII")
_SERVER: Code = "database-server"
#: Not the schema of our functions: for a user of that name it stands before all others (``"$user"``).
_SCHEMA = (
    "SELECT s FROM unnest(current_schemas(false)) WITH ORDINALITY way (s, n) WHERE NOT EXISTS (SELECT 1 FROM pg_proc"
    " WHERE pronamespace = quote_ident(s)::regnamespace AND proname = 'thousandths') ORDER BY n LIMIT 1"
)
_ABOUT = (
    f"SELECT current_setting('server_version_num')::int, ({_SCHEMA}), pg_is_in_recovery(), version(), pg_backend_pid(),"
    " current_setting('server_encoding')"
)
#: For the lease, for writing, reading (three, each for another purpose) and what must not wait; and for looking at it.
SESSIONS = 8
#: How often it is tried whether another connection has the session of ours: one tries while others work.
_TRIES = 3
_SET = "SELECT set_config('smart_sync.session', $1, false)"
_GET = "SELECT coalesce(current_setting('smart_sync.session', true), '')"


async def schema_of(server: Server, *, read_only: bool = False) -> str:
    """The schema of the tables. Raises `DatabaseUnusable` for a server that cannot be used, and `StoreError`."""
    about = await connect(server, {})
    import psycopg

    try:
        ((version, schema, replica, version_text, process, encoding),) = await rows(about, _ABOUT, ())
        # A pooler makes up the number of its process.
        shared = process != about.info.backend_pid and await _shares_session(server, about)
        known = version >= OLDEST and schema is not None
        hidden = await obstacle(partial(rows, about), quoted(schema), read_only=read_only) if known else ""
    except psycopg.Error as error:
        raise translated(error, server.name, broken=about.broken) from error
    finally:
        await about.close()
    product, is_replica = str(version_text).partition(" on ")[0], replica and not read_only
    obstacles: tuple[tuple[bool, Code, str], ...] = (
        (version < OLDEST, "database-version", f"{product} is too old; PostgreSQL 13 or newer is needed"),
        (
            shared,
            _SERVER,
            (
                "a pooler in transaction mode is before its server; name the server itself in [database] url, or a"
                " pooler in session mode (pool_mode = session)"
            ),
        ),
        (is_replica, "database-rights", "a read-only replica; name the primary server in [database] url"),
        (
            encoding not in ENCODINGS,
            _SERVER,
            (
                f"its encoding is {encoding}, in which not every text of a worksheet can be kept; copy it into a"
                " database with ENCODING 'UTF8' (pg_dump, createdb -E UTF8 -T template0, pg_restore)"
            ),
        ),
        (schema is None, _SERVER, "its search_path leads to no schema that it may use; GRANT USAGE ON SCHEMA …"),
        (bool(hidden), "database-rights", hidden),
    )
    for applies, trouble, reason in obstacles:
        if applies:
            raise DatabaseUnusable(f"{server.name}: {reason}", trouble=trouble)
    return str(schema)


async def require_sessions(server: Server) -> None:
    """Raise `Down` unless there are as many sessions at once as a process of ours may use."""
    import psycopg

    loop, opened = asyncio.get_running_loop(), []
    try:
        for _ in range(SESSIONS):
            connection = await connect(server, {})
            timer = loop.call_later(CONNECTING, shut, connection)
            opened.append(connection)
            try:
                await rows(connection, "SELECT 1", ())
            except psycopg.OperationalError as error:
                raise no_connection(str(error), server.name) from error
            finally:
                timer.cancel()
    finally:
        for connection in opened:
            await connection.close()


async def _shares_session(server: Server, about: "AsyncConnection[Any]") -> bool:
    """Whether the session of ``about`` is given to other connections too, while ``about`` is open."""
    from psycopg import OperationalError

    other = await connect(server, {})
    # A pooler whose sessions are all in use lets it wait.
    timer = asyncio.get_running_loop().call_later(CONNECTING, shut, other)
    try:
        for _ in range(_TRIES):
            token = uuid.uuid4().hex
            await rows(about, _SET, (token,))
            ((elsewhere,),), ((here,),) = await rows(other, _GET, ()), await rows(about, _GET, ())
            if elsewhere == token or here != token:
                return True
    except OperationalError as error:
        if about.broken:
            raise
        raise no_connection(str(error), server.name) from error
    else:
        return False
    finally:
        timer.cancel()
        await other.close()
