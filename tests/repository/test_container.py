"""deploy/: the image's start under bubblewrap, as a runtime would make it, and every file by its schema."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

import container
from container import DOCKERFILE, ROOT, Container
from fake_google import FakeGoogle
from postgres_server import Server, absence
from smart_sync import config
from smart_sync.config import Settings
from world import HEADER, KEY, link

DEPLOY = ROOT / "deploy"
permitted = pytest.mark.skipif(bool(container.why_not()), reason=container.why_not() or "permitted")


def environment(google: FakeGoogle, folder: Path) -> dict[str, str]:
    """All that is said to the container: no file of a configuration, and the key as base64."""
    google.add(KEY, {"Spring": [list(HEADER), ["@a", link("a"), 1, 2, 3, 4, 5]]})
    key = google.credentials(folder / "key.json").read_bytes()
    return {
        "SMART_SYNC_SHEETS__SPREADSHEET": KEY,
        "SMART_SYNC_SHEETS__API_URL": google.url,
        "SMART_SYNC_GOOGLE_CREDENTIALS": base64.b64encode(key).decode(),
        "SMART_SYNC_SYNC__CREATE_MISSING": "projects",
        "SMART_SYNC_DATABASE__PATH": "/data/view_counter.db",
    }


class Life(NamedTuple):
    """A container that serves and has synced, in the volume of one that was stopped before."""

    running: Container
    #: How the one before ended, and what it left in the volume.
    code: int | None
    left: set[str]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Started, stopped, and started again."""
    folder = tmp_path_factory.mktemp("container")
    with FakeGoogle() as google:
        said = environment(google, folder)
        with Container(folder, said) as first:
            first.wait_until_healthy()
            code = first.stop()
        left = {path.name for path in first.volume.iterdir()}
        with Container(folder, said) as second:
            second.wait_until_healthy()
            assert second.execute("smart-sync", "sync").returncode == 0
            yield Life(second, code, left)


@pytest.fixture
def running(life: Life) -> Container:
    """The container that serves."""
    return life.running


@permitted
def test_it_stops_when_it_is_told(life: Life) -> None:
    """SIGTERM ends PID 1 in order: exit code 0 and no socket left; the next one takes the volume up again."""
    assert life.code == 0
    assert "view_counter.db" in life.left
    assert "control.sock" not in life.left
    assert life.running.log.read_text().count('"daemon.started"') == 2


@permitted
def test_the_daemon_is_the_first_process_and_nobody(running: Container) -> None:
    """PID 1 is the daemon itself, of the image's user, with no right of root's to win back; no process is left over."""
    status = running.execute("cat", "/proc/1/status").stdout
    said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (said["Uid"].split(), said["Gid"].split()) == (["10001"] * 4, ["10001"] * 4)
    assert (int(said["CapEff"], 16), int(said["CapPrm"], 16), said["NoNewPrivs"]) == (0, 0, "1")
    assert "smart_sync" in running.execute("cat", "/proc/1/cmdline").stdout
    states = running.execute("sh", "-c", "cat /proc/[0-9]*/stat").stdout
    assert ") Z " not in states


@permitted
def test_nothing_but_the_volume_is_written(running: Container) -> None:
    """It starts, serves and syncs with a root file system that is read-only."""
    refused = running.execute("touch", "/etc/x", "/opt/x")
    assert refused.stderr.count("Read-only file system") == 2
    assert {path.name for path in running.volume.iterdir()} >= {"view_counter.db", "control.sock"}


@permitted
def test_commands_inside_see_what_the_daemon_sees(running: Container) -> None:
    """`docker exec` needs no option: status asks the daemon, explain reads the database, healthcheck is content."""
    assert "Spring" in running.execute("smart-sync", "status").stdout
    assert running.execute("smart-sync", "explain", link("a")).returncode == 0
    assert running.healthy() == 0


