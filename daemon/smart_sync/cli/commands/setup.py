"""The commands of the first day: init, completion, man."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from smart_sync.cli.commands.common import json_option, show
from smart_sync.config.secrets import is_elsewhere

if TYPE_CHECKING:
    from smart_sync.config import Settings

NAME = "smart-sync"
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("config.toml"), show_default=True, metavar="FILE"
)
@click.option("--spreadsheet", metavar="WHERE", help="The spreadsheet: its address in the browser, its key or title.")
@click.option("--credentials", metavar="FILE", help="The service account's JSON key.")
@click.option("--database", metavar="FILE", help="The SQLite file; the web app's own, if there is one.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what is given, and the defaults.")
def init(output: Path, spreadsheet: str | None, credentials: str | None, database: str | None, yes: bool) -> None:
    """Write a commented configuration and try it step by step.

    Whatever fails says what to click or type.  Asks for what is not given.  Never overwrites a file.
    """
    from smart_sync import config, logs
    from smart_sync.admin import init as steps
    from smart_sync.sheets.credentials import VARIABLE

    steps.refuse_existing(output)
    ask = not yes and sys.stdin.isatty()
    if spreadsheet is None:
        spreadsheet = _asked("The spreadsheet: its address in the browser, its key or title") if ask else ""
    if not spreadsheet:
        raise click.UsageError("name the spreadsheet: --spreadsheet ADDRESS")
    if credentials is None:
        unneeded = not ask or os.environ.get(VARIABLE)
        credentials = "" if unneeded else _asked("The service account's JSON key, a file", "google.json")
    if database is None:
        database = _asked("The database, a file", steps.DATABASE) if ask else steps.DATABASE
    _demand_file(database)
    if Path(database).expanduser().is_file():
        _offer_a_look(Path(database).expanduser(), ask=ask)
    steps.write(output, steps.Answers(spreadsheet, credentials, database))
    click.echo(f"{output} is written; now it is tried")
    logs.configure("auto", "error", sys.stderr)
    logs.adopt_libraries()
    good = asyncio.run(_try(config.load(output)))
    named = "" if output == config.DEFAULT_PATHS[0] else f" --config {output}"
    click.echo(
        f"next: smart-sync run{named}"
        if good
        else f"fix that in its place or in {output}, then: smart-sync check{named}"
    )
    sys.exit(0 if good else 1)


@click.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("config.toml"), show_default=True, metavar="FILE"
)
@click.option("--spreadsheet", metavar="WHERE", default="", help="The spreadsheet: its address, key or title.")
@click.option("--credentials", metavar="FILE", default="", help="The service account's JSON key.")
@json_option
def adopt(database: Path, output: Path, spreadsheet: str, credentials: str, as_json: bool) -> None:
    """Look at a web app's database and write a configuration.

    Says what is there, what Smart Sync will write where, and what clashes; then nothing is written.
    """
    from smart_sync import config
    from smart_sync.admin import adopt
    from smart_sync.admin import init as steps
    from smart_sync.cli.output import show_check
    from smart_sync.clock import utc_now

    steps.refuse_existing(output)
    _demand_file(str(database))
    report, found = asyncio.run(adopt.adopt(database, utc_now()))
    answer = report.answer() | {"written": None}
    if report.exit_code == 0:
        spreadsheet = spreadsheet or next(iter(found.spreadsheets), "")
        if not spreadsheet and sys.stdin.isatty() and not as_json:
            spreadsheet = _asked("The spreadsheet: its address in the browser, its key or title")
        if spreadsheet:
            adopt.write_configuration(output, database, spreadsheet, credentials)
            answer["written"] = str(output)
    show(answer, as_json, show_check)
    if report.exit_code == 0 and not answer["written"]:
        raise click.UsageError("no project names a spreadsheet; name it: --spreadsheet ADDRESS")
    if not as_json and answer["written"]:
        named = "" if output == config.DEFAULT_PATHS[0] else f" --config {output}"
        click.echo(f"{output} is written; next: smart-sync check{named}")
    sys.exit(report.exit_code)


def _offer_a_look(database: Path, *, ask: bool) -> None:
    """Look at a database that is there, if that is wanted; ends with exit code 1 where something clashes."""
    from smart_sync.admin import adopt
    from smart_sync.cli.output import show_check
    from smart_sync.clock import utc_now

    there = f"{database} is there already"
    if not ask or not click.confirm(f"{there}; look at what is in it and what clashes", default=True):
        click.echo(f"{there}; what is in it and what clashes tells: smart-sync adopt {database}")
        return
    report, _ = asyncio.run(adopt.adopt(database, utc_now()))
    show_check(report.answer())
    if report.exit_code:
        click.echo("nothing is written; fix what clashes first", err=True)
        sys.exit(report.exit_code)


def _demand_file(database: str) -> None:
    """Refuse the address of a server, which is never shown: it may hold a password."""
    if ":/" in database or is_elsewhere(database):
        raise click.UsageError(
            "this looks at SQLite files only; for PostgreSQL write [database] url into the configuration, then:"
            " smart-sync check"
        )


def _asked(question: str, default: str | None = None) -> str:
    return str(click.prompt(question, default=default)).strip()


async def _try(settings: "Settings") -> bool:
    from smart_sync.admin import init as steps
    from smart_sync.cli.output import show_step

    good = True
    async for step in steps.trial(settings):
        show_step(step)
        good = good and step.ok
    return good


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    bash: eval "$(smart-sync completion bash)"     in ~/.bashrc
    zsh:  eval "$(smart-sync completion zsh)"      in ~/.zshrc, after compinit
    fish: smart-sync completion fish > ~/.config/fish/completions/smart-sync.fish
    """
    root = context.find_root().command
    click.echo(_SHELLS[shell](root, {}, NAME, f"_{NAME}_COMPLETE".replace("-", "_").upper()).source())


@click.command()
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page, for: smart-sync man | man -l -"""
    from smart_sync.cli import manpage

    click.echo(manpage.page(context.find_root()), nl=False)
