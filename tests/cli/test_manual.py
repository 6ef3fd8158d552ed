"""The manual page and the shells' completion: made from the commands, and understood by those who read them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from daemon_process import run_command, write_config
from markdown_pages import ROOT
from smart_sync import errors
from smart_sync.cli.main import cli
from smart_sync.config import Settings
from smart_sync.errors import EXIT_CODES, SmartSyncError
from world import KEY, World


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("man") / "smart-sync.1"
    made = run_command("man")
    assert made.returncode == 0, made.stderr
    path.write_text(made.stdout)
    return path


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the command in it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "smart-sync"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m smart_sync "$@"\n')
    command.chmod(0o755)
    return folder


def needed(command: str) -> str:
    """Its path; without it the test is skipped."""
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return found


def read(page: Path) -> str:
    """The page as a reader sees it, in one line."""
    command = [needed("groff"), "-Kutf8", "-Tutf8", "-P-cbou", "-rHY=0", "-rLL=200n", "-man", "-ww", str(page)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stderr == "", "groff warns"
    return " ".join(shown.stdout.split())


def test_every_command_and_option_is_in_the_page_as_help_says_it(page: Path) -> None:
    """Each command with its description, each option with its text: the words of --help."""
    text = plain(read(page))
    contexts = list(every(click.Context(cli, info_name="smart-sync")))
    assert len(contexts) > 10
    for context in contexts:
        assert plain((context.command.help or "").split("\n\n")[0]) in text
        for parameter in context.command.get_params(context):
            record = parameter.get_help_record(context)
            if isinstance(parameter, click.Option) and record is not None:
                assert plain(" ".join(record)) in text, record


def test_exit_codes_files_and_environment_are_in_the_page(page: Path) -> None:
    """What a script must know beside the commands."""
    text = read(page)
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in text
    for name in (
        "SMART_SYNC_CONFIG", "SMART_SYNC_GOOGLE_CREDENTIALS", "NO_COLOR", "/etc/smart-sync/config.toml",
        "var/view_counter.db", "var/control.sock",
    ):  # fmt: skip
        assert name in text
    for name, field in Settings.model_fields.items():
        section, _, key = str(field.validation_alias or name).partition(".")
        assert f"[{section}]: {key}" in text


def test_the_page_has_no_fault_that_readers_of_pages_know(page: Path) -> None:
    """man, groff and mandoc read it without a warning, but for the date that it leaves out."""
    mandoc = needed("mandoc")
    told = subprocess.run(
        [mandoc, "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True, check=False
    )
    assert [line for line in told.stdout.splitlines() if "missing date" not in line] == []


def test_man_shows_the_page(page: Path) -> None:
    """`smart-sync man | man -l -` is a page of its own name."""
    environment = {**os.environ, "MAN_KEEP_FORMATTING": "", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}
    command = [needed("man"), "--warnings", "-l", "-"]
    shown = subprocess.run(
        command, input=page.read_text(), capture_output=True, text=True, env=environment, check=False
    )
    if "minimized" in shown.stdout or shown.returncode != 0:
        pytest.skip(f"man does not work here: {(shown.stdout or shown.stderr)[:80]}")
    assert "SMART-SYNC(1)" in shown.stdout
    assert shown.stderr == ""


def test_no_text_is_taken_for_a_request() -> None:
    """Dots, quotes, backslashes and letters beyond ASCII in a help text come out as they are."""
    from smart_sync.cli import manpage

    @click.command(help=".TH is no request, \\fB is no escape, 'nor' is -- this… «да»")
    def strange() -> None: ...

    written = manpage.page(click.Context(strange, info_name="strange"))
    command = [needed("groff"), "-Kutf8", "-Tutf8", "-P-cbou", "-rLL=200n", "-man", "-ww"]
    shown = subprocess.run(command, input=written, capture_output=True, text=True, check=True)
    assert ".TH is no request, \\fB is no escape, 'nor' is -- this… «да»" in shown.stdout
    assert shown.stderr == ""


def test_exit_codes_have_one_source() -> None:
    """Every failure's exit code is one of those that --help, the manual and the page of commands name."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SmartSyncError)]
    assert {kind.exit_code for kind in kinds} <= set(EXIT_CODES)
    listed = "Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    assert listed in " ".join((ROOT / "docs" / "reference" / "commands.md").read_text().split())
    assert listed in " ".join(run_command("--help").stdout.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["smart-sync", "stat"], ["status"]),
        (["smart-sync", "webhooks", "t"], ["test"]),
        (["smart-sync", "status", "--w"], ["--watch"]),
        (["smart-sync", "completion", ""], ["bash", "zsh", "fish"]),
    ],
    ids=" ".join,
)
def test_bash_completes(bin_folder: Path, typed: list[str], offered: list[str]) -> None:
    """After the line in ~/.bashrc that docs/reference shows, bash offers commands, subcommands, options and choices."""
    (line,) = re.findall(
        r'^bash: (eval "\$\(smart-sync completion bash\)")',
        (ROOT / "docs" / "reference" / "commands.md").read_text(),
        re.MULTILINE,
    )
    words = " ".join(f"'{word}'" for word in typed)
    script = (
        f"{line}\ncomplete -p smart-sync\n"
        f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}\n"
        '_smart_sync_completion smart-sync\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    said = in_shell([needed("bash"), "--norc", "-c", script], bin_folder).splitlines()
    assert "complete -o nosort -F _smart_sync_completion smart-sync" in said[0]
    assert said[1:] == offered


