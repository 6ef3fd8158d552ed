"""Passes by Celery's workers: what they write is what one process would write, once, whatever becomes of a worker."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from daemon_process import PATIENCE, Daemon, run_command
from fake_google import FakeGoogle
from fleet import Fleet, FleetWorld, go_on, halt
from smart_sync import config
from smart_sync.config.database_url import Server, server
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.errors import ConfigError, DatabaseError
from smart_sync.integrations.celery import smart_sync_all_projects
from smart_sync.store.engine import Lost
from smart_sync.store.postgres import worker_tasks
from smart_sync.store.postgres.postgres_database import PostgresDatabase
from smart_sync.store.schema import open_database
from smart_sync.sync import project, spreadsheet_task
from smart_sync.sync.fan_out import PROJECTS, RESULT, rules_digests
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import World

NAMES = [f"P{number}" for number in range(5)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: make packages, as root")
    with Fleet(tmp_path_factory.mktemp("fleet")).running() as fleet:
        yield fleet


@pytest.fixture
async def world(fleet: Fleet, google: FakeGoogle, postgres: str) -> FleetWorld:
    """Five projects, the last two in one spreadsheet."""
    world = FleetWorld(fleet, google, postgres)
    world.write()
    await world.create()
    for number, name in enumerate(NAMES[:4]):
        world.add_spreadsheet(name, [name.lower()])
        world.sheet(name, **{name.lower(): [number + 1] * 5})
    world.keys["P4"] = world.keys["P3"]
    world.add_project("P4", ["p4"])
    world.execute("UPDATE projects SET google_sheet_name = 'P3' WHERE name = 'P4'")
    world.sheet("P4", p4=[5] * 5)
    return world


def outcomes(result: PassResult) -> dict[str, Outcome]:
    return {one.project.name: one.outcome for one in result.results}


def told(log: StringIO, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


async def eventually(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        if holds():
            return
        assert time.monotonic() < ends, what
        await asyncio.sleep(0.05)


def timeless(result: ProjectResult) -> ProjectResult:
    """A result without when and how fast it came about."""
    return replace(result, timestamp="", sheet_read_at=None, seconds=0, stages={})


NUMBERS = (
    "SELECT account_id, followers, likes, comments, videos, views, followers_winner, updated_at FROM account_metrics"
    " ORDER BY account_id"
)


async def test_workers_write_what_one_process_would(
    world: FleetWorld, google: FakeGoogle, tmp_path: Path, log: StringIO
) -> None:
    """A pass by workers has the same results, numbers, history and lines as one without them; each exactly once."""
    google.spreadsheets[world.keys["P0"]].worksheets["P0"].append(["@x", "https://www.tiktok.com/@x", "many"])
    result = await world.sync()
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.SYNCED)
    with_workers = google.count("batch")
    alone = await World(tmp_path, google).create()
    for name in NAMES:
        alone.add_project(name, [name.lower()])
    alone.execute("UPDATE projects SET google_sheet_name = CASE WHEN name = 'P4' THEN 'P3' ELSE name END")
    alone.sections["sheets"] = google.settings(tmp_path, spreadsheets=world.keys)
    expected = await alone.sync()
    assert world.execute(NUMBERS) == alone.execute(NUMBERS)
    assert world.snapshots() == alone.snapshots()
    assert list(map(timeless, result.results)) == list(map(timeless, expected.results))
    assert with_workers == 4  # one for each spreadsheet
    assert world.execute("SELECT projects, calls FROM sync_runs WHERE finished_at IS NOT NULL") == [(5, 4)]
    assert world.execute("SELECT count(*) FROM sync_project_runs") == [(5,)]
    half = told(log, "project.synced")[: len(NAMES)]
    assert sorted(str(line["project"]) for line in half) == NAMES
    assert len(told(log, "worksheet.problem_found")) == 2
    # What was told is not told again.
    again = await world.sync()
    assert outcomes(again) == dict.fromkeys(NAMES, Outcome.UNCHANGED)
    assert len(told(log, "worksheet.problem_found")) == 2


async def at_work(world: FleetWorld) -> int:
    await eventually(world.google.hanging.is_set, "a request hangs")
    await eventually(lambda: world.execute("SELECT sum(finished) FROM fan_out_spreadsheets") >= [(3,)], "the others")
    pid = world.at_work()
    assert pid in world.fleet.processes()
    assert pid is not None
    return pid


async def test_what_a_killed_worker_had_in_hand_goes_to_the_next(world: FleetWorld, google: FakeGoogle) -> None:
    """kill -9 in the middle of a read: another process does it, and nothing is lost or told twice."""
    google.fail("batch", 1, how="hang")
    run = asyncio.create_task(world.sync())
    os.kill(await at_work(world), signal.SIGKILL)
    result = await run
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.SYNCED)
    assert sorted(world.execute("SELECT tries FROM fan_out_spreadsheets")) == [(1,), (1,), (1,), (2,)]
    assert world.execute("SELECT count(*), sum(changed) FROM sync_project_runs") == [(5, 5)]


async def test_a_halted_worker_is_given_up_and_comes_too_late(
    world: FleetWorld, google: FakeGoogle, log: StringIO
) -> None:
    """SIGSTOP: after a while without a sign of life another does it; the one that wakes up again writes nothing."""
    world.timeout = 3
    google.fail("batch", 1, how="hang")
    run = asyncio.create_task(world.sync())
    pid = await at_work(world)
    halt(pid)
    try:
        result = await run
    finally:
        google.release.set()
        go_on(pid)
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.SYNCED)
    ((reason,),) = [(line["reason"],) for line in told(log, "spreadsheet.reassigned")]
    assert f":{pid}) has given no sign of life for 3 s" in str(reason)
    await eventually(lambda: "spreadsheet.superseded" in world.fleet.log.read_text(), "it has noticed")
    assert world.execute("SELECT count(*) FROM sync_project_runs") == [(5,)]


async def begun(world: FleetWorld, run_id: str, names: Sequence[str] = ("P0",)) -> None:
    """A pass that waits for what two workers bring of P0, or of the spreadsheet that is P0's and others'."""
    settings = world.settings
    assert isinstance(settings.database.where, Server)
    projects = PROJECTS.dump_json([Project(f"project-{name}", name, name) for name in names]).decode()
    request = json.dumps({"now": "2026-03-10T12:00:00.000000", "decides": rules_digests(settings)})
    async with PostgresDatabase(settings.database.where) as database:
        await worker_tasks.begin(database, run_id, request, {world.keys["P0"]: projects})


async def test_an_older_read_never_overwrites_a_newer_one(world: FleetWorld, google: FakeGoogle) -> None:
    """Of two workers that have read the same spreadsheet, only the one that began later writes."""
    settings, key = world.settings, world.keys["P0"]
    await begun(world, "run")
    late = asyncio.create_task(asyncio.to_thread(spreadsheet_task.run, settings, "run", key))
    # It has read the worksheet, and waits for the parsed values.
    await eventually(lambda: google.count("batch") == 1, "the first has read")
    world.sheet("P0", p0=[100] * 5)
    newer = asyncio.create_task(asyncio.to_thread(spreadsheet_task.run, settings, "run", key))
    await eventually(lambda: google.count("batch") == 2, "the second has read")
    world.execute("UPDATE fan_out_passes SET parsed = 1")
    assert await newer == "done"
    assert await late == "another has it now"
    assert world.merged("p0") == (100,) * 5
    # A task that comes once more finds that it is done.
    assert await asyncio.to_thread(spreadsheet_task.run, settings, "run", key) == "not wanted any more"


async def test_the_next_pass_ends_what_workers_of_the_last_have_in_hand(world: FleetWorld) -> None:
    """With each pass all tokens are raised: a transaction with an older one is refused, and writes nothing."""
    await begun(world, "first")
    where = world.settings.database.where
    assert isinstance(where, Server)
    held = worker_tasks.TaskToken()
    async with PostgresDatabase(where, lease=held) as database:
        assert await worker_tasks.take(database, held, "first", world.keys["P0"], "one") is not None
        async with database.transaction() as transaction:
            await transaction.execute("UPDATE projects SET name = 'written' WHERE id = 'project-P0'")
        await begun(world, "second")
        with pytest.raises(Lost):
            async with database.transaction() as transaction:
                await transaction.execute("UPDATE projects SET name = 'late' WHERE id = 'project-P0'")
        with pytest.raises(Lost):
            await worker_tasks.heartbeat(database, held)
    assert world.execute("SELECT name FROM projects WHERE id = 'project-P0'") == [("written",)]


async def test_results_survive_the_worker_that_has_written_them(world: FleetWorld, google: FakeGoogle) -> None:
    """A worker that dies after its commit has told its results: the next one neither reads nor decides anew."""
    await begun(world, "run")
    world.execute("UPDATE fan_out_passes SET parsed = 1")
    settings, key = world.settings, world.keys["P0"]
    assert await asyncio.to_thread(spreadsheet_task.run, settings, "run", key) == "done"
    world.execute("UPDATE fan_out_spreadsheets SET finished = 0")
    assert await asyncio.to_thread(spreadsheet_task.run, settings, "run", key) == "done"
    assert google.count("batch") == 1
    ((text,),) = world.execute("SELECT result FROM fan_out_results")
    assert RESULT.validate_json(text).counts.changed == 1


async def test_results_are_committed_with_their_numbers(world: FleetWorld, google: FakeGoogle) -> None:
    """A worker that can say nothing more after its commit has said what it has written: nobody does it once more."""
    await begun(world, "run")
    world.execute("UPDATE fan_out_passes SET parsed = 1")
    world.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''too late''; END'"
    )
    world.execute("CREATE TRIGGER late BEFORE UPDATE ON fan_out_results FOR EACH ROW EXECUTE FUNCTION refuse()")
    settings, key = world.settings, world.keys["P0"]
    assert "too late" in await asyncio.to_thread(spreadsheet_task.run, settings, "run", key)
    assert world.merged("p0") == (1,) * 5
    world.execute("DROP TRIGGER late ON fan_out_results")
    world.execute("UPDATE fan_out_spreadsheets SET finished = 0")
    assert await asyncio.to_thread(spreadsheet_task.run, settings, "run", key) == "done"
    assert google.count("batch") == 1
    ((text,),) = world.execute("SELECT result FROM fan_out_results")
    assert RESULT.validate_json(text).counts.changed == 1


async def test_projects_without_worksheets_share_no_round_that_is_too_large(
    world: FleetWorld, google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Google is away a worker bounds a transaction by the accounts that there are: their rows are unknown."""
    monkeypatch.setattr(project, "MAX_ACCOUNTS", 1)
    google.spreadsheets.clear()
    await begun(world, "run", NAMES)
    world.execute("UPDATE fan_out_passes SET parsed = 1")
    world.execute("CREATE TABLE told (by TEXT)")
    world.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.told VALUES (txid_current()::text); RETURN NULL; END'"
    )
    world.execute("CREATE TRIGGER tell AFTER INSERT ON fan_out_results FOR EACH ROW EXECUTE FUNCTION tell()")
    assert await asyncio.to_thread(spreadsheet_task.run, world.settings, "run", world.keys["P0"]) == "done"
    assert world.execute("SELECT count(*), count(DISTINCT by) FROM told") == [(5, 5)]


