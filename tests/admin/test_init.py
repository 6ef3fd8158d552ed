"""`smart-sync init`: a configuration to begin with, tried step by step against a Google over HTTP."""

import grp
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import terminal
from daemon_process import Daemon, run_command
from fake_google import EMAIL, FakeGoogle
from smart_sync import config
from smart_sync.admin import init as init_command
from smart_sync.admin.init import CLICKS, Answers
from smart_sync.errors import ConfigError
from smart_sync.parsers.recipes import names
from web_app import SCHEMA
from world import HEADER, KEY, link

SYSTEMD = Path(__file__).parents[2] / "systemd"
GOOD: list[list[Any]] = [list(HEADER), ["@a", link("a"), 1, 2, 3, 4, 5]]


@pytest.fixture
def key(tmp_path: Path, google: FakeGoogle) -> Path:
    google.add(KEY, {"Spring": GOOD})
    return google.credentials(tmp_path / "key.json")


def init(folder: Path, google: FakeGoogle, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal; the configuration goes to ``folder``."""
    environment = {"SMART_SYNC_SHEETS__API_URL": google.url}
    return run_command("init", "-o", str(folder / "config.toml"), *arguments, environment=environment)


def test_what_init_writes_runs(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """Every step is in order, exit 0; the daemon starts on the file as it is, and syncs."""
    ended = init(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key), "--yes")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    steps = re.findall(r"^(.) ([a-z]+)", ended.stdout, re.MULTILINE)
    assert steps == [("✓", "credentials"), ("✓", "spreadsheet"), ("✓", "worksheet"), ("✓", "database")]
    assert EMAIL in ended.stdout
    assert "1 account with followers, likes, comments, videos, views" in ended.stdout
    assert not (tmp_path / "var").exists(), "a trial makes nothing but the file"
    with Daemon(tmp_path / "config.toml", {"SMART_SYNC_SHEETS__API_URL": google.url}):
        for asked in (("sync",), ("sync", "Spring")):  # the first pass makes the project
            answer = run_command(*asked, "--config", str(tmp_path / "config.toml"))
            assert answer.returncode == 0, answer.stderr


def test_a_file_is_never_overwritten(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """Whatever is there stays as it is, a dangling link too: exit 2, in one line."""
    (tmp_path / "config.toml").write_text("mine")
    ended = init(tmp_path, google, "--spreadsheet", KEY, "--yes")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert (tmp_path / "config.toml").read_text() == "mine"
    (tmp_path / "link.toml").symlink_to(tmp_path / "elsewhere")
    ended = run_command("init", "-o", str(tmp_path / "link.toml"), "--spreadsheet", KEY, "--yes")
    assert ended.returncode == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Between the questions and the writing somebody else may have written it."""
    (tmp_path / "config.toml").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        init_command.write(tmp_path / "config.toml", Answers(KEY))
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_without_a_terminal_what_is_missing_is_said(tmp_path: Path, google: FakeGoogle) -> None:
    """Nobody can be asked: exit 2 and the option's name, and no file is written."""
    ended = init(tmp_path, google)
    assert ended.returncode == 2
    assert "--spreadsheet" in ended.stderr
    assert not (tmp_path / "config.toml").exists()


def _no_key(folder: Path, google: FakeGoogle) -> None:
    (folder / "key.json").unlink()


def _oauth_client(folder: Path, google: FakeGoogle) -> None:
    (folder / "key.json").write_text('{"installed": {}}')


def _damaged(folder: Path, google: FakeGoogle) -> None:
    google.credentials(folder / "key.json", private_key="-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")


def _not_shared(folder: Path, google: FakeGoogle) -> None:
    google.spreadsheets[KEY].shared = False


def _no_such(folder: Path, google: FakeGoogle) -> None:
    google.spreadsheets["other"] = google.spreadsheets.pop(KEY)


def _api_off(folder: Path, google: FakeGoogle) -> None:
    said = {"error": {"code": 403, "message": "off", "details": [{"reason": "SERVICE_DISABLED"}]}}
    google.fail("metadata", 99, 403, body=said)


def _office_file(folder: Path, google: FakeGoogle) -> None:
    said = {"error": {"code": 400, "message": "This operation is not supported for this document"}}
    google.fail("metadata", 99, 400, body=said)


def _no_header(folder: Path, google: FakeGoogle) -> None:
    google.spreadsheets[KEY].worksheets["Spring"] = [["Name", "Fans"], ["a", 1]]


def _empty(folder: Path, google: FakeGoogle) -> None:
    google.spreadsheets[KEY].worksheets["Spring"] = []


def _no_database(folder: Path, google: FakeGoogle) -> None:
    (folder / "db.sqlite").write_text("this is no database, but it is long enough to be looked at" * 20)


@pytest.mark.parametrize(
    ("breaks", "step", "says", "clicks"),
    [
        (_no_key, "credentials", "cannot be read", ""),
        (_oauth_client, "credentials", "not the key of a service account", "key"),
        (_damaged, "credentials", "is damaged", "new_key"),
        (_not_shared, "spreadsheet", EMAIL, "share"),
        (_no_such, "spreadsheet", "there is no spreadsheet", "share"),
        (_api_off, "spreadsheet", "is not enabled", "enable"),
        (_office_file, "spreadsheet", "is not a Google spreadsheet", "convert"),
        (_no_header, "worksheet", "'Name', 'Fans'", "header"),
        (_empty, "worksheet", "is empty", "header"),
        (_no_database, "database", "db.sqlite", ""),
    ],
)
def test_each_failure_says_what_to_do(
    tmp_path: Path, google: FakeGoogle, key: Path, breaks: object, step: str, says: str, clicks: str
) -> None:
    """The step that failed, why, and where to click; the key's content stays secret; the file is kept; exit 1."""
    assert callable(breaks)
    breaks(tmp_path, google)
    ended = init(
        tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key), "--database", str(tmp_path / "db.sqlite"),
        "--yes",
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    failed = [line for line in ended.stdout.splitlines() if line.startswith("✗")]
    assert len(failed) == 1, ended.stdout
    assert failed[0].startswith(f"✗ {step}")
    assert says in failed[0]
    if clicks:
        assert f"→ {CLICKS[clicks]}" in ended.stdout
    assert f"smart-sync check --config {tmp_path / 'config.toml'}" in ended.stdout
    assert "PRIVATE KEY" not in ended.stdout + ended.stderr
    assert config.load(tmp_path / "config.toml")


def on_a_terminal(folder: Path, google: FakeGoogle, typed: str, *arguments: str) -> tuple[int, str]:
    """Run it on a terminal in ``folder``, with what somebody types; its exit code and all that is seen."""
    variables = {"SMART_SYNC_SHEETS__API_URL": google.url, "SMART_SYNC_GOOGLE_CREDENTIALS": ""}
    shown = terminal.run(["init", *arguments], 200, folder, typed, **variables)
    return shown.code, shown.raw


def test_a_terminal_is_asked(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """On a terminal the four questions are asked, with defaults, and the answers are in the file."""
    code, seen = on_a_terminal(tmp_path, google, f"{KEY}\n{key.name}\n\nEurope/Berlin\n")
    assert "The time zone in which a day ends" in seen
    assert code == 0, seen
    written = tomllib.loads((tmp_path / "config.toml").read_text())
    assert (written["sheets"]["spreadsheet"], written["sheets"]["credentials"]) == (KEY, str(key))
    assert written["database"]["path"] == init_command.DATABASE
    assert written["schedule"]["timezone"] == "Europe/Berlin"
    assert "next: smart-sync run" in seen


@pytest.mark.parametrize("clashes", [False, True])
def test_a_look_at_the_web_apps_database_is_offered(
    tmp_path: Path, google: FakeGoogle, key: Path, clashes: bool
) -> None:
    """Where the database is there already its contents are told first; what clashes keeps the file from being made."""
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.executescript(SCHEMA + ("CREATE VIEW account_growth AS SELECT 1;" if clashes else ""))
        connection.execute(
            "INSERT INTO projects (id, name, google_sheet_name, start_date, end_date, target_views)"
            " VALUES ('p', 'Spring', '', '2026-01-01', '2026-12-31', 0)"
        )
        connection.commit()
    given = ("--spreadsheet", KEY, "--credentials", str(key), "--database", "app.db", "--timezone", "UTC")
    code, seen = on_a_terminal(tmp_path, google, "\n", *given)
    assert "app.db is there already; look at what is in it and what clashes [Y/n]" in seen
    assert "table projects: 1 row, ids are text" in seen
    assert (code, (tmp_path / "config.toml").exists()) == ((1, False) if clashes else (0, True)), seen
    (tmp_path / "config.toml").unlink(missing_ok=True)
    declined = on_a_terminal(tmp_path, google, "n\n", *given)[1]
    assert "table projects" not in declined
    assert "smart-sync adopt app.db" in declined


def test_the_web_apps_database_gets_nothing_unasked(tmp_path: Path) -> None:
    """Beside an existing database create_missing is none; for a new one, projects come from the worksheets."""
    init_command.write(tmp_path / "new.toml", Answers(KEY, "", str(tmp_path / "app.db")))
    (tmp_path / "app.db").touch()
    init_command.write(tmp_path / "old.toml", Answers(KEY, "", str(tmp_path / "app.db")))
    assert config.load(tmp_path / "new.toml").sync.create_missing == "projects"
    assert config.load(tmp_path / "old.toml").sync.create_missing == "none"


def test_it_goes_on_after_a_step_that_failed(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """Without a spreadsheet the database is tried all the same: whoever fixes one thing need not wait for the next."""
    _not_shared(tmp_path, google)
    ended = init(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key), "--yes")
    steps = re.findall(r"^(.) ([a-z]+)", ended.stdout, re.MULTILINE)
    assert steps == [("✓", "credentials"), ("✗", "spreadsheet"), ("✓", "database")]
    assert ended.returncode == 1


def for_systemd(root: Path, google: FakeGoogle, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`smart-sync init --systemd` for a machine whose file system is below ``root``."""
    environment = {"SMART_SYNC_SHEETS__API_URL": google.url}
    return run_command("init", "--systemd", "--root", str(root), "--yes", *arguments, environment=environment)


def test_for_the_unit_all_paths_are_those_it_may_use(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """`--systemd`: database and socket are where the unit lets the daemon write, the key is left to systemd."""
    ended = for_systemd(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key))
    written = tomllib.loads((tmp_path / "etc/smart-sync/config.toml").read_text())
    shipped = tomllib.loads((SYSTEMD / "config.toml").read_text())
    assert (written["database"]["path"], written["control"]["socket"]) == (
        shipped["database"]["path"], shipped["control"]["socket"],
    )  # fmt: skip
    assert "credentials" not in written["sheets"]
    assert "✓ credentials" in ended.stdout
    if ended.returncode == 0:
        assert f"install -D -m 600 {key} /etc/credstore/smart-sync.google" in ended.stdout
        assert "systemctl enable --now smart-sync" in ended.stdout


def test_the_unit_is_written_with_all_that_lies_beside_it(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """Every file of systemd/ and every recipe is there, as it is shipped but for this machine's program."""
    for_systemd(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key))
    own = tmp_path / "etc/smart-sync"
    unit = (tmp_path / "etc/systemd/system/smart-sync.service").read_text()
    assert f"ExecStart={sys.prefix}/bin/smart-sync run --config /etc/smart-sync/config.toml" in unit
    assert unit.count("\n") == (SYSTEMD / "smart-sync.service").read_text().count("\n")
    sysusers = (tmp_path / "etc/sysusers.d/smart-sync.conf").read_text()
    assert sysusers == (SYSTEMD / "smart-sync.sysusers").read_text()
    shipped = {path.relative_to(SYSTEMD) for path in SYSTEMD.rglob("*") if path.is_file() and path.name != "README.md"}
    elsewhere = {Path(name) for name in ("smart-sync.service", "smart-sync.sysusers", "shared-database.conf")}
    recipes = {Path("recipes") / f"{name}.toml" for name in names()}
    assert {path.relative_to(own) for path in own.rglob("*") if path.is_file()} == (shipped - elsewhere) | recipes
    assert (own / "monitoring/alerts.yml").read_text() == (SYSTEMD / "monitoring/alerts.yml").read_text()
    assert not (tmp_path / "etc/systemd/system/smart-sync.service.d").exists()


def test_for_the_web_apps_database_there_is_a_drop_in(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """It names the folder and its group, so that the unit may write there; Litestream is told the file."""
    database = tmp_path / "srv/the app/app.db"
    database.parent.mkdir(parents=True)
    os.chown(database.parent, -1, grp.getgrnam("mail").gr_gid if os.geteuid() == 0 else -1)
    for_systemd(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key), "--database", str(database))
    drop_in = (tmp_path / "etc/systemd/system/smart-sync.service.d/shared-database.conf").read_text()
    said = [line for line in drop_in.splitlines() if not line.startswith("#")]
    assert f'ReadWritePaths="{database.parent}"' in said
    assert f'NoExecPaths="{database.parent}"' in said
    assert os.geteuid() != 0 or "Group=mail" in said
    assert f"- path: {database}\n" in (tmp_path / "etc/smart-sync/litestream.yml").read_text()


def test_after_an_upgrade_only_what_is_missing_is_written(tmp_path: Path, google: FakeGoogle, key: Path) -> None:
    """The configuration stays; a file that is another one than ours stays, and is named."""
    for_systemd(tmp_path, google, "--spreadsheet", KEY, "--credentials", str(key))
    configuration, unit = tmp_path / "etc/smart-sync/config.toml", tmp_path / "etc/systemd/system/smart-sync.service"
    (tmp_path / "etc/sysusers.d/smart-sync.conf").unlink()
    unit.write_text("mine")
    configuration.write_text(configuration.read_text() + "# mine\n")
    ended = for_systemd(tmp_path, google)
    assert ended.returncode == 0, ended.stderr
    assert (unit.read_text(), configuration.read_text()[-7:]) == ("mine", "# mine\n")
    assert f"! {unit} is another one than this version's" in ended.stdout
    assert re.findall(r"^written to (.*)$", ended.stdout, re.MULTILINE) == [
        f"{tmp_path}/etc/sysusers.d: smart-sync.conf"
    ]


def test_the_time_zone_of_the_machine_is_offered(tmp_path: Path) -> None:
    """What $TZ says, else what /etc/localtime leads to; UTC where neither names a zone."""
    (tmp_path / "zoneinfo" / "Europe").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Europe" / "Berlin").touch()
    (tmp_path / "localtime").symlink_to(tmp_path / "zoneinfo" / "Europe" / "Berlin")
    assert init_command.local_timezone({}, tmp_path / "localtime") == "Europe/Berlin"
    assert init_command.local_timezone({"TZ": "Asia/Tokyo"}, tmp_path / "localtime") == "Asia/Tokyo"
    assert init_command.local_timezone({"TZ": "Nowhere"}, tmp_path / "none") == "UTC"


@pytest.mark.parametrize("name", ["Nowhere/Land", ""])
def test_no_time_zone_is_taken_for_one(tmp_path: Path, google: FakeGoogle, name: str) -> None:
    """A name that no zone has is refused before anything is written."""
    ended = init(tmp_path, google, "--spreadsheet", KEY, "--timezone", name, "--yes")
    assert (ended.returncode, (tmp_path / "config.toml").exists()) == (2, False)


@given(st.text(min_size=1), st.text(st.characters(exclude_characters="\0~"), min_size=1))
def test_any_answer_is_written_as_it_was_given(spreadsheet: str, database: str) -> None:
    """Quotes, backslashes, line breaks and braces in an answer are text in the file, never syntax."""
    assume(not init_command.is_server(database))
    try:
        (spreadsheet + database).encode()
    except UnicodeEncodeError:
        return
    written = tomllib.loads(init_command.rendered(Answers(spreadsheet, "", database), Path("/nowhere")))
    assert written["sheets"]["spreadsheet"] == spreadsheet
    assert written["database"]["path"] == (
        database if database == init_command.DATABASE else str(Path(database).absolute())
    )
    assert set(written) <= set(config.Settings.model_fields)
