"""The daemon as a process: start, ask, stop, reload, refuse; signals and exit codes are real."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_clients import connected
from daemon_process import PATIENCE, Daemon, run_command
from fake_google import FakeGoogle, Fault
from smart_sync.config import Settings
from smart_sync.control.client import Client, request_sync
from smart_sync.service.preflight import obstacles
from world import World

ANSWER_KEYS = {"success", "total_projects", "success_count", "error_count", "results", "timestamp"}
RESULT_KEYS = {
    "success", "project_id", "project_name", "total_accounts", "updated_count", "snapshot_count", "timestamp",
    "outcome",
}  # fmt: skip
NO_START = "[schedule]\nrun_on_start = false\n"


@pytest.fixture
def config(world: World) -> Path:
    """A daemon's configuration for the world: one project of two accounts, synced only when asked."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    return world.config(NO_START)


def ask(daemon: Daemon, method: str, target: str) -> tuple[int, dict[str, Any]]:
    return asyncio.run(Client(daemon.socket, timeout=PATIENCE).request(method, target))


def test_a_forced_sync_answers_with_the_contracts_keys(config: Path, world: World) -> None:
    """POST /api/admin/smart_sync answers when the pass is done, with exactly the keys that callers know."""
    with Daemon(config) as daemon:
        status, answer = ask(daemon, "POST", "/api/admin/smart_sync")
    assert status == 200
    assert set(answer) >= ANSWER_KEYS
    (result,) = answer["results"]
    assert set(result) >= RESULT_KEYS
    assert (answer["success"], answer["success_count"], answer["error_count"]) == (True, 1, 0)
    assert (result["updated_count"], result["snapshot_count"], result["total_accounts"]) == (2, 2, 2)
    assert len(answer["timestamp"]) == len("2026-03-10T12:00:00.000000")
    assert world.merged("a") == (1,) * 5


def test_one_project_can_be_synced_and_an_unknown_one_is_404(config: Path) -> None:
    """?project_id= selects a project; one that does not exist is a 404 in the contract's words."""
    with Daemon(config) as daemon:
        known = ask(daemon, "POST", "/api/admin/smart_sync?project_id=project-P")
        unknown = ask(daemon, "POST", "/api/admin/smart_sync?project_id=nobody")
    assert known[0] == 200
    assert set(known[1]) >= RESULT_KEYS
    assert unknown == (404, {"success": False, "error": "Project not found", "project_id": "nobody"})


def test_status_and_health_tell_how_it_is(config: Path) -> None:
    """sync_status has the contract's keys, healthz says healthy, an option that does not exist is a 400."""
    with Daemon(config) as daemon:
        ask(daemon, "POST", "/api/admin/smart_sync")
        status = ask(daemon, "GET", "/api/admin/sync_status")[1]
        health = ask(daemon, "GET", "/healthz")
        misspelt = ask(daemon, "POST", "/api/admin/smart_sync?projectid=P")
    assert (status["success"], status["total_projects"], status["active_projects"]) == (True, 1, 1)
    assert (status["cache_enabled"], status["state"]) == (False, "idle")
    assert status["last_sync"]
    assert status["next_run_at"]
    assert status["uptime_seconds"] >= 0
    assert health[0] == 200
    assert misspelt[0] == 400


def test_a_body_is_refused_and_does_nothing(config: Path) -> None:
    """Options that were put into the body are no plain request for everything: 400; an empty body is none."""

    async def post(path: Path, body: bytes) -> tuple[int, Any]:
        async with connected(path) as client:
            head = f"POST /api/admin/smart_sync HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.send(head.encode() + body)
            got = await client.answer()
            return got.status, got.json

    with Daemon(config) as daemon:
        status, answer = asyncio.run(post(daemon.socket, b"project_id=project-P"))
        assert (status, answer["success"]) == (400, False)
        assert "body" in answer["error"]
        assert ask(daemon, "GET", "/api/admin/sync_status")[1]["last_sync"] is None
        assert asyncio.run(post(daemon.socket, b""))[0] == 200


def test_events_stream_the_passes_as_they_happen(config: Path) -> None:
    """GET /api/admin/events gives a JSON line for each event of a pass, until the client leaves."""

    async def follow(socket_path: Path) -> list[str]:
        client = Client(socket_path, timeout=PATIENCE)
        names: list[str] = []
        events = client.events()
        first = asyncio.ensure_future(anext(events))
        # The stream is open once the server counts a follower; a pass asked for before that might be missed.
        while not first.done():
            await client.sync()
        names.append((await first)["event"])
        async for event in events:
            names.append(event["event"])
            if event["event"] == "sync.finished":
                break
        await events.aclose()
        return names

    with Daemon(config) as daemon:
        names = asyncio.run(follow(daemon.socket))
    assert names[-1] == "sync.finished"
    assert set(names) & {"sync.started", "project.synced"}


