"""Who writes to a PostgreSQL database: the lease, its token in every writing transaction, and who takes over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing

import psycopg
import pytest
from tests.store.test_postgres_refusals import old_server

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config import Settings
from smart_sync.config.database_url import Server, server
from smart_sync.errors import Busy, DatabaseError
from smart_sync.service.standing_by import StandingBy
from smart_sync.store.engine import Down, Lost, StoreError
from smart_sync.store.postgres import fencing, worker_tasks
from smart_sync.store.postgres import lease as lease_module
from smart_sync.store.postgres.lease import DAEMON, PASS, Lease, held
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.postgres.server_connection import Connection
from smart_sync.store.schema import open_database, open_existing
from smart_sync.sync.reporter import Reporter

ADD = "INSERT INTO projects (id, name) VALUES (?, ?)"


Leases = Callable[..., Lease]


@pytest.fixture
async def leases() -> AsyncIterator[Leases]:
    """Makes leases, which are given back at the end."""
    made: list[Lease] = []

    def make(where: Server, kind: str = PASS) -> Lease:
        made.append(Lease(where, kind))
        return made[-1]

    yield make
    for one in made:
        await one.give_back()


def short(url: str, seconds: float = 1.0) -> Server:
    """The server at ``url`` with a take-over that a test can wait for."""
    where = server(url)
    return Server(where.url, where.name, seconds)


def end(url: str) -> None:
    """Let the lease be at its end, as if its holder had been halted for as long."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("UPDATE smart_sync_leases SET expires_at = now() - interval '1 second'")


async def test_a_second_instance_is_told_and_the_lease_is_given_back(postgres: str) -> None:
    """One instance has the database; others look, and write beside it in transactions of their own; then it is free."""
    where = server(postgres)
    async with open_database(where):
        with pytest.raises(Busy, match=r"another instance \(.*:\d+\) holds the database; try again"):
            async with open_database(where):
                pass
        async with open_existing(where, read_only=False) as beside, beside.transaction() as transaction:
            await transaction.execute(ADD, ("p", "P"))
    async with open_database(where) as database:
        assert await database.fetch("SELECT id FROM projects") == [("p",)]


async def test_who_waits_gets_it_when_it_is_given_back(postgres: str, leases: Leases) -> None:
    """`once` waits for another pass as long as it was told to."""
    second = leases(server(postgres))
    async with held(second.server) as first:
        waiting = asyncio.ensure_future(second.acquire(30.0))
        await asyncio.sleep(0)
        assert first.held
    await asyncio.wait_for(waiting, 10)


async def test_a_daemon_is_not_waited_for(postgres: str, leases: Leases) -> None:
    """A daemon will not let it go, which is said at once, with how to ask it."""
    where, daemon = server(postgres), leases(server(postgres), DAEMON)
    assert await daemon.attempt()
    with pytest.raises(Busy, match="ask it with: smart-sync sync"):
        await asyncio.wait_for(leases(where).acquire(600.0), 10)


async def test_the_late_write_of_one_that_was_taken_over_from_is_refused(postgres: str, leases: Leases) -> None:
    """Its own clock says that it leads (it was halted): the token says otherwise, and nothing of it is written."""
    old = leases(server(postgres))
    assert await old.attempt()
    async with open_database(old.server, lease=old) as database:
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("before", "P"))
        end(postgres)
        new = leases(old.server)
        assert await new.attempt()
        assert old.held
        with pytest.raises(Lost, match="another instance has taken over"):
            async with database.transaction() as transaction:
                await transaction.execute(ADD, ("late", "P"))
        async with open_database(new.server, lease=new) as other:
            assert await other.fetch("SELECT id FROM projects") == [("before",)]


