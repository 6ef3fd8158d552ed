"""One SQLite library in a process: two of them on one file, and closing it in one drops the locks of the other."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon_process import Daemon, weakened, write_config
from world import KEY, World

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pysqlite3") is None, reason="the extra sqlite is not installed: pip install -e '.[dev]'"
)

#: A parser of another package that keeps notes in the web app's database, with Python's own module.
PLUGIN = """
import json, sqlite3, sys
from pathlib import Path
from typing import Any
from contextlib import closing
from datetime import UTC, datetime
from smart_sync.config import ParserSettings
from smart_sync.core.model import Metrics, ParsedMetrics

class Settings(ParserSettings):
    database: str
    told: str

class Noting:
    settings = Settings
    def __init__(self, settings):
        self.settings = settings
    async def fetch(self, accounts):
        with closing(sqlite3.connect(self.settings.database, timeout=30)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS notes (account_id)")
            connection.executemany("INSERT INTO notes VALUES (?)", [(account.id,) for account in accounts])
        maps = Path("/proc/self/maps").read_text().split("\\n")
        told = {"version": sqlite3.sqlite_version, "files": sorted({line.split()[-1] for line in maps if line})}
        Path(self.settings.told).write_text(json.dumps(told))
        for account in accounts:
            yield ParsedMetrics(account.id, Metrics(followers=9), "noting", datetime.now(UTC))
"""
#: A daemon as it was: its own modules take the newer library, everything else Python's.
TWO = "import pysqlite3, smart_sync.store.sqlite.driver as driver\ndriver.sqlite3 = pysqlite3\n"

GUEST = """
import json, sys
from pathlib import Path
from typing import Any
{imports}
import sqlite3
maps = Path("/proc/self/maps").read_text().split("\\n")
print(json.dumps({{
    "answer": answer, "version": sqlite3.sqlite_version, "modules": sorted(sys.modules),
    "files": sorted({{line.split()[-1] for line in maps if line}}),
}}))
"""


def libraries(files: list[str]) -> set[str]:
    """The SQLite libraries among the files that a process has mapped."""
    kinds = {"pysqlite3": "pysqlite3", "lib-dynload/_sqlite3": "sqlite3", "libsqlite3.so": "sqlite3"}
    return {kind for file in files for part, kind in kinds.items() if part in file}


@pytest.fixture
def plugged(world: World) -> Path:
    """A configuration with the parser of another package, which lies in the same folder."""
    package = world.folder / "package"
    info = package / "noting-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "noting.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[smart_sync.parsers]\nnoting = noting:Noting\n")
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    table = f'[parsers.noting]\ndatabase = "{world.path}"\ntold = "{world.folder}/told.json"\n'
    return write_config(world.folder, table, google=world.google, spreadsheet=KEY)


def seen_by_the_plugin(config: Path, search: str) -> dict[str, Any]:
    """What the parser of another package sees of the process that it runs in, in the daemon's first pass."""
    with Daemon(config, {"PYTHONPATH": search}) as daemon:
        daemon.wait_for("STATUS=last pass")
    found: dict[str, Any] = json.loads((config.parent / "told.json").read_text())
    return found


def test_a_plugin_in_the_daemon_works_with_the_daemons_library(plugged: Path, world: World) -> None:
    """A parser of another package that opens the file with `sqlite3` has the library that the daemon has."""
    told = seen_by_the_plugin(plugged, str(world.folder / "package"))
    assert libraries(told["files"]) == {"pysqlite3"}
    version = subprocess.run(
        [sys.executable, "-c", "import pysqlite3; print(pysqlite3.sqlite_version)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told["version"] == version.stdout.strip()
    assert world.execute("SELECT account_id FROM notes") == [("account-a",)]
    assert world.merged("a") == (9, 1, 1, 1, 1)


def test_two_libraries_are_seen(plugged: Path, world: World) -> None:
    """Negative control: a daemon that takes the newer library for itself alone has two of them."""
    search = [str(world.folder / "package"), weakened(world.folder, TWO)["PYTHONPATH"]]
    assert libraries(seen_by_the_plugin(plugged, os.pathsep.join(search))["files"]) == {"pysqlite3", "sqlite3"}


@pytest.mark.parametrize("use", ["all", "one", "client"])
def test_a_guest_works_with_its_hosts_library(world: World, use: str) -> None:
    """In somebody else's process neither the functions nor the client bring a second library, installed or not."""
    world.add_project("P", ["a"], project_id="1")
    world.sheet("P", a=[1] * 5)
    key = world.google.credentials(world.folder / "key.json")
    arguments = f"{str(world.path)!r}, {str(key)!r}, {KEY!r}"
    imports = {
        "all": f"import smart_sync\nanswer = smart_sync.sync_all_projects_standalone({arguments})",
        "one": f"import smart_sync\nanswer = smart_sync.sync_single_project_standalone({arguments}, '1')",
        "client": "import smart_sync.control.client\nanswer = {'success': True}",
    }
    ended = subprocess.run(
        [sys.executable, "-c", GUEST.format(imports=imports[use])],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "SMART_SYNC_SHEETS__API_URL": world.google.url},
    )  # fmt: skip
    told = json.loads(ended.stdout)
    assert told["answer"]["success"] is True
    assert [name for name in told["modules"] if name.startswith("pysqlite3")] == []
    assert libraries(told["files"]) == {"sqlite3"}


@pytest.mark.parametrize(("before", "expected"), [("", "True pysqlite3"), ("import sqlite3", "False sqlite3")])
def test_what_is_loaded_already_stays(before: str, expected: str) -> None:
    """Where `sqlite3` has been imported before the command line is, it stays the only one."""
    code = f"{before}\nfrom smart_sync.store.sqlite import sqlite_library"
    code += "\nprint(sqlite_library.prefer_newer(), __import__('sqlite3').__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == expected
