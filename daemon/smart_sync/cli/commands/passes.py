"""The commands about passes: run, sync, status, once."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from smart_sync.cli.commands.common import (
    SOME_FAILED,
    config_option,
    example,
    json_option,
    load,
    load_readable,
    printing,
    report_failure,
    show,
)
from smart_sync.cli.complete import project_names
from smart_sync.errors import SmartSyncError

if TYPE_CHECKING:
    from smart_sync.control.client import Client


@click.command(epilog=example("smart-sync run --config /etc/smart-sync/config.toml"))
@config_option
def run() -> None:
    """Run the daemon in the foreground, until SIGTERM."""
    if os.getpid() == 1:
        # In a container: to its first process the kernel gives no signal that it has not asked for.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from smart_sync.service import interpreter

    interpreter.start()
    from smart_sync import logs
    from smart_sync.service import daemon

    path, settings = load()
    if sys.stdout.isatty():
        from smart_sync.cli.output.passes import show_welcome

        show_welcome(path)
    logs.configure(settings.log.format, settings.log.level, sys.stdout)
    logs.adopt_libraries()
    code = 1
    try:
        code = daemon.run_daemon(path, settings)
    except SmartSyncError as error:
        code = report_failure(error)
    finally:
        # Everything of ours is closed.  A thread may go on waiting for an answer from Google that nobody wants
        # any more, as long as [sheets] timeout; the interpreter would join it.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


@click.command(epilog=example('smart-sync sync "Spring Launch" --dry-run'))
@click.argument("project", required=False, shell_complete=project_names)
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@json_option
@config_option
def sync(project: str | None, dry_run: bool, as_json: bool) -> None:
    """Ask the running daemon for a pass, and wait for it.

    PROJECT is an id or a name; without it, all active projects.
    """
    from smart_sync.cli.output.passes import show_answer
    from smart_sync.cli.output.progress import sync_with_progress
    from smart_sync.control.client import Client

    settings = load_readable()
    answer = asyncio.run(sync_with_progress(Client(settings.control.socket), project, dry_run=dry_run))
    show(answer, as_json, show_answer)
    sys.exit(_exit_code(answer))


@click.command(epilog=example("smart-sync status --watch"))
@click.option("--watch", is_flag=True, help="Keep showing it, live, until Ctrl-C.")
@click.option("--openmetrics", is_flag=True, help="Print metrics, for node_exporter's textfile collector.")
@json_option
@config_option
def status(watch: bool, openmetrics: bool, as_json: bool) -> None:
    """Show what the daemon is doing: passes, projects, parsers."""
    from smart_sync.cli.output import status as screen
    from smart_sync.control.client import Client

    if openmetrics and (watch or as_json):
        raise click.UsageError("--openmetrics goes with neither --watch nor --json")
    settings = load_readable()
    client = Client(settings.control.socket, timeout=10)
    if openmetrics:
        _print_metrics(client)
        return
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(screen.watch(client, as_json=as_json))
        return
    show(asyncio.run(client.status()), as_json, screen.show_status)


def _print_metrics(client: "Client") -> None:
    """Print the metrics, also if the daemon is down: node_exporter must not keep showing old values."""
    from smart_sync.core.results.openmetrics import exposition

    try:
        metrics = asyncio.run(client.metrics())
    except SmartSyncError as error:
        with printing():
            click.echo(exposition(None, {}, None), nl=False)
        sys.exit(report_failure(error))
    with printing():
        click.echo(metrics, nl=False)


@click.command(epilog=example("smart-sync healthcheck --json"))
@json_option
@config_option
def healthcheck(as_json: bool) -> None:
    """Say whether the daemon keeps its schedule, for restarts.

    Exit code 0: no scheduled pass was missed; 1: one was; 3: it is not running.  Whether the numbers are current is
    answered by status and by GET /healthz.
    """
    from smart_sync.control.client import Client

    _path, settings = load()
    _, answer = asyncio.run(Client(settings.control.socket, timeout=10).request("GET", "/livez"))
    alive = bool(answer.get("success"))
    if not alive and not as_json:
        raise SmartSyncError(str(answer.get("error") or "the daemon does not say that it is alive"))
    show(answer, as_json, lambda _answer: click.echo("alive"))
    sys.exit(0 if alive else 1)


@click.command(epilog=example('smart-sync once "Spring Launch"'))
@click.argument("project", required=False, shell_complete=project_names)
@json_option
@config_option
def once(project: str | None, as_json: bool) -> None:
    """Run one pass without a daemon (for cron).

    PROJECT is an id or a name; without it, all active projects.  The log is on standard error.
    """
    gc.disable()  # what one pass leaves goes with the process, and looking for it takes a tenth of the time
    from smart_sync import logs
    from smart_sync.cli.output.passes import show_answer
    from smart_sync.sync.once import once

    _path, settings = load()
    logs.configure(settings.log.format, settings.log.level, sys.stderr)
    logs.adopt_libraries()
    answer = once(settings, project)
    show(answer, as_json, show_answer)
    sys.exit(_exit_code(answer))


def _exit_code(answer: Mapping[str, Any]) -> int:
    if not answer.get("success"):
        return 1 if "error_count" not in answer else SOME_FAILED
    nothing = answer.get("no_projects") or (answer.get("refused_projects") and not answer.get("total_projects"))
    troubled = nothing or answer.get("error_count") or answer.get("stale_count") or answer.get("stale")
    return SOME_FAILED if troubled else 0
