"""Writing many rows on PostgreSQL, and plans that stay right when the server has looked at its tables."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_google import FakeGoogle
from lengths import examples
from nasty import NASTY
from postgres_server import Server, absence
from smart_sync.admin.checks import check
from smart_sync.config.database_url import server
from smart_sync.store.engine import Database, Down, Refused, StoreError, upsert
from smart_sync.store.postgres import bounded_connection
from smart_sync.store.postgres.server_connection import Connection
from smart_sync.store.postgres.statements import LEAST, MOST, ahead, as_arrays, bulk, encoded
from smart_sync.store.schema import open_database, open_existing
from standby_processes import Proxy, through
from world import NOON, PostgresWorld

MANY = LEAST * 3


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Database]:
    """A database with a table of every kind of column that is ours."""
    async with open_database(server(postgres)) as database:
        async with database.transaction() as transaction:
            await transaction.execute(
                "CREATE TABLE kinds (id TEXT PRIMARY KEY, text TEXT, number BIGINT, flag BIGINT, real DOUBLE PRECISION,"
                " bytes BYTEA)"
            )
        yield database


def rows() -> list[tuple[Any, ...]]:
    """Every text that has broken a program, no value at all, the ends of the numbers, truth, bytes."""
    texts = [text.replace("\0", "") for text in NASTY.values()]
    texts = [text for text in texts if text.isprintable() or text.encode(errors="replace").decode() == text]
    made: list[tuple[Any, ...]] = [(f"t{n}", text, n, n % 2 == 0, n / 3, text.encode()) for n, text in enumerate(texts)]
    return [*made, ("none", None, None, None, None, None), ("ends", "NULL", 2**63 - 1, True, 1e300, b"\0\\")]


@pytest.mark.parametrize("how", ["only added", "in place of others", "changed"])
async def test_many_rows_are_what_one_after_the_other_would_be(database: Database, how: str) -> None:
    """Whatever a value is, a thousand rows at once leave what one at a time does."""
    columns = "id, text, number, flag, real, bytes"
    given = rows()
    if how == "changed":
        sql = "UPDATE kinds SET text = ?, number = ?, flag = ?, real = ?, bytes = ? WHERE id = ?"
        changes: list[tuple[Any, ...]] = [(*row[1:], row[0]) for row in given]
    else:
        sql = upsert("kinds", columns, "id") if how != "only added" else ""
        sql = sql or f"INSERT INTO kinds ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        changes = given
    found = []
    for at_once in (len(changes), 1):
        async with database.transaction() as transaction:
            await transaction.execute("DELETE FROM kinds")
            if how == "changed":
                await transaction.execute_many("INSERT INTO kinds (id) VALUES (?)", [(row[0],) for row in given])
            parts = [changes[place : place + at_once] for place in range(0, len(changes), at_once)]
            assert sum([await transaction.execute_many(sql, part) for part in parts]) == len(changes)
        found.append(await database.fetch("SELECT * FROM kinds ORDER BY id"))
    assert found[0] == found[1]
    assert len(found[0]) == len(given)


async def test_many_rows_of_one_odd_text_each_are_that_text(database: Database) -> None:
    """A column of nothing else odd is written as one that has every odd sign in it: each sign is seen by itself."""
    texts = sorted({str(row[1]) for row in rows()} | {"\r", "\n", "\t", "\\", '"', "\\N", "\\.", "{}", "NULL", ""})
    inserts = ["INSERT INTO kinds (id, text) VALUES (?, ?)", upsert("kinds", "id, text", "id")]
    async with database.transaction() as transaction:
        for place, text in enumerate(texts):
            for kind, insert in enumerate(inserts):
                await transaction.execute_many(insert, [(f"{place}.{kind}.{row}", text) for row in range(LEAST)])
    found = {str(row[0]): row[1] for row in await database.fetch("SELECT id, text FROM kinds")}
    assert len(found) == len(texts) * len(inserts) * LEAST
    assert [key for key, text in found.items() if text != texts[int(key.partition(".")[0])]] == []


@pytest.fixture(scope="module")
def sent(postgres_server: Server | None) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """A connection with a temporary table."""
    if postgres_server is None:
        pytest.skip(absence())
    with postgres_server.connect() as connection:
        connection.execute("CREATE TEMPORARY TABLE sent (place BIGSERIAL, a TEXT, b TEXT, c BIGINT, d BYTEA)")
        yield connection


#: Any text that PostgreSQL can hold, and the signs that mean something to COPY or in an array more often.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.text('\\"{},\t\n\r\v\b NUL.')
SENT = st.tuples(
    st.none() | TEXTS, TEXTS, st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1), st.none() | st.binary()
)


@settings(max_examples=examples(30, 500), deadline=None)
@given(st.lists(SENT, min_size=LEAST, max_size=3 * LEAST))
def test_what_is_sent_is_what_is_there(
    sent: "psycopg.Connection[tuple[Any, ...]]", many: list[tuple[Any, ...]]
) -> None:
    """Whatever the values of many rows are, COPY and arrays bring them as they are."""
    into = "INSERT INTO sent (a, b, c, d) VALUES (?, ?, ?, ?)"
    copying = bulk(into)
    assert copying is not None

    expected = [(a, b, None if c is None else int(c), d) for a, b, c, d in many]
    with sent.transaction(force_rollback=True), sent.cursor() as cursor:
        with cursor.copy(copying.copy) as copy:
            copy.write(encoded(many))
        arrays = as_arrays(many, ())
        cursor.execute(
            "INSERT INTO sent (a, b, c, d) SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bytea[])",
            arrays,
        )
        assert cursor.execute("SELECT a, b, c, d FROM sent ORDER BY place").fetchall() == [*expected, *expected]


def test_a_row_whose_deletion_decides_about_the_next_one_is_deleted_by_itself() -> None:
    """A statement that looks into the table that it deletes from is no statement for many rows at once."""
    assert bulk("DELETE FROM kinds WHERE id = ?") is not None
    assert bulk("DELETE FROM kinds WHERE id = ? AND EXISTS (SELECT 1 FROM other o WHERE o.id = ?)") is not None
    assert bulk("DELETE FROM kinds WHERE id = ? AND (SELECT count(*) FROM kinds k WHERE k.text = ?) > 1") is None


@pytest.mark.parametrize("schema", ["app", "My-Schema", 'a"b.c \\1'])
async def test_many_rows_are_one_statement_whatever_the_schema_is_called(postgres: str, schema: str) -> None:
    """Snapshots go into the web app's own table, many at once; its schema may have a name that needs quotes."""
    quoted = '"' + schema.replace('"', '""') + '"'
    name = urlsplit(postgres).path.lstrip("/")
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {quoted}")
        admin.execute(f'ALTER DATABASE "{name}" SET search_path = {quoted}')
    columns = "id, account_id, views, snapshot_time"
    rows = [(f"s{number}", "a", number, "2026-03-10T12:00:00.000000") for number in range(MANY)]
    async with open_database(server(postgres)) as database:
        with psycopg.connect(postgres, autocommit=True) as admin:
            for write in ("INSERT", "UPDATE", "DELETE"):
                admin.execute(f"CREATE SEQUENCE {write}s")
                admin.execute(
                    f"CREATE FUNCTION count_{write}() RETURNS trigger LANGUAGE plpgsql"
                    f" AS $$BEGIN PERFORM nextval('{write}s'); RETURN NULL; END$$"
                )
                admin.execute(
                    f"CREATE TRIGGER of_{write} AFTER {write} ON {quoted}.account_snapshots EXECUTE FUNCTION"
                    f" count_{write}()"
                )
        async with database.transaction() as transaction:
            insert = f"INSERT INTO account_snapshots ({columns}) VALUES (?, ?, ?, ?)"
            assert await transaction.execute_many(insert, rows) == MANY
            update = "UPDATE account_snapshots SET views = ? WHERE id = ?"
            assert await transaction.execute_many(update, [(7, row[0]) for row in rows]) == MANY
            delete = "DELETE FROM account_snapshots WHERE id = ?"
            assert await transaction.execute_many(delete, [(row[0],) for row in rows]) == MANY
    with psycopg.connect(postgres) as admin:
        counts = [
            admin.execute(f"SELECT last_value FROM {write}s").fetchone() for write in ("insert", "update", "delete")
        ]
    assert counts == [(1,), (1,), (1,)]


