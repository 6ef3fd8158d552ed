"""``docs/reference/configuration.md``: every key, from the models that validate it."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple, get_type_hints

from pydantic import BaseModel

from reference_values import default_words, type_words
from smart_sync.cli.commands import passes
from smart_sync.config import ParserSettings, keys
from smart_sync.config.notify import TargetSettings, WebhookSettings
from smart_sync.config.settings import GROUP, Settings
from smart_sync.parsers.step_settings import StepSettings
from smart_sync.parsers.threads import ThreadsAccount
from smart_sync.parsers.tiktok import TikTokAccount
from smart_sync.service import daemon
from source_comments import comments, own_comments, paragraphs

_INTRODUCTION = """\
# Configuration

Smart Sync reads one TOML file: the one that `--config` or `$SMART_SYNC_CONFIG` names, else `./config.toml`, else
`/etc/smart-sync/config.toml`. Variables of the environment override the file. Relative paths are relative to the file
they stand in. `smart-sync config show` prints every key with its value and where that is from; `smart-sync check` names
everything that is wrong, at once.

**Environment.** Each key has a variable: `SMART_SYNC_`, the section, two underscores, the key, in capital letters.
Tables and lists are written as JSON: `SMART_SYNC_WEBHOOKS='[{"url": "…"}]'`. `SMART_SYNC_GOOGLE_CREDENTIALS` holds
the Google key, `SMART_SYNC_CONFIG` the path of the file. A misspelt key or variable is refused, with the name that was
probably meant.

**Secrets**, and other keys with *or where it is kept*, need not be in the file: `env:NAME` takes the variable `NAME`,
`file:PATH` the content of a file, `credential:NAME` a credential of systemd. No output shows a secret.

**Durations** are texts such as `"90s"`, `"30m"`, `"6h"`, `"7d"`, or a number of seconds.

**A change takes effect** with a reload (`sudo systemctl reload smart-sync`, the signal SIGHUP, or
`POST /api/admin/reload`), that of a key with *restart* behind it, or of a variable, with a restart. A file with
mistakes is refused, and changes nothing. The content of `file:PATH` is read again at a reload, a parser's secret in
each pass of the parser.
"""


class Key(NamedTuple):
    """One key of the configuration."""

    section: str
    name: str
    #: The type and the default in words, the name of its variable ("" for what stands in a list).
    kind: str
    default: str
    variable: str
    text: str
    needs_restart: bool = False

    @property
    def heading(self) -> str:
        """What the reference calls it."""
        return f"{self.section}.{self.name}"


class Section(NamedTuple):
    """A table of the configuration with its keys."""

    title: str
    text: str
    keys: tuple[Key, ...]


def as_markdown() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(line for section in every_section() for line in _section(section))])


def _section(section: Section) -> Iterator[str]:
    yield from (f"## `{section.title}`", "", section.text, "")
    for key in section.keys:
        variable = f" · `{key.variable}`" if key.variable else ""
        yield from (f"### `{key.heading}`", "")
        yield f"{key.kind} · default: {key.default}{variable}{' · restart' if key.needs_restart else ''}"
        yield from ("", key.text, "")


@cache
def every_section() -> tuple[Section, ...]:
    """All tables, in the order of the models; those of parsers last."""
    found = list(_plain("", Settings))
    found.append(_listed("[[webhooks]]", "webhooks", WebhookSettings))
    found.append(_listed("[[notify.targets]]", "notify.targets", TargetSettings))
    state = Settings.model_fields["token_file"]
    hint = get_type_hints(Settings, include_extras=True)["token_file"]
    kept = Key(
        "parsers", "state", type_words(hint), default_words(state, hint), keys.variable(("parsers", "state")),
        comments(Settings)["token_file"],
    )  # fmt: skip
    found.append(Section("[parsers]", "What all parsers share.", (kept,)))
    found += _parsers()
    return tuple(found)


def _plain(prefix: str, model: type[BaseModel]) -> Iterator[Section]:
    """The sections that are tables of fixed keys, those within others behind them."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            path = f"{prefix}{name}"
            own = tuple(_keys(path, inner, set(inner.model_fields) - _lists(inner)))
            yield Section(f"[{path}]", " ".join(paragraphs(inner.__doc__)), own)
            yield from _plain(f"{path}.", inner)


