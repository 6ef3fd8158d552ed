"""Canaries: each secret of a configuration is planted, everything fails, and then all that came out is searched."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import quote, quote_plus

import pytest

from daemon_process import PATIENCE, Daemon, run_command, weakened, write_config
from fake_google import FakeGoogle, private_key
from smart_sync.control.client import Client
from world import KEY, World

TOKEN = "ya29.canary-google-token-0c9d"
CANARIES = {
    "google token": TOKEN,
    "youtube": "canary-youtube-key-52f1",
    "facebook": "canary-facebook-token-a80c",
    "json header": "canary-json-header-77aa",
    "json query": "canary json&query=9e/1",
    "webhook secret": "whsec_" + "Q2FuYXJ5" * 6,
    "webhook url": "canary-webhook-path-31d0",
    "ping url": "canary-ping-path-6b2e",
}


class CanaryGoogle(FakeGoogle):
    """Issues one token, and repeats what it was sent in whatever it refuses."""

    def grant(self, form: Mapping[str, list[str]]) -> tuple[int, object]:
        status, answer = super().grant(form)
        if status == 200 and isinstance(answer, dict):
            self._tokens[TOKEN] = self._tokens.pop(answer["access_token"])
            answer["access_token"] = TOKEN
        return status, answer


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """In place of the plain one: what the world reads from."""
    with CanaryGoogle() as fake:
        yield fake


class Mirror(ThreadingHTTPServer):
    """A platform, a webhook and a dead man's switch that answer every request with all that it said."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MirrorHandler)
        self.status = 400
        self.content = "json"
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _MirrorHandler(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the tests' standard error."""

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        secret = f"{self.headers['Authorization']} {self.headers['X-Key']}"
        everything = f"{secret} {self.path} {dict(self.headers)} {sent}"
        self.server.asked.append(everything)
        error = {
            "code": self.server.status,
            "message": everything,
            "type": everything,
            "errors": [{"reason": everything}],
        }
        self.close_connection = True
        body = json.dumps({"error": error}) if self.server.content == "json" else everything
        self.send_response(self.server.status, "Told" if "\n" in everything else everything[:200])
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Location", f"{self.server.url}/elsewhere?{self.path}")
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.do_GET()


@dataclass
class Searched:
    """Everything that came out of the daemon, by where it came from."""

    texts: dict[str, bytes] = field(default_factory=dict)

    def add(self, place: str, text: str | bytes) -> None:
        self.texts[place] = self.texts.get(place, b"") + (text if isinstance(text, bytes) else text.encode())

    def hits(self) -> list[tuple[str, str]]:
        """Which secret is in which place."""
        needles = dict(CANARIES) | {
            f"private key, line {number}": line
            for number, line in enumerate(private_key()[0].splitlines())
            if line and not line.startswith("-----")
        }
        found = []
        for place, text in self.texts.items():
            for name, secret in needles.items():
                forms = {
                    secret,
                    quote(secret, safe=""),
                    quote(secret),
                    quote_plus(secret),
                    json.dumps(secret)[1:-1],
                    secret.removeprefix("whsec_"),
                }
                if any(form.encode() in text for form in forms):
                    found.append((name, place))
        return found


def configured(world: World, mirror: Mirror, seconds: float) -> Path:
    """Every secret in a file of its own, as README recommends; everything that has one switched on.

    ``seconds``: what one that is asked has to answer.
    """
    for name, secret in CANARIES.items():
        (world.folder / f"{name}.secret").write_text(secret + "\n")
    (world.folder / "webhook url.secret").write_text(f"{mirror.url}/{CANARIES['webhook url']}\n")
    (world.folder / "ping url.secret").write_text(f"{mirror.url}/{CANARIES['ping url']}\n")
    for project in ("P", "Q"):
        world.add_project(project, [f"{project.lower()}{number}" for number in range(3)])
    for platform in ("youtube", "facebook"):
        world.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?1, 'project-P', ?1, 'a', 'https://www.' || ?1 || '.com/@someone')",
            (platform,),
        )
    return write_config(
        world.folder,
        f"""timeout = "{seconds}s"
deadline = "{seconds}s"
[schedule]
run_on_start = false
[sync]
parsers_wait = "{max(5, 2 * seconds)}s"
[log]
level = "debug"
[ping]
url = "file:ping url.secret"
[[webhooks]]
url = "file:webhook url.secret"
secret = "file:webhook secret.secret"
allow_private = true
[parsers.youtube]
key = "file:youtube.secret"
api_url = "{mirror.url}/youtube"
deadline = "{1.5 * seconds}s"
[parsers.facebook]
token = "file:facebook.secret"
api_url = "{mirror.url}/facebook"
deadline = "{1.5 * seconds}s"
[parsers.own]
kind = "http_json"
platforms = ["tiktok"]
url = "{mirror.url}/own/{{username}}"
headers = {{ "X-Key" = "file:json header.secret" }}
query = {{ key = "file:json query.secret" }}
metrics = {{ followers = "fans" }}
deadline = "{1.5 * seconds}s"
""",
        google=world.google,
        spreadsheet=KEY,
    )


