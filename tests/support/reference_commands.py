"""``docs/reference/commands.md`` and ``exit-codes.md``: from the command tree and the failures."""

import inspect
import re
from collections.abc import Iterator

import click

from smart_sync import errors
from smart_sync.cli.main import GROUPS, cli
from smart_sync.cli.manpage import children, own_path
from smart_sync.errors import EXIT_CODES, SmartSyncError
from source_comments import markdown, paragraphs

_INTRODUCTION = """\
# Commands

`smart-sync COMMAND`. Data goes to standard output, everything else to standard error; `--json` prints data for
programs. `--config FILE` may stand before or after the command; without it `$SMART_SYNC_CONFIG`, `./config.toml` or
`/etc/smart-sync/config.toml` is taken. `smart-sync COMMAND --help` says the same as this page. What a command returns
to the shell: [exit codes](exit-codes.md).

"""
_CODES = "Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."
_EXIT_INTRODUCTION = """\
# Exit codes

What `smart-sync` returns to the shell. A degraded project is no failure: its last known values are used, until it is
[stale](configuration.md#sheetsstale_after).

| code | meaning |
|---|---|
"""
#: What the shell is reported when somebody presses Ctrl+C; every program of Unix has it so.
_INTERRUPTED = "| 130 | interrupted (Ctrl+C) |"
_SENTENCES = re.compile(r"(?<=\.)\s+")


def root() -> click.Context:
    """The context of ``smart-sync`` itself."""
    return cli.context_class(cli, info_name="smart-sync")


def every_command() -> dict[str, click.Context]:
    """``webhooks test`` → its context; all of them, as the command line lists them."""
    found = {own_path(child): child for child in children(root())}
    order = [command.name or "" for commands in GROUPS.values() for command in commands]
    return dict(sorted(found.items(), key=lambda pair: (order.index(pair[0].split()[0]), pair[0])))


def commands_page() -> str:
    """The page of the commands."""
    lines = [f"{_INTRODUCTION}{_CODES}", "", "| command | does |", "|---|---|"]
    found = every_command()
    for name, context in found.items():
        summary = paragraphs(context.command.help)[0].removesuffix(".")
        lines.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {summary} |")
    for name, context in found.items():
        lines += ["", f"## {name}", "", *_command(context)]
    return "\n".join(lines) + "\n"


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    # A synopsis is nothing to type.
    yield from ("```text", usage, "```", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from ("```text", *paragraph.splitlines()[1:], "```", "")
        else:
            yield from (_sentence(paragraph), "")
    records = [one.get_help_record(context) for one in command.get_params(context) if isinstance(one, click.Option)]
    options = [record for record in records if record is not None and not record[0].startswith(("--help", "-h"))]
    if options:
        yield from ("| option | meaning |", "|---|---|")
        yield from (f"| `{_cell(option)}` | {_cell(meaning)} |" for option, meaning in options)
        yield ""
    example = (command.epilog or "").partition("Example:\n")[2].strip()
    if example:
        yield from ("```sh", example, "```")


def _sentence(text: str) -> str:
    return markdown(" ".join(text.split()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def exit_page() -> str:
    """The page of the exit codes."""
    lines = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines += [_INTERRUPTED, "", "## Failures", "", "What a person can fix, by its name in the code:"]
    lines += ["", "| failure | code | what it means |", "|---|---|---|"]
    known = sorted(_failures(), key=lambda failure: (failure.exit_code, failure.__name__))
    lines += [f"| {one.__name__} | {one.exit_code} | {_cell(paragraphs(one.__doc__)[0])} |" for one in known]
    lines += ["", "## Commands with a rule of their own", ""]
    for name, context in every_command().items():
        sentences = _SENTENCES.split(" ".join((context.command.help or "").split()))
        rules = [sentence for sentence in sentences if "exit code" in sentence.lower()]
        lines += [f"- [`{name}`](commands.md#{name.replace(' ', '-')}): {' '.join(rules)}"] if rules else []
    return _EXIT_INTRODUCTION + "\n".join(lines) + "\n"


def _failures() -> list[type[SmartSyncError]]:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SmartSyncError)]
    return [one for one in classes if one is not SmartSyncError]
