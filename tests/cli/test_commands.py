"""The commands: what they print, where, and with which exit code."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon_process import COMMAND, PATIENCE, Daemon, run_command, write_config
from smart_sync import __version__
from smart_sync.control.client import Client
from world import KEY, World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(world: World) -> Path:
    world.add_project("P", ["a", "b"], project_id="1")
    world.sheet("P", a=[1] * 5, b=["junk", 2, 2, 2, 2])
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


def test_every_summary_stands_whole_in_the_help() -> None:
    """`--help` says of each command in one line what it does; none is cut."""
    shown = run_command("--help", environment={"COLUMNS": "80"}).stdout + run_command("webhooks", "--help").stdout
    summaries = re.findall(r"^  \w+ {2,}(\S.*)$", shown, re.MULTILINE)
    assert len(summaries) > 15
    assert [summary for summary in summaries if summary.endswith("...")] == []


def test_once_runs_a_pass_without_a_daemon(config: Path, world: World) -> None:
    """`once` syncs and exits 0; data on standard output, the log on standard error, as JSON where asked."""
    ended = run_command("once", "--json", "--config", str(config))
    assert ended.returncode == 0
    answer = json.loads(ended.stdout)
    assert (answer["success_count"], answer["results"][0]["updated_count"]) == (1, 2)
    assert '"event": "sync.finished"' in ended.stderr
    assert world.merged("a") == (1,) * 5


def test_once_takes_a_project_by_id_or_name(config: Path) -> None:
    """A project is named by its id or its name; an unknown one is refused in one line."""
    for name in ("1", "P"):
        ended = run_command("--config", str(config), "once", name, "--json")
        assert json.loads(ended.stdout)["project_id"] == "1"
    unknown = run_command("--config", str(config), "once", "nobody")
    assert unknown.returncode == 1
    assert "Project not found: nobody; " in unknown.stderr


ASKED = {
    "project 1": ("Project not found", 'did you mean "Project 1"?'),
    "PROJEKT 1": ("Project not found", 'did you mean "Project 1"?'),
    "off": ("Project is not active", "set its is_active to 1"),
    "Switched off": ("Project is not active", "set its is_active to 1"),
    "done": ("Project is finished", "set its is_active to 1"),
}


def test_a_project_that_is_not_synced_says_why(world: World) -> None:
    """Asked for by id or name, one that is switched off or finished says so; a misspelt name says what was meant."""
    world.add_project("Project 1", ["a"], project_id="1")
    for identifier, name, finished in (("off", "Switched off", 0), ("done", "Finished", 1)):
        world.execute(
            "INSERT INTO projects (id, name, is_active, is_finished) VALUES (?, ?, 0, ?)", (identifier, name, finished)
        )
    config = write_config(world.folder, google=world.google, spreadsheet=KEY)

    def answers(command: str) -> None:
        for asked, (error, remedy) in ASKED.items():
            ended = run_command(command, asked, "--config", str(config))
            assert ended.returncode == 1
            assert ended.stderr.splitlines()[-1].startswith(f"smart-sync: {error}: {asked}; {remedy}")
            answer = json.loads(run_command(command, asked, "--json", "--config", str(config)).stdout)
            assert (answer["success"], answer["error"], answer["project_id"]) == (False, error, asked)

    answers("once")
    with Daemon(config):
        answers("sync")


def test_a_finished_project_that_is_active_is_synced_and_says_so(world: World) -> None:
    """What counts is is_active; the answer notes that the project is marked as finished."""
    world.add_project("P", ["a"], project_id="1")
    world.sheet("P", a=[1] * 5)
    world.execute("UPDATE projects SET is_finished = 1")
    config = write_config(world.folder, google=world.google, spreadsheet=KEY)
    ended = run_command("once", "1", "--config", str(config))
    assert (ended.returncode, "marked as finished" in ended.stdout) == (0, True)
    assert world.merged("a") == (1,) * 5


def test_sync_and_status_ask_the_daemon(config: Path) -> None:
    """`sync` waits for the pass and shows its outcome, `status` the daemon's state; for people and for programs."""
    with Daemon(config):
        shown = run_command("sync", "--config", str(config))
        single = run_command("sync", "P", "--json", "--config", str(config))
        dry = run_command("sync", "--dry-run", "--config", str(config))
        status = run_command("status", "--config", str(config))
        as_json = run_command("status", "--json", "--config", str(config))
    assert {c.returncode for c in (shown, single, dry, status, as_json)} == {0}
    assert "1 project: 1 up to date, 0 failed" in shown.stdout
    assert "P!C3" in shown.stdout
    assert json.loads(single.stdout)["project_id"] == "1"
    assert __version__ in status.stdout
    assert json.loads(as_json.stdout)["state"] == "idle"


