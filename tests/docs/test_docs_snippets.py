"""What the documents show is run as it stands, checked, or says why it is not: ``<!-- not run: REASON -->`` above it.

A block that a test of its own runs says so: ``<!-- run: tests/test_x.py -->``, or its whole page is in `RUN_WHOLE`.
"""

import ast
import asyncio
import importlib
import os
import re
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import terminal
from daemon_process import Daemon, write_config
from fake_google import FakeGoogle
from markdown_pages import ROOT, Block, blocks, calls, pages
from shown_commands import checked, is_of_the_shell, lines_of, mistake, ours
from smart_sync import config
from world import KEY, World

#: Page → the tests that run each of its blocks.
RUN_WHOLE = {
    "docs/how-to/beside-the-web-app.md": "tests/docs/test_howto_web_app.py",
    "docs/how-to/telegram-and-mail.md": "tests/docs/test_howto_people.py",
    "docs/how-to/weekly-report.md": "tests/docs/test_howto_report.py",
    "docs/how-to/write-a-parser.md": "tests/docs/test_howto_parser.py",
}
#: Languages of what is shown and not run; the others are run or read below.
SHOWN = {"", "text", "diff", "csv"}
READ = {"sh", "cron", "crontab", "toml", "python", "sql"}
#: They never end by themselves; every test of the daemon runs the first.
ENDLESS = (["run"], ["status", "--watch"])
#: The calls that were run in this process.
DONE: set[tuple[str, ...]] = set()
#: Commands that need more than the documents' world has: the tests that run them.
OF_THEIR_OWN = {"migrate-store": "tests/store/test_migrate_store.py", "adopt": "tests/admin/test_adopt.py"}
#: Commands that end with 1 where there is nothing of the kind.
MAY_END_WITH_1 = {"confirm", "unpin", "snapshots", "ingest", "parse", "webhooks", "check", "healthcheck"}
ALL = [block for page in pages() for block in blocks(page)]
#: The one-liners over the log: `test_monitoring` runs each.
LOG_LINE = re.compile(r"logs(?:\(\)|) ")
FOLDER = re.compile(r"/(?:etc/smart-sync|backup|var/lib/smart-sync)/")


def is_run_elsewhere(block: Block) -> bool:
    return str(block.page.relative_to(ROOT)) in RUN_WHOLE or block.mark.startswith("run: ")