@pytest.mark.parametrize(
    "sql", [upsert("kinds", "id, number", "id"), "UPDATE kinds SET id = ?, number = ? WHERE id = ?1"]
)
async def test_of_two_rows_for_one_key_the_last_one_counts(database: Database, sql: str) -> None:
    """However many rows are written at once."""
    async with database.transaction() as transaction:
        await transaction.execute_many("INSERT INTO kinds (id) VALUES (?)", [(str(n),) for n in range(MANY)])
        await transaction.execute_many(sql, [(str(n), n + again) for again in (0, 1000) for n in range(MANY)])
    assert await database.fetch("SELECT min(number), count(*) FROM kinds") == [(1000, MANY)]


async def test_many_rows_that_are_partly_there_leave_those_as_they_are(database: Database) -> None:
    """ON CONFLICT DO NOTHING is what it says for thousands of rows too, and what was refused as a whole is undone."""
    sql = "INSERT INTO kinds (id, number) VALUES (?, ?) ON CONFLICT DO NOTHING"
    async with database.transaction() as transaction:
        assert await transaction.execute_many(sql, [(str(n), n) for n in range(MANY)]) == MANY
        assert await transaction.execute_many(sql, [(str(n), n + 1000) for n in range(MOST + MANY)]) == MOST
        await transaction.execute("SAVEPOINT before")
        with pytest.raises(Refused, match="invalid input syntax"):
            await transaction.execute_many(sql, [(f"new {n}", "no number") for n in range(MANY)])
        await transaction.execute("ROLLBACK TO before")
    expected = [n if n < MANY else n + 1000 for n in range(MOST + MANY)]
    assert [n for (n,) in await database.fetch("SELECT number FROM kinds ORDER BY number")] == expected


