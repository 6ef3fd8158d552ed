"""What README and the pages show is run: the call-outs for web apps and task queues, the configuration, the SQL."""

import asyncio
import re
import shutil
import subprocess
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest

from daemon_process import COMMAND, Daemon, write_config
from markdown_pages import DOCS, ROOT, texts
from smart_sync import config
from smart_sync.config import notify
from smart_sync.core.message_answers import DATA_OF
from smart_sync.store.schema import REQUIRED
from world import KEY, World

SOCKET = "/run/smart-sync/control.sock"

README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]


def code_blocks(language: str) -> list[str]:
    """The code blocks of one language, of all pages."""
    return [text for page in PAGES for text in texts(page, language)]


@pytest.fixture
def config_file(world: World) -> Path:
    world.add_project("P", ["a"], project_id="project-1")
    world.sheet("P", a=[1] * 5)
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


def run_block(marker: str, **replaced: tuple[str, str]) -> dict[str, Any]:
    """Execute the pages' Python block that holds ``marker``; returns its names."""
    (block,) = [block for block in code_blocks("python") if marker in block]
    for old, new in replaced.values():
        block = block.replace(old, new)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_the_fastapi_router_forces_a_sync(config_file: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's application answers what the daemon answers, to a client that has the token."""
    monkeypatch.setenv("SMART_SYNC_API_TOKEN", "token-of-the-readme")
    with Daemon(config_file) as daemon:
        names = run_block("# FastAPI", socket=(SOCKET, str(daemon.socket)))

        async def post() -> dict[str, Any]:
            transport = httpx2.ASGITransport(app=names["app"])
            headers = {"Authorization": "Bearer token-of-the-readme"}
            async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                answered = await client.post("/api/admin/smart_sync?project_id=project-1", timeout=60)
                answer: dict[str, Any] = answered.json()
                return answer

        assert asyncio.run(post())["updated_count"] == 1
    assert world.merged("a") == (1,) * 5


def test_the_celery_task_forces_a_sync(config_file: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's application has the tasks, which answer what the daemon answers."""
    monkeypatch.setenv("SMART_SYNC_CONFIG", str(config_file))
    with Daemon(config_file):
        app = run_block("# Celery")["app"]
        assert app.tasks["smart_sync_all_projects"].apply().get()["success_count"] == 1
        assert "smart-sync-every-30-minutes" in app.conf.beat_schedule
        app.close()
    assert world.execute('SELECT "trigger" FROM sync_runs') == [("socket",)]


def test_the_standalone_functions_run_as_shown(
    config_file: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """README's calls without a daemon sync all projects, and one."""
    monkeypatch.setenv("SMART_SYNC_SHEETS__API_URL", world.google.url)
    world.google.spreadsheets[KEY].title = "Metrics 2026"
    names = run_block(
        "sync_all_projects_standalone(",
        db=("view_counter.db", str(world.path)),
        key=("google.json", str(world.folder / "key.json")),
    )
    assert names["answer"]["project_id"] == "project-1"
    assert names["answer"]["success"] is True
    assert world.merged("a") == (1,) * 5


def test_the_curl_lines_work(config_file: Path) -> None:
    """Every curl of README gets an answer with success."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    block = next(block for block in code_blocks("sh") if block.startswith("S=var/control.sock"))
    with Daemon(config_file) as daemon:
        for line in block.splitlines()[1:]:
            command = (
                line.split("   #")[0]
                .replace("$S", str(daemon.socket))
                .replace("project_id=ID", "project_id=project-1")
                .replace("@NAME", "@a")
            )
            if "events" in command:
                command = command.replace("curl ", "curl --max-time 0.3 ")
            ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
            if "events" in command:
                assert ended.returncode == 28
            else:
                expected = "smart_sync_up 1" if "/metrics" in command else '"success": true'
                assert expected in ended.stdout, command
            if "reload" in command:
                daemon.wait_for("READY=1")


@pytest.mark.parametrize("command", ["sync", "once"])
def test_cron_mails_only_when_something_is_wrong(config_file: Path, world: World, command: str) -> None:
    """README's lines print nothing of a good pass; of one with a failed project, its reason."""
    (block,) = [block for block in code_blocks("crontab") if block.startswith("*/30")]
    (line,) = [line for line in block.splitlines() if f"smart-sync {command}" in line]
    program = " ".join(COMMAND)
    shell = line.removeprefix("*/30 * * * *").replace("smart-sync", f"SMART_SYNC_CONFIG={config_file} {program}")

    def mail() -> str:
        ended = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
        return ended.stdout + ended.stderr

    with Daemon(config_file) if command == "sync" else nullcontext():
        assert mail() == ""
        world.execute(
            "CREATE TRIGGER web_app BEFORE UPDATE ON account_metrics BEGIN SELECT RAISE(ABORT, 'not today'); END"
        )
        world.sheet("P", a=[2] * 5)
        assert "not today" in mail()


async def test_the_inbox_takes_what_the_readme_shows(world: World) -> None:
    """README's SQL for the inbox is accepted, twice, and what it brings is merged."""
    world.add_project("P", ["a"])
    for _ in range(2):
        world.execute(code_blocks("sql")[0].replace("'ACCOUNT'", "'account-a'").strip())
    await world.sync()
    assert world.merged("a") == (12655, 0, 0, 0, 1538800)


def test_every_key_of_the_shipped_configuration_is_its_default_or_documented() -> None:
    """config.toml is valid TOML and names only keys that exist."""
    shipped = tomllib.loads((ROOT / "config.toml").read_text())
    assert config.load(ROOT / "config.toml")
    assert {"database", "schedule", "sheets", "sync", "merge", "snapshots", "control", "log"} <= set(shipped)


def test_the_how_to_names_the_columns_that_a_web_app_needs() -> None:
    """For each shared table exactly those without which its database is refused."""
    page = ROOT / "docs" / "how-to" / "beside-the-web-app.md"
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", page.read_text(), re.MULTILINE)
    assert {table: set(re.findall(r"\w+", columns)) for table, columns in rows} == REQUIRED


def test_the_readme_fits_on_a_screen() -> None:
    """README is what one reads before one decides to read on."""
    assert len(README.read_bytes()) <= 8192


def test_files_that_the_pages_name_are_there() -> None:
    """Files of the repository that README and the pages name in backticks exist."""
    for page in PAGES:
        named = re.findall(r"`((?:daemon|systemd|tests|bench|docs)/[\w./-]+|[A-Z]+\.md)`", page.read_text())
        assert [name for name in named if not (ROOT / name).exists()] == [], page


def test_the_shipped_configuration_says_which_events_are_not_sent_by_default() -> None:
    """Its comment on `events` of a webhook names exactly those."""
    (named,) = re.findall(r"default: all but ((?:[^#\n]|\n# +# )+)", (ROOT / "config.toml").read_text())
    usual = notify.WebhookSettings.model_fields["events"].default
    assert set(re.findall(r"\w+\.\w+", named)) == {*DATA_OF} - {*usual, "webhook.test"}