async def test_without_a_broker_the_pass_is_done_here(world: FleetWorld, log: StringIO) -> None:
    """The broker is away: one line says so, and the process that runs the pass reads and merges by itself."""
    world.broker = f"redis+socket://{world.folder}/nowhere.sock"
    assert outcomes(await world.sync()) == dict.fromkeys(NAMES, Outcome.SYNCED)
    (line,) = told(log, "workers.unavailable")
    assert "is it running? See [sync] broker" in str(line["reason"])


async def test_without_a_worker_the_last_known_values_stand_in(world: FleetWorld) -> None:
    """Nobody takes the tasks: each project is degraded, says what to start, and keeps its numbers."""
    await world.sync()
    world.broker, world.timeout = f"{world.fleet.broker}?virtual_host=1", 1
    world.sheet("P0", p0=[100] * 5)
    result = await world.sync()
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.DEGRADED)
    assert result.results[0].error == "no worker has taken it within 1 s"
    assert result.results[0].remedy == "start one: celery -A smart_sync.integrations.celery worker"
    assert world.merged("p0") == (1,) * 5


async def test_a_worker_does_the_pass_that_it_runs(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks for whole passes need no further worker where no daemon runs: theirs may be the only one."""
    world.broker, world.timeout = f"{world.fleet.broker}?virtual_host=1", 1  # nobody takes the tasks
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(world.write()))
    answer = await asyncio.to_thread(smart_sync_all_projects)
    assert (answer["success"], answer["success_count"]) == (True, len(NAMES))
    assert {one["outcome"] for one in answer["results"]} == {"synced"}


def test_a_worker_does_the_pass_that_it_waits_for(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only worker has asked the daemon for a pass, whose parts wait for a worker: it does them meanwhile."""
    world.broker, world.timeout = f"{world.fleet.broker}?virtual_host=1", 3  # nobody else takes the tasks
    path = world.write(more="[schedule]\nrun_on_start = false\n")
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(path))
    with Daemon(path) as daemon:
        daemon.hang_up()
        answer = smart_sync_all_projects()
        assert {one["outcome"] for one in answer["results"]} == {"synced"}
        assert len(daemon.events("sync.finished")) == 1
    assert {row[0] for row in world.execute("SELECT worker FROM fan_out_spreadsheets")} == {
        f"{socket.gethostname()}:{os.getpid()}"
    }


