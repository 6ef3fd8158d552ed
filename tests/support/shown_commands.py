"""The lines of shell that documents show: which commands they are, and whether those have such options."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from markdown_pages import ROOT
from reference_http import every_endpoint
from smart_sync.cli.commands.common import COUNT
from smart_sync.cli.main import cli

#: Types whose values a line of a document shows as a person types them.
CHECKED = (click.Choice, click.IntRange, click.DateTime, type(COUNT))
#: What may stand before our command: its path, a schedule, a user.
_OURS = re.compile(r"^(?:[\w./-]*/)?smart-sync(?= |$)")
_SCHEDULE = re.compile(r"^(?:[\d*/,-]+ +){5}")
_COMMENT = re.compile(r"(?:^|\s+)#(?!!).*$")


def lines_of(text: str) -> Iterator[str]:
    """The commands of a block, one each; without comments, those that go on behind a backslash joined."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        plain = _COMMENT.sub("", line).strip() if "'" not in line.partition("#")[2] else line.strip()
        if plain:
            yield plain


def ours(line: str, *, has_user: bool = False) -> list[str] | None:
    """The arguments of ``smart-sync`` if a line is a call of it, alone or by cron; else None.

    ``has_user``: behind its schedule a line of cron has the user's name.
    """
    plain, scheduled = _SCHEDULE.subn("", re.sub(r"\$\([^()]*\)", "2026-03-10", line))
    if has_user and scheduled:
        plain = plain.partition(" ")[2].strip()
    found = _OURS.match(plain)
    if found is None:
        return None
    words = shlex.split(plain[found.end() :])
    ends = [at for at, word in enumerate(words) if word in ("&&", "||", ";", "|", "&", ">", ">>")]
    return words[: ends[0]] if ends else words


def mistake(arguments: list[str]) -> str:
    """What is wrong with a call of ``smart-sync``; "" if the commands, options and arguments are there."""
    context, rest = cli.make_context("smart-sync", [], resilient_parsing=True), list(arguments)
    command: click.Command = cli
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.commands.get(name)
        if found is None:
            return f"no such command: {name}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    if "--help" in rest or "--version" in rest:
        return ""
    try:
        given, left, _ = command.make_parser(context).parse_args(rest)
    except click.UsageError as error:
        return error.format_message()
    if left and not isinstance(command, click.Group):
        return f"too much: {left}"
    for parameter in command.get_params(context):
        value = given.get(parameter.name or "")
        if parameter.required and not isinstance(value, str | tuple | int):
            return f"{parameter.name} is missing"
        if isinstance(parameter.type, CHECKED) and isinstance(value, str):
            try:
                parameter.type(value, parameter, context)
            except click.UsageError as error:
                return error.format_message()
    return ""


def checked(line: str) -> str | None:
    """What is wrong with a call of another program that can be judged by the repository; None: it cannot be."""
    words = line.split()
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return "" if words[1] in targets else f"no such target: {words[1]}"
    if words[0].endswith("/pytest"):
        missing = [name for name in words[1:] if name.startswith("tests/") and not (ROOT / name).exists()]
        return f"no such file: {missing}" if missing else ""
    if words[0] == "curl" and "--unix-socket" in words:
        return _of_endpoints(line)
    if words[0] == "pip" and (extra := re.search(r"smart-sync-daemon\[(\w+)\]", line)):
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        return "" if extra[1] in known else f"no such extra: {extra[1]}"
    return None


def _of_endpoints(line: str) -> str:
    """What is wrong with a request to the daemon's socket."""
    found = re.search(r"http://localhost(/[\w/]*)(?:\?([^\s\"]*))?", line)
    assert found, line
    method = re.search(r"-X (\w+)", line)
    known = {(one.method, one.path): one.options for one in every_endpoint()}
    options = known.get((method[1] if method else "GET", found[1]))
    if options is None:
        return f"no such endpoint: {found[1]}"
    unknown = {pair.partition("=")[0] for pair in (found[2] or "").split("&") if pair} - options.keys()
    return f"no such option: {unknown}" if unknown else ""


def is_of_the_shell(line: str) -> bool:
    """Whether a line is made of what every system has, and does nothing outside of its folder."""
    return bool(re.match(r"(?:umask|echo|mkdir|chmod|export|cat) ", line)) and not Path(line.split()[-1]).is_dir()
