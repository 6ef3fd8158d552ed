"""PostgreSQL ends in mid-write: killed, stopped at once, or the session alone.  At length: `make soak`."""

import asyncio
import base64
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Event

import psycopg
import pytest

from fake_google import FakeGoogle
from postgres_server import Server, absence, running
from smart_sync.core.model import Outcome
from smart_sync.core.results.results import PassResult
from smart_sync.errors import SmartSyncError
from smart_sync.store.engine import StoreError
from smart_sync.store.schema import open_database
from world import PostgresWorld

#: How often the server ends; a soak says more.
ENDS = int(os.environ.get("SOAK_SERVERS", "5"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(10)] for number in range(3)}
#: Every pass that ends has one message in the outbox.
WEBHOOK = {
    "url": "http://127.0.0.1:9/hook",
    "secret": f"whsec_{base64.b64encode(bytes(32)).decode()}",
    "allow_private": True,
    "events": ["sync.finished"],
}


#: Who writes; in the middle of it where something is written already.
WRITER = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'smart-sync leader %'"
WRITING = f"{WRITER} AND backend_xid IS NOT NULL"


def postmaster(server: Server) -> int:
    return int((server.folder / "data" / "postmaster.pid").read_text().split("\n")[0])


def kill(server: Server) -> None:
    """SIGKILL to the postmaster."""
    os.kill(postmaster(server), signal.SIGKILL)


def stop(server: Server) -> None:
    """``pg_ctl stop -m immediate``: without a checkpoint."""
    os.kill(postmaster(server), signal.SIGQUIT)


def end_session(server: Server) -> None:
    """A terminated backend: the server goes on."""
    with server.connect() as admin:
        admin.execute(f"SELECT pg_terminate_backend(pid) FROM ({WRITER}) w")


WAYS: tuple[Callable[[Server], None], ...] = (kill, stop, end_session)