async def test_a_pass_that_is_cut_off_is_no_task_any_more(world: FleetWorld) -> None:
    """The daemon is stopped while workers are waited for: nobody begins with what it has given to them, or writes."""
    world.broker = f"{world.fleet.broker}?virtual_host=1"  # nobody takes the tasks
    run = asyncio.create_task(world.sync())
    await eventually(lambda: bool(world.execute("SELECT 1 FROM fan_out_spreadsheets")), "they are given to workers")
    ((run_id,),) = world.execute("SELECT run_id FROM fan_out_passes")
    settings, held = world.settings, worker_tasks.TaskToken()
    assert isinstance(settings.database.where, Server)
    async with PostgresDatabase(settings.database.where, lease=held) as database:
        assert await worker_tasks.take(database, held, run_id, world.keys["P0"], "one") is not None
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        with pytest.raises(Lost):
            async with database.transaction():
                pass
    told = await asyncio.to_thread(spreadsheet_task.run, settings, run_id, world.keys["P1"])
    assert told == "not wanted any more"


async def test_a_database_in_trouble_is_a_failed_pass(world: FleetWorld, log: StringIO) -> None:
    """While workers are waited for as at any other time: told in one line, as an error that can be mended."""
    world.broker = f"{world.fleet.broker}?virtual_host=1"  # nobody takes the tasks
    run = asyncio.create_task(world.sync())
    await eventually(lambda: bool(world.execute("SELECT 1 FROM fan_out_spreadsheets")), "they are given to workers")
    world.execute("ALTER TABLE fan_out_spreadsheets RENAME TO away")
    with pytest.raises(DatabaseError, match="fan_out_spreadsheets"):
        await run
    ((reason,),) = [(line["reason"],) for line in told(log, "sync.failed")]
    assert "fan_out_spreadsheets" in str(reason)


