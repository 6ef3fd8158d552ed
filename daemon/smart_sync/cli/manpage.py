"""The manual page, made from the same sources as ``--help`` and the configuration reference."""

import inspect
import re
from collections.abc import Container, Iterable, Iterator
from typing import Any, get_args

import click
from pydantic import BaseModel

from smart_sync import __version__
from smart_sync.config import DEFAULT_PATHS, ControlSettings, DatabaseSettings, Settings
from smart_sync.errors import EXIT_CODES
from smart_sync.sheets.credentials import SYSTEMD_NAME, VARIABLE

_PREFIX, _DELIMITER = Settings.model_config["env_prefix"], Settings.model_config["env_nested_delimiter"]

_ENVIRONMENT = {
    f"{_PREFIX}CONFIG": "The configuration file, unless --config names one.",
    f"{_PREFIX}SECTION{_DELIMITER}KEY": f"A key of the configuration, e.g. {_PREFIX}DATABASE{_DELIMITER}PATH.",
    VARIABLE: "The service account's key, unless the configuration names it: JSON, base64 of it, or a file.",
    "CREDENTIALS_DIRECTORY": f"Set by systemd; the key is the credential named {SYSTEMD_NAME}.",
    "NO_COLOR": "No colours.",
}


def page(context: click.Context) -> str:
    """The manual page of the whole program in troff (man macros); ``context`` is that of the root command."""
    sections = {
        "NAME": [f"smart\\-sync \\- {_text(_summary(context.command))}"],
        "SYNOPSIS": [
            f".B {_text(context.command_path)}",
            _text(" ".join(context.command.collect_usage_pieces(context))),
        ],
        "DESCRIPTION": list(_description(context.command)),
        "OPTIONS": list(_options(context)),
        "COMMANDS": list(_commands(context)),
        "CONFIGURATION": list(_configuration()),
        "EXIT STATUS": list(_listed((str(code), meaning) for code, meaning in EXIT_CODES.items())),
        "ENVIRONMENT": list(_listed(_ENVIRONMENT.items())),
        "FILES": list(_listed(_files())),
    }
    lines = [f'.TH SMART\\-SYNC 1 "" "smart\\-sync {_text(__version__)}" "User Commands"']
    for title, body in sections.items():
        lines += [f".SH {title}", *body]
    return "\n".join(lines) + "\n"


def _commands(context: click.Context) -> Iterator[str]:
    common = {parameter.name for parameter in context.command.get_params(context)}
    for child in children(context):
        usage = " ".join(child.command.collect_usage_pieces(child))
        yield f".SS {_text(own_path(child))} {_text(usage)}"
        yield from _description(child.command)
        yield from _options(child, besides=common)
        yield from _example(child.command)


def children(context: click.Context) -> Iterator[click.Context]:
    """The contexts of all subcommands; a group comes before its commands."""
    if not isinstance(context.command, click.Group):
        return
    for name in context.command.list_commands(context):
        command = context.command.commands[name]
        child = command.context_class(command, info_name=name, parent=context)
        yield child
        yield from children(child)


def own_path(context: click.Context) -> str:
    """The command's path without the program's name: ``webhooks test``."""
    return context.command_path.partition(" ")[2]


def _options(context: click.Context, besides: Container[str | None] = ()) -> Iterator[str]:
    """The options of one command; arguments are explained in its description."""
    own = (parameter for parameter in context.command.get_params(context) if parameter.name not in besides)
    records = (parameter.get_help_record(context) for parameter in own if isinstance(parameter, click.Option))
    yield from _listed(record for record in records if record is not None)


def _configuration() -> Iterator[str]:
    """Every section with its keys, as `config.Settings` declares them."""
    yield "TOML; each section with its keys:"
    models = {name: _model(field.annotation) for name, field in Settings.model_fields.items()}
    # A field without a section of its own is a key of another one, and its alias says of which: "parsers.state".
    single = [str(Settings.model_fields[name].validation_alias) for name, model in models.items() if model is None]
    for name, model in models.items():
        if model is not None:
            own = [key.partition(".")[2] for key in single if key.startswith(f"{name}.")]
            meaning = (inspect.getdoc(model) or "").replace("``", "")
            yield from _listed([(f"[{name}]: {', '.join([*own, *model.model_fields])}", meaning)])


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section class behind an annotation, also inside a tuple or table; None for a single key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in reversed(get_args(annotation)) if (model := _model(inner)) is not None), None)


def _files() -> Iterator[tuple[str, str]]:
    yield (
        ", ".join(str(path) for path in DEFAULT_PATHS),
        "The configuration; the first that exists, or none where the environment says all.",
    )
    path = DatabaseSettings().path
    yield str(path), "The database, in the folder of the configuration unless that names another."
    yield f"{path}.tokens", "The tokens that are renewed, beside the database unless [parsers] state names another."
    yield str(ControlSettings().socket), "The control socket, likewise."


def _summary(command: click.Command) -> str:
    first = (command.help or "").split("\n\n")[0]
    return " ".join(first.split()).rstrip(".")


def _description(command: click.Command) -> Iterator[str]:
    """Its help, paragraph by paragraph; one that begins with ``\\b`` keeps its lines."""
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *map(_text, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _example(command: click.Command) -> Iterator[str]:
    """Its example, as ``--help`` shows it."""
    if command.epilog and command.epilog.startswith("\b\n"):
        yield from (".PP", ".nf", *map(_text, command.epilog.splitlines()[1:]), ".fi")


def _listed(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in entries:
        yield from (".TP", f".B {_text(term)}", _text(" ".join(meaning.split())) or "\\&")


def _text(text: str) -> str:
    """``text`` escaped for troff, so that nothing in it is a request or an escape."""
    escaped = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq").replace("^", "\\(ha")
    )
    escaped = escaped.replace("~", "\\(ti").replace('"', "\\(dq")
    escaped = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