async def test_rows_are_made_while_the_server_works_and_no_more_than_one_part_ahead() -> None:
    """The next part is ready when one has been written, and a hundred thousand rows are never held at once."""
    loop, begun = asyncio.get_running_loop(), asyncio.Queue[int]()
    numbers = iter(range(1, 5))

    def make() -> int | None:
        number = next(numbers, None)
        loop.call_soon_threadsafe(begun.put_nowait, number or 0)
        return number

    async with aclosing(ahead(make)) as parts:
        used = 0
        async for part in parts:
            used += 1
            assert part == used
            expected = [1, 2] if used == 1 else [(used + 1) % 5]
            assert [await begun.get() for _ in expected] == expected
            assert begun.empty()
    assert used == 4


async def test_many_rows_are_deleted_at_once_and_no_others(database: Database) -> None:
    """Also where a condition looks into another table."""
    async with database.transaction() as transaction:
        await transaction.execute_many("INSERT INTO kinds (id) VALUES (?)", [(str(n),) for n in range(100)])
        await transaction.execute_many(
            "INSERT INTO lost_columns (project_id, metric) VALUES (?, 'x')", [("3",), ("4",)]
        )
        sql = "DELETE FROM kinds WHERE id = ? AND EXISTS (SELECT 1 FROM lost_columns l WHERE l.project_id = ?)"
        assert await transaction.execute_many(sql, [(str(n), str(n)) for n in range(MANY)]) == 2
        assert await transaction.execute_many("DELETE FROM kinds WHERE id = ?", [(str(n),) for n in range(MANY)]) == (
            MANY - 2
        )
    assert await database.fetch("SELECT count(*) FROM kinds") == [(100 - MANY,)]


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize("spoilt", ["no\0text", "no\ud800text"])
async def test_text_that_the_server_cannot_hold_is_refused(database: Database, spoilt: str, count: int) -> None:
    """As a row is that breaks a rule: whoever writes can leave it out and write the others."""
    for sql in ("INSERT INTO kinds (id, text) VALUES (?, ?)", upsert("kinds", "id, text", "id")):
        with pytest.raises(Refused):
            async with database.transaction() as transaction:
                await transaction.execute_many(sql, [(str(n), spoilt) for n in range(count)])
    assert await database.fetch("SELECT count(*) FROM kinds") == [(0,)]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_whether_a_commit_in_doubt_was_done_is_found_out(
    postgres: str, postgres_server: Server | None, lost: str
) -> None:
    """The line is lost with the COMMIT, or with the answer to it: told as failed, or done, as the rows are."""
    assert postgres_server is not None
    proxy = Proxy(postgres_server.folder)
    try:
        async with open_database(server(postgres)) as database:
            pass  # the tables
        async with open_existing(server(through(postgres, proxy)), read_only=False) as database:
            with pytest.raises(StoreError) if lost == "before" else nullcontext():
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO projects (id, name) VALUES ('p', 'P')")
                    setattr(proxy, f"lost_{lost}", b"COMMIT\0")
            proxy.lost_before = proxy.lost_after = b""
            assert await database.fetch("SELECT count(*) FROM projects") == [(int(lost == "after"),)]
    finally:
        proxy.close()


