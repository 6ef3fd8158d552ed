"""`make newcomer`: what a person does who has never seen Smart Sync, from the first command to the removal, counted.

A clone, an empty home, a fake Google and a web app's database.  The one thing that a person would not do is the
variable that leads to the fake Google.  Runs with the system's Python alone; prints commands, questions and seconds of
each part, and fails at the first that is not as the pages of the documentation say.
"""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
KEY = "k" * 44
PROFILE = "https://www.tiktok.com/@slow.roads"
#: Google, as another process; it ends when its standard input does.
_GOOGLE = f"""
import json, sys
from pathlib import Path
from fake_google import FakeGoogle
with FakeGoogle() as google:
    rows = [["Link", "Followers", "Likes", "Comments", "Videos", "Views"], [{PROFILE!r}, 1200, 34, 5, 6, "7.8K"]]
    google.add({KEY!r}, {{"Spring Launch": rows}})
    key = google.credentials(Path(sys.argv[1])).read_text()
    print(google.url, flush=True)
    sys.stdin.read()
"""
#: A prompt of `init`, as click ends it.
_PROMPT = re.compile(r": \Z")

#: What pip leaves in a home: its cache, and what a compiler writes that it asks for its version.
_OF_PIP = {".cache", ".rustup"}


@dataclass
class Part:
    """A part of the way, and what it takes of a person."""

    name: str
    commands: list[str] = field(default_factory=list)
    questions: int = 0
    seconds: float = 0.0


class Newcomer:
    """Somebody at a terminal: types commands, answers questions, and waits."""

    def __init__(self, home: Path) -> None:
        self.parts: list[Part] = []
        self.folder = home
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()},
        }

    def begin(self, name: str) -> None:
        """A part begins, and the one before ends."""
        self.parts.append(Part(name))

    def _spend(self, command: str, began: float) -> None:
        self.parts[-1].commands.append(command)
        self.parts[-1].seconds += time.monotonic() - began

    def types(self, command: str, says: str = "") -> str:
        """A command to its end; what it prints has ``says`` in it."""
        began = time.monotonic()
        ran = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        self._spend(command, began)
        told = ran.stdout + ran.stderr
        demand(ran.returncode == 0, f"{command}: exit code {ran.returncode}\n{told}")
        demand(" ".join(says.split()) in " ".join(told.split()), f"{command}: does not say {says!r}\n{told}")
        return ran.stdout

    def changes_to(self, folder: str) -> None:
        """``cd``, which is a command too."""
        self.folder = (self.folder / folder).resolve()
        self.parts[-1].commands.append(f"cd {folder}")

    def leaves_running(self, command: str, until: str) -> "subprocess.Popen[str]":
        """A command that goes on in a terminal of its own; returns once it has printed ``until``."""
        began = time.monotonic()
        started = subprocess.Popen(
            command.split(), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        seen = ""
        for line in started.stdout or ():
            seen += line
            if until in line:
                break
        else:
            raise SystemExit(f"{command}: has ended without {until!r}\n{seen}")
        self._spend(command, began)
        return started

    def interrupts(self, started: "subprocess.Popen[str]") -> None:
        """Ctrl-C in the terminal of a command."""
        began = time.monotonic()
        os.killpg(started.pid, signal.SIGINT)
        started.communicate(timeout=PATIENCE)
        self._spend("Ctrl-C", began)

    def answers(self, command: str, *answers: str) -> str:
        """A command that asks; each prompt gets the next answer."""
        began, waiting = time.monotonic(), list(answers)
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, stdin=theirs, stdout=theirs, stderr=theirs
        ) as asking:
            os.close(theirs)
            seen, new = "", ""
            while piece := _read(ours):
                seen, new = seen + piece, new + piece
                if _PROMPT.search(new):
                    demand(bool(waiting), f"{command}: asks more than was expected\n{seen}")
                    os.write(ours, f"{waiting.pop(0)}\n".encode())
                    self.parts[-1].questions += 1
                    new = ""
            code = asking.wait(PATIENCE)
        os.close(ours)
        self._spend(command, began)
        demand(code == 0, f"{command}: exit code {code}\n{seen}")
        return seen


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        return ""


def demand(holds: bool, otherwise: str) -> None:
    """End with a line where something is not as it should be."""
    if not holds:
        raise SystemExit(f"newcomer: {otherwise}")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def next_release(repository: Path) -> str:
    """Commit the release after this one to ``repository``: a new version, and a migration; returns the version."""
    init = repository / "daemon/smart_sync/__init__.py"
    version = re.search(r'__version__ = "(\d+\.\d+)\.(\d+)"', init.read_text())
    assert version is not None
    following = f"{version[1]}.{int(version[2]) + 1}"
    init.write_text(init.read_text().replace(version[0], f'__version__ = "{following}"'))
    store = repository / "daemon/smart_sync/store"
    (store / "next_release.sql").write_text("CREATE TABLE made_by_the_next_release (id TEXT PRIMARY KEY);\n")
    schema = store / "schema.py"
    listed = re.compile(r"(\nMIGRATIONS = \((?:\n    .*)*)\n\)\n")
    text = listed.sub(r'\1\n    "next_release.sql",\n)\n', schema.read_text(), count=1)
    schema.write_text(text)
    identity = ["-c", "user.name=n", "-c", "user.email=n@n.example"]
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", f"Release {following}"], cwd=repository, check=True)
    return following


