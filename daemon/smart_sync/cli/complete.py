"""Shell completion for arguments: names of projects and accounts, from the database.

Whatever goes wrong, nothing is completed and nothing is said.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

if TYPE_CHECKING:
    from smart_sync.config.database_url import Location


#: Names that are offered at most.
_MOST = 500
#: What a name cannot have that a shell is to take as one word of one line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNQUOTED = re.compile(r"[^\w@%+=:,./-]")

Names = Callable[[Any], Coroutine[Any, Any, list[tuple[str, str]]]]


def project_names(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
    """The projects whose name or id begins with what was typed."""
    return _candidates(context, _projects, prefix)


def account_names(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
    """The accounts whose name begins with what was typed; each with its platform and project."""
    return _candidates(context, _accounts, prefix)


def all_names(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
    """Projects and accounts."""
    return [*_candidates(context, _projects, prefix), *_candidates(context, _accounts, prefix)]


def _candidates(context: click.Context, names: Names, prefix: str) -> list[CompletionItem[str]]:
    from smart_sync import config

    with contextlib.suppress(Exception):  # a shell that waits for a key has no place for messages
        settings, _ = config.load_readable(config.find(context.ensure_object(dict).get("config")))
        candidates = asyncio.run(names(settings.database.where))
        at = "@" if prefix.startswith("@") else ""
        return [
            CompletionItem(at + name, help=about)
            for name, about in candidates
            if name and not _CONTROL.search(name) and (at + name).casefold().startswith(prefix.casefold())
        ][:_MOST]
    return []


async def _projects(where: "Location") -> list[tuple[str, str]]:
    from smart_sync.store.requested_project import projects_shown
    from smart_sync.store.schema import open_existing

    async with open_existing(where, read_only=True) as database:
        return [(project.name, "project") for project in await projects_shown(database, None)]


async def _accounts(where: "Location") -> list[tuple[str, str]]:
    from smart_sync.store.accounts import everyone
    from smart_sync.store.schema import open_existing

    async with open_existing(where, read_only=True) as database:
        return [
            (known.account.username.removeprefix("@"), f"{known.account.platform}, {known.project.name}")
            for known in await everyone(database)
            if known.active
        ]


class _Bash(BashComplete):
    """Completion for Bash: names may have spaces and quotes, so each is one quoted word."""

    source_template = BashComplete.source_template.replace("read type value", "read -r type value").replace(
        "COMPREPLY+=($value)", 'COMPREPLY+=("$value")'
    )

    def format_completion(self, item: CompletionItem[str]) -> str:
        return f"{item.type},{_UNQUOTED.sub(lambda found: chr(92) + found[0], item.value)}"


class _Zsh(ZshComplete):
    def format_completion(self, item: CompletionItem[str]) -> str:
        return super().format_completion(_one_line(item))


class _Fish(FishComplete):
    """Completion for Fish: the text after the first comma may contain further commas."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')

    def format_completion(self, item: CompletionItem[str]) -> str:
        return super().format_completion(_one_line(item))


def _one_line(item: CompletionItem[str]) -> CompletionItem[str]:
    """The item with its help on one line, without characters that would show as ``\\n`` or ``\\t``."""
    return CompletionItem(item.value, item.type, " ".join((item.help or "").split()) or None)


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
for _name, _shell in SHELLS.items():
    add_completion_class(_shell, _name)
