"""`docs/how-to/beside-the-web-app.md`: every block of it is run as it stands, but for hosts, paths and secrets."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx2
import pytest
from celery import Celery

from beside import SYNC, TOKEN, Beside
from celery_processes import celery, wait_until
from daemon_process import COMMAND, PATIENCE
from fake_google import FakeGoogle
from markdown_pages import HOW_TO, blocks, texts
from smart_sync import config
from web_server import serving
from world import KEY

ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
TYPED = [1000, 100, 10, 2, 10000]
PAGE = HOW_TO / "beside-the-web-app.md"
HOST, SOCKET, FILE = "https://app.example.com", "/run/smart-sync/control.sock", "/srv/app/view_counter.db"


def block(language: str, marker: str) -> str:
    """The one block of ``language`` that holds ``marker``."""
    (found,) = texts(PAGE, language, marker)
    return found


def shell(script: str, beside: Beside, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in the folder of the web app's database, with our own command."""
    named = script.replace("smart-sync ", " ".join(COMMAND) + " ").replace(FILE, str(beside.world.path))
    named = named.replace(SOCKET, str(beside.world.folder / "control.sock"))
    own = {**os.environ, **beside.environment, "SMART_SYNC_API_TOKEN": TOKEN, **environment}
    return subprocess.run(
        ["bash", "-c", named], cwd=beside.world.folder, env=own, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


def passes(beside: Beside) -> int:
    if not beside.world.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_runs'"):
        return 0
    return int(beside.world.execute("SELECT count(*) FROM sync_runs")[0][0])


@contextmanager
def web_app(beside: Beside) -> Iterator[str]:
    """The how-to's ``main.py`` with uvicorn; its address."""
    text = block("python", "# main.py").replace(SOCKET, str(beside.world.folder / "control.sock"))
    (beside.world.folder / "main.py").write_text(text)
    environment = {"PYTHONPATH": str(beside.world.folder), "SMART_SYNC_API_TOKEN": TOKEN}
    with serving("main:app", environment=environment) as client:
        yield str(client.base_url).rstrip("/")


def test_look_first(tmp_path: Path, google: FakeGoogle) -> None:
    """adopt writes the configuration, the copy is made, and check finds nothing that keeps the daemon from running."""
    beside = Beside(tmp_path, google)
    google.credentials(tmp_path / "google.json")
    ended = shell("set -e\n" + block("sh", "smart-sync adopt"), beside)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "before.db").is_file()
    assert beside.rows_of_the_app() == beside.before
    with beside.daemon():
        pass


def test_the_router_and_its_curl_lines(beside: Beside) -> None:
    """The web app's ``main.py`` answers each of the three lines."""
    with beside.daemon(), web_app(beside) as address:
        for line in block("sh", "project_id=ID").splitlines():
            ended = shell(line.replace(HOST, address).replace("=ID", "=project-1"), beside)
            assert json.loads(ended.stdout)["success"] is True, line


@contextmanager
def proxy(command: list[str], own: Path, environment: Mapping[str, str] | None = None) -> Iterator[httpx2.Client]:
    """A proxy that listens on the socket ``own``, and a client of it."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _listens(own):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(process.communicate()[1].decode())
            time.sleep(0.02)
        transport = httpx2.HTTPTransport(uds=str(own))
        with httpx2.Client(transport=transport, base_url="http://app.example.com", timeout=PATIENCE) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as trying:
        try:
            trying.connect(str(path))
        except OSError:
            return False
        return True


def publishes_the_socket(client: httpx2.Client, beside: Beside) -> None:
    """Everything but reload for who has the token, the health checks for everybody, nothing else."""
    answer = client.post(SYNC, headers=ALLOWED).json()
    assert (answer["success"], answer["success_count"]) == (True, 1)
    assert beside.world.merged("a") == tuple(TYPED)
    assert client.post(f"{SYNC}?project_id=project-1", headers=ALLOWED).json()["updated_count"] == 2
    assert client.get("/api/admin/sync_status", headers=ALLOWED).json()["total_projects"] == 1
    assert client.get("/api/admin/sync_history?limit=1", headers=ALLOWED).status_code == 200
    assert client.get("/healthz").json()["healthy"] is True
    for wrong in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN.upper()}"}):
        assert client.post(SYNC, headers=wrong).status_code == 401
    assert client.post("/api/admin/reload", headers=ALLOWED).status_code in (401, 404)
    with client.stream("GET", "/api/admin/events", headers=ALLOWED) as stream:
        assert stream.status_code == 200
        beside.command("sync")
        lines = stream.iter_lines()
        assert [json.loads(next(lines))["event"] for _ in range(2)] == ["sync.started", "project.synced"]


def test_nginx_in_front_of_the_socket(beside: Beside) -> None:
    """Debian's nginx with the how-to's lines."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed: make packages, as root")
    folder, own = beside.world.folder, beside.world.folder / "nginx.sock"
    text = block("nginx", "upstream").replace(SOCKET, str(folder / "control.sock"))
    text = text.replace("change-this-to-a-long-secret", TOKEN).replace("listen 8080", f"listen unix:{own}")
    places = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places}\n{text} }}\n"
    )
    with beside.daemon(), proxy([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], own) as client:
        publishes_the_socket(client, beside)