def test_sigterm_in_the_middle_of_a_pass_answers_who_waits_and_leaves_in_time(config: Path, world: World) -> None:
    """SIGTERM: a waiting client gets an answer, nothing is half-written, exit 0 within 5 s even while Google hangs."""
    world.google.faults.append(Fault("batch", 1, how="hang"))
    with Daemon(config) as daemon, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, daemon, "POST", "/api/admin/smart_sync")
        assert world.google.hanging.wait(PATIENCE)
        assert daemon.stop(timeout=5) == 0
        status, answer = waiting.result(PATIENCE)
        assert daemon.lines()[-1]["event"] == "daemon.stopped"
    assert status == 503
    assert answer["success"] is False
    assert world.execute("SELECT count(*) FROM account_metrics") == [(0,)]
    assert not daemon.socket.exists()


@pytest.mark.sqlite  # of a server it stands by: test_standby
def test_a_second_daemon_on_the_same_database_exits_75(config: Path) -> None:
    """The database has one owner: a second daemon, and `once`, exit with 75 and say who holds it."""
    with Daemon(config) as daemon:
        for command in (["run"], ["once"]):
            refused = run_command(*command, "--config", str(config))
            assert refused.returncode == 75
            assert str(daemon.process.pid) in refused.stdout + refused.stderr
        assert ask(daemon, "GET", "/healthz")[0] == 200