def walk(newcomer: Newcomer, origin: Path) -> None:
    """The whole way."""
    home = newcomer.folder
    newcomer.begin("two commands: the sample")
    newcomer.types(f"git clone -q {origin} smart-sync")
    newcomer.folder /= "smart-sync"  # the clone's own line says so
    running = newcomer.leaves_running("make run", until="Travel Diaries")
    newcomer.begin("a look around")
    newcomer.types(".venv/bin/smart-sync status", says="Spring Launch")
    newcomer.types(".venv/bin/smart-sync sync", says="2 projects")
    newcomer.interrupts(running)

    with subprocess.Popen(
        [newcomer.folder / ".venv/bin/python", "-c", _GOOGLE, newcomer.folder / "google.json"],
        env={**newcomer.environment, "PYTHONPATH": "tests/support"}, cwd=newcomer.folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as google:  # fmt: skip
        assert google.stdin is not None
        assert google.stdout is not None
        newcomer.environment["SMART_SYNC_SHEETS__API_URL"] = google.stdout.readline().strip()
        try:
            _with_google(newcomer, home, origin)
        finally:
            google.stdin.close()


def _with_google(newcomer: Newcomer, home: Path, origin: Path) -> None:
    newcomer.begin("own spreadsheet")
    newcomer.types("mkdir ../my-sync")
    newcomer.changes_to("../my-sync")
    program = "../smart-sync/.venv/bin/smart-sync"
    seen = newcomer.answers(f"{program} init", KEY, "../smart-sync/google.json", "", "")
    demand("✓ worksheet Spring Launch" in seen, f"init has not found the worksheet\n{seen}")
    running = newcomer.leaves_running(f"{program} run", until="sync.finished")
    newcomer.begin("first report")
    newcomer.types(f"{program} report -o growth.html", says="growth.html")
    demand("1,200" in (newcomer.folder / "growth.html").read_text(), "the report does not know the worksheet's number")
    newcomer.interrupts(running)

    newcomer.begin("a web app's database")
    schema = re.search(r'SCHEMA = """(.*?)"""', (ROOT / "tests/support/web_app.py").read_text(), re.DOTALL)
    assert schema is not None
    app = home / "app" / "app.db"
    app.parent.mkdir()
    with closing(sqlite3.connect(app)) as connection:
        connection.executescript(f"""{schema[1]}
            INSERT INTO projects (id, name, google_sheet_name, start_date, end_date, target_views)
                VALUES ('1', 'Spring Launch', '', '2026-01-01', '2026-12-31', 10000);
            INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)
                VALUES ('7', '1', 'tiktok', 'slow.roads', '{PROFILE}');""")
    newcomer.changes_to("../app")
    given = f"--spreadsheet {KEY} --credentials ../smart-sync/google.json"
    newcomer.types(f"{program} adopt app.db {given}", says="config.toml is written")
    newcomer.types(f"{program} check", says="0 errors")
    newcomer.types(f"{program} once", says="1 up to date")
    demand(rows(app, "SELECT followers, views FROM account_metrics") == [(1200, 7800)], "the numbers are not there")

    newcomer.begin("an upgrade")
    following = next_release(origin)
    newcomer.changes_to("../smart-sync")
    newcomer.types("git pull -q")
    newcomer.types("make install")
    newcomer.changes_to("../app")
    newcomer.types(f"{program} --version", says=following)
    newcomer.types(f"{program} once", says="1 up to date")
    (kept,) = app.parent.glob("app.schema-*.backup")
    demand(rows(kept, "SELECT followers, views FROM account_metrics") == [(1200, 7800)], "the copy lacks the numbers")
    demand(len(rows(app, "SELECT * FROM account_snapshots")) == 1, "the upgrade has changed the day's snapshot")

    newcomer.begin("the removal")
    newcomer.types("rm -r ../smart-sync ../my-sync config.toml app.db.smart-sync.lock app.schema-*.backup")
    left = {path for path in home.rglob("*") if path.is_file() and not _OF_PIP.intersection(path.parts)} - {app}
    demand(not left, f"the removal has left {sorted(map(str, left))}")
    demand(rows(app, "SELECT id, name FROM projects") == [("1", "Spring Launch")], "the web app's rows have changed")


def main(arguments: list[str]) -> int:
    """Go the way and print what it took; with ``--json`` as data."""
    with tempfile.TemporaryDirectory(prefix="smart-sync-newcomer-") as place:
        origin, home = Path(place) / "origin", Path(place) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(origin)], check=True)
        newcomer = Newcomer(home)
        walk(newcomer, origin)
    if "--json" in arguments:
        sys.stdout.write(json.dumps([vars(part) for part in newcomer.parts], indent=2) + "\n")
        return 0
    whole = Part("all")
    for part in newcomer.parts:
        sys.stdout.write(line(part) + "".join(f"    {command}\n" for command in part.commands))
        whole.commands += part.commands
        whole.questions += part.questions
        whole.seconds += part.seconds
    sys.stdout.write(line(whole))
    return 0


def line(part: Part) -> str:
    """A part and what it took."""
    took = f"{len(part.commands):>2} commands  {part.questions} questions  {part.seconds:6.1f} s"
    return f"{part.name:<26} {took}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
