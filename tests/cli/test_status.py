"""`smart-sync status`: what people see, once and live, and what programs get."""

import asyncio
import contextlib
import io
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from daemon_process import COMMAND, PATIENCE, Daemon, run_command, write_config
from fake_platforms import FakePlatform, Reply
from smart_sync.cli.output import status
from smart_sync.cli.output.status import screen
from smart_sync.cli.output.terminal import ago, duration, until
from smart_sync.control.client import Client
from smart_sync.control.request import Request, Response, Route, Stream
from smart_sync.control.server import serve
from smart_sync.core.days import stamp
from smart_sync.errors import SmartSyncError
from terminal import Terminal
from world import KEY, World

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PARSED = '[schedule]\nrun_on_start = false\n[parsers.csv]\npath = "parsed.csv"\n'


@pytest.fixture
def config(world: World) -> Path:
    world.add_project("Good", ["a", "b"], project_id="1")
    world.sheet("Good", a=[1] * 5, b=["junk", 2, 2, 2, 2])
    world.add_project("Lost", ["c"], project_id="2")
    del world.google.spreadsheets[KEY].worksheets["Lost"]
    (world.folder / "parsed.csv").write_text("link,views\nhttps://www.tiktok.com/@a,900\n")
    return write_config(world.folder, PARSED, google=world.google, spreadsheet=KEY)


def test_the_status_says_how_it_is(config: Path) -> None:
    """After a pass: outcome, age, accounts, how many problems each project has, the parsers' reports, both passes."""
    with Daemon(config):
        before = run_command("status", "--config", str(config)).stdout
        run_command("sync", "--config", str(config))
        after = run_command("status", "--config", str(config)).stdout
        answer = json.loads(run_command("status", "--json", "--config", str(config)).stdout)
    assert "none yet" in before
    assert "not asked yet" in before
    rows = {line.split()[0]: line.split() for line in after.splitlines() if line.strip()}
    assert rows["Good"][1] == "synced"
    assert rows["Good"][-2:] == ["2", "1"]
    assert rows["Lost"][1] == "degraded"
    (good,) = (one for one in answer["projects"] if one["project_id"] == "1")
    assert good["problem_count"] == 1
    # What may be long is in the answer of the pass: with it a status would hold up the event loop.
    assert not good.keys() & {"problems", "failed_accounts", "suspects", "conflicts", "changes"}
    assert after.index("Lost") < after.index("Good"), "who needs help comes first"
    assert "its title must be" in after or "Lost: " in after
    assert rows["csv"][-3:] == ["1", "2", "0"]
    assert "2 projects: 1 up to date, 1 degraded, 0 failed" in after
    (parser,) = answer["parsers"]
    assert (parser["parser"], parser["fetched"], parser["success"]) == ("csv", 1, True)
    assert answer["reading"]["calls"] >= 1


def test_budget_and_pause_of_a_parser_are_shown(world: World) -> None:
    """What a parser has used of its budget, and until when it asks nobody: after a restart, too."""
    world.add_project("P", ["a", "b"])
    replies = iter([Reply({"n": 5}), Reply({"message": "You have exceeded the MONTHLY quota"}, 429)])
    with FakePlatform(lambda _call: next(replies)) as platform:
        parser = f'''[schedule]
run_on_start = false
[parsers.rented]
kind = "http_json"
platforms = ["tiktok"]
url = "{platform.url}/{{username}}"
metrics = {{ followers = "n" }}
concurrency = 1
budget = "7/d"
'''
        config = write_config(world.folder, parser, google=world.google, spreadsheet=KEY)
        with Daemon(config):
            run_command("sync", "--config", str(config))
        with Daemon(config):
            shown = run_command("status", "--config", str(config)).stdout
            (told,) = json.loads(run_command("status", "--json", "--config", str(config)).stdout)["parsers"]
    assert (told["budget"], told["budget_used"]) == (7, 2)
    assert told["paused_until"] > stamp(datetime.now(UTC) + timedelta(hours=23))
    assert "2 of 7 requests a day used" in shown
    assert "paused until" in shown


def test_one_project_synced_by_itself_has_its_own_age(config: Path) -> None:
    """A pass over one project is that project's newest result; the others keep theirs."""
    with Daemon(config):
        run_command("sync", "--config", str(config))
        first = by_name(config)
        run_command("sync", "Good", "--config", str(config))
        second = by_name(config)
    assert second["Good"]["timestamp"] > first["Good"]["timestamp"]
    assert second["Lost"] == first["Lost"]


def test_watch_redraws_when_something_happens(config: Path) -> None:
    """On a terminal the screen follows a pass without being asked again, and Ctrl-C leaves it, with 0."""
    with Daemon(config), Terminal(["status", "--watch", "--config", str(config)], 120) as terminal:
        terminal.wait_for("not yet")
        run_command("sync", "--config", str(config))
        terminal.wait_for("degraded")
        terminal.wait_for("just now")
        terminal.type("\x03")
        assert terminal.ended() == 0
    assert "Traceback" not in terminal.seen