def test_caddy_in_front_of_the_socket(beside: Beside) -> None:
    """Caddy with the how-to's lines."""
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    folder, own = beside.world.folder, beside.world.folder / "caddy.sock"
    text = block("caddyfile", "reverse_proxy").replace(SOCKET, str(folder / "control.sock"))
    text = text.replace("app.example.com {", f"http://app.example.com {{\n\tbind unix/{own}")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tgrace_period 1s\n}}\n{text}")
    environment = {"SMART_SYNC_API_TOKEN": TOKEN, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with beside.daemon(), proxy(command, own, environment) as client:
        publishes_the_socket(client, beside)


def test_the_tasks_of_the_web_app(beside: Beside, broker: str) -> None:
    """``tasks.py`` with the two commands: the worker has both tasks, the beat has the schedule."""
    folder = beside.world.folder
    (folder / "tasks.py").write_text(block("python", "# tasks.py"))
    export, *lines = block("sh", "celery -A tasks worker").splitlines()
    assert export.startswith("export SMART_SYNC_CONFIG=")
    worker, beat = (shlex.split(line)[2:] for line in lines)
    environment = {**beside.environment, "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
    environment["PYTHONPATH"] = str(folder)
    log = folder / "beat.log"
    with (
        Celery("client", broker=broker, backend=broker) as client,
        celery(*worker, log=folder / "worker.log", environment=environment),
        celery(*beat, log=log, environment=environment) as process,
    ):
        assert client.send_task("smart_sync_all_projects").get(timeout=PATIENCE)["success_count"] == 1
        single = client.send_task("smart_sync_single_project", args=["project-1"]).get(timeout=PATIENCE)
        wait_until(lambda: "beat: Starting" in log.read_text(), process, log)
    assert single["updated_count"] == 2
    assert beside.world.merged("a") == tuple(TYPED)


CRON = ["smart-sync sync", "smart-sync once", "--unix-socket", "Bearer"]


@pytest.mark.parametrize("marker", CRON)
def test_each_cron_line_runs_a_pass_and_prints_what_went_wrong(beside: Beside, marker: str) -> None:
    """Nothing is printed of a good pass, and one is run; of one that could not be run the reason is printed."""
    (line,) = [line for line in block("crontab", "smart-sync once").splitlines() if marker in line]
    assert line.startswith("*/30 * * * *  ")
    command = line.removeprefix("*/30 * * * *  ")
    without_daemon = "once" in marker
    with web_app(beside) if marker == "Bearer" else nullcontext(HOST) as address:
        command = command.replace(HOST, address)
        with nullcontext() if without_daemon else beside.daemon():
            before = passes(beside)
            ended = shell(command, beside)
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
            assert passes(beside) > before
        if without_daemon:
            beside.config.write_text(beside.config.read_text().replace("[sheets]", "[sheet]"))
        ended = shell(command, beside)
        assert ended.stdout + ended.stderr != ""


def test_the_cron_line_with_a_wrong_token_says_so(beside: Beside) -> None:
    """A token that is not the router's is no silent success."""
    (line,) = [line for line in block("crontab", "smart-sync once").splitlines() if "Bearer" in line]
    with web_app(beside) as address:
        ended = shell(line.removeprefix("*/30 * * * *  ").replace(HOST, address), beside, SMART_SYNC_API_TOKEN="wrong")
    assert ended.returncode != 0
    assert "401" in ended.stderr


def test_the_call_after_a_pass_is_a_valid_configuration(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands; what comes of it is in `test_beside_web_app`."""
    monkeypatch.setenv("APP_TOKEN", "Bearer token")
    with beside.config.open("a") as written:
        written.write("\n" + block("toml", "[[webhooks]]"))
    (webhook,) = config.load(beside.config).webhooks
    assert (webhook.method, webhook.only_changed) == ("DELETE", True)


def test_new_projects_from_the_worksheets(beside: Beside) -> None:
    """A worksheet without a project becomes one, with what the web app's table demands, and its screens show it."""
    text = beside.config.read_text().replace('create_missing = "none"', "")
    section = block("toml", "[sync.defaults.projects]").removeprefix("[sync]\n")
    beside.config.write_text(text.replace("[sync]\n", f"[sync]\n{section}"))
    beside.world.google.spreadsheets[KEY].worksheets["Summer"] = [
        ["Link", "Views"], ["https://www.tiktok.com/@c", 7],
    ]  # fmt: skip
    assert beside.command("once").returncode == 0
    ((project,),) = beside.world.execute("SELECT id FROM projects WHERE name = 'Summer'")
    with beside.serving() as client:
        assert client.get(f"/api/projects/{project}/accounts").json()[0]["newest"]["views"] == 7
        assert client.get(f"/api/projects/{project}/analytics").json()["views"] == 7


def test_the_way_back(beside: Beside) -> None:
    """The last block leaves the tables that were there before, with every row, and the web app's screens go on."""
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed: make packages, as root")
    names = "SELECT type, name FROM sqlite_master ORDER BY 1, 2"
    assert beside.command("backup", str(beside.world.folder / "before.db")).returncode == 0
    before = beside.world.execute(names)
    assert beside.command("once").returncode == 0
    assert len(beside.world.execute(names)) > len(before)
    ended = shell("set -e\n" + block("sh", "DROP"), beside)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert beside.world.execute(names) == before
    assert beside.world.execute("PRAGMA integrity_check") == [("ok",)]
    with beside.serving() as client:
        beside.shows(client, TYPED)


def test_every_block_is_run() -> None:
    """No block of the how-to is without a test above, or in `test_beside_web_app`."""
    source = Path(__file__).read_text()
    unrun = [block.text for block in blocks(PAGE) if not any(
        f'block("{block.language}", "{marker}")' in source for marker in _markers(source) if marker in block.text
    )]  # fmt: skip
    assert unrun == []
    assert len([*blocks(PAGE)]) == 11


def _markers(source: str) -> list[str]:
    return [line.split('", "')[1].split('")')[0] for line in source.splitlines() if line.count('block("') == 1]