async def test_without_the_token_the_late_write_gets_in(
    postgres: str, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: an instance that asks its own clock alone writes after it was taken over from."""

    async def by_its_own_clock(self: Lease, connection: object) -> None:
        self.require_held()

    monkeypatch.setattr(Lease, "check", by_its_own_clock)
    old, new = leases(server(postgres)), leases(server(postgres))
    assert await old.attempt()
    async with open_database(old.server, lease=old) as database:
        end(postgres)
        assert await new.attempt()
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("late", "P"))
        assert await database.fetch("SELECT id FROM projects") == [("late",)]


async def test_who_is_halted_in_the_middle_of_a_transaction_is_taken_over_from(postgres: str, leases: Leases) -> None:
    """An open transaction keeps the row: its session is ended, nothing of it is written, and the next one leads."""
    old, new = leases(server(postgres)), leases(server(postgres))
    assert await old.attempt()
    async with open_database(old.server, lease=old) as database:

        async def write() -> None:
            async with database.transaction() as transaction:
                await transaction.execute(ADD, ("half", "P"))
                end(postgres)
                await asyncio.wait_for(new.acquire(5.0), 5)
                await transaction.execute(ADD, ("more", "P"))

        with pytest.raises(StoreError):
            await write()
        async with open_database(new.server, lease=new) as other:
            assert await other.fetch("SELECT id FROM projects") == []


async def test_who_cannot_renew_stops_before_the_lease_ends(postgres: str) -> None:
    """By its own clock, also in the middle of a transaction: while nobody else can have it yet."""
    where = short(postgres, 2.0)
    async with held(where) as own, PostgresDatabase(where, lease=own) as database:
        with psycopg.connect(postgres) as admin:
            admin.execute("SELECT 1 FROM smart_sync_leases FOR UPDATE")  # nothing can be renewed
            await asyncio.wait_for(own.free.wait(), 5)
            left = "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM smart_sync_leases"
            assert 0 < float(str((admin.execute(left).fetchone() or [0])[0])) < 1
            with pytest.raises(Lost, match="could not be renewed within 2 s"):
                async with database.transaction():
                    pass


async def test_a_token_that_was_raised_fences_what_was_begun_before(postgres: str) -> None:
    """For a spreadsheet: the older token is refused, and a newer one waits for who is writing with the older."""
    first, second, where = worker_tasks.TaskToken(), worker_tasks.TaskToken(), server(postgres)
    async with (
        open_database(where) as database,
        PostgresDatabase(where, lease=first) as older,
        PostgresDatabase(where, lease=second) as newer,
    ):
        assert isinstance(database, PostgresDatabase)
        await worker_tasks.begin(database, "run", "{}", {"K": "[]"})
        assert await worker_tasks.take(older, first, "run", "K", "a") is not None
        async with older.transaction():
            with psycopg.connect(postgres) as other, pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("SELECT 1 FROM smart_sync_leases WHERE resource = 'spreadsheet:K' FOR UPDATE NOWAIT")
        assert await worker_tasks.take(newer, second, "run", "K", "b") is not None
        assert second.token > first.token
        with pytest.raises(Lost):
            async with older.transaction():
                pass
        async with newer.transaction():
            pass


async def test_a_late_leader_takes_no_spreadsheet_from_workers(postgres: str, leases: Leases) -> None:
    """Of the pass that the next leader has begun: what only a leader may do is refused as what it writes is."""
    old, new = leases(server(postgres)), leases(server(postgres))
    assert await old.attempt()
    async with open_database(old.server, lease=old) as late:
        assert isinstance(late, PostgresDatabase)
        end(postgres)
        assert await new.attempt()
        async with PostgresDatabase(new.server, lease=new) as database:
            await worker_tasks.begin(database, "run", "{}", {"K": "[]"})
            token = "SELECT token FROM smart_sync_leases WHERE resource = 'spreadsheet:K'"
            before = await database.fetch(token)
            for raising in (worker_tasks.end(late, "run"), worker_tasks.collect(late, "run", ["K"])):
                with pytest.raises(Lost):
                    await raising
            assert await database.fetch(token) == before


async def test_a_server_that_is_none_for_us_is_asked_seldom() -> None:
    """One that is too old, or a replica, is not mended at once: a daemon that stands by asks every two seconds."""
    met: list[float] = []
    with old_server(met) as url:
        lease = Lease(server(url), DAEMON)
        running = asyncio.create_task(lease.run())
        await asyncio.wait({running}, timeout=0.5 * lease_module.POLL)
        running.cancel()
        await asyncio.wait({running})
        assert "is too old" in lease.trouble
    assert len(met) == 1


async def test_trouble_ends_a_daemon_at_its_start_only(postgres: str, leases: Leases) -> None:
    """Before it has started a database in trouble is told and ends it; afterwards it only leads no more."""
    lease, has_started = leases(server(postgres)), False
    assert await lease.attempt()

    async def reload() -> None:
        raise AssertionError

    settings = Settings.model_validate({"sheets": {"source": "csv", "directory": "."}})
    waits = StandingBy(settings, lease, Reporter(), reload, 0.0)
    away = ExceptionGroup("its tasks", [Down("away", DatabaseError("the server is away"))])
    with pytest.raises(DatabaseError, match="the server is away"), waits.leading(lambda: has_started):
        raise away
    with waits.leading(lambda: has_started):
        has_started = True
        raise away


async def test_a_lease_that_is_lost_while_the_server_is_connected_to_leaves_no_connection(postgres: str) -> None:
    """As after a line that was dead: nothing is asked, or written, through one that comes about too late."""
    connection = Connection(server(postgres), {}, patience=1.0)
    coming = asyncio.create_task(connection.open())
    await asyncio.sleep(0)
    connection.cut(fencing.lost("another leads"))
    with pytest.raises(Lost):
        await coming


async def test_who_is_halted_in_the_middle_of_a_statement_holds_nobody_up(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No timeout of the server counts while it waits for the rest of a COPY: the leader ends such a session of ours."""
    monkeypatch.setattr(lease_module, "HALTED", 0.5)
    async with open_database(server(postgres)):
        pass
    with ExitStack() as stack:
        others = [
            stack.enter_context(closing(psycopg.connect(postgres, application_name=name, autocommit=True)))
            for name in ("smart-sync worker public", "of somebody else")
        ]
        for other, what in zip(others, ("SELECT 1 FROM smart_sync_schema FOR UPDATE", "SELECT 1"), strict=True):
            other.execute("BEGIN")
            other.execute(what)
            other.pgconn.send_query(b"COPY projects (id, name) FROM STDIN")
        async with held(short(postgres)) as own, PostgresDatabase(own.server, lease=own, patience=5.0) as database:
            async with database.transaction() as transaction:
                await transaction.execute(ADD, ("p", "P"))
            names = "SELECT application_name FROM pg_stat_activity WHERE query LIKE 'COPY projects%'"
            assert await database.fetch(names) == [("of somebody else",)]


async def test_a_token_that_was_given_twice_is_the_last_ones(postgres: str, leases: Leases) -> None:
    """A replica that took over had not heard of the first: it renews nothing, writes nothing and gives nothing back."""
    first = leases(server(postgres))
    assert await first.attempt()
    async with open_database(first.server, lease=first) as database:
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute("UPDATE smart_sync_leases SET holder = 'another:1' WHERE resource = 'leader'")
            with pytest.raises(Lost, match="another instance has taken over"):
                async with database.transaction():
                    pass
            await first.give_back()
            left = admin.execute("SELECT holder, expires_at > now() FROM smart_sync_leases WHERE resource = 'leader'")
            assert left.fetchall() == [("another:1", True)]


async def test_who_renews_notices_a_token_that_was_given_twice(postgres: str) -> None:
    """Also where it writes nothing."""
    async with held(short(postgres)) as own:
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute("UPDATE smart_sync_leases SET holder = 'another:1' WHERE resource = 'leader'")
        await asyncio.wait_for(own.free.wait(), 5)
        assert own.reason == "another instance has taken over"


@pytest.mark.parametrize("lost", ["DELETE FROM smart_sync_leases", "DROP TABLE smart_sync_leases"])
async def test_a_lease_whose_row_is_gone_is_made_anew(postgres: str, leases: Leases, lost: str) -> None:
    """As after a restore: who held it loses it, and whoever waits takes it; neither ends."""
    async with held(short(postgres)) as own:
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(lost)
        await asyncio.wait_for(own.free.wait(), 5)
        await asyncio.wait_for(own.taken.wait(), 5)


async def test_a_clock_that_was_set_back_keeps_nobody_from_leading(postgres: str, leases: Leases) -> None:
    """The lease of one that is dead would last for hours by the server's clock; an honest one is left alone."""
    old, new = leases(server(postgres)), leases(server(postgres))
    assert await old.attempt()
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("UPDATE smart_sync_leases SET expires_at = now() + interval '1 hour'")
        assert not await new.attempt()
        admin.execute("UPDATE smart_sync_leases SET expires_at = now() + interval '2 hours'")
        assert await new.attempt()


#: A clock in place of the server's, which a test can set back.
CLOCK = """
CREATE SCHEMA clock;
CREATE TABLE clock.set_back (by interval);
INSERT INTO clock.set_back VALUES ('0');
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.clock_timestamp() - by FROM clock.set_back';
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = clock, pg_catalog, public', current_database());
END $$
"""


@pytest.mark.parametrize("leader", ["dead", "alive"])
async def test_a_clock_that_is_set_back_by_minutes_delays_no_take_over(
    postgres: str, leases: Leases, leader: str
) -> None:
    """One that waits goes by its own clock: a lease that it saw is over in time, and one that is renewed is not."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(CLOCK)
        old, new = leases(short(postgres)), leases(short(postgres))
        assert await old.attempt()
        assert not await new.attempt()
        admin.execute("UPDATE clock.set_back SET by = '10 minutes'")
        if leader == "alive":
            async with BackgroundTasks({"lease": old.run}):
                with pytest.raises(Busy, match="another instance"):
                    await new.acquire(1.5)
                assert old.held
        else:
            assert not await new.attempt()
            await new.acquire(10)
            assert (new.held, old.held) == (True, False)
