"""The guide of the web app's own sync, line by line: what its users type and read still works, and means the same."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import Scheduler
from cronsim import CronSim

from beside import SYNC, TOKEN, Beside
from celery_processes import celery, redis, wait_until
from daemon_process import PATIENCE, Daemon, run_command, write_config
from fake_google import FakeGoogle
from smart_sync import config, logs
from smart_sync.core.model import Outcome
from world import KEY, World, link

STATUS = "/api/admin/sync_status"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")


@dataclass
class Stack:
    """The web app with its router, and the daemon next to it."""

    beside: Beside
    daemon: Daemon
    address: str

    def forced(self) -> int:
        """How many passes somebody has asked for."""
        return sum(event["trigger"] == "socket" for event in self.daemon.events("sync.started"))

    def curl(self, *arguments: str) -> Any:
        """What ``curl``, with the token, prints; the last argument is a path."""
        *options, path = arguments
        command = ["curl", "-sS", "-H", f"Authorization: Bearer {TOKEN}", *options, self.address + path]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("guide")
    with ExitStack() as stack:
        google = stack.enter_context(FakeGoogle())
        beside = Beside(folder, google)
        beside.world.execute(
            "INSERT INTO projects (id, name, google_sheet_name, start_date, end_date, target_views, is_active)"
            " VALUES ('project-2', 'Last year', '', '2025-01-01', '2025-12-31', 0, 0)"
        )
        key = google.credentials(folder / "google.json")
        adopted = beside.command("adopt", str(beside.world.path), "-o", str(beside.config), "--credentials", str(key))
        assert adopted.returncode == 0
        client = stack.enter_context(beside.serving())
        daemon = stack.enter_context(beside.daemon())
        yield Stack(beside, daemon, str(client.base_url).rstrip("/"))


# Usage options


def test_option_1_sync_all_projects(stack: Stack) -> None:
    """``curl -X POST …/api/admin/smart_sync`` runs a pass over all active projects."""
    answer = stack.curl("-X", "POST", SYNC)
    assert (answer["success"], answer["total_projects"], answer["error_count"]) == (True, 1, 0)


def test_option_1_sync_single_project(stack: Stack) -> None:
    """``?project_id=`` runs a pass over that project alone."""
    answer = stack.curl("-X", "POST", f"{SYNC}?project_id=project-1")
    assert (answer["success"], answer["project_id"], answer["updated_count"]) == (True, "project-1", 2)


def test_option_1_check_sync_status(stack: Stack) -> None:
    """``curl …/api/admin/sync_status`` answers without running a pass."""
    before = stack.forced()
    assert stack.curl(STATUS)["success"] is True
    assert stack.forced() == before


@pytest.fixture
def tasks(beside: Beside, broker: str) -> tuple[Beside, dict[str, str]]:
    """A web app's ``tasks.py``."""
    folder = beside.world.folder
    (folder / "tasks.py").write_text(
        "from celery import Celery\nfrom smart_sync.integrations.celery import register\n"
        "app = Celery('tasks')\nregister(app)\n"
    )
    environment = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "PYTHONPATH": str(folder)}
    return beside, {**beside.environment, **environment}


def test_option_2_start_celery_worker(tasks: tuple[Beside, dict[str, str]]) -> None:
    """``celery -A tasks worker --loglevel=info`` has both tasks of the guide."""
    beside, environment = tasks
    broker = environment["CELERY_BROKER_URL"]
    with (
        Celery("client", broker=broker, backend=broker) as client,
        celery("tasks", "worker", "--loglevel=info", log=beside.world.folder / "log", environment=environment),
    ):
        assert client.send_task("smart_sync_all_projects").get(timeout=PATIENCE)["success_count"] == 1
        single = client.send_task("smart_sync_single_project", args=["project-1"]).get(timeout=PATIENCE)
    assert single["updated_count"] == 2


def test_option_2_start_celery_beat(tasks: tuple[Beside, dict[str, str]]) -> None:
    """``celery -A tasks beat --loglevel=info`` starts."""
    beside, environment = tasks
    log = beside.world.folder / "beat.log"
    with celery("tasks", "beat", "--loglevel=info", log=log, environment=environment) as process:
        wait_until(lambda: "beat: Starting" in log.read_text(), process, log)


