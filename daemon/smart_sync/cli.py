"""The command line: puts the commands together, and makes a line and an exit code of what fails.

Data goes to standard output, everything else to standard error.  Exit codes: `errors.EXIT_CODES`.
"""

import sys

import click

from smart_sync import __version__
from smart_sync.commands import first_day, numbers, passes, trials
from smart_sync.commands.common import config_option, report_failure
from smart_sync.errors import EXIT_CODES, SmartSyncError
from smart_sync.logs import printable
from smart_sync.store import library

COMMANDS = (
    *(passes.run, passes.sync, passes.status, passes.healthcheck, passes.once),
    *(trials.check, trials.parse, trials.webhooks),
    *(
        numbers.explain,
        numbers.confirm,
        numbers.history,
        numbers.growth,
        numbers.report,
        numbers.ingest,
        numbers.backup,
    ),
    *(first_day.init, first_day.adopt, first_day.completion, first_day.man),
)

_FORBIDDEN = "permission denied; ask as root or as the daemon's user"


def main() -> None:
    """The entry point: failures that have a remedy become one line and an exit code."""
    library.prefer_newer()
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
    """Keep a view counter's SQLite database in step with Google Sheets and parsed numbers."""


for command in COMMANDS:
    cli.add_command(command)
