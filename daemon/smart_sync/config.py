"""The configuration: TOML, then the environment (``SMART_SYNC_…``), then the command line.

Every mistake in the file is reported together, each with its key (`ConfigError.problems`).
Relative paths are relative to the file they stand in.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from smart_sync import secret
from smart_sync.config_values import Cron, MetricName, Mode, Seconds, SigningSecrets, Strategy, TimeZone, Url
from smart_sync.core.policy import Policy
from smart_sync.errors import ConfigError
from smart_sync.plugins import parser_class

DEFAULT_PATHS = (Path("config.toml"), Path("/etc/smart-sync/config.toml"))

MAX_FILE_BYTES = 1_000_000


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Section):
    """Where the SQLite file is."""

    path: Path = Path("var/view_counter.db")


class ScheduleSettings(_Section):
    """When passes run by themselves: ``every`` so many seconds, or by ``cron`` in ``timezone``."""

    every: Seconds | None = None
    cron: Cron | None = None
    run_on_start: bool = True
    #: Cron times are meant in it, and a day of snapshots ends at its midnight.
    timezone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.every is not None and self.cron is not None:
            raise ValueError("give either every or cron, not both")
        return self


class SheetsSettings(_Section):
    """Where the worksheets are, and how politely they are read."""

    source: Literal["csv", "google"] = "csv"
    directory: Path | None = None
    spreadsheet: str = ""
    credentials: Path | None = None
    api_url: str = ""
    timeout: Seconds = 30.0
    #: Seconds that all tries of a pass for one worksheet may take together.
    deadline: Seconds = 120.0
    reads_per_minute: Annotated[int, Field(ge=1, le=3000)] = 60
    #: Spreadsheets read at the same time; each has one request in flight.
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    #: A CLDR name that decides ambiguous numbers; empty: the spreadsheet's own.
    locale: str = ""
    #: The share of known links that may vanish at once before it is taken for an accident.
    max_vanished: Annotated[float, Field(ge=0, le=1)] = 0.5
    #: More header names: {"followers": ["Abonnenten"], "link": ["Profil"]}.
    columns: dict[MetricName | Literal["link"], list[str]] = {}
    #: ``projects.google_sheet_name`` → the spreadsheet (key or URL) it stands for.
    spreadsheets: dict[str, str] = {}

    @model_validator(mode="after")
    def _what_the_source_needs(self) -> Self:
        if self.source == "csv" and self.directory is None:
            raise ValueError('source = "csv" needs directory, the folder of the <worksheet>.csv files')
        if self.source == "google" and not (self.spreadsheet or self.spreadsheets):
            raise ValueError('source = "google" needs spreadsheet: its key, URL or title')
        return self


class SyncSettings(_Section):
    """How a pass works."""

    create_missing: Literal["none", "accounts", "projects"] = "none"
    #: Projects merged together; those that are ready share a transaction.
    concurrency: Annotated[int, Field(ge=1, le=256)] = 32
    #: Seconds that a pass waits for the parsers; what they bring later is merged by the next pass.
    parsers_wait: Seconds = 10.0


class MergeSettings(_Section):
    """Which side wins; the most specific of projects, platforms, metrics and ``strategy`` decides."""

    strategy: Strategy = "max"
    metrics: dict[MetricName, Strategy] = {}
    #: Platform (in lower case) or project name → {metric or "strategy": strategy}.
    platforms: dict[str, dict[MetricName | Literal["strategy"], Strategy]] = {}
    projects: dict[str, dict[MetricName | Literal["strategy"], Strategy]] = {}
    #: A value so many times what it was is reported as suspect (`core.suspects`).
    suspect: Annotated[float, Field(gt=1, le=1e18, allow_inf_nan=False)] = 10.0

    def policy(self) -> Policy:
        """The rules, as the merge needs them."""
        return Policy(
            self.strategy,
            _texts(self.metrics),
            {platform.lower(): _texts(choices) for platform, choices in self.platforms.items()},
            {project: _texts(choices) for project, choices in self.projects.items()},
        )


def _texts(choices: Mapping[Any, str]) -> dict[str, str]:
    return {str(name): strategy for name, strategy in choices.items()}


class ParsedSettings(_Section):
    """Parsed values that tables of the web app's hold."""

    #: One SELECT: account_id, any of the metrics, and if wanted source, parsed_at, precision.  Empty: none.
    query: str = ""


class SnapshotsSettings(_Section):
    """What happens when the day already has a snapshot."""

    on_existing: Literal["skip", "update"] = "skip"


class HistorySettings(_Section):
    """How long the history of passes is kept."""

    keep: Seconds = 90 * 86400.0


class ControlSettings(_Section):
    """The Unix socket."""

    socket: Path = Path("var/control.sock")
    mode: Mode = 0o660
    group: str = ""


class LogSettings(_Section):
    """How the log looks; ``auto`` is console on a terminal and JSON otherwise."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


WebhookEvent = Literal["sync.finished", "project.failed", "project.degraded", "project.recovered"]


class WebhookSettings(_Section):
    """One of ``[[webhooks]]``: who is told, and of what."""

    url: Url
    #: Each message is signed with every one of them: while they are changed, give the new one and the old one.
    secret: SigningSecrets
    events: Annotated[tuple[WebhookEvent, ...], Field(min_length=1)] = get_args(WebhookEvent)
    #: Whether the URL may lead to a private address, and then without TLS too.
    allow_private: bool = False

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if not self.allow_private and not self.url.get_secret_value().lower().startswith("https:"):
            raise ValueError("url must begin with https:// (or set allow_private = true for a private address)")
        return self


class PingSettings(_Section):
    """The dead man's switch: a URL in the manner of healthchecks.io, which alarms when the pings stop."""

    url: Url | None = None


