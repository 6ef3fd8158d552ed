"""Every command on a server says what it says on a file; and what cannot be the same there says what to do."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import pytest

from daemon_process import run_command
from fake_google import FakeGoogle
from smart_sync import sync_all_projects_standalone, sync_single_project_standalone
from smart_sync.integrations import celery
from world import KEY, PostgresWorld, World, link

#: What people do with an installation on its first days, one after the other.
COMMANDS = (
    "check", "once", "history", "growth", "growth --json", f"explain {link('a')} --days 3", "explain @b --json",
    "ingest IN/parsed.csv", "once", "ingest --forget @b", "ingest --forget @b", "pin @a views 7000", "pins", "once",
    "unpin @a", "confirm @a", "confirm nobody", "webhooks", "report -o IN/report.html",
    "report --csv IN/csv -o IN/with.html", "status", "healthcheck", "snapshots repair @a TODAY --views 12", "sync",
    "parse",
)  # fmt: skip


def said(*worlds: World) -> list[list[tuple[str, str]]]:
    """What the commands print, in each world, without what is an engine's and a moment's."""
    steps, names = [], []
    for world in worlds:
        config = str(world.config('[sync]\ncreate_missing = "accounts"\n'))
        parsed = world.folder / "parsed.csv"
        parsed.write_text(f"link,views,likes\n{link('b')},9000,5\nnobody,1,1\n")
        today = datetime.now(UTC).date().isoformat()
        for command in COMMANDS:
            line = command.replace("TODAY", today).replace("IN/", f"{world.folder}/").split()
            steps.append({"files": {}, "environment": {}, "calls": [], "commands": [[*line, "--config", config]]})
            names.append((world, command))
    place = Path(__file__).parents[1] / "support" / "canary_commands.py"
    ran = subprocess.run(
        [sys.executable, str(place)], input=json.dumps(steps), capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "140"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answers = [next(iter(answer.values())) for answer in json.loads(ran.stdout)]
    told = [(world, command, plain(world, text)) for (world, command), text in zip(names, answers, strict=True)]
    return [[(command, text) for where, command, text in told if where is world] for world in worlds]


def plain(world: World, text: str) -> str:
    """``text`` without names of places, times, ids of passes and durations."""
    for name in (str(world.where), str(world.path), str(world.folder)):
        text = text.replace(name, "HERE")
    text = re.sub(r"HERE: (?:an intact database|can be read and written)", "HERE: well", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}|msg_[0-9a-f]{32}", "ID", text)
    text = re.sub(r'("(?:read|decide|write|seconds)": )[\d.e-]+', r"\1SIZE", text)
    return re.sub(r"\b\d+(\.\d+)? m?s\b|seconds\S* \S+|\d[\d,]* bytes", "SIZE", text)


async def test_every_command_says_the_same_on_both_engines(tmp_path: Path, google: FakeGoogle, prepared: str) -> None:
    """What is asked, told and refused is the same, and so are the exit codes."""
    for folder in ("file", "server"):
        (tmp_path / folder).mkdir()
    both = (World(tmp_path / "file", google), PostgresWorld(tmp_path / "server", google, prepared))
    await both[0].create()
    for world in both:
        world.add_project("P", ["a", "b"])
    both[0].sheet("P", a=[1, 2, 3, 4, 5], b=[10, None, 30, 40, 50], c=[1] * 5)
    here, there = said(*both)
    for (command, one), (_, other) in zip(here, there, strict=True):
        differs = [pair for pair in zip_longest(one.splitlines(), other.splitlines()) if pair[0] != pair[1]]
        assert differs == [], command
        assert "Traceback" not in one


def test_a_backup_is_pg_dumps(tmp_path: Path, prepared: str) -> None:
    """The command as it is to be typed makes one; a password is not in it."""
    config = tmp_path / "config.toml"
    with_password = prepared.replace("postgres@", "postgres:s3cretpw@")
    config.write_text(f'[database]\nurl = "{with_password}"\n[sheets]\nsource = "csv"\ndirectory = "."\n')
    ended = run_command("backup", str(tmp_path / "b.dump"), "--config", str(config))
    assert (ended.returncode, "s3cretpw" in ended.stderr) == (1, False)
    command = ended.stderr.partition("its own tool: ")[2].strip()
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "b.dump").read_bytes().startswith(b"PGDMP")


@pytest.mark.parametrize("command", ["init", "adopt"])
def test_a_configuration_for_a_server(tmp_path: Path, google: FakeGoogle, prepared: str, command: str) -> None:
    """It names the variable that has the address; an address with a password is refused, and nothing written."""
    world = PostgresWorld(tmp_path, google, prepared)
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    key, config = google.credentials(tmp_path / "key.json"), tmp_path / "new.toml"
    environment = {"DATABASE_URL": prepared, "SMART_SYNC_SHEETS__API_URL": google.url}
    more = ["-o", str(config), "--spreadsheet", KEY, "--credentials", str(key)]

    def asked(where: str) -> "subprocess.CompletedProcess[str]":
        given = ["adopt", where, *more] if command == "adopt" else ["init", "--database", where, "--yes", *more]
        return run_command(*given, environment=environment)

    refused = asked(prepared.replace("postgres@", "postgres:s3cretpw@"))
    assert (refused.returncode, "s3cretpw" in refused.stderr, config.exists()) == (2, False, False)
    assert "env:DATABASE_URL" in refused.stderr
    ended = asked("env:DATABASE_URL")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert 'url = "env:DATABASE_URL"' in config.read_text()
    assert 'create_missing = "none"' in config.read_text()
    assert run_command("check", "--config", str(config), environment=environment).returncode == 0


def test_the_functions_and_tasks_take_a_server(
    tmp_path: Path, google: FakeGoogle, prepared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standalone functions by its address, Celery's tasks by their configuration; what is wrong is answered."""
    world = PostgresWorld(tmp_path, google, prepared)
    world.add_project("P", ["a"])
    world.sheet("P", a=[1, 2, 3, 4, 5])
    monkeypatch.setenv("SMART_SYNC_SHEETS__API_URL", google.url)
    key = str(google.credentials(tmp_path / "key.json"))
    answer = sync_all_projects_standalone(prepared, key, KEY)
    assert (answer["success"], answer["total_projects"], world.merged("a")) == (True, 1, (1, 2, 3, 4, 5))
    world.sheet("P", a=[7] * 5)
    assert sync_single_project_standalone(prepared, key, KEY, "project-P")["success"]
    assert world.merged("a") == (7,) * 5
    away = sync_all_projects_standalone("postgresql://app:s3cretpw@127.0.0.1:1/app", key, KEY)
    assert (away["success"], "s3cretpw" in json.dumps(away)) == (False, False)
    assert "cannot be reached" in str(away)
    world.sheet("P", a=[8] * 5)
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(world.config()))
    assert celery.smart_sync_all_projects()["success"]
    assert world.merged("a") == (8,) * 5
    assert celery.smart_sync_single_project("nobody")["error"] == "Project not found"