def test_sighup_reads_the_configuration_again(config: Path) -> None:
    """SIGHUP opens everything anew: what the file says now holds, and the socket answers again."""
    with Daemon(config) as daemon:
        config.write_text(config.read_text().replace("run_on_start = false", "run_on_start = true"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("READY=1")
        daemon.wait_for("STATUS=last pass")
        assert ask(daemon, "GET", "/api/admin/sync_status")[1]["last_sync"]
        assert daemon.stop() == 0
        assert len(daemon.events("config.reloaded")) == 1
        assert [line["trigger"] for line in daemon.events("sync.started")] == ["startup"]


def test_a_bad_file_on_reload_changes_nothing_and_is_reported_in_full(config: Path) -> None:
    """A reload of an invalid file is a 422 with every problem; the daemon goes on as it was."""
    with Daemon(config) as daemon:
        good = config.read_text()
        config.write_text(good + '[log]\nlevel = "loud"\n[snapshot]\nfoo = 1\n')
        status, answer = ask(daemon, "POST", "/api/admin/reload")
        assert status == 422
        assert {problem.split(": ")[1] for problem in answer["problems"]} == {"log.level", "snapshot"}
        assert ask(daemon, "POST", "/api/admin/smart_sync")[1]["success_count"] == 1
        config.write_text(good)
        assert ask(daemon, "POST", "/api/admin/reload")[0] == 200
        daemon.wait_for("READY=1")
        assert ask(daemon, "GET", "/healthz")[0] == 200


@pytest.mark.sqlite  # a damaged file
def test_a_reload_that_cannot_begin_falls_back_to_what_ran_before(config: Path) -> None:
    """What only opening can tell, of a damaged database say, is reported, and the old settings are taken up again."""
    (config.parent / "damaged.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
    with Daemon(config) as daemon:
        good = config.read_text()
        config.write_text(good.replace("view_counter.db", "damaged.db"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("READY=1")
        assert ask(daemon, "POST", "/api/admin/smart_sync")[1]["success_count"] == 1
        (rejected,) = daemon.events("config.rejected")
        assert "damaged.db: not an intact SQLite database" in rejected["problems"][0]


@pytest.mark.sqlite  # a file that is no database
def test_what_will_not_start_is_refused_before_the_leap(config: Path) -> None:
    """A group, a socket or a database that cannot be is a 422 with each key, not a lap that fails; so at the start."""
    (config.parent / "notes.txt").write_text("no database at all")
    good = config.read_text()
    bad = good.replace("view_counter.db", "notes.txt")
    bad = bad.replace('"control.sock"', f'"{"x" * 108}.sock"\ngroup = "no-such-group"')
    wrong = {"control.socket", "control.group", "database.path"}
    with Daemon(config) as daemon:
        config.write_text(bad)
        status, answer = ask(daemon, "POST", "/api/admin/reload")
        assert (status, {problem.split(": ")[0] for problem in answer["problems"]}) == (422, wrong)
        assert ask(daemon, "POST", "/api/admin/smart_sync")[1]["success_count"] == 1
        assert daemon.events("config.reloaded") == []
        assert len(daemon.events("daemon.started")) == 1
        assert daemon.stop() == 0
    refused = run_command("run", "--config", str(config))
    assert refused.returncode == 2
    assert {line.split(": ")[1] for line in refused.stderr.splitlines()} == wrong
    found = run_command("check", "--config", str(config)).stdout
    assert all(f"✗ {key}: " in found for key in wrong)
    assert "the configuration is valid" not in found


@pytest.mark.sqlite  # locks of its file
def test_a_reload_leaves_the_locks_of_the_open_database_alone(config: Path, world: World) -> None:
    """The file that is open is never opened a second time: that would give up the locks that a pass writes under."""
    loaded = Settings(**{"database": {"path": world.path}, **world.sections})
    with closing(sqlite3.connect(world.path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = DELETE")
        ours.execute("BEGIN EXCLUSIVE")
        assert obstacles(loaded, held=world.path) == {}
        code = f"import sqlite3; sqlite3.connect({str(world.path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "locked" in other.stderr


def test_requests_that_arrive_together_share_one_pass(config: Path, world: World) -> None:
    """Any number of simultaneous requests cost at most two passes: the one that runs, and the next."""
    with Daemon(config) as daemon, ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(request_sync, daemon.socket) for _ in range(20)]
        runs = {answer.result(PATIENCE)["run_id"] for answer in answers}
        assert daemon.stop() == 0
    assert world.execute("SELECT count(*) FROM sync_runs") == [(len(runs),)]
    assert len(runs) < 20


def test_a_request_during_a_pass_gets_the_next_one(config: Path, world: World) -> None:
    """What is edited while a pass runs is in the answer to a request made after the edit."""
    world.google.faults.append(Fault("batch", 1, how="hang"))
    with Daemon(config) as daemon, ThreadPoolExecutor(2) as pool:
        first = pool.submit(request_sync, daemon.socket)
        assert world.google.hanging.wait(PATIENCE)
        world.sheet("P", a=[7] * 5, b=[8] * 5)
        second = pool.submit(request_sync, daemon.socket)
        # The second request is in when the daemon has logged it.
        while len(daemon.events("control.requested")) < 2:
            os.sched_yield()
        world.google.release.set()
        assert first.result(PATIENCE)["run_id"] != second.result(PATIENCE)["run_id"]
    assert world.merged("a") == (7,) * 5


def test_who_asked_is_in_the_log_and_in_the_history(config: Path, world: World) -> None:
    """User and process of the one who asks for a pass, as the kernel tells them, are logged, and kept with the pass."""
    with Daemon(config) as daemon:
        assert ask(daemon, "POST", "/api/admin/smart_sync")[0] == 200
        (asked,) = daemon.events("control.requested")
    assert (asked["uid"], asked["pid"]) == (os.getuid(), os.getpid())
    assert world.execute("SELECT requested_by FROM sync_runs") == [(f"uid={os.getuid()} pid={os.getpid()}",)]


def test_status_is_answered_while_a_pass_is_under_way(config: Path, world: World) -> None:
    """The control channel never waits for a pass: status says syncing, with its progress."""
    world.google.faults.append(Fault("batch", 1, how="hang"))
    with Daemon(config) as daemon, ThreadPoolExecutor(1) as pool:
        syncing = pool.submit(request_sync, daemon.socket)
        assert world.google.hanging.wait(PATIENCE)
        status = ask(daemon, "GET", "/api/admin/sync_status")[1]
        world.google.release.set()
        syncing.result(PATIENCE)
    assert status["state"] == "syncing"
    assert (status["current"]["projects"], status["current"]["done"]) == (1, 0)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("ZeroDivisionError('a bug')", ""),
        ("OSError(24, 'Too many open files')", "LimitNOFILE="),
        ("MemoryError()", "MemoryMax="),
    ],
)
def test_a_bug_ends_the_daemon_loudly(config: Path, error: str, says: str) -> None:
    """What is no expected failure ends the process: a bug with its traceback, a lack with its remedy."""
    bug = (
        "import sys, smart_sync.sync.sync_pass as s\n"
        f"async def broken(self, request): raise {error}\n"
        "s.SyncPass.run = broken\n"
        "from smart_sync.cli.main import main\n"
        f"sys.argv = ['smart-sync', 'run', '--config', {str(config)!r}]\n"
        "main()\n"
    )
    config.write_text(config.read_text().replace("run_on_start = false", "run_on_start = true"))
    ended = subprocess.run([sys.executable, "-c", bug], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    last = json.loads(ended.stdout.splitlines()[-1])
    assert (last["level"], last["event"]) == ("ERROR", "daemon.crashed")
    assert ("exception" in last) == (not says)
    assert says in last["reason"]


def test_a_client_that_leaves_does_not_stop_the_pass(config: Path, world: World) -> None:
    """A pass belongs to the daemon: the client that asked may go."""
    world.google.faults.append(Fault("batch", 1, how="hang"))
    with Daemon(config) as daemon:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.socket))
            client.sendall(b"POST /api/admin/smart_sync HTTP/1.1\r\nHost: x\r\n\r\n")
            assert world.google.hanging.wait(PATIENCE)
        world.google.release.set()
        daemon.wait_for("STATUS=last pass")
    assert world.merged("b") == (2,) * 5


def test_an_idle_daemon_is_small_and_asleep(config: Path) -> None:
    """Idle: under 70 MB resident on a CSV source, and no measurable CPU."""
    folder = config.parent / "csv"
    folder.mkdir()
    (folder / "P.csv").write_text("Link,Followers\nhttps://www.tiktok.com/@a,5\n")
    small = folder / "config.toml"
    small.write_text(
        '[database]\npath = "small.db"\n[control]\nsocket = "control.sock"\n'
        f'[sheets]\nsource = "csv"\ndirectory = "{folder}"\n'
        '[sync]\ncreate_missing = "projects"\n'
    )
    with Daemon(small, forked=False) as daemon:
        daemon.wait_for("STATUS=last pass")
        memory = resident(daemon.process.pid)
        before = cpu_ticks(daemon.process.pid)
        threading.Event().wait(1.0)
        assert cpu_ticks(daemon.process.pid) - before <= 1
    assert memory < 70


def resident(pid: int) -> float:
    """MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def cpu_ticks(pid: int) -> int:
    """Hundredths of a second of CPU, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_the_fake_google_is_the_only_place_it_talks_to(config: Path, google: FakeGoogle) -> None:
    """With api_url set the token, too, comes from there: the daemon works where no name can be resolved."""
    with Daemon(config, {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}) as daemon:
        assert ask(daemon, "POST", "/api/admin/smart_sync")[1]["degraded_count"] == 0
    assert {call.kind for call in google.calls} == {"token", "metadata", "batch"}


def test_a_database_that_cannot_be_read_just_now_is_a_503(config: Path, world: World) -> None:
    """A table that is away for a moment, or a locked file, costs an answer and not the daemon."""
    with Daemon(config) as daemon:
        world.execute("ALTER TABLE projects RENAME TO elsewhere")
        for method, target in (("GET", "/api/admin/sync_status"), ("POST", "/api/admin/smart_sync?project_id=1")):
            status, answer = ask(daemon, method, target)
            assert (status, answer["success"]) == (503, False)
        shown = run_command("status", "--config", str(config))
        assert (shown.returncode, len(shown.stderr.splitlines())) == (1, 1), shown.stderr
        world.execute("ALTER TABLE elsewhere RENAME TO projects")
        assert ask(daemon, "GET", "/api/admin/sync_status")[0] == 200


def test_a_log_that_cannot_be_written_costs_no_pass(config: Path, world: World) -> None:
    """On a full disk the daemon syncs without its log, and stops when it is told."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("")
    notify.settimeout(PATIENCE)
    environment = {**os.environ, "NOTIFY_SOCKET": "@" + notify.getsockname()[1:].decode()}
    with notify, Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "smart_sync", "run", "--config", str(config)], stdout=full, env=environment
        )
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            assert request_sync(config.parent / "control.sock")["success_count"] == 1
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
    assert world.merged("a") == (1,) * 5


@pytest.mark.parametrize(
    "mistake",
    [
        '[database]\npath = "~nobodyhere/x.db"\n',
        '[parsers.broken]\nkind = "no-such-parser"\n',
        "x = " + "[" * 5000 + "\n",
    ],
)
def test_no_mistake_in_a_new_file_ends_the_daemon(config: Path, mistake: str) -> None:
    """Whatever is wrong with the file, a reload is refused in words and the old lap goes on."""
    with Daemon(config) as daemon:
        good = config.read_text()
        kept = good if "[database]" not in mistake else good.split("[control]")[1].join(["[control]", ""])
        config.write_text(mistake + kept if mistake.startswith("x") else kept + mistake)
        assert ask(daemon, "POST", "/api/admin/reload")[0] == 422
        config.write_text(good)
        assert ask(daemon, "POST", "/api/admin/smart_sync")[1]["success_count"] == 1


def test_a_reload_takes_the_log_settings_too(config: Path) -> None:
    """[log] level and format hold from the next lap on."""
    with Daemon(config) as daemon:
        config.write_text(config.read_text() + '[log]\nlevel = "error"\nformat = "console"\n')
        assert ask(daemon, "POST", "/api/admin/reload")[0] == 200
        daemon.wait_for("READY=1")
        before = len(daemon.events("sync.finished"))
        ask(daemon, "POST", "/api/admin/smart_sync")
        assert len(daemon.events("sync.finished")) == before
