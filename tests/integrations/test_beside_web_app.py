"""A web app, the daemon, the router, Celery and cron on one database: what its screens show after each pass."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from celery import Celery

from beside import SYNC, TOKEN, Beside
from celery_processes import celery
from daemon_process import PATIENCE
from fake_google import FakeGoogle
from markdown_pages import HOW_TO, texts
from web_app import METRICS
from web_server import serving
from world import World


def test_every_way_of_the_guide_brings_an_edit_to_the_screens(beside: Beside, broker: str) -> None:
    """By the router, Celery and cron, with the daemon and without: after the pass each screen shows what was typed."""
    own = {**beside.environment, "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
    edits = iter([number, number // 10, number // 100, 3, number * 10] for number in range(2000, 9000, 1000))
    with ExitStack() as stack:
        client = stack.enter_context(beside.serving())
        app = stack.enter_context(Celery("client", broker=broker, backend=broker))
        worker = ("worker", "--pool", "solo", "--loglevel", "INFO")
        log = beside.world.folder / "worker.log"
        stack.enter_context(celery("smart_sync.integrations.celery", *worker, log=log, environment=own))

        def by_router(query: str = "") -> None:
            answer = client.post(SYNC + query, headers={"Authorization": f"Bearer {TOKEN}"}).json()
            assert (answer["success"], answer.get("error_count", 0)) == (True, 0), answer

        def by_celery() -> None:
            assert app.send_task("smart_sync_all_projects").get(timeout=PATIENCE)["success_count"] == 1

        def by_command(command: str) -> None:
            assert beside.command(command).returncode == 0

        def all_of(ways: Sequence[Callable[[], None]]) -> None:
            for way in ways:
                typed = next(edits)
                beside.edit(typed)
                way()
                beside.shows(client, typed)

        with beside.daemon():
            by_router()
            beside.shows(client, [1000, 100, 10, 2, 10000])
            all_of([by_router, lambda: by_router("?project_id=project-1"), by_celery, lambda: by_command("sync")])
        all_of([by_celery, lambda: by_command("once")])
    assert "Traceback" not in log.read_text()


def test_a_correction_downwards_shows_too(beside: Beside) -> None:
    """MAX is no ratchet: what is typed lower, above the parsed value, is what the screens show after the pass."""
    beside.edit([9000, 100, 10, 2, 10000])
    with beside.serving() as client, beside.daemon():
        assert beside.command("sync").returncode == 0
        beside.world.execute(
            "INSERT INTO parsed_metrics (account_id, followers) VALUES ('account-a', 950), ('account-b', 950)"
        )
        beside.edit([1000, 100, 10, 2, 10000])
        assert beside.command("sync").returncode == 0
        beside.shows(client, [1000, 100, 10, 2, 10000])
        beside.edit([900, 100, 10, 2, 10000])
        assert beside.command("sync").returncode == 0
        beside.shows(client, [950, 100, 10, 2, 10000])


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_web_app_writes_while_passes_run(beside: Beside, mode: str) -> None:
    """Not one write of the web app fails or is lost during passes, in the journal mode that it has chosen."""
    beside.world.execute(f"PRAGMA journal_mode = {mode}")
    with beside.daemon() as daemon:
        pass_runs = subprocess.Popen(
            [
                "sh",
                "-c",
                f"for i in 1 2 3 4 5; do curl -fsS --unix-socket {daemon.socket} -X POST http://x{SYNC}; done",
            ],
            stdout=subprocess.DEVNULL,
        )
        written = 0
        while pass_runs.poll() is None:
            beside.world.execute("UPDATE projects SET geo = ? WHERE id = 'project-1'", (f"g{written}",))
            written += 1
        assert pass_runs.returncode == 0
    assert beside.world.execute("SELECT geo FROM projects") == [(f"g{written - 1}",)]
    assert beside.world.execute("PRAGMA journal_mode") == [(mode,)]


def is_told(beside: Beside, client: httpx2.Client) -> None:
    """Let the web app be told by a webhook, as the how-to has it."""
    (hook,) = texts(HOW_TO / "beside-the-web-app.md", "toml", "[[webhooks]]")
    hook = hook.replace("https://app.example.com", str(client.base_url).rstrip("/"))
    with beside.config.open("a") as config:
        config.write(f"\n{hook}allow_private = true\n")
    beside.environment["APP_TOKEN"] = f"Bearer {TOKEN}"


def test_the_web_app_drops_its_cache_after_a_pass_that_changed_something(beside: Beside) -> None:
    """Analytics that are kept for 300 s show an edit right after its pass; a pass without one calls nobody."""
    analytics = "/api/projects/project-1/analytics"
    with beside.serving() as client:
        is_told(beside, client)
        with beside.daemon() as daemon:
            for views in (10000, 30000):
                beside.edit([1000, 100, 10, 2, views])
                assert beside.command("sync").returncode == 0
                deadline = time.monotonic() + PATIENCE
                while client.get(analytics).json()["views"] != 2 * views:
                    assert time.monotonic() < deadline, daemon.output()
                    time.sleep(0.05)
            for _ in range(3):
                assert beside.command("sync").returncode == 0
            rows = beside.world.execute("SELECT type, status FROM webhook_deliveries")
    assert rows == [("sync.finished", "delivered")] * 2


def test_a_web_app_that_asks_for_a_pass_in_return_makes_no_loop(beside: Beside) -> None:
    """The pass that the web app asks for when it is told changes nothing, so it is not told again."""
    asked = "SELECT count(*) FROM sync_runs WHERE \"trigger\" = 'socket' AND finished_at IS NOT NULL"
    with beside.serving(WEB_APP_ASKS_BACK="1") as client:
        is_told(beside, client)
        beside.environment["SMART_SYNC_SCHEDULE__RUN_ON_START"] = "false"
        with beside.daemon() as daemon:
            assert beside.command("sync").returncode == 0
            deadline = time.monotonic() + PATIENCE
            while beside.world.execute(asked) < [(2,)]:
                assert time.monotonic() < deadline, daemon.output()
                time.sleep(0.05)
            # One more of our own: had the second told anybody, its message would be queued by now.
            assert beside.command("sync").returncode == 0
            deliveries = beside.world.execute("SELECT count(*) FROM webhook_deliveries")
            assert beside.world.execute(asked) == [(3,)]
    assert deliveries == [(1,)]


def test_a_daemon_that_keeps_the_first_snapshot_is_caught(beside: Beside) -> None:
    """A control: with ``on_existing = "skip"`` an edit of the day does not come to the screens, and `shows` sees it."""
    text = beside.config.read_text()
    beside.config.write_text(text.replace('on_existing = "update"', 'on_existing = "skip"'))
    assert text != beside.config.read_text()
    with beside.serving() as client:
        assert beside.command("once").returncode == 0
        beside.edit([2000, 200, 20, 2, 20000])
        assert beside.command("once").returncode == 0
        with pytest.raises(AssertionError):
            beside.shows(client, [2000, 200, 20, 2, 20000])


def test_the_web_app_can_read_what_smart_sync_creates(tmp_path: Path, google: FakeGoogle) -> None:
    """On a file that Smart Sync made from the worksheets alone no screen of the web app fails."""
    world = World(tmp_path, google)
    world.sections["sync"] = {"create_missing": "projects"}
    world.sheet("Spring", a=[1000, 100, 10, 2, 10000])
    asyncio.run(world.sync())
    ((project,),) = world.execute("SELECT id FROM projects")
    ((account,),) = world.execute("SELECT id FROM project_social_accounts")
    with serving("web_app:make", "--factory", environment={"WEB_APP_DATABASE": str(world.path)}) as client:
        for screen in (f"projects/{project}/accounts", f"projects/{project}/analytics", f"accounts/{account}/history"):
            answered = client.get(f"/api/{screen}")
            assert answered.status_code == 200, screen
        assert client.get(f"/api/accounts/{account}/growth").json() == dict.fromkeys(METRICS, 0)
        assert client.get(f"/api/projects/{project}/analytics").json()["views"] == 10000