def end_in_mid_write(server: Server, end: Callable[[Server], None], chance: random.Random, passed: Event) -> bool:
    """End the server within a transaction that has written something; whether it was so: not if the pass is over.

    The session that writes is halted to be looked at, and let go on once the end has come upon it.
    """
    skipped = chance.randrange(4)
    with server.connect() as admin:
        while not passed.is_set():
            for (pid,) in admin.execute(WRITING).fetchall():
                os.kill(int(str(pid)), signal.SIGSTOP)
                try:
                    if (pid,) in admin.execute(WRITING).fetchall() and not skipped:
                        time.sleep(chance.uniform(0, 0.01))
                        end(server)
                        return True
                    skipped = max(skipped - 1, 0)
                finally:
                    os.kill(int(str(pid)), signal.SIGCONT)
    end(server)
    return False


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server that only these tests end."""
    with running() as server:
        if server is None:
            pytest.skip(absence())
        server.stop()
        server.start("-c listen_addresses=''")  # with fsync, as servers are
        yield server


@asynccontextmanager
async def world_on(google: FakeGoogle, folder: Path, server: Server) -> AsyncIterator[PostgresWorld]:
    with server.database() as url:
        world = PostgresWorld(folder, google, url)
        world.sections["webhooks"] = [WEBHOOK]
        await world.create()
        for name, accounts in PROJECTS.items():
            world.add_project(name, accounts)
        yield world


async def test_no_end_of_the_server_breaks_a_promise(tmp_path: Path, google: FakeGoogle, own: Server) -> None:
    """Killed in the middle of a write: no project is half, what was acknowledged is there, no message is there twice.

    The pass after the last end makes up for whatever was missed.
    """
    chance = random.Random(SEED)
    broken: list[str] = []
    acknowledged = hit = 0
    async with world_on(google, tmp_path, own) as world, world.opened() as run:
        await run()
        for number in range(1, ENDS + 1):
            for name, accounts in PROJECTS.items():
                world.sheet(name, **{account: [number] * 5 for account in accounts})
            end = WAYS[number % len(WAYS)]
            in_mid_write, result = await _ended_in_mid_pass(run, own, end, chance)
            hit += in_mid_write
            acknowledged += result is not None
            broken += [f"{number} ({end.__doc__}): {what}" for what in _broken(world, number, result)]
        last = await run()
        assert _broken(world, ENDS, last) == []
        assert not last.count(Outcome.FAILED)
    counts = f"in mid-write {hit}, acknowledged {acknowledged}"
    print(f"servers: tried {ENDS}, broken {len(broken)}, {counts}")  # noqa: T201
    assert not broken
    assert hit > ENDS * 0.8


async def _ended_in_mid_pass(
    run: Callable[[], Awaitable[PassResult]], server: Server, end: Callable[[Server], None], chance: random.Random
) -> tuple[bool, PassResult | None]:
    """Whether the server was ended in mid-write; what the pass says, None: it could not be run."""
    passed = Event()

    def ended() -> bool:
        try:
            return end_in_mid_write(server, end, chance, passed)
        finally:
            if end is not end_session:
                server.start_again()

    ending = asyncio.create_task(asyncio.to_thread(ended))
    result = None
    with suppress(SmartSyncError):
        result = await run()
    passed.set()
    return await ending, result


async def test_a_transaction_whose_number_was_given_again_is_not_taken_for_done(
    tmp_path: Path, google: FakeGoogle, own: Server
) -> None:
    """A server that is killed forgets a transaction and its number: the next one that gets it may commit."""
    async with world_on(google, tmp_path, own) as world, open_database(world.where) as database:
        with own.connect() as admin:
            rows = admin.execute("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '%writer'").fetchall()
        for (pid,) in rows:  # nothing gets to the disk before its commit
            os.kill(int(str(pid)), signal.SIGSTOP)

        async def write() -> None:
            async with database.transaction() as transaction:
                ((number,),) = await transaction.fetch("SELECT CAST(pg_current_xact_id() AS TEXT)")
                await transaction.execute("INSERT INTO projects (id, name) VALUES ('lost', 'P')")
                await asyncio.to_thread(_crash, own)
                with psycopg.connect(world.url, autocommit=True) as other:
                    given = "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) >= %s"
                    while other.execute(given, (int(number),)).fetchone() != (True,):
                        pass
                    status = other.execute("SELECT pg_xact_status(CAST(%s AS xid8))", (number,)).fetchone()
                assert status == ("committed",)  # though nothing of it is there

        with pytest.raises(StoreError):
            await write()
        assert await database.fetch("SELECT 1 FROM projects WHERE id = 'lost'") == []


def _crash(server: Server) -> None:
    """SIGKILL to every process of the server at once."""
    with server.connect() as admin:
        processes = admin.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
        for pid in (postmaster(server), *(int(str(pid)) for (pid,) in processes)):
            os.kill(pid, signal.SIGKILL)
    server.start_again()


def _broken(world: PostgresWorld, number: int, result: PassResult | None) -> list[str]:
    """What is not as promised after a pass over worksheets whose cells all say ``number``."""
    found = []
    values = dict(
        world.execute(
            "SELECT a.project_id, string_agg(DISTINCT concat_ws(' ', m.followers, m.views, s.followers, s.views), ', ')"
            " FROM project_social_accounts a LEFT JOIN account_metrics m ON m.account_id = a.id"
            " LEFT JOIN account_snapshots s ON s.account_id = a.id GROUP BY 1"
        )
    )
    found += [f"{project} is half: {seen}" for project, seen in values.items() if "," in seen]
    doubled = "SELECT account_id FROM account_snapshots GROUP BY account_id HAVING count(*) > 1"
    found += [f"{account} has two snapshots" for (account,) in world.execute(doubled)]
    if result is None:
        return found
    for one in result.results:
        if one.outcome in (Outcome.SYNCED, Outcome.UNCHANGED) and values[one.project.id] != " ".join([str(number)] * 4):
            found.append(f"{one.project.id} was acknowledged ({one.outcome}) and is {values[one.project.id]}")
    finished = "SELECT count(*) FROM sync_runs WHERE id = ? AND finished_at IS NOT NULL"
    if world.execute(finished, (result.id,)) != [(1,)]:
        found.append("the pass was acknowledged and is not there")
    messages = world.execute("SELECT count(*) FROM webhook_deliveries WHERE body LIKE ?", (f"%{result.id}%",))
    if messages != [(1,)]:
        found.append(f"{messages[0][0]} messages for the pass")
    return found