def test_option_2_the_task_runs_every_30_minutes() -> None:
    """By Celery's own scheduler ``smart_sync_all_projects`` is due 30 minutes after its last run, and not before."""
    from smart_sync.integrations.celery import register

    app = Celery("tasks", set_as_current=False)
    register(app)
    entry = Scheduler(app).schedule["smart-sync-every-30-minutes"]
    assert entry.task == "smart_sync_all_projects"
    now = entry.schedule.now()
    assert not entry.schedule.is_due(now - timedelta(minutes=29)).is_due
    assert entry.schedule.is_due(now - timedelta(minutes=30)).is_due


def test_option_3_the_command_of_the_cron_job(stack: Stack) -> None:
    """The guide's line, with the token, ends with 0 and has run a pass."""
    before = stack.forced()
    line = f'curl -fsS -X POST -H "Authorization: Bearer {TOKEN}" {stack.address}{SYNC}'
    subprocess.run(["sh", "-c", line], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
    assert stack.forced() == before + 1


@pytest.mark.parametrize(("expression", "minutes"), [("*/30 * * * *", 30), ("0 * * * *", 60), ("0 */2 * * *", 120)])
def test_option_3_the_schedules_are_the_daemons_too(tmp_path: Path, expression: str, minutes: int) -> None:
    """Each schedule of the guide may stand in ``[schedule] cron``, and is so many minutes from one pass to the next."""
    path = tmp_path / "config.toml"
    path.write_text(f'[schedule]\ncron = "{expression}"\n[sheets]\ndirectory = "sheets"\n')
    ticks = CronSim(config.load(path).schedule.cron or "", datetime(2026, 3, 10, 11, 59, tzinfo=UTC))
    first, second = next(ticks), next(ticks)
    assert (first.hour, first.minute, second - first) == (12, 0, timedelta(minutes=minutes))


# Testing locally


def test_locally_with_python(beside: Beside) -> None:
    """The guide's script, with a database object that knows its ``db_path``, prints the result of a pass."""
    folder = beside.world.folder
    (folder / "database_sqlite.py").write_text(
        "class SQLiteDatabase:\n    def __init__(self):\n        self.db_path = 'view_counter.db'\n"
    )
    (folder / "try.py").write_text(
        "from database_sqlite import SQLiteDatabase\nfrom smart_sync import sync_all_projects_standalone\n"
        "db = SQLiteDatabase()\n"
        "result = sync_all_projects_standalone(db=db, sheets_credentials='google.json', sheets_name='Metrics 2026')\n"
        "print(result)\n"
    )
    environment = {key: value for key, value in beside.environment.items() if "SHEETS" in key}
    ended = subprocess.run(
        [sys.executable, "try.py"], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (ended.returncode, "'success_count': 1" in ended.stdout) == (0, True), ended.stderr
    assert beside.world.merged("a") == (1000, 100, 10, 2, 10000)


def test_locally_start_the_server(stack: Stack) -> None:
    """The web app serves its own screens beside the endpoints."""
    assert len(stack.curl("/api/projects/project-1/accounts")) == 2


def test_locally_trigger_a_sync(stack: Stack) -> None:
    """``curl -X POST http://localhost:…/api/admin/smart_sync``, and the screen has the sheet's number."""
    assert stack.curl("-X", "POST", SYNC)["success"] is True
    assert stack.curl("/api/projects/project-1/accounts")[0]["newest"]["followers"] == 1000


def test_locally_check_status(stack: Stack) -> None:
    """``curl http://localhost:…/api/admin/sync_status``."""
    assert stack.curl(STATUS)["total_projects"] == 2


# Expected results


def test_expected_sync_response(stack: Stack) -> None:
    """Every key of the guide's answer is there, with a value of its kind."""
    answer = stack.curl("-X", "POST", SYNC)
    assert answer["success"] is True
    counts = ("total_projects", "success_count", "error_count")
    assert [answer[count] for count in counts] == [1, 1, 0]
    assert STAMP.fullmatch(answer["timestamp"])
    (result,) = answer["results"]
    assert (result["success"], result["project_id"], result["project_name"]) == (True, "project-1", "Spring")
    assert (result["total_accounts"], result["updated_count"]) == (2, 2)
    assert isinstance(result["snapshot_count"], int)
    assert STAMP.fullmatch(result["timestamp"])


def test_expected_status_response(stack: Stack) -> None:
    """Every key of the guide's status is there: all projects, the active ones, no cache."""
    answer = stack.curl(STATUS)
    assert (answer["success"], answer["total_projects"], answer["active_projects"]) == (True, 2, 1)
    assert answer["cache_enabled"] is False
    assert STAMP.fullmatch(answer["timestamp"])


# Monitoring

#: What each line of the guide's log tells, and where it is told now.
TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "starting sync for project": ("project.synced", {"project_id": "project-1"}),
    "project": ("project.synced", {"project": "Spring"}),
    "found accounts to sync": ("project.synced", {"accounts": 2}),
    "read accounts from Sheets": ("project.synced", {"sheet": 2}),
    "loaded parsed accounts": ("project.synced", {"parsed": 1}),
    "merged accounts using MAX": ("project.synced", {"merged": 2}),
    "updated accounts in SQLite": ("project.synced", {"updated": 2}),
    "created snapshots": ("project.synced", {"snapshots": 2}),
    "completed": ("sync.finished", {"updated": 2, "succeeded": 1}),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the daemon logs of a first pass, one account of which has a parsed value."""
    folder = tmp_path_factory.mktemp("log")
    with FakeGoogle() as google:
        world = asyncio.run(World(folder, google).create())
        world.add_project("Spring", ["a", "b"], project_id="project-1")
        world.sheet("Spring", a=[1] * 5, b=[2] * 5)
        world.parsed("a", [9] * 5)
        with Daemon(write_config(folder, google=google, spreadsheet=KEY)) as daemon:
            assert run_command("sync", "--config", str(daemon.config)).returncode == 0
            assert daemon.stop() == 0
            return daemon.lines()


@pytest.mark.parametrize("line", TOLD)
def test_monitoring_the_log_tells(lines: list[dict[str, Any]], line: str) -> None:
    """What each line of the guide's log told is a field of the first pass's events."""
    event, fields = TOLD[line]
    told = next(found for found in lines if found["event"] == event)
    assert (told["logger"], {name: told[name] for name in fields}) == ("SmartSync", fields)


async def test_errors_sheets_unavailable(world: World) -> None:
    """Without Google the last sheet values stand in, what was parsed meanwhile is merged, and it is reported."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[10] * 5, b=[10] * 5)
    await world.sync()
    world.google.spreadsheets[KEY].shared = False
    world.parsed("a", [20] * 5)
    result = await world.sync_one()
    assert (result.outcome, world.merged("a"), world.merged("b")) == (Outcome.DEGRADED, (20,) * 5, (10,) * 5)


async def test_errors_account_update_fails(world: World, log: StringIO) -> None:
    """An account that SQLite refuses is an error in the log, and the others are written."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    world.execute(
        "CREATE TRIGGER no BEFORE INSERT ON account_metrics WHEN NEW.account_id = 'account-a'"
        " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    await world.sync()
    assert (world.merged("a"), world.merged("b")) == (None, (2,) * 5)
    told = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "account.failed"]
    assert [(line["level"], line["account_id"]) for line in told] == [("ERROR", "account-a")]


async def test_errors_snapshot_exists(world: World) -> None:
    """A second pass of the day makes no second snapshot."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    assert [(await world.sync_one()).counts.snapshots for _ in range(2)] == [1, 0]
    assert len(world.snapshots("a")) == 1


async def test_errors_invalid_data(world: World) -> None:
    """What is no number is reported with its cell and never counts as 0: the last value stands in."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[7] * 5)
    await world.sync()
    world.sheet("P", a=["soon", 8, 8, 8, 8])
    result = await world.sync_one()
    assert world.merged("a") == (7, 8, 8, 8, 8)
    assert "P!C2" in str(result.problems[0])


# Troubleshooting


def grep(pattern: str, text: str) -> str:
    return subprocess.run(["grep", pattern], input=text, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("pattern", ["SmartSync", "ERROR.*SmartSync"])
async def test_not_running_check_logs_for_errors(world: World, style: str, pattern: str) -> None:
    """Both patterns of the guide find the event of a project that failed, in both formats of the log."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    world.execute("CREATE TRIGGER no BEFORE INSERT ON account_metrics BEGIN SELECT RAISE(ABORT, 'no'); END")
    stream = StringIO()
    logs.configure(style, "info", stream)
    await world.sync()
    found = grep(pattern, stream.getvalue())
    assert "project.failed" in found
    assert ("sync.finished" in found) == (pattern == "SmartSync")


def test_not_running_verify_credentials(world: World) -> None:
    """A key that is of no use is named by ``smart-sync check``, with where to get another."""
    path = write_config(world.folder, google=world.google, spreadsheet=KEY)
    (world.folder / "key.json").write_text("{}")
    ended = run_command("check", "--config", str(path))
    assert ended.returncode == 1
    assert "key.json" in ended.stdout
    assert "create a service account with a JSON key" in ended.stdout


def test_not_running_test_manually(stack: Stack) -> None:
    """The manual call answers while the schedule goes on by itself."""
    assert stack.curl("-X", "POST", SYNC)["success"] is True
    assert stack.curl(STATUS)["next_run_at"]


def test_not_running_is_redis_available(beside: Beside) -> None:
    """A worker without its Redis says so, waits, and works as soon as it is there."""
    folder, log = beside.world.folder, beside.world.folder / "worker.log"
    broker = f"redis+socket://{folder / 'redis.sock'}"
    environment = {**beside.environment, "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
    command = ("worker", "--pool", "solo", "--loglevel", "info")
    with celery("smart_sync.integrations.celery", *command, log=log, environment=environment) as process:
        wait_until(lambda: "Cannot connect to redis" in log.read_text(), process, log)
        with redis(folder), Celery("client", broker=broker, backend=broker) as client:
            assert client.send_task("smart_sync_all_projects").get(timeout=PATIENCE)["success"] is True


async def test_not_updating_maybe_the_sheets_value_is_higher(world: World) -> None:
    """``smart-sync explain`` says which side won, and what both had."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1000] * 5)
    world.parsed("a", [950] * 5)
    await world.sync()
    path = write_config(world.folder, google=world.google, spreadsheet=KEY)
    explained = await asyncio.to_thread(
        run_command, "explain", link("a"), "--metric", "followers", "--config", str(path)
    )
    assert re.search(r"1,?000", explained.stdout)
    assert "950" in explained.stdout
    assert "sheet" in explained.stdout


async def test_not_updating_are_snapshots_created(world: World) -> None:
    """The result counts the new snapshots, and each is a row."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    assert (await world.sync_one()).answer()["snapshot_count"] == len(world.snapshots()) == 2


async def test_not_updating_check_account_matches(world: World) -> None:
    """A row whose link is no account's and an account without a row are counted; a link may be written otherwise."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, c=[3] * 5)
    world.google.spreadsheets[KEY].worksheets["P"][1][1] = "tiktok.com/@a/?lang=en"
    answer = (await world.sync_one()).answer()
    assert (answer["unmatched_rows"], answer["unmatched_accounts"]) == (1, 1)
    assert world.merged("a") == (1,) * 5


async def test_duplicates_do_not_happen(world: World) -> None:
    """However many passes a day has, each account has one row of it."""
    world.add_project("P", ["a"])
    for number in range(1, 6):
        world.sheet("P", a=[number] * 5)
        await world.sync()
        world.now += timedelta(minutes=30)
    assert [row[1] for row in world.snapshots("a")] == [5]


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
async def test_duplicates_check_timezone_consistency(world: World, timezone: str) -> None:
    """In any time zone three days of passes are three days of the zone: one row for each day that it saw."""
    world.sections["schedule"] = {"timezone": timezone}
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    for _ in range(12):
        await world.sync()
        world.now += timedelta(hours=6)
    days = world.execute("SELECT count(*), count(DISTINCT day) FROM account_growth")
    assert days[0][0] == days[0][1] == len(world.snapshots("a")) in (3, 4)


async def test_duplicates_verify_utc(world: World) -> None:
    """``snapshot_time`` is naive UTC, as ``datetime.utcnow()`` has it."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    ((stamp, *_),) = world.snapshots("a")
    assert STAMP.fullmatch(stamp)
    assert datetime.fromisoformat(stamp) == world.now.astimezone(UTC).replace(tzinfo=None)
