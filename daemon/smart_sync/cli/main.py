"""The command line: puts the commands together, and makes a line and an exit code of what fails.

Data goes to standard output, everything else to standard error.  Exit codes: `errors.EXIT_CODES`.
"""

import sys

import click

from smart_sync import __version__
from smart_sync.cli.commands import data, diagnostics, passes, setup
from smart_sync.cli.commands.common import config_option, report_failure
from smart_sync.errors import EXIT_CODES, SmartSyncError
from smart_sync.logs import printable
from smart_sync.store.sqlite import sqlite_library

COMMANDS = (
    *(passes.run, passes.sync, passes.status, passes.healthcheck, passes.once),
    *(diagnostics.check, diagnostics.parse, diagnostics.webhooks),
    *(
        data.explain,
        data.confirm,
        data.pin,
        data.unpin,
        data.pins,
        data.history,
        data.growth,
        data.report,
        data.snapshots,
        data.ingest,
        data.backup,
        data.migrate_store,
    ),
    *(setup.init, setup.adopt, setup.completion, setup.man),
)

_FORBIDDEN = "permission denied; ask as root or as the daemon's user"


def main() -> None:
    """The entry point: failures that have a remedy become one line and an exit code."""
    sqlite_library.prefer_newer()
    try:
        cli.main(prog_name="smart-sync", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        sys.exit(_report_usage(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except SmartSyncError as error:
        sys.exit(report_failure(error))
    except PermissionError as error:  # a folder keeps this user out, so that not even what is missing can be told
        sys.exit(report_failure(SmartSyncError(f"{error.filename}: {_FORBIDDEN}")))


def _report_usage(error: click.ClickException) -> int:
    """One line on standard error, with the way to more; returns the exit code."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    more = f" (see: {context.command_path} --help)" if context else ""
    click.echo(f"smart-sync: {printable(error.format_message())}{more}", err=True)
    return error.exit_code


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)
@click.version_option(__version__, message="smart-sync %(version)s")
@config_option
def cli() -> None:
    """Keep a view counter's SQLite database up to date with Google Sheets and parsed numbers."""


for command in COMMANDS:
    cli.add_command(command)