def test_watch_asks_nothing_while_nothing_happens(config: Path, tmp_path: Path) -> None:
    """Between events the daemon is left alone: ages grow on the screen without a request."""
    with Daemon(config) as daemon, _counted(daemon.socket) as requests:
        with Terminal(["status", "--watch", "--config", str(config)], 120) as terminal:
            terminal.wait_for("idle")
            time.sleep(1.5)  # what must not happen in it has no event
            terminal.type("\x03")
            assert terminal.ended() == 0
        assert sorted(requests) == ["/api/admin/events", "/api/admin/sync_status"]


def test_watch_for_programs_is_a_line_per_change(config: Path) -> None:
    """With --json each change is one line, and the end of the daemon ends it with 3 and a word why."""
    with Daemon(config) as daemon:
        command = [*COMMAND, "status", "--watch", "--json", "--config", str(config)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            assert json.loads(watching.stdout.readline())["last_pass"] is None
            run_command("sync", "--config", str(config))
            while json.loads(watching.stdout.readline())["last_pass"] is None:
                pass
            assert daemon.stop() == 0
            watching.stdout.read()
            assert "smart-sync run" in watching.stderr.read()
            assert watching.wait(PATIENCE) == 3


def test_watch_goes_on_after_a_reload(config: Path) -> None:
    """A reload ends the stream of events; the watcher follows the next lap."""
    with Daemon(config) as daemon, Terminal(["status", "--watch", "--config", str(config)], 120) as terminal:
        terminal.wait_for("not yet")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("READY=1")
        run_command("sync", "--config", str(config))
        terminal.wait_for("degraded")
        terminal.type("\x03")
        assert terminal.ended() == 0


@pytest.mark.parametrize("ends", [True, False])
async def test_watch_takes_a_refusal_for_the_end_of_a_lap_only_if_the_stream_ends(
    ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that says it stops is followed into its next lap; one that stays and cannot answer is an error."""
    monkeypatch.setattr(status, "LEAVING", 10.0 if ends else 0.05)
    over, shown = asyncio.Event(), list[Any]()

    async def events(_: Request) -> Stream:
        async def lines() -> AsyncIterator[Mapping[str, object]]:
            yield {"event": "config.reloaded"}
            await over.wait()

        return Stream(lines())

    async def refuse(_: Request) -> Response:
        if ends:
            over.set()
        return Response(503, {"success": False, "error": "the daemon is stopping"})

    routes = {"/api/admin/events": {"GET": Route(events)}, "/api/admin/sync_status": {"GET": Route(refuse)}}
    async with serve(tmp_path / "s", routes):
        following = status._follow_until_closed(Client(tmp_path / "s", timeout=PATIENCE), shown.append)
        if ends:
            await following
        else:
            with pytest.raises(SmartSyncError, match="the daemon is stopping"):
                await following
    assert shown == []


def test_progress_is_a_bar_and_a_count() -> None:
    """During a pass the screen says how many projects are done."""
    shown = drawn(current={"trigger": "timer", "projects": 12, "done": 3})
    assert "syncing (timer)" in shown
    assert "3 of 12 projects" in shown


@pytest.mark.parametrize(("minutes", "said"), [(1, "; took 1 min"), (-60, None)])
def test_a_clock_that_was_put_back_makes_no_pass_shorter_than_nothing(minutes: int, said: str | None) -> None:
    """How long the last pass took is told where its end is after its beginning."""
    began = datetime(2026, 3, 10, 11, tzinfo=UTC)
    last = {
        "trigger": "timer", "projects": 1, "succeeded": 1, "degraded": 0, "failed": 0,
        "started_at": stamp(began), "finished_at": stamp(began + timedelta(minutes=minutes)),
    }  # fmt: skip
    shown = drawn(last_pass=last)
    assert "1 project: 1 up to date" in shown
    assert (said in shown) if said else ("took" not in shown)


def test_the_quota_is_shown_when_it_slows_us() -> None:
    """Calls, repeated calls, seconds waited for Google's quota, and what a platform says is left."""
    reading = {
        "source": "google", "calls": 7, "retries": 2, "quota_wait_seconds": 12.5, "bytes": 1, "reads_per_minute": 60,
    }  # fmt: skip
    parsers = [
        {
            "parser": "facebook", "reported_at": "2026-03-10T11:56:00.000000", "success": False, "fetched": 1,
            "missing": 0, "failed": 3, "calls": 4, "quota_left": "12%", "reason": "the token is old", "seconds": 1.0,
        }
    ]  # fmt: skip
    shown = drawn(reading=reading, parsers=parsers)
    assert "7 calls in the last pass, of 60 a minute, 2 of them repeated; waited 12 s for the quota" in shown
    assert "4 min ago" in shown
    assert "12%" in shown
    assert "the token is old" in shown


def test_names_drive_no_terminal() -> None:
    """Whatever a project, an error or a parser says is text: no markup, no control characters."""
    name = "[red]\x1b[2J<script>"
    project = {
        "project_name": name, "outcome": "failed", "timestamp": "2026-03-10T11:00:00.000000", "problem_count": 0,
        "error": name, "remedy": name,
    }  # fmt: skip
    shown = drawn(projects=[project], last_error=name, parsers=[{"parser": name}])
    assert "\x1b[2J" not in shown
    assert shown.count("[red]") >= 5


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.018, "18 ms"), (1.84, "1.8 s"), (59, "59 s"), (60, "1 min"), (84, "1 min 24 s"),
        (1560, "26 min"), (3600, "1 h"),
        (5400, "1 h 30 min"), (86400, "24 h"), (180000, "2 days 2 h"), (30 * 86400, "30 days"),
    ],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    """One unit, or two where the second matters."""
    assert duration(seconds) == said


