"""What all commands share: ``--config``, ``--json``, and showing answers and failures."""

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.logs import printable, redact

if TYPE_CHECKING:
    from smart_sync.config import Settings

SOME_FAILED = 4


class Unwritable(SmartSyncError):
    """The output cannot be written: the disk is full."""


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
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


def example(line: str) -> str:
    """The text at the end of a command's help: an example line, which is not wrapped."""
    return f"\b\nExample:\n  {line}"


class _Count(click.ParamType[int]):
    """A count as a worksheet's cell may hold it, where it means the same in every country."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises `click.BadParameter`."""
        from smart_sync.core.worksheet.cells import Unreadable, read_count

        counts: set[int | None] = set()
        reasons = []
        for locale in ("en_US", "de_DE"):  # what separates groups in one of these is the other's decimal sign
            try:
                counts.add(read_count(value, locale))
            except Unreadable as error:
                reasons.append(str(error))
        if len(counts) == 1 and not reasons and (count := counts.pop()) is not None:
            return count
        why = "can be read in more than one way" if counts - {None} else f"is {next(iter(reasons), 'no number')}"
        raise click.BadParameter(f"{value!r} {why}; {_COUNT_IS}", ctx, param)


_COUNT_IS = "type a whole number from 0 up, without separators: 12480"
#: The type of an argument or option that is a count.
COUNT = _Count()


class TakesCount(click.Command):
    """A command with a count for an argument: a negative number is no unknown option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises `click.UsageError`."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not error.option_name[1:].isdecimal():
                raise
            raise click.UsageError(f"a count is never negative; {_COUNT_IS}", ctx) from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print data for programs.")


def find() -> Path:
    """The path of the configuration file to use. Raises `ConfigError`."""
    from smart_sync import config

    # A core dump would hold every secret of it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return config.find(click.get_current_context().ensure_object(dict).get("config"))


def load() -> tuple[Path, "Settings"]:
    """The settings of the configuration file to use. Raises `ConfigError`."""
    from smart_sync import config

    path = find()
    return path, config.load(path)


def load_readable() -> "Settings":
    """`load` for commands that only read or only ask the daemon: invalid keys are reported and have their defaults.

    Mistakes are said, and what they are about is left out.
    Raises `ConfigError` where they leave open which database or socket is meant.
    """
    from smart_sync import config

    settings, mistakes = config.load_readable(find())
    for mistake in mistakes:
        complain(mistake)
    if mistakes:
        complain("the configuration has mistakes; this goes on with what could be read")
    return settings


def report_failure(error: SmartSyncError) -> int:
    """Print a line to standard error for each mistake; return the exit code."""
    for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
        complain(problem)
    return error.exit_code


def complain(message: str) -> None:
    """Print a line to standard error; on a terminal it is wrapped between words."""
    line = f"smart-sync: {printable(redact(message))}"
    if not sys.stderr.isatty():
        click.echo(line, err=True)
        return
    from smart_sync.cli.output.terminal import console, print_line

    print_line(console(stderr=True), line, hang=2)


def show(answer: Mapping[str, Any], as_json: bool, screen: Callable[[Any], None]) -> None:
    """Print ``answer`` as JSON, or as ``screen`` formats it. Raises `Unwritable`."""
    with printing():
        if as_json:
            click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            screen(answer)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Inside, errors of standard output raise `Unwritable`; a closed pipe is no error."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader has closed the pipe
    except OSError as error:
        # What is still in the buffer would be written again at the end of the process, whose exit code is another one.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Unwritable(f"standard output cannot be written: {error.strerror}") from None