@permitted
def test_a_web_app_of_the_group_writes_the_same_file(running: Container) -> None:
    """Another user of the group may write database, journal and folder, as the umask has it; nobody else may read."""
    database = running.volume / "view_counter.db"
    assert database.stat().st_mode & 0o777 == 0o660
    opened = "sqlite3.connect('/data/view_counter.db', isolation_level=None)"
    write = f"import sqlite3; {opened}.execute('UPDATE projects SET geo = 1')"
    # Through the mount inside, because the folder of a test may be closed to others.
    inside = ["nsenter", "-t", str(running.pid), "-m", "setpriv", "--reuid=1000"]
    command = ["/opt/python/bin/python3", "-c", write]
    library = {"LD_LIBRARY_PATH": "/opt/python/lib"}
    groups = {"--regid=1000 --groups=10001": 0, "--regid=1000 --clear-groups": 1}
    for group, code in groups.items():
        ran = subprocess.run([*inside, *group.split(), "--", *command], env=library, capture_output=True, check=False)
        assert ran.returncode == code, ran.stderr
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT geo FROM projects").fetchall() == [("1",)]


@permitted
def test_it_stops_while_it_starts(tmp_path: Path, google: FakeGoogle) -> None:
    """The kernel drops signals for a first process that has not asked for them: from the first import on it has."""
    with Container(tmp_path, environment(google, tmp_path)) as started:
        while b"smart_sync" not in Path(f"/proc/{started.pid}/cmdline").read_bytes():
            pass
        while signal.SIGTERM not in caught(started.pid):
            assert started.process.poll() is None
        assert started.stop() is not None


def caught(pid: int) -> set[int]:
    """The signals that a process has asked for."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


@permitted
def test_a_mistake_ends_it_with_a_line(tmp_path: Path) -> None:
    """A misspelt variable, and no spreadsheet: exit code 2, and what is meant is named."""
    with Container(tmp_path, {"SMART_SYNC_SHEETS__SPREADSHET": KEY}) as started:
        assert started.process.wait(container.PATIENCE) == 2
    assert "did you mean SMART_SYNC_SHEETS__SPREADSHEET?" in started.log.read_text()


@permitted
def test_a_shell_as_the_first_process_is_seen(tmp_path: Path, google: FakeGoogle) -> None:
    """Negative control: behind a shell that stays, SIGTERM reaches nobody and the umask is not the volume's."""
    weaker = DOCKERFILE.read_text().replace('["/entrypoint.sh"]', '["sh", "-c", "umask 0022; \\"$@\\"; exit", "sh"]')
    with Container(tmp_path, environment(google, tmp_path), weaker) as started:
        started.wait_until_healthy()
        assert started.stop(patience=0.5) is None
        assert (started.volume / "view_counter.db").stat().st_mode & 0o020 == 0


def program(name: str) -> str:
    """A program beside this interpreter."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed: make test")
    return found


def test_the_dockerfile_is_linted() -> None:
    """hadolint has nothing to say; neither has it a rule switched off."""
    judged = subprocess.run([program("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stdout) == (0, "")


def test_the_image_installs_nothing_without_a_hash() -> None:
    """Every pip install is of a lock with --require-hashes, or of the wheel that was made just now."""
    steps = [step.text for stage in container.stages(DOCKERFILE.read_text()) for step in stage.steps]
    installs = [part for text in steps for part in text.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes -r /locks/" in install or "--no-deps --no-index" in install, install


def test_the_image_has_what_its_files_need() -> None:
    """Whatever COPY takes is there, and is let through by the image's own ignore file."""
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    for stage in container.stages(DOCKERFILE.read_text()):
        for step in stage.steps:
            if step.name == "COPY" and "--from" not in step.text:
                for source in [word for word in step.text.split() if not word.startswith("--")][:-1]:
                    assert (ROOT / source).exists(), source
                    assert source in let_in or f"{Path(source).parent}/*{Path(source).suffix}" in let_in, source