def _lists(model: type[BaseModel]) -> set[str]:
    """The keys that have a section of their own."""
    inner = {name for name, field in model.model_fields.items() if _is_model(field.annotation)}
    return inner | ({"targets"} if "targets" in model.model_fields else set())


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _listed(title: str, path: str, model: type[BaseModel]) -> Section:
    own = tuple(key._replace(variable="") for key in _keys(path, model))
    return Section(title, " ".join(paragraphs(model.__doc__)), own)


def _keys(path: str, model: type[BaseModel], only: set[str] | None = None) -> Iterator[Key]:
    hints, texts = get_type_hints(model, include_extras=True), comments(model)
    for name, field in model.model_fields.items():
        if only is not None and name not in only:
            continue
        written = field.alias or name
        variable = keys.variable((*path.split("."), written)) if "<" not in path else ""
        late = f"{path}.{name}" in only_at_the_start()
        hint = hints[name]
        yield Key(path, written, type_words(hint), default_words(field, hint), variable, texts.get(name, ""), late)


def _parsers() -> Iterator[Section]:
    """What every parser has, what the kinds have of their own, and the tables within them."""
    said: dict[type[Any], str] = {ParserSettings: "<name>"}
    common = _keys("parsers.<name>", ParserSettings)
    yield Section("[parsers.<name>]", " ".join(paragraphs(ParserSettings.__doc__)), tuple(common))
    kinds = {entry.name: entry.load().settings for entry in entry_points(group=GROUP) if "smart_sync." in entry.value}
    bases = {base for cls in kinds.values() for base in cls.__mro__ if _is_shared(base, kinds)}
    for base in sorted(bases, key=lambda one: (len(one.__mro__), one.__name__)):
        who = ", ".join(sorted(name for name, cls in kinds.items() if issubclass(cls, base)))
        text = f"{' '.join(paragraphs(base.__doc__))} These keys are in the tables of: {who}."
        said[base] = who
        title = f"[parsers.<name>] of {who}"
        yield Section(title, text, tuple(_keys("parsers.<name>", base, _own(base))))
    for name, cls in kinds.items():
        path = f"parsers.{name}" if name != "http_json" else "parsers.<name>"
        above = [title for base, title in said.items() if base is not ParserSettings and issubclass(cls, base)]
        more = f" Besides the keys of every parser{'' if not above else ' and those of APIs'}:"
        yield Section(
            f"[{path}]" if name != "http_json" else '[parsers.<name>] with kind = "http_json"',
            paragraphs(entry_doc(name))[0] + more,
            tuple(_keys(path, cls, _own(cls))),
        )
    yield _listed("[[parsers.<name>.steps]]", "parsers.<name>.steps", StepSettings)
    yield _listed('[parsers.tiktok.accounts."@name"]', "parsers.tiktok.accounts", TikTokAccount)
    yield _listed('[parsers.threads.accounts."@name"]', "parsers.threads.accounts", ThreadsAccount)


def entry_doc(kind: str) -> str:
    """What the parser of a kind does."""
    (entry,) = entry_points(group=GROUP, name=kind)
    return inspect.getdoc(entry.load()) or ""


def _is_shared(base: type[Any], kinds: dict[str, Any]) -> bool:
    is_settings = isinstance(base, type) and issubclass(base, ParserSettings)
    return is_settings and base not in (ParserSettings, *kinds.values())


def _own(cls: type[Any]) -> set[str]:
    """The fields that a class declares itself, not those that it inherits."""
    return set(own_comments(cls)) | (set(cls.__annotations__) & set(cls.model_fields))


@cache
def only_at_the_start() -> set[str]:
    """The keys that are looked at when the process starts, and not again by a reload: from the daemon's own code."""
    at_start = _read_in(passes.run.callback) | _read_in(daemon.run_daemon)
    at_start |= _read_in(daemon.Service.__init__) | _read_in(daemon.Service.run)
    again = {
        name
        for one in vars(daemon.Service).values()
        if inspect.isfunction(one) and one.__name__ not in ("__init__", "run")
        for name in _read_in(one)
    }
    return at_start - again


def _read_in(function: Any) -> set[str]:
    """The keys of ``settings`` that a function names: ``settings.log.level`` → ``log.level``."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {text.partition("settings.")[2] for text in found if text.startswith(("settings.", "self._settings."))}