def test_zsh_takes_the_script(bin_folder: Path) -> None:
    """zsh registers the completion after compinit."""
    script = (
        'autoload -U compinit && compinit -u -D && eval "$(smart-sync completion zsh)" && print $_comps[smart-sync]'
    )
    assert in_shell([needed("zsh"), "-f", "-c", script], bin_folder).strip() == "_smart_sync_completion"


def test_fish_completes(bin_folder: Path) -> None:
    """fish offers the commands."""
    script = 'smart-sync completion fish | source; complete -C "smart-sync stat"'
    assert in_shell([needed("fish"), "--no-config", "-c", script], bin_folder).startswith("status")


def in_shell(command: list[str], bin_folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def every(context: click.Context) -> list[click.Context]:
    commands = context.command.commands if isinstance(context.command, click.Group) else {}
    return [context, *(c for name, sub in commands.items() for c in every(click.Context(sub, context, name)))]


def plain(text: str) -> str:
    """Without what line filling changes."""
    return re.sub(r"\s+", "", text)


#: What is typed → what is offered: names with spaces and quotes, as the shell must have them.
NAMED = {
    "smart-sync sync ": ["Лето\\ 2026", "Spring\\ Launch", "Tom\\'s"],
    "smart-sync growth Sp": ["Spring\\ Launch"],
    "smart-sync explain n": ["nova", "nova.two"],
    "smart-sync explain @nova.": ["@nova.two"],
    "smart-sync history --project T": ["Tom\\'s"],
}


@pytest.fixture
def named(world: World) -> Path:
    """A configuration whose database has names of every kind, one of which no shell could take as one line."""
    for name, accounts in {
        "Spring Launch": ["nova", "nova.two"],
        "Лето 2026": [],
        "Tom's": [],
        "two\nlines": [],
    }.items():
        world.add_project(name, accounts)
    return write_config(world.folder, google=world.google, spreadsheet=KEY)


def test_bash_completes_projects_and_accounts(bin_folder: Path, named: Path) -> None:
    """After a command that takes one, the names that begin with what was typed, each as one quoted word."""
    for typed, offered in NAMED.items():
        words = typed.split(" ")
        script = (
            f'export SMART_SYNC_CONFIG={named}\neval "$(smart-sync completion bash)"\n'
            f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
            '_smart_sync_completion smart-sync\nprintf "%s\\n" "${COMPREPLY[@]}"'
        )
        said = in_shell([needed("bash"), "--norc", "-c", script], bin_folder).splitlines()
        assert sorted(said) == sorted(offered), typed


def test_fish_describes_the_names_in_one_line(bin_folder: Path, named: Path) -> None:
    """Each name with what it is, and nothing that is shown as a line break or a tab."""
    script = f'set -x SMART_SYNC_CONFIG {named}; smart-sync completion fish | source; complete -C "smart-sync explain "'
    said = in_shell([needed("fish"), "--no-config", "-c", script], bin_folder).splitlines()
    assert said == ["nova\ttiktok, Spring Launch", "nova.two\ttiktok, Spring Launch"]


def test_without_a_database_nothing_is_completed_and_nothing_said(bin_folder: Path, tmp_path: Path) -> None:
    """A shell that waits for a key has no place for messages."""
    script = (
        f'export SMART_SYNC_CONFIG={tmp_path}/none.toml\neval "$(smart-sync completion bash)"\n'
        "COMP_WORDS=(smart-sync sync ''); COMP_CWORD=2\n"
        '_smart_sync_completion smart-sync 2>&1\nprintf "%s" "${COMPREPLY[@]}"'
    )
    assert in_shell([needed("bash"), "--norc", "-c", script], bin_folder) == ""
