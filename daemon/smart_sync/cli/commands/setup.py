"""The commands of the first day: init, completion, man."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_sync.cli.commands.common import config_option, example, find, json_option, show
from smart_sync.cli.complete import SHELLS
from smart_sync.config.secrets import is_elsewhere

if TYPE_CHECKING:
    from smart_sync.config import Settings

NAME = "smart-sync"


@click.command(epilog=example("smart-sync init --spreadsheet https://docs.google.com/spreadsheets/d/KEY"))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="[default: config.toml]")
@click.option("--spreadsheet", metavar="WHERE", help="The spreadsheet: its address in the browser, its key or title.")
@click.option("--credentials", metavar="FILE", help="The service account's JSON key.")
@click.option("--database", metavar="FILE", help="The SQLite file; the web app's own, if there is one.")
@click.option("--timezone", metavar="NAME", help="The time zone in which a day ends, such as Europe/Berlin.")
@click.option("--systemd", is_flag=True, help="For systemd/smart-sync.service: all paths are the unit's.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what is given, and the defaults.")
def init(
    output: Path | None,
    spreadsheet: str | None,
    credentials: str | None,
    database: str | None,
    timezone: str | None,
    systemd: bool,
    yes: bool,
) -> None:
    """Write a commented configuration and try it step by step.

    Whatever fails says what to click or type.  Asks for what is not given.  Never overwrites a file.
    """
    from smart_sync import config, logs
    from smart_sync.admin import init as steps
    from smart_sync.sheets.credentials import VARIABLE

    output = output or (steps.UNIT_CONFIG if systemd else config.DEFAULT_PATHS[0])
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
        default = steps.UNIT_DATABASE if systemd else steps.DATABASE
        database = _asked("The database, a file", default) if ask else default
    if timezone is None:
        local = steps.local_timezone(os.environ) if ask else "UTC"
        timezone = _asked("The time zone in which a day ends", local) if ask else local
    if not steps.is_timezone(timezone):
        raise click.UsageError(f"no such time zone: {timezone!r}; name one such as UTC or Europe/Berlin")
    _demand_file(database)
    if Path(database).expanduser().is_file():
        _offer_a_look(Path(database).expanduser(), ask=ask)
    socket = steps.UNIT_SOCKET if systemd else ""
    # The unit hands the key over: it is in no file of the daemon's.
    kept = "" if systemd else credentials
    steps.write(output, steps.Answers(spreadsheet, kept, database, timezone, socket))
    click.echo(f"{output} is written; now it is tried")
    logs.configure("auto", "error", sys.stderr)
    logs.adopt_libraries()
    settings = config.load(output)
    if systemd:
        key = Path(credentials).expanduser() if credentials else steps.UNIT_KEY
        sheets = settings.sheets.model_copy(update={"credentials": key.absolute()})
        settings = settings.model_copy(update={"sheets": sheets})
    good = asyncio.run(_try(settings))
    _say_what_is_next(output, credentials, good=good, systemd=systemd)
    sys.exit(0 if good else 1)


def _say_what_is_next(output: Path, credentials: str, *, good: bool, systemd: bool) -> None:
    """What to type after ``init``."""
    from smart_sync import config
    from smart_sync.admin.init import UNIT_KEY

    named = "" if output == config.DEFAULT_PATHS[0] else f" --config {output}"
    if not good:
        click.echo(f"fix that in its place or in {output}, then: smart-sync check{named}")
    elif not systemd:
        click.echo(f"next: smart-sync run{named}")
    else:
        if credentials:
            click.echo(f"next: install -D -m 600 {shlex.quote(credentials)} {UNIT_KEY}")
        click.echo("next: systemctl enable --now smart-sync")


@click.command(epilog=example("smart-sync adopt /srv/app/view_counter.db"))
@click.argument("database", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("config.toml"), show_default=True, metavar="FILE"
)
@click.option("--spreadsheet", metavar="WHERE", default="", help="The spreadsheet: its address, key or title.")
@click.option("--credentials", metavar="FILE", default="", help="The service account's JSON key.")
@json_option
def adopt(database: Path, output: Path, spreadsheet: str, credentials: str, as_json: bool) -> None:
    """Look at a web app's database and write a configuration.

    Says what is there, what Smart Sync will write where, and what clashes; then nothing is written, and the exit code
    is 1.
    """
    from smart_sync import config
    from smart_sync.admin import adopt
    from smart_sync.admin import init as steps
    from smart_sync.cli.output.diagnostics import show_check
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
    from smart_sync.cli.output.diagnostics import show_check
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
    from smart_sync.cli.output.diagnostics import show_step

    good = True
    async for step in steps.trial(settings):
        show_step(step)
        good = good and step.ok
    return good


@click.group("config", epilog=example("smart-sync config show"))
def configuration() -> None:
    """Show the configuration that is in effect."""


@configuration.command("show", epilog=example("smart-sync config show"))
@json_option
@config_option
def config_show(as_json: bool) -> None:
    """Show every key, its value, and where that is from.

    From the file, from a variable of the environment, or the default; never a secret.
    """
    from smart_sync.cli.output.configuration import show_effective
    from smart_sync.config import effective

    path = find()
    found = [one._asdict() for one in effective.effective(path)]
    show({"success": True, "file": str(path), "settings": found}, as_json, show_effective)


@click.command(epilog=example("smart-sync completion bash"))
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and names.

    \b
    bash: eval "$(smart-sync completion bash)"     in ~/.bashrc
    zsh:  eval "$(smart-sync completion zsh)"      in ~/.zshrc, after compinit
    fish: smart-sync completion fish > ~/.config/fish/completions/smart-sync.fish
    """
    root = context.find_root().command
    click.echo(SHELLS[shell](root, {}, NAME, f"_{NAME}_COMPLETE".replace("-", "_").upper()).source())


@click.command(epilog=example("smart-sync man"))
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page, for: smart-sync man | man -l -"""
    from smart_sync.cli import manpage

    click.echo(manpage.page(context.find_root()), nl=False)