async def test_a_worker_that_would_decide_otherwise_does_nothing(world: FleetWorld, tmp_path: Path) -> None:
    """A worker with other rules of the merge says so, and no number of its making is written."""
    world.more = 'create_missing = "accounts"\n'
    settings = world.settings
    world.more = ""
    world.write(more='[merge]\nstrategy = "sheet"\n')
    await begun_with(world, settings)
    told = await asyncio.to_thread(spreadsheet_task.run, config.load(world.fleet.config), "run", world.keys["P0"])
    assert "its configuration decides otherwise than that of the pass ([merge], [sync])" in told
    assert world.execute("SELECT finished, trouble FROM fan_out_spreadsheets") == [(1, told)]
    assert world.merged("p0") is None


async def test_what_workers_of_other_versions_tell_ends_nothing(world: FleetWorld) -> None:
    """What cannot be read of a result is as if it were not there, and told; what is new in a cost is left out."""
    world.broker = f"{world.fleet.broker}?virtual_host=1"  # nobody takes the tasks
    run = asyncio.create_task(world.sync())
    await eventually(lambda: bool(world.execute("SELECT 1 FROM fan_out_spreadsheets")), "they are given to workers")
    world.execute(
        "INSERT INTO fan_out_results SELECT 'project-P0', run_id, spreadsheet, 1, '{}' FROM fan_out_spreadsheets"
        " WHERE spreadsheet LIKE 'sheetP0%'"
    )
    world.execute(
        "UPDATE fan_out_spreadsheets SET finished = 1, tries = 1, usage = CASE WHEN spreadsheet LIKE 'sheetP0%'"
        """ THEN '{"calls": 2, "tomorrow": 2}' ELSE 'nothing' END"""
    )
    result = await run
    assert {one.error for one in result.results} == {"no worker could read it: no result"}
    assert world.execute("SELECT calls FROM sync_runs WHERE finished_at IS NOT NULL") == [(2,)]