async def test_what_is_committed_is_on_the_disk_whatever_the_servers_default_is(postgres: str) -> None:
    """A server that acknowledges before it has written would lose a pass that was reported."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {urlsplit(postgres).path[1:]} SET synchronous_commit = off")
    async with open_database(server(postgres)) as database, database.transaction() as transaction:
        assert await transaction.fetch("SELECT current_setting('synchronous_commit')") == [("on",)]


#: The server writes the plan of every statement of a database's sessions into its log, with what it found.
EXPLAIN = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}
PLAN = re.compile(r"\[(\d+)\] LOG:  duration: [\d.]+ ms  plan:\s*(\{.*?\n\t\})", re.DOTALL)


async def test_what_the_server_learns_of_yesterday_makes_no_pass_slow(
    tmp_path: Path, google: FakeGoogle, postgres: str, postgres_server: Server | None
) -> None:
    """After ANALYZE has seen only yesterday, a pass of today looks at some rows for each account, not at all of them.

    The server expects nothing of today then, and compares everything with everything where that is possible.
    """
    assert postgres_server is not None
    world = await PostgresWorld(tmp_path, google, postgres).create()
    projects = {name: [f"{name}{number}" for number in range(60)] for name in "ABC"}
    for name, accounts in projects.items():
        world.add_project(name, accounts)
    for name, value in EXPLAIN.items():
        world.execute(f"ALTER DATABASE {urlsplit(postgres).path[1:]} SET {name} = '{value}'")
    log = postgres_server.folder / "log"
    async with world.opened() as run:

        async def looked_at(number: int) -> int:
            world.now = NOON + timedelta(hours=12 * number)
            for name, accounts in projects.items():
                world.sheet(name, **{account: [place + number] * 5 for place, account in enumerate(accounts)})
            began = log.stat().st_size
            await run()
            pids = {str(row[0]) for row in world.execute("SELECT pid FROM pg_stat_activity")}
            found = PLAN.findall(log.read_bytes()[began:].decode(errors="replace"))
            return sum(_looked_at(json.loads(plan)["Plan"]) for pid, plan in found if pid in pids)

        for number in range(3):
            await looked_at(number)
        world.execute("ANALYZE")
        found = [await looked_at(number) for number in (3, 4)]
    assert max(found) <= 300 * 180, found  # all with all would be 140,000


def _looked_at(plan: dict[str, Any]) -> int:
    """How many rows the nodes of a plan have made or left out."""
    of_filters = sum(count for name, count in plan.items() if name.startswith("Rows Removed by"))
    own = (plan.get("Actual Rows", 0) + of_filters) * plan.get("Actual Loops", 0)
    return int(own) + sum(map(_looked_at, plan.get("Plans", ())))


async def test_what_is_checked_at_the_end_costs_its_own_rows_alone(
    tmp_path: Path, google: FakeGoogle, prepared: str
) -> None:
    """Foreign keys that are deferred, as Django's: `check` tells of them, and a pass writes every other row."""
    world = PostgresWorld(tmp_path, google, prepared)
    world.add_project("P", ["a", "b"])
    world.script(
        "CREATE TABLE clients (id text PRIMARY KEY); CREATE TABLE shown (id text PRIMARY KEY);"
        " INSERT INTO shown VALUES ('account-a');"
        " ALTER TABLE project_social_accounts ADD client text REFERENCES clients DEFERRABLE INITIALLY DEFERRED;"
        " ALTER TABLE account_snapshots ADD FOREIGN KEY (account_id) REFERENCES shown DEFERRABLE INITIALLY DEFERRED"
    )
    world.sections["sync"] = {"create_missing": "accounts", "defaults": {"accounts": {"client": "nobody"}}}
    world.sheet("P", a=[1] * 5, b=[2] * 5, new=[3] * 5)
    told = [finding.message for finding in (await check(world.settings)).findings if finding.level == "error"]
    assert any(
        "project_social_accounts refuses new accounts" in message and "client_fkey" in message for message in told
    )
    result = await world.sync_one()
    assert list(result.failed_accounts) == ["account-b"]
    assert [world.merged(name) for name in "ab"] == [(1,) * 5, None]
    assert world.execute("SELECT count(*) FROM project_social_accounts") == [(2,)]


