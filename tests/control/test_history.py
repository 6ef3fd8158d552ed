"""The history of passes: for people, for programs, over the socket."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from control_clients import connected
from daemon_process import Daemon, run_command
from smart_sync.admin.history import history
from smart_sync.core.model import Trigger
from smart_sync.store.pass_history import start_run
from smart_sync.store.requested_project import UnknownProject
from smart_sync.store.schema import open_database
from world import KEY, World


@pytest.fixture
async def lived(world: World) -> World:
    """Three passes, an hour apart: Q fails in the second, and its worksheet is missing in the third."""
    world.add_project("P", ["a"])
    world.add_project("Q", ["b"])
    world.sheet("P", a=["junk", 1, 1, 1, 1])
    with world.refusing("INSERT", "worksheet_reads", "NEW.project_id = 'project-Q'", "not Q"):
        await world.sync("project-P")
        world.now += timedelta(hours=1)
        await world.sync()
    del world.google.spreadsheets[KEY].worksheets["Q"]
    world.now += timedelta(hours=1)
    await world.sync()
    return world


async def told(world: World, project: str | None = None, *, failed: bool = False, limit: int = 20) -> list[Any]:
    runs: list[Any] = (await history(world.where, limit, project, failed=failed))["runs"]
    return runs


async def test_passes_come_newest_first_with_what_was_not_well(lived: World) -> None:
    """Every pass with its outcome, counts and seconds; under it the projects that failed or were degraded."""
    runs = await told(lived)
    assert [run["outcome"] for run in runs] == ["degraded", "failed", "synced"]
    assert [[result["project_name"] for result in run["results"]] for run in runs] == [["Q"], ["Q"], []]
    assert "not Q" in runs[1]["results"][0]["error"]
    assert set(runs[0]["results"][0]["stages"]) == {"read", "decide", "write"}
    assert [run["projects"] for run in await told(lived, limit=2)] == [2, 2]


async def test_one_project_has_its_own_history(lived: World) -> None:
    """By id or name: only the passes it took part in, each with its result and problems."""
    for name in ("P", "project-P"):
        runs = await told(lived, name)
        assert [run["results"][0]["project_id"] for run in runs] == ["project-P"] * 3
        assert "P!C2" in runs[2]["results"][0]["problems"][0]
    assert len(await told(lived, "Q")) == 2
    with pytest.raises(UnknownProject):
        await told(lived, "nobody")


async def test_only_the_failed_ones(lived: World) -> None:
    """--failed: passes with a failed project, of one project its own failures, and passes that were cut off."""
    assert [run["outcome"] for run in await told(lived, failed=True)] == ["failed"]
    assert await told(lived, "P", failed=True) == []
    assert len(await told(lived, "Q", failed=True)) == 1
    async with open_database(lived.where) as database:
        await start_run(database, "cut", Trigger.TIMER, "", "2030-01-01T00:00:00.000000")
    assert [run["outcome"] for run in await told(lived, failed=True)] == ["unfinished", "failed"]


async def test_the_socket_tells_the_same(lived: World) -> None:
    """GET /api/admin/sync_history takes limit, project_id and failed, and refuses what it does not know."""
    config = lived.config("[schedule]\nrun_on_start = false\n")
    with Daemon(config):
        whole = await _get(lived.folder, "limit=2")
        one = await _get(lived.folder, "project_id=project-Q&failed=true")
        bad = [await _get(lived.folder, query) for query in ("limit=0", "failed=perhaps", "since=1")]
    assert whole["runs"] == await told(lived, limit=2)
    assert [run["results"][0]["outcome"] for run in one["runs"]] == ["failed"]
    assert [answer["success"] for answer in bad] == [False] * 3


async def _get(folder: Path, query: str, endpoint: str = "sync_history") -> Any:
    async with connected(folder / "control.sock") as client:
        client.get(f"/api/admin/{endpoint}?{query}")
        return (await client.answer()).json


async def test_the_socket_explains_an_account(lived: World) -> None:
    """GET /api/admin/explain says what the command prints; who is not there, or not named, is an error in one line."""
    config = lived.config("[schedule]\nrun_on_start = false\n")
    ((account, link),) = lived.execute("SELECT id, profile_link FROM project_social_accounts ORDER BY id LIMIT 1")
    with Daemon(config):
        queries = (f"account={quote(link)}", f"account={account}", "account=%40nobody", "", f"account={account}&days=x")
        by_link, by_id, nobody, unnamed, odd = [await _get(lived.folder, query, "explain") for query in queries]
        printed = json.loads(run_command("explain", link, "--json", "--config", str(config)).stdout)
    assert by_link == by_id == printed
    assert "no account matches '@nobody'" in nobody["error"]
    assert "account is missing" in unnamed["error"]
    assert "days must be a number" in odd["error"]


def test_the_command_needs_no_daemon(lived: World) -> None:
    """For people a line per pass and project, for programs JSON; control characters are shown, not obeyed."""
    lived.execute("UPDATE sync_project_runs SET project_name = ? WHERE project_name = 'Q'", ("[red]Q\x1b[2J",))
    config = lived.config()
    shown = run_command("history", "--failed", "--config", str(config))
    as_json = run_command("history", "--json", "--limit", "1", "--config", str(config))
    assert (shown.returncode, as_json.returncode) == (0, 0)
    assert "failed: 2 projects" in shown.stdout
    assert "[red]Q" in shown.stdout
    assert "\x1b[2J" not in shown.stdout
    assert len(json.loads(as_json.stdout)["runs"]) == 1