@given(st.floats(-1e8, 1e8))
def test_any_stamp_is_readable(seconds: float) -> None:
    """Past, future and the same moment all read as words, also when clocks disagree."""
    when = stamp(NOW + timedelta(seconds=seconds))
    assert ago(when, NOW).endswith(("ago", "now"))
    assert until(when, NOW).startswith(("in ", "now"))


def drawn(**changes: Any) -> str:
    answer: Any = {
        "version": "1", "uptime_seconds": 60.0, "state": "idle", "current": None, "last_pass": None,
        "next_run_at": "2026-03-10T12:26:00.000000", "active_projects": 1, "total_projects": 1, "last_error": None,
        "sqlite_at_risk": False, "sqlite_version": "3.51.3", "projects": [], "parsers": [],
        "reading": {"source": "csv", "calls": 0, "files": 0},
    }  # fmt: skip
    return drawn_of(screen(answer | changes, NOW))


def drawn_of(shown: RenderableType) -> str:
    """What is shown, as text."""
    stream = io.StringIO()
    Console(file=stream, width=160, highlight=False).print(shown)
    return stream.getvalue()


def test_times_say_their_zone_and_an_idle_lap_says_so() -> None:
    """The next pass is reported with its time zone; before the first pass of a lap nothing is claimed to be read."""
    shown = drawn()
    assert re.search(r"at \d\d:\d\d \S+", shown)
    assert "csv: nothing read yet" in shown


def by_name(config: Path) -> dict[str, Any]:
    answer = json.loads(run_command("status", "--json", "--config", str(config)).stdout)
    return {project["project_name"]: project for project in answer["projects"]}


@contextlib.contextmanager
def _counted(path: Path) -> Iterator[list[str]]:
    """Every request that goes to the daemon from now on, by its path: a relay before its socket."""
    import socket

    behind = path.with_name("behind.sock")
    path.rename(behind)
    requests: list[str] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def relay(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(behind))
            asked = client.recv(65536)
            if not asked:
                return  # the daemon looks whether somebody answers at its path, which is no request
            requests.append(asked.split(b" ")[1].decode())
            server.sendall(asked)
            with contextlib.suppress(OSError):
                while piece := server.recv(65536):
                    client.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield requests
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    path.unlink()
    behind.rename(path)


def test_watch_ends_when_nobody_reads_it(config: Path) -> None:
    """``status --watch | head -1`` ends without waiting for something to happen."""
    with Daemon(config):
        command = [*COMMAND, "status", "--watch", "--json", "--config", str(config)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            assert watching.stdout.readline()
            watching.stdout.close()
            assert watching.wait(PATIENCE) == 0
            assert b"Traceback" not in watching.stderr.read()


UNREADABLE_KEY = '[parsers.youtube]\nkey = "file:/nowhere/at/all"\n'


@pytest.mark.parametrize(
    "mistake", ['[sheets]\nlocal = "de"\n', "[merge]\nstrategy = ???\n", "[log]\nlevel = 7\n", UNREADABLE_KEY]
)
def test_commands_that_only_look_go_on_with_a_mistake_in_the_configuration(config: Path, mistake: str) -> None:
    """status, history and explain say the mistake, and show what can be read; so does sync."""
    with Daemon(config):
        run_command("sync", "--config", str(config))
        text = config.read_text()
        wrong = text.replace("[sheets]\n", mistake) if mistake.startswith("[sheets]") else text + mistake
        config.write_text(wrong)
        for command in ("status", "history", "explain @a", "sync"):
            ended = run_command(*command.split(), "--config", str(config))
            assert (ended.returncode, "the configuration has mistakes" in ended.stderr) == (0, True), ended.stderr
            assert str(config) in ended.stderr
            assert ended.stdout


def test_a_mistake_about_the_database_is_none_to_go_on_with(config: Path) -> None:
    """Another database than the one that is meant would be shown."""
    config.write_text(config.read_text().replace('path = "view_counter.db"', "path = view_counter"))
    ended = run_command("history", "--config", str(config))
    assert (ended.returncode, ended.stdout) == (2, "")