def test_compose_files_are_valid() -> None:
    """They are what the specification's schema allows."""
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    judged = subprocess.run([*command, *DEPLOY.glob("compose*.yaml")], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("name", ["compose.yaml", "compose.postgres.yaml"])
def test_every_service_of_ours_is_confined(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read-only root, no capability, no way to new rights, a limit of memory; and its variables are keys that exist."""
    for service in services(name):
        assert service["read_only"] is True
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert "/tmp" in service["tmpfs"]
        assert service["mem_limit"]
        load(service["environment"], monkeypatch)


def services(name: str) -> list[dict[str, Any]]:
    """The services of a compose file that run our image."""
    found = yaml.safe_load((DEPLOY / name).read_text())["services"].values()
    return [service for service in found if service.get("image") == "smart-sync"]


def load(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The configuration that these variables make, filled in as compose does, in our image."""
    image = container.stages(DOCKERFILE.read_text())[-1].environment
    for name, value in (image | given).items():
        if name.startswith("SMART_SYNC_"):
            # ${NAME:-default}, or something for ${NAME:?what is wanted}
            value = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value)
            monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "x", value))
    return config.load(config.ENVIRONMENT)


def test_the_services_of_postgresql_find_each_other() -> None:
    """The addresses name services, user, database and password of the same file; its images are known ones."""
    found = yaml.safe_load((DEPLOY / "compose.postgres.yaml").read_text())["services"]
    own = found["postgres"]["environment"]
    for service in services("compose.postgres.yaml"):
        address = urlsplit(service["environment"]["SMART_SYNC_DATABASE__URL"].replace(":?a password", "-a password"))
        assert (address.username, address.path) == (own["POSTGRES_USER"], f"/{own['POSTGRES_DB']}")
        assert f":{own['POSTGRES_PASSWORD'].replace(':?', '-')}@postgres:5432/" in address.geturl()
        assert service["environment"]["CELERY_BROKER_URL"] == "redis://redis:6379/0"
        assert set(service["depends_on"]) == {"postgres", "redis"} <= set(found)
    assert {one["image"].partition(":")[0] for one in found.values()} == {"smart-sync", "postgres", "redis"}


