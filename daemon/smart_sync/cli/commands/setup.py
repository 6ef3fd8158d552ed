"""The setup commands: init, adopt, config show, completion, man."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_sync.cli.commands.common import config_option, example, find, json_option, printing, show
from smart_sync.cli.complete import SHELLS
from smart_sync.config.secrets import is_elsewhere

if TYPE_CHECKING:
    from smart_sync.admin.init import Answers
    from smart_sync.config import Settings
    from smart_sync.config.database_url import Location, Server

NAME = "smart-sync"


@click.command(epilog=example("smart-sync init --spreadsheet https://docs.google.com/spreadsheets/d/KEY"))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The file to write.  [default: config.toml]"
)
@click.option("--spreadsheet", metavar="WHERE", help="The spreadsheet: its address in the browser, its key or title.")
@click.option("--credentials", metavar="FILE", help="The service account's JSON key.")
@click.option(
    "--database", metavar="WHERE", help="A file, the web app's or a new one; or env:NAME of a PostgreSQL address."
)
@click.option("--timezone", metavar="NAME", help="The time zone in which a day ends, such as Europe/Berlin.")
@click.option("--systemd", is_flag=True, help="Write the systemd unit too, and use its paths.")
@click.option("--root", type=click.Path(path_type=Path), metavar="DIR", help="With --systemd: write below DIR.")
@click.option("--yes", is_flag=True, help="Ask nothing: use the given options and the defaults.")
def init(
    output: Path | None,
    spreadsheet: str | None,
    credentials: str | None,
    database: str | None,
    timezone: str | None,
    systemd: bool,
    root: Path | None,
    yes: bool,
) -> None:
    """Write a commented configuration and try it step by step.

    A step that fails says what to click or type.  Asks for what is not given.  Never overwrites a file.
    """
    from smart_sync import config, logs
    from smart_sync.admin import init as steps
    from smart_sync.admin import systemd_files as unit
    from smart_sync.cli.output.diagnostics import show_written

    if root is not None and not systemd:
        raise click.UsageError("--root goes with --systemd")
    # With a configuration elsewhere than the unit reads it, the unit is somebody's own.
    with_unit = systemd and output is None
    root = root or Path("/")
    output = output or (root / unit.UNIT_CONFIG.relative_to("/") if systemd else config.DEFAULT_PATHS[0])
    if with_unit and output.exists():
        _renew_unit(config.load_readable(output)[0].database.where, output, root)
        return
    steps.refuse_existing(output)
    ask = not yes and sys.stdin.isatty()
    answers = _complete_answers(spreadsheet, credentials, database, timezone, ask=ask, systemd=systemd)
    is_server = steps.is_server(answers.database)
    file = Path(answers.database).expanduser()
    if is_server:
        _require_server(answers.database)
    elif file.is_file():
        _offer_inspection(file, ask=ask)
    # The unit hands the key over: it is in no file of the daemon's.
    steps.write(output, answers._replace(credentials="") if systemd else answers)
    if with_unit:
        # Of a server's the unit has nothing to let through: its own folder stays the place for the socket.
        show_written(unit.write((Path(unit.UNIT_DATABASE) if is_server else file).absolute(), root))
    click.echo(f"{output} is written; now it is tried")
    logs.configure("auto", "error", sys.stderr)
    logs.adopt_libraries()
    settings = config.load(output)
    good = asyncio.run(_try(_with_key(settings, answers) if systemd else settings))
    _print_next_steps(output, answers.credentials, good=good, systemd=systemd)
    sys.exit(0 if good else 1)


def _with_key(settings: "Settings", answers: "Answers") -> "Settings":
    """``settings`` with the key that the systemd unit will pass."""
    from smart_sync.admin.systemd_files import UNIT_KEY

    key = Path(answers.credentials).expanduser() if answers.credentials else UNIT_KEY
    sheets = settings.sheets.model_copy(update={"credentials": key.absolute()})
    return settings.model_copy(update={"sheets": sheets})


def _complete_answers(
    spreadsheet: str | None,
    credentials: str | None,
    database: str | None,
    timezone: str | None,
    *,
    ask: bool,
    systemd: bool,
) -> "Answers":
    """The given options; for missing ones what the user types (if ``ask``), or the default."""
    from smart_sync.admin import init as steps
    from smart_sync.admin import systemd_files as unit
    from smart_sync.sheets.credentials import VARIABLE

    if spreadsheet is None:
        spreadsheet = _prompt("The spreadsheet: its address in the browser, its key or title") if ask else ""
    if not spreadsheet:
        raise click.UsageError("name the spreadsheet: --spreadsheet ADDRESS")
    if credentials is None:
        unneeded = not ask or os.environ.get(VARIABLE)
        credentials = "" if unneeded else _prompt("The service account's JSON key, a file", "google.json")
    if database is None:
        default = unit.UNIT_DATABASE if systemd else steps.DATABASE
        database = _prompt("The database, a file (or env:NAME of a PostgreSQL address)", default) if ask else default
    if timezone is None:
        local = steps.local_timezone(os.environ) if ask else "UTC"
        timezone = _prompt("The time zone in which a day ends", local) if ask else local
    if not steps.is_timezone(timezone):
        raise click.UsageError(f"no such time zone: {timezone!r}; name one such as UTC or Europe/Berlin")
    return steps.Answers(spreadsheet, credentials, database, timezone, unit.UNIT_SOCKET if systemd else "")


def _renew_unit(where: "Location", output: Path, root: Path) -> None:
    """After an upgrade: write missing files and leave the configuration as it is."""
    from smart_sync.admin import systemd_files as unit
    from smart_sync.cli.output.diagnostics import show_written

    click.echo(f"{output} exists already and is left as it is")
    show_written(unit.write(where if isinstance(where, Path) else Path(unit.UNIT_DATABASE), root))
    click.echo("next: systemctl daemon-reload && systemctl restart smart-sync")


def _print_next_steps(output: Path, credentials: str, *, good: bool, systemd: bool) -> None:
    """Print what to type after ``init``."""
    from smart_sync import config
    from smart_sync.admin.systemd_files import UNIT_KEY

    named = "" if output == config.DEFAULT_PATHS[0] else f" --config {output}"
    if not good:
        click.echo(f"fix that in its place or in {output}, then: smart-sync check{named}")
    elif not systemd:
        click.echo(f"next: smart-sync run{named}")
    else:
        if credentials:
            click.echo(f"next: install -D -m 600 {shlex.quote(credentials)} {UNIT_KEY}")
        click.echo("next: systemd-sysusers && systemctl daemon-reload && systemctl enable --now smart-sync")


@click.command(epilog=example("smart-sync adopt /srv/app/view_counter.db"))
@click.argument("database")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("config.toml"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
@click.option("--spreadsheet", metavar="WHERE", default="", help="The spreadsheet: its address, key or title.")
@click.option("--credentials", metavar="FILE", default="", help="The service account's JSON key.")
@json_option
def adopt(database: str, output: Path, spreadsheet: str, credentials: str, as_json: bool) -> None:
    """Look at a web app's database and write a configuration.

    DATABASE is an SQLite file, or env:NAME of a variable that holds a PostgreSQL address.  Shows what is there,
    what Smart Sync will write, and what clashes; if anything does no configuration is written, and the exit code is 1.
    """
    from smart_sync import config
    from smart_sync.admin import adopt
    from smart_sync.admin import init as steps
    from smart_sync.cli.output.diagnostics import show_check
    from smart_sync.clock import utc_now

    steps.refuse_existing(output)
    where = _require_server(database) if steps.is_server(database) else Path(database)
    report, inventory = asyncio.run(adopt.adopt(where, utc_now()))
    answer = report.answer() | {"written": None}
    if report.exit_code == 0:
        spreadsheet = spreadsheet or next(iter(inventory.spreadsheets), "")
        if not spreadsheet and sys.stdin.isatty() and not as_json:
            spreadsheet = _prompt("The spreadsheet: its address in the browser, its key or title")
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


def _offer_inspection(database: Path, *, ask: bool) -> None:
    """Offer to inspect an existing database; ends with exit code 1 if it has conflicts."""
    from smart_sync.admin import adopt
    from smart_sync.cli.output.diagnostics import show_check
    from smart_sync.clock import utc_now

    text = f"{database} is there already"
    if not ask or not click.confirm(f"{text}; look at what is in it and what clashes", default=True):
        click.echo(f"{text}; what is in it and what clashes tells: smart-sync adopt {database}")
        return
    report, _ = asyncio.run(adopt.adopt(database, utc_now()))
    show_check(report.answer())
    if report.exit_code:
        click.echo("nothing is written; fix what clashes first", err=True)
        sys.exit(report.exit_code)


def _require_server(database: str) -> "Server":
    """The server that an address names. Refuses an invalid address, and a password written into the configuration."""
    from smart_sync.config import database_url

    try:
        server = database_url.looked_up(database)
    except ValueError as error:
        raise click.UsageError(f"the database: {error}") from None
    if not is_elsewhere(database) and server.has_password:
        raise click.UsageError(
            "the database: its password would stand in the configuration; put the address into a variable and name"
            " that, such as env:DATABASE_URL"
        )
    return server


def _prompt(question: str, default: str | None = None) -> str:
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
    from smart_sync.cli.output.diagnostics import show_effective
    from smart_sync.config import effective

    path = find()
    rows = [one._asdict() for one in effective.effective(path)]
    show({"success": True, "file": str(path), "settings": rows}, as_json, show_effective)


@click.command(epilog=example("smart-sync completion bash"))
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash: eval "$(smart-sync completion bash)"     in ~/.bashrc
    zsh:  eval "$(smart-sync completion zsh)"      in ~/.zshrc, after compinit
    fish: smart-sync completion fish > ~/.config/fish/completions/smart-sync.fish
    """
    root = context.find_root().command
    with printing():
        click.echo(SHELLS[shell](root, {}, NAME, f"_{NAME}_COMPLETE".replace("-", "_").upper()).source())


@click.command(epilog=example("smart-sync man"))
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page, for: smart-sync man | man -l -"""
    from smart_sync.cli import manpage

    with printing():
        click.echo(manpage.page(context.find_root()), nl=False)
