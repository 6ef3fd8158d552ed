"""The entry point: assembles the commands and turns failures into one line and an exit code.

Data goes to standard output, everything else to standard error.  Exit codes: `errors.EXIT_CODES`.
"""

import sys

import click

from smart_sync import __version__
from smart_sync.cli.commands import data, diagnostics, numbers, passes, setup
from smart_sync.cli.commands.common import complain, config_option, report_failure
from smart_sync.errors import EXIT_CODES, SmartSyncError
from smart_sync.store.sqlite import sqlite_library

#: The commands by what they are for, as ``--help`` lists them.
GROUPS: dict[str, tuple[click.Command, ...]] = {
    "Run": (passes.run, passes.sync, passes.once),
    "Look": (passes.status, diagnostics.check, numbers.explain, numbers.growth, numbers.history, numbers.report),
    "Feed": (data.ingest, diagnostics.parse, data.confirm, data.pin, data.unpin, data.pins, data.snapshots),
    "Keep": (data.backup, data.migrate_store, passes.healthcheck, diagnostics.webhooks),
    "Set up": (setup.init, setup.adopt, setup.configuration, setup.completion, setup.man),
}

#: Letters of a command's first sentence that the list shows: all of it.
_SUMMARY = 200
_FORBIDDEN = "permission denied; ask as root or as the daemon's user"


def main() -> None:
    """Run the command line: failures that have a remedy become one line and an exit code."""
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
    """Print one line to standard error with a hint at ``--help``; return the exit code."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    more = f" (see: {context.command_path} --help)" if context else ""
    complain(f"{error.format_message()}{more}")
    return error.exit_code


class _Grouped(click.Group):
    """A group that lists its commands by purpose, in the order of use."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(len(command.name or "") for commands in GROUPS.values() for command in commands)
        for title, commands in GROUPS.items():
            rows = [((command.name or "").ljust(widest), command.get_short_help_str(_SUMMARY)) for command in commands]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(
    cls=_Grouped,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: "
    + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    + ".\n\nFor one command, with an example: smart-sync COMMAND --help",
)
@click.version_option(__version__, message="smart-sync %(version)s")
@config_option
def cli() -> None:
    """Keep a web app's database up to date with Google Sheets and parsed numbers."""


for command in (one for commands in GROUPS.values() for one in commands):
    cli.add_command(command)