#: What goes wrong in a pass: with Google (kind, status, how), and what the mirror answers.
SCHEDULE: list[tuple[str, int, str, int, str]] = [
    ("batch", 200, "", 400, "json"),
    ("batch", 403, "", 401, "json"),
    ("batch", 400, "", 403, "text"),
    ("batch", 500, "", 500, "json"),
    ("batch", 0, "html", 302, "json"),
    ("batch", 0, "garbage", 200, "text"),
    ("batch", 0, "truncate", 404, "json"),
    ("batch", 0, "reset", 410, "text"),
    ("token", 400, "", 429, "json"),
    ("token", 500, "", 200, "json"),
    ("token", 0, "html", 400, "text"),
]


#: Whatever shows, sends or copies something.
COMMANDS = [
    ["status"], ["status", "--json"], ["webhooks"], ["webhooks", "test"], ["check"], ["sync"], ["history", "--json"],
    ["explain", "@p0"], ["parse", "https://www.youtube.com/@someone"], ["backup", "FOLDER/backup.db"],
    ["report", "--output", "FOLDER/report.html"],
]  # fmt: skip


def run_schedule(
    world: World,
    mirror: Mirror,
    environment: Mapping[str, str],
    faults: int,
    commands: Sequence[Sequence[str]],
    seconds: float = 0.4,
) -> Searched:
    """Passes through so many of the faults, the commands, and everything that came out."""
    searched, config = Searched(), configured(world, mirror, seconds)
    # The environment of a fork is that of the process before it: only a control, which searches less of it, is one.
    with Daemon(config, environment, forked="PYTHONPATH" in environment) as daemon:
        daemon.hang_up()
        ask = Client(daemon.socket, timeout=PATIENCE).request
        for number, (kind, status, how, answer, content) in enumerate(SCHEDULE[:faults]):
            mirror.status, mirror.content = answer, content
            if kind == "token" and isinstance(world.google, CanaryGoogle):
                world.google.revoke_tokens()
            echo = {"error": {"code": status, "message": f"refused {TOKEN}", "status": TOKEN}}
            world.google.faults[:] = []
            if status != 200:
                world.google.fail(kind, 50, status, how, body=echo)
            world.sheet("P", **{f"p{n}": [number] * 5 for n in range(3)})
            for method, path in (("POST", "smart_sync"), ("GET", "sync_status"), ("GET", "sync_history")):
                told = asyncio.run(ask(method, f"/api/admin/{path}"))
                assert told[0] == 200, told
                searched.add("answers", str(told))
            searched.add("answers", str(asyncio.run(ask("GET", "/healthz"))))
        for command in commands:
            words = [word.replace("FOLDER", str(world.folder)) for word in command]
            said = run_command(*words, "--config", str(config), environment=environment)
            assert said.returncode in {0, 1, 4}, said.stderr
            searched.add(f"smart-sync {' '.join(command)}", said.stdout + said.stderr)
        for name in ("backup.db", "report.html"):
            if (world.folder / name).exists():
                searched.add(name, (world.folder / name).read_bytes())
        searched.add("/proc/PID/environ", Path(f"/proc/{daemon.process.pid}/environ").read_bytes())
        searched.add("/proc/PID/cmdline", Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes())
        assert dumps(daemon.process.pid) is False
        daemon.process.kill()
        daemon.process.wait()
        searched.add("log", daemon.output())
    for file in world.folder.glob("view_counter.db*"):
        searched.add(file.name, file.read_bytes())
    return searched


