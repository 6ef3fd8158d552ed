"""`migrate-store`, attacked: odd values, rows that clash, an interruption, a source that is written to meanwhile."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.store.test_engines_agree import fixed_ids, rows_of
from tests.store.test_postgres import TYPES

from daemon_process import run_command
from fake_google import FakeGoogle
from smart_sync.config.database_url import server
from smart_sync.errors import SmartSyncError
from smart_sync.store.postgres import postgres_transaction
from smart_sync.store.postgres.sqlite_to_postgres import move
from smart_sync.store.schema import shared_tables
from world import NOON, PostgresWorld, World, link

#: The columns of ids in the tables that the two passes have filled.
IDS = {
    "projects": ["id"],
    "project_social_accounts": ["id", "project_id"],
    **{name: ["account_id"] for name in ("account_snapshots", "account_metrics", "parsed_metrics", "sheet_edits")},
    "sheet_metrics": ["account_id", "project_id"],
    "parsed_seen": ["account_id"],
    "worksheet_reads": ["project_id"],
}
COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
AND table_name IN ('projects', 'project_social_accounts', 'account_snapshots') ORDER BY 1, ordinal_position
"""


@pytest.fixture
async def lived(world: World) -> World:
    """A file after two passes."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1, 2, 3, 4, 5], b=[5] * 5)
    await world.sync()
    world.now += timedelta(hours=1)
    world.sheet("P", a=[1, 2, 3, 4, 9], b=[6] * 5)
    world.parsed("a", [100, None, None, None, 7])
    await world.sync()
    return world


@contextlib.contextmanager
def at_table(number: int, do: Callable[[], Any]) -> Any:
    """Inside, ``do`` is called before the table with that number is copied."""
    plain, left = postgres_transaction.PostgresTransaction.copying, iter(range(number))

    @contextlib.asynccontextmanager
    async def copying(self: Any, sql: str) -> AsyncIterator[Any]:
        if next(left, None) == number - 1:
            do()
            await asyncio.sleep(0)
        async with plain(self, sql) as send:
            yield send

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_transaction.PostgresTransaction, "copying", copying)
        yield


def tables(url: str) -> int:
    with psycopg.connect(url) as there:
        sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename != 'smart_sync_leases'"
        ((count,),) = there.execute(sql).fetchall()
        return int(count)


async def test_all_rows_of_all_tables_arrive(lived: World, google: FakeGoogle, postgres: str) -> None:
    """Every table is the same on either engine, and so is what the next pass makes of it."""
    await move(lived.path, server(postgres))
    there = PostgresWorld(lived.folder, google, postgres)
    same(there, lived)
    lived.sheet("P", a=[1, 2, 3, 4, 10], b=[6] * 5)
    for world in (lived, there):
        world.now = NOON + timedelta(hours=2)
        with fixed_ids(1):
            await world.sync()
    same(there, lived)


def same(there: World, here: World) -> None:
    """All rows of all tables are the same in both."""
    moved, kept = rows_of(there), rows_of(here)
    assert moved.keys() == kept.keys()
    for table, rows in kept.items():
        assert moved[table] == rows, table


async def test_a_merged_value_that_is_none_is_no_zero(lived: World, google: FakeGoogle, postgres: str) -> None:
    """It is told, it has no winner, and the next pass decides anew; a row without an id gets one."""
    lived.execute("UPDATE account_metrics SET views = '12 000', likes = 1.5 WHERE account_id = 'account-a'")
    lived.execute(
        "INSERT INTO account_snapshots (id, account_id, views, snapshot_time)"
        " VALUES (NULL, 'account-b', 3, '2026-03-01T12:00:00')"
    )
    lived.execute("UPDATE project_social_accounts SET username = x'ff41' WHERE id = 'account-b'")
    moved = await move(lived.path, server(postgres))
    assert moved.odd == 4
    columns = [value.partition(": ")[2].partition(" is ")[0] for value in moved.odd_values]
    assert columns == [
        "username",
        "id",
        "likes",
        "views",
    ]
    there = PostgresWorld(lived.folder, google, postgres)
    kept = (
        "SELECT views, views_winner, likes, likes_winner, followers FROM account_metrics WHERE account_id = 'account-a'"
    )
    assert there.execute(kept) == [(0, None, 0, None, 100)]
    assert len(there.snapshots("b")) == len(lived.snapshots("b")) == 2
    await there.sync()
    assert there.merged("a") == (100, 2, 3, 4, 9)


async def test_rows_that_clash_are_told_and_nothing_is_kept(lived: World, postgres: str) -> None:
    """SQLite tells a text from bytes, PostgreSQL cannot: which table, which row, and the server is as it was."""
    lived.execute("INSERT INTO projects (id, name) VALUES ('x', 'text'), (x'78', 'bytes')")
    with pytest.raises(SmartSyncError, match=r"table projects: .*Key \(id\)=\(x\) already exists; correct that row"):
        await move(lived.path, server(postgres))
    assert tables(postgres) == 0


async def test_an_interrupted_move_leaves_nothing_and_can_be_made_again(
    lived: World, google: FakeGoogle, postgres: str
) -> None:
    """Cut off in the middle, the server has no table; a second try copies all; a third one is refused."""
    moving = asyncio.create_task(move(lived.path, server(postgres)))
    with at_table(12, moving.cancel), pytest.raises(asyncio.CancelledError):
        await moving
    assert tables(postgres) == 0
    await move(lived.path, server(postgres))
    assert rows_of(PostgresWorld(lived.folder, google, postgres)) == rows_of(lived)
    with pytest.raises(SmartSyncError, match="has rows already; name an empty database"):
        await move(lived.path, server(postgres))


async def test_what_is_written_meanwhile_is_not_half_of_it(lived: World, google: FakeGoogle, postgres: str) -> None:
    """One state of the file arrives, that of the beginning; what a web app writes during the copy stays in the file."""
    before = rows_of(lived)

    def write() -> None:
        lived.execute("INSERT INTO projects (id, name) VALUES ('late', 'Late')")
        lived.execute("INSERT INTO project_social_accounts (id, project_id, profile_link) VALUES ('l', 'late', ?)",
                      (link("late"),))  # fmt: skip
        lived.execute("DELETE FROM account_snapshots")

    with at_table(2, write):
        await move(lived.path, server(postgres))
    assert rows_of(PostgresWorld(lived.folder, google, postgres)) == before
    assert lived.execute("SELECT name FROM projects WHERE id = 'late'") == [("Late",)]


@pytest.mark.parametrize("time", ["timestamp", "timestamptz"])
async def test_the_tables_that_the_web_app_has_made_there_are_filled_as_they_are(
    lived: World, google: FakeGoogle, postgres: str, time: str
) -> None:
    """uuid, boolean, date, int4 and foreign keys: the rows arrive, what cannot is told, and the next pass goes on."""
    ids = {key: str(uuid.uuid5(uuid.NAMESPACE_URL, key)) for key in ("project-P", "account-a", "account-b")}
    for table, columns in IDS.items():
        for column, (old, new) in product(columns, ids.items()):
            lived.execute(f"UPDATE {table} SET {column} = '{new}' WHERE {column} = '{old}'")
    lived.execute(f"UPDATE account_snapshots SET likes = {2**31} WHERE account_id = '{ids['account-b']}'")
    lived.execute("UPDATE projects SET start_date = '', is_finished = NULL")
    with psycopg.connect(postgres, autocommit=True) as app:
        app.execute(TYPES.format(id="uuid", time=time))
        before = app.execute(COLUMNS).fetchall()
        moved = await move(lived.path, server(postgres))
        assert app.execute(COLUMNS).fetchall() == before
        assert app.execute("SELECT id::text, is_active, start_date FROM projects").fetchall() == [
            (ids["project-P"], True, None)
        ]
        told = app.execute("SELECT likes FROM account_snapshots ORDER BY likes NULLS FIRST").fetchall()
    assert told == [(None,), (2,)]
    assert [odd.partition(": ")[2] for odd in moved.odd_values] == ["likes is 2147483648, too large: it is NULL now"]
    assert {"projects.geo", "projects.target_views"} <= set(moved.left)
    there = PostgresWorld(lived.folder, google, postgres)
    there.now = lived.now
    assert (await there.sync_one()).counts.changed == 0


@pytest.mark.parametrize("does", ["NEW.likes := NEW.likes + 1; RETURN NEW", "RETURN NULL"])
async def test_what_arrives_otherwise_than_it_was_sent_is_not_kept(lived: World, postgres: str, does: str) -> None:
    """A trigger of the web app's that changes a number, or leaves a row out: counts and sums tell, all is undone."""
    with psycopg.connect(postgres, autocommit=True) as app:
        app.execute(shared_tables())
        app.execute(f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {does}; END$$")
        app.execute("CREATE TRIGGER meddle BEFORE INSERT ON account_snapshots FOR EACH ROW EXECUTE FUNCTION meddle()")
        with pytest.raises(
            SmartSyncError, match=r"table account_snapshots: what arrived is not what was sent .*nothing"
        ):
            await move(lived.path, server(postgres))
        assert app.execute("SELECT count(*) FROM projects").fetchall() == [(0,)]
    assert tables(postgres) == 3


async def test_ids_that_the_web_apps_table_cannot_hold_are_told_with_what_to_do(lived: World, postgres: str) -> None:
    """An id that is no uuid, for a column of uuids: which table, which value, what may be done; nothing is kept."""
    with psycopg.connect(postgres, autocommit=True) as app:
        app.execute(TYPES.format(id="uuid", time="timestamp"))
    wanted = 'table projects: invalid input syntax for type uuid: "project-P"; correct that row in the file, or let the'
    with pytest.raises(SmartSyncError, match=wanted):
        await move(lived.path, server(postgres))
    assert tables(postgres) == 3


async def test_the_command_refuses_what_is_no_source_or_target(lived: World, tmp_path: Path, postgres: str) -> None:
    """A file that is none, a file of an earlier version, an address that is none or has nobody: a line each."""
    environment = {
        "TO": postgres,
        "AWAY": "postgresql://app:s3cretpw@127.0.0.1:1/x",
        "NONE": "mysql://app:s3cretpw@h/x",
    }
    (tmp_path / "text.db").write_text("no database at all " * 100)
    lines = {
        ("nowhere.db", "env:TO"): "there is no such file",
        ("text.db", "env:TO"): "text.db",
        (lived.path.name, "env:AWAY"): "cannot be reached",
        (lived.path.name, "env:NONE"): "expected postgresql://",
    }
    for (source, target), line in lines.items():
        ended = run_command("migrate-store", str(tmp_path / source), target, environment=environment)
        assert ended.returncode in (1, 2)
        assert line in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "s3cretpw" not in ended.stderr
    lived.execute("UPDATE smart_sync_schema SET version = 4")
    ended = run_command("migrate-store", str(lived.path), "env:TO", environment=environment)
    assert "bring them up to date: smart-sync once" in ended.stderr
    assert tables(postgres) == 0
