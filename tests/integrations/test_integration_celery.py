"""The guide's option 2: `smart_sync.integrations.celery` with a real Redis, real workers and a real beat."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from celery_processes import celery, shown, wait_until
from daemon_process import PATIENCE, Daemon, write_config
from smart_sync.store.instance_lock import InstanceLock
from world import KEY, World

OURS = "smart_sync.integrations.celery"
ALL, ONE, SHEET = "smart_sync_all_projects", "smart_sync_single_project", "smart_sync_spreadsheet"
RESULT = {"success", "project_id", "project_name", "total_accounts", "updated_count", "snapshot_count", "timestamp"}


@pytest.fixture
def config_file(world: World) -> Path:
    world.add_project("P", ["a"], project_id="project-1")
    world.sheet("P", a=[1] * 5)
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


def environment(broker: str, config: Path) -> dict[str, str]:
    return {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "SMART_SYNC_CONFIG": str(config)}


def run(app: Celery, task: str, *arguments: object) -> Any:
    return app.send_task(task, args=arguments).get(timeout=PATIENCE)


def triggers(world: World) -> list[str]:
    return [row[0] for row in world.execute('SELECT "trigger" FROM sync_runs ORDER BY started_at')]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_tasks_ask_the_daemon_and_do_without_one(world: World, config_file: Path, broker: str, pool: str) -> None:
    """While a daemon runs it does the passes; without one the worker does; both return what the daemon would answer."""
    log = world.folder / "worker.log"
    with ExitStack() as stack:
        app = stack.enter_context(Celery("client", broker=broker, backend=broker))
        own = environment(broker, config_file)
        more = ["--pool", pool, "--concurrency", "2"]
        stack.enter_context(celery(*shown("export CELERY_BROKER_URL", "worker"), *more, log=log, environment=own))
        if pool == "prefork":
            of_beat = world.folder / "beat.log"
            schedule = ["--schedule", str(world.folder / "schedule")]
            beat = stack.enter_context(
                celery(*shown("export CELERY_BROKER_URL", "beat"), *schedule, log=of_beat, environment=own)
            )
            wait_until(lambda: "beat: Starting" in of_beat.read_text(), beat, of_beat)
        with Daemon(config_file) as daemon:
            by_daemon = run(app, ALL)
            assert triggers(world) == ["socket"]
            assert daemon.events("sync.finished")[-1]["projects"] == 1
            assert run(app, ONE, "nobody")["error"] == "Project not found"
        world.sheet("P", a=[2] * 5)
        by_worker = run(app, ALL)
        assert triggers(world) == ["socket", "cli"]
        one = run(app, ONE, "project-1")
        missing = run(app, ONE, "nobody")
    for answer in (by_daemon, by_worker):
        assert (answer["success"], answer["total_projects"], answer["success_count"]) == (True, 1, 1)
        assert set(answer["results"][0]) >= RESULT
    assert set(one) >= RESULT
    assert missing == {"success": False, "error": "Project not found", "project_id": "nobody"}
    assert world.merged("a") == (2,) * 5
    text = log.read_text()
    assert "[SmartSync] sync.finished" in text
    assert "Traceback" not in text


def test_beat_runs_the_passes(world: World, config_file: Path, broker: str) -> None:
    """Worker and beat of a user's own application run pass after pass, beside what it has scheduled itself."""
    log, own = world.folder / "beat.log", environment(broker, config_file)
    beat = ["beat", "--schedule", str(world.folder / "schedule")]
    with (
        celery("celery_own", "worker", "--pool", "solo", log=world.folder / "worker.log", environment=own),
        celery("celery_own", *beat, "--loglevel", "INFO", log=log, environment=own) as process,
    ):
        wait_until(lambda: len(triggers(world)) >= 2, process, log)
        with Celery("client", broker=broker, backend=broker) as app:
            assert run(app, "own") == "own"
    assert world.merged("a") == (1,) * 5
    assert "smart-sync-every-30-minutes" in log.read_text()