@pytest.mark.parametrize("ends", ["by itself", pytest.param("cancelled", marks=pytest.mark.at_length)])
async def test_a_line_into_which_everything_vanishes_ends_each_wait(
    prepared: str, postgres_server: Server | None, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """A server that takes what it is sent and never answers costs the time that it has for a statement, and some more.

    Whoever waits is told that it is away, or is gone at once if cancelled: a worker is never lost to its pool.
    """
    monkeypatch.setattr(bounded_connection, "OVERDUE", 0.2)
    assert postgres_server is not None
    proxy = Proxy(postgres_server.folder)
    try:
        connection = Connection(server(through(prepared, proxy)), {"statement_timeout": "100"}, patience=0.0)
        assert await connection.fetch("SELECT 1") == [(1,)]
        proxy.stop()
        waiting = asyncio.create_task(connection.fetch("SELECT 2"))
        if ends == "cancelled":
            await asyncio.sleep(0.05)
            waiting.cancel()
        done, _ = await asyncio.wait({waiting}, timeout=10)
        assert done, "it still waits"
        if ends == "cancelled":
            assert waiting.cancelled()
        else:
            assert isinstance(waiting.exception(), Down)
        await connection.close()
    finally:
        proxy.close()


async def test_a_transaction_that_is_cancelled_twice_leaves_no_statement_behind(
    prepared: str, postgres_server: Server | None
) -> None:
    """The second time, while it is rolled back over a dead line: it ends at once, and the database can be closed."""
    assert postgres_server is not None
    proxy = Proxy(postgres_server.folder)
    begun = asyncio.Event()

    async def write(database: Database) -> None:
        async with database.transaction():
            proxy.stop()
            begun.set()
            await asyncio.Event().wait()

    try:
        async with open_existing(server(through(prepared, proxy)), read_only=False) as database:
            task = asyncio.create_task(write(database))
            await begun.wait()
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0)  # once it is at its next await
            done, _ = await asyncio.wait({task}, timeout=10)
            assert done, "it still waits"
            assert task.cancelled()
            assert [one.get_name() for one in asyncio.all_tasks() if one is not asyncio.current_task()] == []
    finally:
        proxy.close()


async def test_a_line_that_is_closed_already_can_be_shut(postgres: str) -> None:
    """The timer that ends a line never raises, whatever has become of the line."""
    connection = await psycopg.AsyncConnection.connect(postgres)
    await connection.close()
    bounded_connection.shut(connection)
