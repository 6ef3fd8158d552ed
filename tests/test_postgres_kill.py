"""PostgreSQL ends in mid-write: killed, stopped at once, or the session alone.  At length: `make soak`."""

import asyncio
import base64
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from fake_google import FakeGoogle
from postgres_server import Server, running
from smart_sync.core.model import Outcome
from smart_sync.core.results.results import PassResult
from smart_sync.errors import SmartSyncError
from world import PostgresWorld

#: How often the server ends; a soak says more.
ENDS = int(os.environ.get("SOAK_SERVERS", "3"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROJECTS = {f"P{number}": [f"p{number}a{account}" for account in range(10)] for number in range(3)}
#: Every pass that ends has one message in the outbox.
WEBHOOK = {
    "url": "http://127.0.0.1:9/hook",
    "secret": f"whsec_{base64.b64encode(bytes(32)).decode()}",
    "allow_private": True,
    "events": ["sync.finished"],
}


def kill(server: Server) -> None:
    """SIGKILL to the postmaster."""
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
    os.kill(pid, signal.SIGKILL)
    server.start_again()


def stop(server: Server) -> None:
    """``pg_ctl stop -m immediate``: without a checkpoint."""
    server.stop("immediate")
    server.start_again()


def end_session(server: Server) -> None:
    """A terminated backend: the server goes on."""
    with server.connect() as admin:
        writing = "FROM pg_stat_activity WHERE application_name LIKE 'smart-sync leader %'"
        assert admin.execute(f"SELECT pg_terminate_backend(pid) {writing}").fetchall(), "nobody writes"


WAYS: tuple[Callable[[Server], None], ...] = (kill, stop, end_session)


@asynccontextmanager
async def world_on(google: FakeGoogle, folder: Path, server: Server) -> AsyncIterator[PostgresWorld]:
    server.stop()
    server.start("-c listen_addresses=''")  # with fsync, as servers are
    with server.database() as url:
        world = PostgresWorld(folder, google, url)
        world.sections["webhooks"] = [WEBHOOK]
        await world.create()
        for name, accounts in PROJECTS.items():
            world.add_project(name, accounts)
        yield world


async def test_no_end_of_the_server_breaks_a_promise(tmp_path: Path, google: FakeGoogle) -> None:
    """Killed at any moment of a pass: no project is half, what was acknowledged is there, no message is there twice.

    The pass after the last end makes up for whatever was missed.
    """
    chance = random.Random(SEED)
    broken: list[str] = []
    acknowledged = 0
    with running() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed: make packages, as root")
        async with world_on(google, tmp_path, server) as world, world.opened() as run:
            began = time.perf_counter()
            await run()
            took = time.perf_counter() - began
            for number in range(1, ENDS + 1):
                for name, accounts in PROJECTS.items():
                    world.sheet(name, **{account: [number] * 5 for account in accounts})
                end = WAYS[number % len(WAYS)]
                result = await _ended_in_mid_pass(run, chance.uniform(0.1, 0.95) * took, partial(end, server))
                acknowledged += result is not None
                found = _broken(world, number, result)
                broken += [f"{number} ({end.__doc__}): {what}" for what in found]
            last = await run()
            assert _broken(world, ENDS, last) == []
            assert not last.count(Outcome.FAILED)
    print(f"servers: tried {ENDS}, broken {len(broken)}, acknowledged {acknowledged}")  # noqa: T201
    assert not broken


async def _ended_in_mid_pass(
    run: Callable[[], Awaitable[PassResult]], delay: float, end: Callable[[], None]
) -> PassResult | None:
    """What a pass says during which the server ends after ``delay`` seconds; None: it could not be run."""

    async def later() -> None:
        await asyncio.sleep(delay)
        await asyncio.to_thread(end)

    ending = asyncio.create_task(later())
    try:
        return await run()
    except SmartSyncError:
        return None
    finally:
        await ending


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
