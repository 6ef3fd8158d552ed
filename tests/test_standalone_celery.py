"""The standalone functions in a real Celery worker, with a real Redis, as an application has them in its tasks."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from daemon_process import PATIENCE
from world import KEY, World

TESTS = Path(__file__).parent


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis of this test's own, behind a Unix socket."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: make packages, as root")
    socket = tmp_path / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line or "now ready to accept" in line:
                break
        yield f"redis+socket://{socket}"
        process.terminate()
        process.stdout.read()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_four_tasks_at_once_each_run_their_own_pass(world: World, broker: str, pool: str) -> None:
    """In a default worker (its streams are no files) four calls at once wait for each other, and leave it as it was."""
    world.add_project("P", ["a"], project_id="1")
    world.sheet("P", a=[1] * 5)
    arguments = (str(world.path), str(world.google.credentials(world.folder / "key.json")), KEY)
    environment = {
        **os.environ, "HOST_BROKER": broker, "PYTHONPATH": str(TESTS), "SMART_SYNC_SHEETS__API_URL": world.google.url,
    }  # fmt: skip
    command = [sys.executable, "-m", "celery", "-A", "celery_host", "worker", "--pool", pool, "--concurrency", "4"]
    log = world.folder / "worker.log"
    with log.open("w") as written:
        worker = subprocess.Popen([*command, "--loglevel", "INFO"], env=environment, stdout=written, stderr=written)
    app = Celery("host", broker=broker, backend=broker)
    try:
        asked = [app.send_task("sync_all", args=arguments) for _ in range(4)]
        told = [result.get(timeout=PATIENCE) for result in asked]
        one = app.send_task("sync_one", args=(*arguments, "1")).get(timeout=PATIENCE)
        missing = app.send_task("sync_one", args=("nowhere.db", *arguments[1:], "1")).get(timeout=PATIENCE)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(PATIENCE)
        app.close()
    assert [(task["answer"]["success"], task["answer"]["error_count"]) for task in told] == [(True, 0)] * 4
    assert all(task["before"] == task["after"] for task in told)
    assert not any(task["after"]["pysqlite3"] or task["after"]["structlog"] for task in told)
    assert world.execute("SELECT count(*) FROM sync_runs") == [(5,)]
    assert (one["success"], world.merged("a")) == (True, (1,) * 5)
    assert (missing["success"], "there is no database" in missing["error"]) == (False, True)
    text = log.read_text()
    assert "[SmartSync] sync.finished" in text
    assert "Traceback" not in text