class ParserSettings(BaseModel):
    """``[parsers.<name>]``: what every parser has; a parser's own keys are in its subclass (``Parser.settings``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Which parser: the name of its entry point; the table's name unless given.
    kind: str = ""
    #: What ``source`` its values carry; the table's name unless given.
    source: str = ""
    enabled: bool = True
    #: The platforms it is asked about, in lower case; empty: all.
    platforms: tuple[str, ...] = ()
    #: Seconds until an account is asked about again; None: in each pass.
    every: Seconds | None = None
    #: Seconds that one pass of the parser may take; what it has fetched by then is kept.
    deadline: Seconds = 600.0


def _different(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    if len({webhook.url.get_secret_value() for webhook in webhooks}) < len(webhooks):
        raise ValueError("two of them have the same url; give one of them the events of both")
    return webhooks


def _of_its_kind(table: object) -> ParserSettings:
    """One table of ``[parsers]`` as the settings of the parser it names."""
    if isinstance(table, ParserSettings):
        return table
    if not isinstance(table, dict):
        raise ValueError("expected a table")  # noqa: TRY004  pydantic reports only ValueError
    common = ParserSettings.model_validate({k: table[k] for k in ("kind", "source", "enabled") if k in table})
    if not common.enabled:
        # Switched off, perhaps because its secret is gone: that must not keep the daemon from starting.
        return common
    settings: ParserSettings = parser_class(common.kind).settings.model_validate(table)
    return settings


class Settings(BaseSettings):
    """The whole configuration, validated; see `load`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SMART_SYNC_", env_nested_delimiter="__", validate_default=True
    )

    database: DatabaseSettings = DatabaseSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    sheets: SheetsSettings
    sync: SyncSettings = SyncSettings()
    merge: MergeSettings = MergeSettings()
    parsed: ParsedSettings = ParsedSettings()
    snapshots: SnapshotsSettings = SnapshotsSettings()
    history: HistorySettings = HistorySettings()
    control: ControlSettings = ControlSettings()
    log: LogSettings = LogSettings()
    webhooks: Annotated[tuple[WebhookSettings, ...], Field(max_length=20), AfterValidator(_different)] = ()
    ping: PingSettings = PingSettings()
    parsers: dict[str, Annotated[ParserSettings, BeforeValidator(_of_its_kind)]] = {}

    @field_validator("parsers", mode="before")
    @classmethod
    def _named(cls, tables: object) -> object:
        """A parser's kind and source are its table's name unless they are given."""
        if not isinstance(tables, dict):
            return tables
        return {
            name: {"kind": name, "source": name, **table} if isinstance(table, dict) else table
            for name, table in tables.items()
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before what was handed in, which is the file's content."""
        return env_settings, init_settings


def find(given: Path | None = None) -> Path:
    """The config file to use: the one given, else ``$SMART_SYNC_CONFIG``, else the first default that exists.

    Raises `ConfigError` if there is none.
    """
    named = given or (Path(os.environ["SMART_SYNC_CONFIG"]) if os.environ.get("SMART_SYNC_CONFIG") else None)
    if named is not None:
        return named
    for path in DEFAULT_PATHS:
        if path.exists():
            return path
    places = " or ".join(str(path) for path in DEFAULT_PATHS)
    raise ConfigError((f"no configuration: there is no {places}; name one with --config FILE",))


def load(path: Path) -> Settings:
    """The settings in the file at ``path`` and the environment.  Raises `ConfigError` with every mistake."""
    values = _read(path)
    try:
        with secret.relative_to(path.absolute().parent):
            settings = Settings(**values)
    except ValidationError as error:
        raise ConfigError(tuple(_describe(path, problem) for problem in error.errors())) from None
    except SettingsError as error:
        raise ConfigError((f"the environment: {error}",)) from None
    anchored: Settings = _anchored(settings, path.absolute().parent)
    return anchored


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES).decode()
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{path}: not a text file in UTF-8",)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((f"{path}: not valid TOML: {error}",)) from None
    except RecursionError:
        raise ConfigError((f"{path}: not valid TOML: nested too deeply",)) from None


def _describe(path: Path, problem: Any) -> str:
    """One mistake for a person; never the value itself, which may be a secret."""
    key = ".".join(str(part) for part in problem["loc"]) or "(the whole file)"
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key}: no such key"
    if problem["type"] == "missing":
        return f"{path}: {key}: missing"
    return f"{path}: {key}: {problem['msg'].removeprefix('Value error, ')}"


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError((f"{path}: there is no such user; write the path in full",)) from None


def _anchored(model: Any, base: Path) -> Any:
    """The same settings with every relative path made absolute, from ``base``."""
    changes: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, Path):
            changes[name] = base / _at_home(value)
        elif isinstance(value, BaseModel):
            changes[name] = _anchored(value, base)
        elif isinstance(value, dict):
            changes[name] = {key: _anchored(v, base) if isinstance(v, BaseModel) else v for key, v in value.items()}
    return model.model_copy(update=changes)