@pytest.mark.at_length
def test_the_services_of_postgresql_start(tmp_path: Path, google: FakeGoogle, postgres_server: Server | None) -> None:
    """Each command and health check of compose.postgres.yaml, with its variables, beside a real server and broker."""
    if postgres_server is None:
        pytest.skip(absence())
    found = yaml.safe_load((DEPLOY / "compose.postgres.yaml").read_text())["services"]
    image = container.stages(DOCKERFILE.read_text())[-1]
    google.add(KEY, {"Spring": [list(HEADER), ["@a", link("a"), 1, 2, 3, 4, 5]]})
    key = base64.b64encode(google.credentials(tmp_path / "key.json").read_bytes()).decode()
    given = {"POSTGRES_PASSWORD": "secret", "SPREADSHEET": KEY, "GOOGLE_CREDENTIALS": key}
    path = f"{Path(sys.executable).parent}:{postgres_server.programs}:{os.environ['PATH']}"
    broker = f"redis+socket://{tmp_path}/redis.sock"
    moved = {
        "@postgres:5432/view_counter": f"@/view_counter?host={postgres_server.folder}",
        "redis://redis:6379/0": broker,
    }

    def said(name: str) -> dict[str, str]:
        own = {} if name in ("postgres", "redis") else image.environment
        own |= {key: filled(value, given) for key, value in found[name].get("environment", {}).items()}
        for where, here in moved.items():
            own = {key: value.replace(where, here) for key, value in own.items()}
        more = {"SMART_SYNC_SHEETS__API_URL": google.url, "SMART_SYNC_CONTROL__SOCKET": str(tmp_path / f"{name}.sock")}
        # A container's name is its host's.
        own |= {"HOSTNAME": socket.gethostname()}
        return own | {"PATH": path, "PGHOST": str(postgres_server.folder), **more}

    def started(name: str, *more: str) -> subprocess.Popen[bytes]:
        command = [*found[name].get("command", image.command("CMD")), *more]
        with (tmp_path / f"{name}.log").open("w") as log:
            return subprocess.Popen(command, env=said(name), stdout=log, stderr=log, cwd=tmp_path)

    def healthy(name: str, *more: str) -> bool:
        kind, *words = found[name].get("healthcheck", {"test": ["CMD", *image.command("HEALTHCHECK")]})["test"]
        command = (
            [words[0], *more, *words[1:]]
            if kind == "CMD"
            else ["sh", "-c", *(word.replace("$$", "$") for word in words)]
        )
        ran = subprocess.run(command, env=said(name), capture_output=True, cwd=tmp_path, check=False)
        return ran.returncode == 0

    def until(name: str, *more: str) -> None:
        ends = time.monotonic() + container.PATIENCE
        while not healthy(name, *more):
            assert time.monotonic() < ends, (tmp_path / f"{name}.log").read_text()

    own = found["postgres"]["environment"]
    with postgres_server.connect() as admin, ExitStack() as stack:
        admin.execute(f"CREATE ROLE {own['POSTGRES_USER']} LOGIN")
        stack.callback(admin.execute, f"DROP ROLE {own['POSTGRES_USER']}")
        admin.execute(f"CREATE DATABASE {own['POSTGRES_DB']} OWNER {own['POSTGRES_USER']}")
        stack.callback(admin.execute, f"DROP DATABASE {own['POSTGRES_DB']} WITH (FORCE)")
        until("postgres")
        processes = [started("redis", "--port", "0", "--unixsocket", f"{tmp_path}/redis.sock")]

        def stop() -> None:
            for one in reversed(processes):
                one.send_signal(signal.SIGTERM)
                one.wait(container.PATIENCE)

        stack.callback(stop)
        until("redis", "-s", f"{tmp_path}/redis.sock")
        processes += [started(name) for name in ("daemon-1", "daemon-2", "worker")]
        for name in ("daemon-1", "daemon-2", "worker"):
            until(name)
        synced = subprocess.run(
            ["smart-sync", "sync", "--json"], env=said("daemon-2"), capture_output=True, text=True, cwd=tmp_path
        )
        (result,) = json.loads(synced.stdout)["results"]
        assert (result["project_name"], result["total_accounts"]) == ("Spring", 1)
        assert "succeeded" in (tmp_path / "worker.log").read_text()
        assert ": 'done'" in (tmp_path / "worker.log").read_text()


def filled(value: str, given: dict[str, str]) -> str:
    """``value`` with its variables as compose fills them in."""
    return re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda one: given.get(one[1], one[2]), value)


def test_the_blueprint_is_what_render_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render's words only (its schema is not at hand), variables that are keys, and the secrets are asked for."""
    blueprint = yaml.safe_load((DEPLOY / "render.yaml").read_text())
    (database,), (service,) = blueprint["databases"], blueprint["services"]
    assert set(blueprint) == {"databases", "services"}
    assert set(service) <= {
        "type", "name", "runtime", "dockerfilePath", "dockerContext", "plan", "numInstances", "maxShutdownDelaySeconds",
        "autoDeployTrigger", "envVars",
    }  # fmt: skip
    assert (ROOT / service["dockerfilePath"]).resolve() == DOCKERFILE
    for variable in service["envVars"]:
        assert len({"value", "sync", "fromDatabase"} & set(variable)) == 1, variable
        assert variable.get("fromDatabase", {"name": database["name"]})["name"] == database["name"]
        assert "CREDENTIALS" not in variable["key"] or variable["sync"] is False
    url = "postgresql://smart_sync:secret@host/view_counter"
    given = {one["key"]: one.get("value", url if "fromDatabase" in one else "x") for one in service["envVars"]}
    assert load(given, monkeypatch).database.url is not None
