"""The standalone functions in a real Celery worker, with a real Redis, as an application has them in its tasks."""

import pytest
from celery import Celery

from celery_processes import celery
from daemon_process import PATIENCE
from world import KEY, World


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_four_tasks_at_once_each_run_their_own_pass(world: World, broker: str, pool: str) -> None:
    """In a default worker (its streams are no files) four calls at once wait for each other, and leave it as it was."""
    world.add_project("P", ["a"], project_id="1")
    world.sheet("P", a=[1] * 5)
    arguments = (str(world.path), str(world.google.credentials(world.folder / "key.json")), KEY)
    environment = {"HOST_BROKER": broker, "SMART_SYNC_SHEETS__API_URL": world.google.url}
    log = world.folder / "worker.log"
    command = ["worker", "--pool", pool, "--concurrency", "4", "--loglevel", "INFO"]
    with (
        Celery("host", broker=broker, backend=broker) as app,
        celery("celery_host", *command, log=log, environment=environment),
    ):
        asked = [app.send_task("sync_all", args=arguments) for _ in range(4)]
        told = [result.get(timeout=PATIENCE) for result in asked]
        one = app.send_task("sync_one", args=(*arguments, "1")).get(timeout=PATIENCE)
        missing = app.send_task("sync_one", args=("nowhere.db", *arguments[1:], "1")).get(timeout=PATIENCE)
    assert [(task["answer"]["success"], task["answer"]["error_count"]) for task in told] == [(True, 0)] * 4
    assert all(task["before"] == task["after"] for task in told)
    assert not any(task["after"]["pysqlite3"] or task["after"]["structlog"] for task in told)
    assert world.execute("SELECT count(*) FROM sync_runs") == [(5,)]
    assert (one["success"], world.merged("a")) == (True, (1,) * 5)
    assert (missing["success"], "there is no database" in missing["error"]) == (False, True)
    text = log.read_text()
    assert "[SmartSync] sync.finished" in text
    assert "Traceback" not in text