def test_what_an_operator_can_mend_is_no_exception(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configuration that is missing or wrong is an answer with the reason, as of the functions for Python callers."""
    from smart_sync.integrations.celery import smart_sync_all_projects, smart_sync_single_project

    config = tmp_path / "wrong.toml"
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(config))
    assert str(config) in smart_sync_all_projects()["error"]
    config.write_text('[sheets]\nsource = "csv"\ndirectory = "sheets"\n[control]\nsocket = "no.sock"\nmod = "0660"\n')
    answer = smart_sync_single_project("project-1")
    assert (answer["success"], answer["project_id"]) == (False, "project-1")
    assert "did you mean control.mode?" in answer["error"]


def test_a_worker_without_the_database_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file is not, as on a machine that has no part in it, no empty one is made and called a success."""
    from smart_sync.integrations.celery import smart_sync_all_projects

    (tmp_path / "sheets").mkdir()
    config = write_config(tmp_path, '[sheets]\ndirectory = "sheets"\n')
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(config))
    answer = smart_sync_all_projects()
    assert (answer["success"], "there is no database" in answer["error"]) == (False, True)
    assert not (tmp_path / "view_counter.db").exists()
    config.write_text(config.read_text() + '[sync]\ncreate_missing = "projects"\n')
    assert smart_sync_all_projects()["success"] is True


def test_a_daemon_that_is_about_to_end_is_waited_for(
    world: World, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it holds the database and answers nobody the task waits; then it runs the pass itself."""
    from smart_sync.integrations.celery import smart_sync_all_projects

    monkeypatch.setenv("SMART_SYNC_CONFIG", str(config_file))
    with ThreadPoolExecutor(1) as thread, ExitStack() as held:
        instance = held.enter_context(InstanceLock(daemon=True))
        instance.take(world.path)
        asked = thread.submit(smart_sync_all_projects)
        # Without waiting the answer that the database is held comes at once.
        with pytest.raises(TimeoutError):
            asked.result(timeout=1.5)
        held.close()
        assert asked.result(timeout=PATIENCE)["success_count"] == 1


def test_the_application_is_as_the_guide_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tasks have the guide's names, beat runs the first every 30 minutes, and the broker is the environment's."""
    code = (
        "from celery import Celery, current_app; own = Celery('own')\n"
        f"from {OURS} import app\n"
        "entry = app.conf.beat_schedule['smart-sync-every-30-minutes']\n"
        "print(*sorted(name for name in app.tasks if 'smart' in name), app.conf.broker_url,"
        " entry['task'], entry['schedule'], current_app.main, 'smart_sync_all_projects' in own.tasks)"
    )
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://broker.example/3")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [ALL, ONE, SHEET, "redis://broker.example/3", ALL, "1800.0", "own", "False"]


def test_a_configuration_with_a_mistake_is_told_where_the_broker_is_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line with the mistake and the broker that is taken; without any configuration nothing is said."""
    (tmp_path / "config.toml").write_text('[sync]\nbroker = "redis://broker.example/3"\nconcurency = 3\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    code = f"from {OURS} import app; print(app.conf.broker_url)"

    def said() -> list[str]:
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return (ended.stdout + ended.stderr).splitlines()

    told, broker = sorted(said(), key=len, reverse=True)
    assert broker == "redis://localhost:6379/0"
    assert "worker.misconfigured" in told
    assert "concurency" in told
    (tmp_path / "config.toml").unlink()
    if not Path("/etc/smart-sync/config.toml").exists():
        assert said() == [broker]


@pytest.mark.parametrize("every", [None, 60.0])
def test_the_schedule_of_an_own_application(every: float | None) -> None:
    """`register` adds its entry to the schedule, or none, and an entry of that name which is there wins."""
    from smart_sync.integrations.celery import register

    app = Celery("own", set_as_current=False)
    register(app, every=every)
    entry = app.conf.beat_schedule.get("smart-sync-every-30-minutes")
    assert (entry and entry["schedule"]) == every
    assert {ALL, ONE, SHEET} <= set(app.tasks)
    app = Celery("own", set_as_current=False)
    register(app)
    app.conf.beat_schedule = {"smart-sync-every-30-minutes": {"task": ALL, "schedule": 5.0}}
    app.finalize()
    assert app.conf.beat_schedule["smart-sync-every-30-minutes"]["schedule"] == 5.0
    # Configured before, and another table put in the place of the schedule afterwards.
    app = Celery("own", set_as_current=False)
    assert app.conf.timezone is None
    register(app)
    app.conf.beat_schedule = {}
    app.finalize()
    assert app.conf.beat_schedule["smart-sync-every-30-minutes"]["schedule"] == 1800.0