def dumps(pid: int) -> bool:
    """Whether a process would leave a core dump, which holds all that it knows."""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (core,) = (line for line in limits if line.startswith("Max core file size"))
    return core.split()[4:6] != ["0", "0"]


#: A command, up to the moment when it has read the configuration.
UNTIL_LOADED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
from smart_sync import config
from smart_sync.cli.main import main
def load(path):
    sys.exit("dumps" if any(resource.getrlimit(resource.RLIMIT_CORE)) else "dumps nothing")
config.load = load
main()
"""


@pytest.mark.parametrize("command", [["run"], ["once"], ["check"], ["parse", "x"], ["webhooks", "test"]])
def test_no_command_that_knows_secrets_leaves_a_core_dump(tmp_path: Path, command: list[str]) -> None:
    """Whichever command reads the configuration, and with it the secrets, leaves no core dump when it crashes."""
    words = [*command, "--config", str(write_config(tmp_path))]
    ended = subprocess.run([sys.executable, "-c", UNTIL_LOADED, *words], capture_output=True, text=True, check=False)
    assert ended.stderr == "dumps nothing\n"


def test_no_secret_comes_out(world: World) -> None:
    """After every fault, 0 canaries in logs, answers, screens, database, environment; and there are no core dumps."""
    with Mirror() as mirror:
        searched = run_schedule(world, mirror, {}, len(SCHEDULE), COMMANDS)
        sent = "\n".join(mirror.asked)
    # The canaries did sing: each was used where it belongs.
    for name in ("youtube", "facebook", "json header", "webhook url", "ping url"):
        assert CANARIES[name] in sent
    assert quote_plus(CANARIES["json query"]) in sent
    hits = searched.hits()
    print(f"secrets: tried {len(searched.texts) * len(CANARIES)}, broken {len(hits)}")  # noqa: T201
    assert hits == []


def test_a_key_that_everybody_may_read_is_warned_about(world: World) -> None:
    """`check` warns about each file of a secret with the right to read for others, and is content without it."""
    token = world.folder / "ping.secret"
    token.write_text("http://127.0.0.1:9/x\n")
    text = '[ping]\nurl = "file:ping.secret"\n'
    config = write_config(world.folder, text, google=world.google, spreadsheet=KEY)
    files = (world.folder / "key.json", token)
    for mode, warned in ((0o644, True), (0o640, False)):
        for path in files:
            path.chmod(mode)
        said = run_command("check", "--json", "--config", str(config)).stdout
        assert [f"chmod o-r {path}" in said for path in files] == [warned] * 2


def test_without_redaction_the_same_schedule_finds_them(world: World) -> None:
    """Negative control: a daemon that redacts nothing is caught, in its log and in its answers."""
    blind = "import smart_sync.logs as logs\nlogs.redact = lambda text: text\n"
    with Mirror() as mirror:
        searched = run_schedule(world, mirror, weakened(world.folder, blind), 3, [["sync"], ["check"]], seconds=2)
    found = searched.hits()
    assert {name for name, _ in found} >= {"google token", "facebook"}
    assert {place for _, place in found} >= {"log", "answers", "view_counter.db-wal"}
