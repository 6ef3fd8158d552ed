"""The command line: thin commands, each a client of `service`, `control` or `check`.

Data goes to standard output, everything else to standard error.  Exit codes: 0 ok, 1 failed,
2 usage or configuration, 3 the daemon is not running, 4 some projects failed, 75 busy.
"""

import asyncio
import contextlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import click

from smart_sync import __version__, first_day
from smart_sync.core.model import METRICS
from smart_sync.errors import EXIT_CODES, ConfigError, SmartSyncError
from smart_sync.logs import printable

if TYPE_CHECKING:
    from smart_sync.config import Settings

SOME_FAILED = 4


def main() -> None:
    """The entry point: failures that have a remedy become one line and an exit code."""
    try:
        cli.main(prog_name="smart-sync", standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        # It repeats arguments as they are.
        click.echo("\n".join(map(printable, said.getvalue().rstrip("\n").split("\n"))), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except SmartSyncError as error:
        sys.exit(_report(error))


def _report(error: SmartSyncError) -> int:
    """A line for each mistake; returns the exit code."""
    for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
        click.echo(f"smart-sync: {printable(problem)}", err=True)
    return error.exit_code


def _config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--config``, before the command or after it."""

    def remember(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
        if value is not None:
            context.ensure_object(dict)["config"] = value

    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=remember,
        help="The configuration file.  [default: $SMART_SYNC_CONFIG, ./config.toml, /etc/smart-sync/config.toml]",
    )(command)


_json_option = click.option("--json", "as_json", is_flag=True, help="Print data for programs.")


def _load() -> tuple[Path, "Settings"]:
    from smart_sync import config

    # A core dump would hold every secret of it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = config.find(click.get_current_context().ensure_object(dict).get("config"))
    return path, config.load(path)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)
@click.version_option(__version__, message="smart-sync %(version)s")
@_config_option
def cli() -> None:
    """Keep a view counter's SQLite database in step with Google Sheets and parsed numbers."""


@cli.command()
@_config_option
def run() -> None:
    """Run the daemon in the foreground, until SIGTERM."""
    from smart_sync import logs, service

    path, settings = _load()
    logs.configure(settings.log.format, settings.log.level, sys.stdout)
    logs.adopt_libraries()
    code = 1
    try:
        code = service.run_daemon(path, settings)
    except SmartSyncError as error:
        code = _report(error)
    finally:
        # Everything of ours is closed.  A thread may go on waiting for an answer from Google that nobody wants
        # any more, as long as [sheets] timeout; the interpreter would join it.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


@cli.command()
@click.argument("project", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@_json_option
@_config_option
def sync(project: str | None, dry_run: bool, as_json: bool) -> None:
    """Ask the running daemon for a pass over PROJECT (its id or name), or over all, and wait for it."""
    from smart_sync import screens
    from smart_sync.control.client import Client

    _path, settings = _load()
    answer = asyncio.run(screens.sync_with_progress(Client(settings.control.socket), project, dry_run=dry_run))
    _show(answer, as_json, screens.show_answer)
    sys.exit(_exit_code(answer))


@cli.command()
@click.option("--watch", is_flag=True, help="Go on, live, until Ctrl-C.")
@_json_option
@_config_option
def status(watch: bool, as_json: bool) -> None:
    """Show what the daemon is doing, its last pass and its next one, the projects and the parsers."""
    from smart_sync import screens
    from smart_sync.control.client import Client

    _path, settings = _load()
    client = Client(settings.control.socket, timeout=10)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(screens.watch(client, as_json=as_json))
        return
    _show(asyncio.run(client.status()), as_json, screens.show_status)


@cli.command()
@click.argument("project", required=False)
@_json_option
@_config_option
def once(project: str | None, as_json: bool) -> None:
    """Run one pass without a daemon (for cron), over PROJECT (its id or name) or over all."""
    from smart_sync import logs, screens, service

    _path, settings = _load()
    logs.configure(settings.log.format, settings.log.level, sys.stderr)
    logs.adopt_libraries()
    answer = service.once(settings, project)
    _show(answer, as_json, screens.show_answer)
    sys.exit(_exit_code(answer))


@cli.command()
@_json_option
@_config_option
def check(as_json: bool) -> None:
    """Say everything that is wrong with config, credentials, database and worksheets; change nothing."""
    from smart_sync import checks, logs, screens

    _path, settings = _load()
    logs.configure(settings.log.format, "error", sys.stderr)
    logs.adopt_libraries()
    report = asyncio.run(checks.check(settings))
    _show(report.answer(), as_json, screens.show_check)
    sys.exit(report.exit_code)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@_json_option
@_config_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the database to FILE, consistent and verified, while the daemon and the web app go on."""
    from smart_sync.backup import back_up

    _path, settings = _load()
    made = back_up(settings.database.path, file).answer()
    _show(made, as_json, lambda answer: click.echo(f"{answer['path']}: {answer['bytes']} bytes, verified"))


@cli.command()
@click.argument("links", nargs=-1, required=True, metavar="LINK...")
@_json_option
@_config_option
def parse(links: tuple[str, ...], as_json: bool) -> None:
    """Ask the parsers about a few links now; show what each platform answered, mapped and raw; write nothing."""
    from smart_sync import logs, screens
    from smart_sync.parsers.inspection import inspect_links

    _path, settings = _load()
    logs.configure(settings.log.format, "error", sys.stderr)
    answer = asyncio.run(inspect_links(settings.parsers, links))
    _show(answer, as_json, screens.show_inspections)
    sys.exit(0 if answer["success"] else 1)


@cli.command()
@click.option(
    "-o",
    "--output",
    type=click.File("wb", atomic=True),
    default="growth.html",
    show_default=True,
    help="The file to write; - is standard output.",
)
@click.option("--project", metavar="P", help="One project alone: its id or name.  [default: all active projects]")
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Days that the charts show.")
@_config_option
def report(output: IO[bytes], project: str | None, days: int) -> None:
    """Write how the accounts have grown as one HTML file that mails and opens from disk."""
    from datetime import UTC, datetime

    from smart_sync import report as growth

    _path, settings = _load()
    page = growth.make(settings.database.path, project, days, datetime.now(UTC))
    output.write(page)
    click.echo(f"smart-sync: {output.name}: {len(page):,} bytes", err=True)


@cli.group(invoke_without_command=True)
@_json_option
@_config_option
@click.pass_context
def webhooks(context: click.Context, as_json: bool) -> None:
    """List the webhooks and their newest deliveries."""
    if context.invoked_subcommand is not None:
        return
    from smart_sync import screens
    from smart_sync.notify import desk

    _path, settings = _load()
    _show(asyncio.run(desk.overview(settings)), as_json, screens.show_webhooks)


@webhooks.command("test")
@_json_option
@_config_option
def webhooks_test(as_json: bool) -> None:
    """Send each webhook a message now; one that accepts it and was disabled is enabled again."""
    from smart_sync import logs, screens
    from smart_sync.notify import desk

    path, settings = _load()
    if not settings.webhooks:
        raise ConfigError((f"{path}: webhooks: there is none to test; add [[webhooks]] with url and secret",))
    logs.configure(settings.log.format, "error", sys.stderr)
    logs.adopt_libraries()
    answer = asyncio.run(desk.send_tests(settings))
    _show(answer, as_json, screens.show_webhook_tests)
    sys.exit(0 if answer["success"] else 1)


@cli.command()
@click.argument("account", metavar="LINK|@USERNAME")
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@_json_option
@_config_option
def explain(account: str, metric: str | None, as_json: bool) -> None:
    """Say why the numbers of an account are what they are: both sides, the rule, the winner, what happened when."""
    from smart_sync import explain, screens

    _path, settings = _load()
    chosen = METRICS if metric is None else (metric,)
    _show(asyncio.run(explain.explain(settings, account, chosen, _now())), as_json, screens.show_explanations)


@cli.command()
@click.argument("account", metavar="LINK|@USERNAME")
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@_json_option
@_config_option
def confirm(account: str, metric: str | None, as_json: bool) -> None:
    """Say that the suspect values of an account are meant: they are reported no more."""
    from smart_sync import explain, screens

    _path, settings = _load()
    _show(asyncio.run(explain.confirm(settings, account, metric)), as_json, screens.show_confirmed)


@cli.command()
@click.option("--project", help="One project: its id or name.")
@click.option("--failed", is_flag=True, help="Only passes in which a project failed, or that were cut off.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many passes.")
@_json_option
@_config_option
def history(project: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """List the last passes: who asked, what became of them, how long they took.  Needs no daemon."""
    from smart_sync import past, screens

    _path, settings = _load()
    _show(
        asyncio.run(past.history(settings.database.path, limit, project, failed=failed)), as_json, screens.show_history
    )


@cli.command()
@click.argument("project", required=False)
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How far back.")
@click.option("--metric", type=click.Choice(METRICS), default="views", show_default=True)
@_json_option
@_config_option
def growth(project: str | None, days: int, metric: str, as_json: bool) -> None:
    """Show how a metric has grown per account, project and platform.  Needs no daemon."""
    from smart_sync import past, screens

    _path, settings = _load()
    answer = asyncio.run(past.growth(settings.database.path, project, metric, days, _now()))
    _show(answer, as_json, screens.show_growth)


@cli.command()
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@_json_option
@_config_option
def ingest(file: BinaryIO, as_json: bool) -> None:
    """Put parsed values from CSV or JSON lines into the inbox; the next pass merges them.

    Lines that cannot be used are named on standard error and left out; the exit code is then 4.
    """
    from smart_sync import ingest, screens

    _path, settings = _load()
    text = ingest.read_text(file, file.name)
    done = asyncio.run(ingest.ingest(settings.database.path, text, ingest.format_of(file.name, text), _now()))
    for mistake in done.mistakes:
        click.echo(f"smart-sync: {printable(file.name)}: {printable(mistake)}", err=True)
    _show(done.answer(), as_json, screens.show_ingested)
    sys.exit(SOME_FAILED if done.mistakes else 0)


for command in (first_day.init, first_day.completion, first_day.man):
    cli.add_command(command)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(answer: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        show(answer)


def _exit_code(answer: dict[str, Any]) -> int:
    if not answer.get("success"):
        return 1 if "error_count" not in answer else SOME_FAILED
    return SOME_FAILED if answer.get("error_count") else 0