def test_without_a_daemon_sync_and_status_exit_3(config: Path) -> None:
    """Where nobody answers the exit code is 3, and one line on standard error says how to start the daemon."""
    for command in ("sync", "status"):
        ended = run_command(command, "--config", str(config))
        assert (ended.returncode, ended.stdout) == (3, "")
        assert len(ended.stderr.splitlines()) == 1
        assert "smart-sync run" in ended.stderr


def test_a_failed_project_makes_exit_4(config: Path, world: World) -> None:
    """When some projects failed the exit code is 4; the others are done."""
    world.add_project("Q", ["c"], project_id="2")
    world.execute(
        "CREATE TRIGGER grudge BEFORE INSERT ON worksheet_reads WHEN NEW.project_id = '2'"
        " BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    ended = run_command("once", "--config", str(config))
    assert ended.returncode == 4
    assert "Q: " in ended.stdout
    assert world.merged("a") == (1,) * 5


def test_every_mistake_in_the_configuration_is_listed_at_once(tmp_path: Path) -> None:
    """Exit 2, a line per mistake with file and key, and no value of it."""
    config = tmp_path / "config.toml"
    config.write_text('[log]\nlevel = "hunter22"\n[schedule]\nevery = "soon"\ncron = "x"\n[nonsense]\na = 1\n')
    ended = run_command("run", "--config", str(config))
    assert ended.returncode == 2
    keys = {line.split(": ")[2] for line in ended.stderr.splitlines()}
    assert keys == {"log.level", "schedule.every", "schedule.cron", "nonsense", "sheets"}
    assert "hunter22" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("snyc",), "No such command 'snyc'. Did you mean 'sync'? (see: smart-sync --help)"),
        (("webhooks", "tets"), "No such command 'tets'. Did you mean 'test'? (see: smart-sync webhooks --help)"),
        (("growth", "--days", "0"), "(see: smart-sync growth --help)"),
        (("explain",), "Missing argument 'ACCOUNT'. (see: smart-sync explain --help)"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    """What was mistyped and where the help is, in one line on standard error; exit 2."""
    ended = run_command(*arguments)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert ended.stderr.startswith("smart-sync: ")
    assert said in ended.stderr


@pytest.mark.parametrize("form", [["--json"], []])
def test_an_answer_that_cannot_be_written_is_one_line(config: Path, form: list[str]) -> None:
    """A full disk behind a redirection is said, with exit 1 and no traceback."""
    command = [*COMMAND, "check", *form, "--config", str(config)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "smart-sync: standard output cannot be written: No space left on device\n"


def test_without_a_command_there_is_the_help() -> None:
    """Who types the name alone is shown what there is."""
    ended = run_command()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "\nRun:\n" in ended.stderr


def test_a_missing_configuration_is_one_line(tmp_path: Path) -> None:
    """No file, no traceback: exit 2 and what to do."""
    named = run_command("status", "--config", str(tmp_path / "none.toml"))
    assert (named.returncode, len(named.stderr.splitlines())) == (2, 1)
    environment = {key: value for key, value in os.environ.items() if key != "SMART_SYNC_CONFIG"}
    found = subprocess.run(
        [sys.executable, "-m", "smart_sync", "status"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert "--config" in found.stderr


def test_the_environment_goes_before_the_file(config: Path, world: World) -> None:
    """SMART_SYNC_… with __ between the levels overrides the file, and relative paths stay relative to the file."""
    environment = {"SMART_SYNC_DATABASE__PATH": "other.db", "SMART_SYNC_SYNC__CREATE_MISSING": "projects"}
    ended = run_command("once", "--json", "--config", str(config), environment=environment)
    assert json.loads(ended.stdout)["results"][0]["total_accounts"] == 2
    assert (world.folder / "other.db").exists()


def test_check_lists_everything_that_is_wrong_and_changes_nothing(config: Path, world: World) -> None:
    """`check` finds bad cells, unmatched rows, missing and unclaimed worksheets and duplicate days at once."""
    world.add_project("Q", ["q"], project_id="2")
    world.google.spreadsheets[KEY].worksheets["Unclaimed"] = [["Link"]]
    del world.google.spreadsheets[KEY].worksheets["Q"]
    world.sheet("P", a=["#REF!", 1, 1, 1, 1], stranger=[1] * 5)
    for number in range(2):
        world.execute(
            "INSERT INTO account_snapshots (id, account_id, snapshot_time) VALUES (?, 'account-a', '2026-01-01')",
            (str(number),),
        )
    before = world.execute("SELECT count(*) FROM sync_runs"), world.path.read_bytes()
    ended = run_command("check", "--json", "--config", str(config))
    assert ended.returncode == 1
    found = "\n".join(finding["message"] for finding in json.loads(ended.stdout)["findings"])
    for expected in (
        "P!C2", "https://www.tiktok.com/@stranger", "https://www.tiktok.com/@b", "'Unclaimed'", '"Q"', "1 days of an",
    ):  # fmt: skip
        assert expected in found
    assert (world.execute("SELECT count(*) FROM sync_runs"), world.path.read_bytes()) == before


def test_check_names_a_missing_database_without_making_it(config: Path, world: World) -> None:
    """A database that is not there is an error where nothing would fill it; it still is not there after the check.

    Where the worksheets fill it, it is one only in name: a database next to it may be meant, which is a warning.
    """
    for create_missing, told in (("none", "✗"), ("projects", "!")):
        environment = {"SMART_SYNC_DATABASE__PATH": "none.db", "SMART_SYNC_SYNC__CREATE_MISSING": create_missing}
        ended = run_command("check", "--config", str(config), environment=environment)
        (line,) = [line for line in ended.stdout.splitlines() if "will be created" in line]
        assert line.startswith(told)
        assert "in the same folder there is view_counter.db" in line
    assert not (world.folder / "none.db").exists()


def test_a_terminal_is_not_driven_by_names_from_a_sheet(config: Path, world: World) -> None:
    """Control characters of names are shown, not obeyed; markup is text."""
    world.execute("UPDATE projects SET name = ?", ("[red]\x1b[2JP\x07",))
    ended = run_command("once", "--config", str(config))
    assert "\x1b[2J" not in ended.stdout + ended.stderr
    assert "[red]" in ended.stdout


def test_the_shipped_configuration_runs_from_anywhere(tmp_path: Path) -> None:
    """config.toml as it is: sample worksheets and parsed values, and each side of MAX is seen to win."""
    environment = {
        "SMART_SYNC_DATABASE__PATH": str(tmp_path / "sample.db"),
        "SMART_SYNC_CONFIG": str(ROOT / "config.toml"),
    }
    ended = run_command("once", "--json", environment=environment)
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["success_count"] >= 2
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "sample.db")) as connection:
        winners = connection.execute("SELECT followers_winner, count(*) FROM account_metrics GROUP BY 1").fetchall()
    assert {"sheet", "parsed"} <= {winner for winner, _ in winners}


def test_version_is_printed() -> None:
    """--version says which one it is."""
    assert run_command("--version").stdout == f"smart-sync {__version__}\n"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can give a folder away")
@pytest.mark.parametrize("command", ["check", "history", "explain @a", "backup copy.db", "report"])
def test_a_folder_that_keeps_its_user_out_is_named_in_one_line(tmp_path: Path, command: str) -> None:
    """An ordinary user is told what is out of reach, and who may ask; nobody sees a traceback."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 65534, 65534)
    config = tmp_path / "config.toml"
    config.write_text(
        '[database]\npath = "closed/view_counter.db"\n'
        '[sheets]\nsource = "google"\nspreadsheet = "K"\ncredentials = "closed/google.json"\n'
    )
    without_rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    ended = subprocess.run(
        [*without_rights, *COMMAND, *command.split(), "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )
    assert ended.returncode == 1
    assert "view_counter.db: permission denied; " in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_healthcheck_says_whether_the_daemon_is_alive(config: Path, world: World) -> None:
    """0 also while Google refuses everything and a project is stale, which healthz tells; 3 when nobody is there."""
    assert run_command("healthcheck", "--config", str(config)).returncode == 3
    for kind in ("batch", "metadata"):
        world.google.fail(kind, 10_000, status=403)
    environment = {"SMART_SYNC_SHEETS__STALE_AFTER": "1ms"}
    with Daemon(config, environment) as daemon:
        codes = [run_command("sync", "--config", str(config)).returncode for _ in range(2)]
        ended = run_command("healthcheck", "--config", str(config))
        health = asyncio.run(Client(daemon.socket, timeout=60).request("GET", "/healthz"))
        assert daemon.stop() == 0
    assert codes[-1] == run_command("once", "--config", str(config), environment=environment).returncode == 4
    assert (ended.returncode, ended.stdout) == (0, "alive\n")
    assert (health[0], health[1]["stale_projects"][0]["sheet_read_at"]) == (503, None)