def of_language(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


def test_marks_name_tests_and_reasons() -> None:
    """Who is said to run a block is there; a reason is more than a word; every block is of a kind that is known."""
    for block in ALL:
        kind, _, told = block.mark.partition(": ")
        if kind == "run":
            assert (ROOT / told).is_file(), f"{block}: {told}"
        assert kind != "not run" or len(told.split()) > 2, block
        assert block.language in SHOWN | READ or is_run_elsewhere(block) or block.mark, f"{block}: {block.language}"
    assert all(command in (ROOT / test).read_text() for command, test in OF_THEIR_OWN.items())
    for page, test in RUN_WHOLE.items():
        assert Path(page).name in (ROOT / test).read_text() or "howto" in (ROOT / test).read_text()


@pytest.mark.parametrize("block", of_language("sh", "cron", "crontab"), ids=str)
def test_every_call_has_such_options(block: Block) -> None:
    """Commands, options and choices are those of the command tree, run or not."""
    if block.mark.startswith("not run: an example"):
        return
    for line in lines_of(block.text):
        arguments = ours(line, has_user=block.language == "cron")
        assert arguments is None or mistake(arguments) == "", f"{block}: {line}"


def test_every_call_in_a_sentence_has_such_options() -> None:
    """Of all pages: commands, options and choices are those of the command tree; arguments may be left out."""
    shown = {(page.name, call.replace("…", "X")) for page in pages() for call in calls(page) if "COMMAND" not in call}
    wrong = {one: mistake(ours(one[1]) or []) for one in shown if one != ("CONTRIBUTING.md", "smart-sync projects")}
    assert {
        one: why for one, why in wrong.items() if why and not re.search("is missing|requires an argument", why)
    } == {}
    assert len(shown) > 60


def test_a_wrong_call_is_seen() -> None:
    """The control: a misspelt option, command, choice or a missing argument is a mistake."""
    for line in ("explain", "explain nova --metrics views", "expain nova", "growth --metric vews", "pins nova"):
        assert mistake(line.split()), line
    assert mistake(["explain", "nova", "--metric", "views"]) == ""
    assert ours('*/30 * * * *  smart-sync sync "A b" && x') == ["sync", "A b"]
    assert [*lines_of("a b \\\n  c   # why\n# no\n")] == ["a b c"]
    assert checked("make nothing")
    assert checked("pip install 'smart-sync-daemon[no]'")


@pytest.mark.parametrize("block", of_language("toml"), ids=str)
def test_every_configuration_is_valid(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece of a configuration is accepted as it stands; the secrets that it names are there."""
    if "entry-points" in block.text or block.mark or str(block.page).endswith("write-a-parser.md"):
        assert tomllib.loads(block.text)
        return
    for name in re.findall(r"env:(\w+)", block.text):
        monkeypatch.setenv(name, "postgresql://u:p@h/d" if name == "DATABASE_URL" else "a secret of the test")
    for name in re.findall(r"file:(?:/etc/smart-sync/)?([\w.]+)", block.text):
        told = f"json://localhost/{name}" if name.endswith(".url") else "a secret of the test"
        (tmp_path / name).write_text(f"{told}\n")
    text = block.text.replace("file:/etc/smart-sync/", "file:")
    if not re.search(r"^(?:source|spreadsheet) = ", text, re.MULTILINE):
        # As an inner table of [sheets] may stand in the block, the section cannot be written once more.
        monkeypatch.setenv("SMART_SYNC_SHEETS__SOURCE", "csv")
        monkeypatch.setenv("SMART_SYNC_SHEETS__DIRECTORY", "sheets")
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert config.load(path)


@pytest.mark.parametrize("block", of_language("python"), ids=str)
def test_every_python_block_compiles(block: Block) -> None:
    """It is Python, and what it imports of us is there."""
    tree = ast.parse(textwrap.dedent(block.text))
    if block.mark.startswith("not run: an example"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("smart_sync"):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}"), block


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder in which a daemon serves what the documents speak of, and the variables to find it."""
    folder = tmp_path_factory.mktemp("shown")
    with FakeGoogle() as google:
        world = asyncio.run(World(folder, google).create())
        accounts = ["nova", "northwind.tea", "slow.roads"]
        world.add_project("Spring Launch", accounts, project_id="project-1")
        world.sheet("Spring Launch", **{name: [10, 20, 30, 40, 50] for name in accounts})
        (folder / "google.json").write_bytes(Path(google.credentials(folder / "key.json")).read_bytes())
        numbers = next(block.text for block in ALL if block.language == "csv")
        for name in ("numbers.csv", "parsed.csv"):
            (folder / name).write_text(numbers)
        hook = '[[webhooks]]\nurl = "http://127.0.0.1:9/"\nformat = "plain"\nallow_private = true\n'
        file = write_config(folder, hook, google=google, spreadsheet=KEY)
        with Daemon(file):
            yield folder, {"SMART_SYNC_CONFIG": str(file), "SMART_SYNC_SHEETS__API_URL": google.url}


def blocks_to_run() -> list[Block]:
    return [one for one in of_language("sh") if not is_run_elsewhere(one) and not one.mark.startswith("not run: ")]


@pytest.mark.parametrize("block", blocks_to_run(), ids=str)
def test_every_command_runs(block: Block, shown: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Each line of each block, in its order, where the documents' projects and accounts are; none is misunderstood."""
    world, variables = shown
    folder = tmp_path
    for name in ("google.json", "numbers.csv", "parsed.csv"):
        (tmp_path / name).write_bytes((world / name).read_bytes())
    script: list[str] = []
    for line in lines_of(FOLDER.sub(f"{tmp_path}/", block.text).replace("$(date +%F)", "2026-03-10")):
        arguments = ours(line)
        if arguments is not None:
            folder, script = _in_shell(script, folder), []
            if arguments[:2] in ENDLESS or arguments[:1] in ENDLESS or arguments[0] in OF_THEIR_OWN:
                continue
            # It writes a configuration, and takes the answers that it offers.
            is_first = arguments[0] == "init"
            known = {name: told for name, told in variables.items() if not (is_first and name.endswith("CONFIG"))}
            given = [word.replace("/d/KEY", f"/d/{KEY}") for word in arguments]
            if (*given,) in DONE:  # another page shows the same
                continue
            DONE.add((*given,))
            ended = terminal.run(given, 120, folder, "\n" * 5 if is_first else "", **known)
            good = {0, 1} if arguments[0] in MAY_END_WITH_1 else {75} if arguments[0] == "once" else {0}
            assert ended.code in good, f"{block}: {line}\n{ended.text}"
            assert "Traceback" not in ended.text
        elif LOG_LINE.match(line):
            assert block.page.name in (ROOT / "tests/events/test_monitoring.py").read_text()
        elif (wrong := checked(line)) is not None:
            assert wrong == "", f"{block}: {line}"
        else:
            assert is_of_the_shell(line) or line.startswith("cd "), f"{block}: {line}: mark it: <!-- not run: WHY -->"
            script.append(line)
    _in_shell(script, folder)


def _in_shell(script: list[str], folder: Path) -> Path:
    """Run lines with a shell in ``folder``; returns the folder in which they end."""
    if not script:
        return folder
    text = "\n".join(["set -e", *script, "pwd"])
    ended = subprocess.run(
        ["sh", "-c", text], cwd=folder, capture_output=True, text=True, timeout=30, check=False, env={**os.environ}
    )
    assert ended.returncode == 0, f"{script}: {ended.stderr}"
    return Path(ended.stdout.splitlines()[-1])