def test_what_decides_is_the_same_text_in_each_process(tmp_path: Path) -> None:
    """Workers with one file agree with the pass, whatever the order of sets is in their processes."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[database]\npath = "x.db"\n[sheets]\nsource = "csv"\ndirectory = "."\n'
        '[parsers.tiktok]\ncount = "campaign"\n[parsers.tiktok.tokens]\n'
        + "".join(f'user{number} = "token-{number}"\n' for number in range(9))
    )
    code = (
        "from smart_sync import config; from smart_sync.sync.fan_out import rules_digests; from pathlib import Path;"
        f"print(sorted(rules_digests(config.load(Path({str(config)!r}))).items()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


@pytest.mark.parametrize("given", ["decides", "request", "projects"])
async def test_a_worker_of_another_version_says_so(world: FleetWorld, given: str) -> None:
    """It does nothing, whether or not it can read what is asked for."""
    await begun(world, "run")
    if given == "decides":
        world.execute(
            "UPDATE fan_out_passes SET request = jsonb_set(request::jsonb, '{decides,version}', '\"1\"')::text"
        )
    elif given == "request":
        world.execute("""UPDATE fan_out_passes SET request = '{"then": 1}'""")
    else:
        world.execute("""UPDATE fan_out_spreadsheets SET projects = '[{"name": "P0"}]'""")
    told = await asyncio.to_thread(spreadsheet_task.run, world.settings, "run", world.keys["P0"])
    assert told == "its Smart Sync is another version than that of the pass; upgrade it"
    assert world.execute("SELECT finished, trouble FROM fan_out_spreadsheets") == [(1, told)]


async def test_what_a_late_worker_has_left_is_no_result_of_this_pass(world: FleetWorld, google: FakeGoogle) -> None:
    """A result of an earlier pass, written while this one began, keeps nobody from reading the worksheet."""
    await begun(world, "run")
    world.execute("UPDATE fan_out_passes SET parsed = 1")
    key = world.keys["P0"]
    world.execute(f"INSERT INTO fan_out_results VALUES ('project-P0', 'earlier', '{key}', 1, '{{}}')")
    assert await asyncio.to_thread(spreadsheet_task.run, world.settings, "run", key) == "done"
    assert google.count("batch") == 1
    assert world.merged("p0") == (1,) * 5
    assert world.execute("SELECT run_id FROM fan_out_results") == [("run",)]


async def test_a_spreadsheet_is_unclaimed_while_no_other_worker_is_alive(prepared: str) -> None:
    """A worker that was told nothing by the broker takes what waits only where nobody else shows signs of life."""
    async with open_database(server(prepared)) as database:
        assert isinstance(database, PostgresDatabase)
        await worker_tasks.begin(database, "run", "{}", {"s": "[]", "t": "[]"})
        assert await worker_tasks.unclaimed(database, "two", 30.0) == ("run", "s")
        assert await worker_tasks.take(database, worker_tasks.TaskToken(), "run", "s", "one") is not None
        assert await worker_tasks.unclaimed(database, "two", 30.0) is None
        assert await worker_tasks.unclaimed(database, "two", 0.0) == ("run", "t")
        assert await worker_tasks.unclaimed(database, "one", 30.0) == ("run", "t")
        await worker_tasks.end(database, "run")
        assert await worker_tasks.unclaimed(database, "one", 30.0) is None


async def test_what_the_database_has_lost_is_not_waited_for(world: FleetWorld) -> None:
    """The rows of a pass are gone (a backup was restored): its projects are degraded at once, and say why."""
    world.broker = f"{world.fleet.broker}?virtual_host=1"  # nobody takes the tasks
    run = asyncio.create_task(world.sync())
    await eventually(lambda: bool(world.execute("SELECT 1 FROM fan_out_spreadsheets")), "they are given to workers")
    world.execute("DELETE FROM fan_out_spreadsheets")
    result = await asyncio.wait_for(run, 10)
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.DEGRADED)
    assert result.results[0].error == "no worker can take it: the database has lost the task"


async def test_what_all_workers_refuse_is_done_here(world: FleetWorld, log: StringIO) -> None:
    """The file was edited and the daemon has not reloaded it yet: its own rules count, and one line says who did it."""
    settings = world.settings
    world.write(more='[merge]\nstrategy = "sheet"\n')
    async with opened(settings, Reporter()) as resources:
        result = await SyncPass(resources).run(PassRequest(Trigger.CLI))
    assert outcomes(result) == dict.fromkeys(NAMES, Outcome.SYNCED)
    assert world.merged("p0") == (1,) * 5
    reasons = [str(line["reason"]) for line in told(log, "workers.unavailable")]
    assert all("([merge])" in reason and "this process reads and merges P" in reason for reason in reasons)
    assert 1 <= len(reasons) <= 4


async def begun_with(world: FleetWorld, settings: config.Settings) -> None:
    assert isinstance(settings.database.where, Server)
    request = json.dumps({"now": "2026-03-10T12:00:00.000000", "decides": rules_digests(settings)})
    projects = PROJECTS.dump_json([Project("project-P0", "P0", "P0")]).decode()
    async with PostgresDatabase(settings.database.where) as database:
        await worker_tasks.begin(database, "run", request, {world.keys["P0"]: projects})


def test_only_what_all_workers_share_can_be_given_to_them(tmp_path: Path) -> None:
    """On an SQLite file, or for a directory of worksheets, workers are refused by ``check`` and at the start."""
    path = tmp_path / "config.toml"
    (tmp_path / "sheets").mkdir()
    path.write_text('[sheets]\ndirectory = "sheets"\n[sync]\nworkers = "celery"\n')
    with pytest.raises(ConfigError, match=r"needs PostgreSQL: an SQLite file has one writer; set \[database\] url"):
        config.load(path)
    for command in ("check", "run", "once"):
        ran = run_command(command, "--config", str(path))
        assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
        assert "needs PostgreSQL" in ran.stderr
    path.write_text(path.read_text() + '[database]\nurl = "postgresql://x@localhost/x"\n')
    with pytest.raises(ConfigError, match=r'needs \[sheets\] source = "google"'):
        config.load(path)
