"""The whole configuration: all sections, environment over file; and ``[sync]``."""

import functools
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from smart_sync.config import values
from smart_sync.config.notify import NotifySettings, PingSettings, WebhookSettings
from smart_sync.config.parser_options import options
from smart_sync.config.sections import (
    ControlSettings,
    DatabaseSettings,
    HistorySettings,
    LogSettings,
    MergeSettings,
    ParsedSettings,
    ParserSettings,
    ScheduleSettings,
    Section,
    SheetsSettings,
    SnapshotsSettings,
)
from smart_sync.config.values import Broker, ColumnValue, PlainPath, Seconds
from smart_sync.core.campaign import Count
from smart_sync.core.parsed import BY_HAND, CampaignParser, Counting, VoteTerms, folded_name, terms
from smart_sync.core.wording import nearest
from smart_sync.errors import ConfigError

#: Where Celery's own programs look for the broker, and where it is unless something else is said.
BROKER_VARIABLE, BROKER = "CELERY_BROKER_URL", "redis://localhost:6379/0"
#: The columns of a new row that are filled from the worksheet, or by Smart Sync itself.
_FILLED = {
    "projects": {"id", "name", "created_at", "is_active"},
    "accounts": {"id", "project_id", "platform", "username", "profile_link", "added_at", "is_active"},
}


class DefaultsSettings(Section):
    """Column → value for rows that ``create_missing`` inserts, where the worksheet has no value."""

    #: Column → value of each project that ``create_missing`` makes, for what the web app's table demands.
    projects: dict[str, ColumnValue] = Field(default_factory=dict)
    #: Column → value of each account that ``create_missing`` makes; ``topic`` and ``telegram_user`` are for rows whose
    #: cells are empty.
    accounts: dict[str, ColumnValue] = Field(default_factory=dict)

    @field_validator("projects", "accounts", mode="after")
    @classmethod
    def _not_filled(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if filled := sorted(name for name in value if name.lower() in _FILLED[str(info.field_name)]):
            raise ValueError(f"{', '.join(filled)}: filled by Smart Sync itself")
        return value


class SyncSettings(Section):
    """How a pass works, and which rows it may create."""

    #: What is created if the sheets have it and the database lacks it: nothing, accounts of known projects, or
    #: projects with their accounts.
    create_missing: Literal["none", "accounts", "projects"] = "none"
    defaults: DefaultsSettings = DefaultsSettings()
    #: Projects that are merged at the same time; those that are ready together share a transaction.
    concurrency: Annotated[int, Field(ge=1, le=256)] = 256
    #: How long a pass waits for the parsers; what they bring later is merged by the next pass.
    parsers_wait: Seconds = 10.0
    #: ``"none"``: the daemon reads and merges itself; ``"celery"``: it gives each spreadsheet to a Celery worker.
    workers: Literal["none", "celery"] = "none"
    #: The URL of Celery's broker, or where it is kept: ``env:NAME``, ``file:PATH`` or ``credential:NAME``. Without it
    #: ``$CELERY_BROKER_URL`` is taken, else the Redis of this machine.
    broker: Broker | None = None
    #: How long a worker may give no sign of life before its spreadsheet is given to another one.
    worker_timeout: Annotated[Seconds, Field(ge=1)] = 60.0

    def broker_url(self, environment: Mapping[str, str] = os.environ) -> str:
        """The URL of the task broker. Raises `ConfigError`."""
        if self.broker is not None:
            return self.broker.get_secret_value()
        try:
            return values.broker(SecretStr(environment.get(BROKER_VARIABLE) or BROKER)).get_secret_value()
        except ValueError as error:
            raise ConfigError((f"the environment: {BROKER_VARIABLE}: {error}",)) from None


#: Where packages register parsers.
GROUP = "smart_sync.parsers"


@functools.lru_cache(maxsize=1)
def _registered(_folders: tuple[tuple[str, int], ...]) -> EntryPoints:
    """Every registered parser, for the folders that packages are imported from.

    Finding them reads a file of each installed package: too much to do for each table of a configuration.
    """
    return entry_points(group=GROUP)


def _import_folders() -> Iterator[tuple[str, int]]:
    """Each folder that packages are imported from, and when a package was last installed in it or removed."""
    for folder in sys.path:
        try:
            yield folder, os.stat(folder or ".").st_mtime_ns  # noqa: PTH116  a tenth of the time
        except OSError:
            yield folder, 0


def parser_class(kind: str) -> Any:
    """The parser class registered as ``kind``. Raises ValueError, naming the known kinds, if there is none."""
    registered = _registered(tuple(_import_folders()))
    entries = registered.select(name=kind)
    if not entries:
        kinds = sorted({entry.name for entry in registered})
        near = nearest(kind, kinds)
        meant = f"; did you mean {near}?" if near else f"; there are {', '.join(kinds)}"
        raise ValueError(f'no such parser: "{kind}"{meant}')
    try:
        return next(iter(entries)).load()
    except Exception as error:
        # Whatever another package does when it is imported: it is the configuration that asked for it.
        raise ValueError(f'parser "{kind}" cannot be loaded: {type(error).__name__}: {error}') from None


def _different(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    if len({webhook.url.get_secret_value() for webhook in webhooks}) < len(webhooks):
        raise ValueError("two of them have the same url; give one of them the events of both")
    return webhooks


def _parser_settings(table: object) -> ParserSettings:
    """A table of ``[parsers]`` as the settings class of its parser."""
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


def _counted(table: ParserSettings) -> list[Count]:
    """What a parser counts; empty if unknown."""
    count = options(table).count
    return [count] if count is not None else []


def _served(table: ParserSettings) -> CampaignParser:
    """The accounts whose campaign a parser counts: all of its platforms, or those it has tokens for."""
    names = options(table).accounts
    return CampaignParser(frozenset(table.platforms), None if names is None else frozenset(map(folded_name, names)))


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
    notify: NotifySettings = NotifySettings()
    ping: PingSettings = PingSettings()
    #: The file in which the tokens are kept that platforms renew. Default: next to the database, its name with
    #: ``.tokens``.
    token_file: PlainPath | None = Field(default=None, validation_alias="parsers.state")
    parsers: dict[str, Annotated[ParserSettings, BeforeValidator(_parser_settings)]] = {}

    @property
    def tokens(self) -> Path:
        """The file for tokens that platforms renew: next to the database, unless ``[parsers] state`` names it."""
        path = self.database.path
        return self.token_file or path.with_name(f"{path.name}.tokens")

    def vote_terms(self, now: str) -> VoteTerms:
        """The terms by which parsed values are judged at the stamp ``now``."""
        tables = [table for table in self.parsers.values() if table.enabled]
        parsers = tuple(_served(table) for table in tables if options(table).count == "campaign")
        # Source → what the parsers count whose values carry it, as far as they can say.
        counts = {table.source: frozenset({*_counted(table)}) for table in tables}
        counting = Counting(counts, self.schedule.timezone, parsers=parsers)
        return terms(now, self.parsed.max_age, counting, self.parsed.stale_after, self._beside_files())

    def _beside_files(self) -> frozenset[str] | None:
        """The sources that do not bring files although a parser reads one; see `VoteTerms`."""
        is_file = {one.source: options(one).is_file for one in self.parsers.values() if one.enabled}
        return (
            frozenset({BY_HAND} | {source for source in is_file if not is_file[source]})
            if any(is_file.values())
            else None
        )

    def lifetime_sources(self) -> frozenset[str]:
        """The sources whose parsers count lifetime totals of accounts although they could count campaigns."""
        return frozenset(
            table.source or name
            for name, table in self.parsers.items()
            if table.enabled and options(table).count == "lifetime" and options(table).shows_videos
        )

    @field_validator("sync")
    @classmethod
    def _workers_reach_all(cls, sync: SyncSettings, info: ValidationInfo) -> SyncSettings:
        """Require what workers on other machines share: a database server, and spreadsheets they can all read."""
        database, sheets = info.data.get("database"), info.data.get("sheets")
        if sync.workers == "celery" and database is not None and database.url is None:
            raise ValueError('workers = "celery" needs PostgreSQL: an SQLite file has one writer; set [database] url')
        if sync.workers == "celery" and sheets is not None and sheets.source != "google":
            raise ValueError('workers = "celery" needs [sheets] source = "google": a directory is read by one process')
        return sync

    @field_validator("parsers")
    @classmethod
    def _count_alike(cls, tables: dict[str, ParserSettings]) -> dict[str, ParserSettings]:
        """Require that all parsers of one source count the same videos, since their values share one place."""
        first: dict[str, tuple[str, list[Count]]] = {}
        for name, table in tables.items():
            if table.enabled:
                other, counted = first.setdefault(table.source, (name, _counted(table)))
                if counted != _counted(table):
                    raise ValueError(
                        f"{other} and {name} have the source {table.source!r}, and not the same count; give one of them"
                        " a source of its own"
                    )
        return tables

    @model_validator(mode="before")
    @classmethod
    def _state_of_parsers(cls, given: Any) -> Any:
        """Take ``[parsers] state`` out: it is not the table of a parser."""
        tables = given.get("parsers") if isinstance(given, dict) else None
        if not isinstance(tables, dict) or isinstance(tables.get("state", {}), dict):
            return given
        others = {name: table for name, table in tables.items() if name != "state"}
        return {**given, "parsers": others, "parsers.state": tables["state"]}

    @field_validator("parsers", mode="before")
    @classmethod
    def _named(cls, tables: object) -> object:
        """Set a parser's kind and source to its table's name unless they are given."""
        if not isinstance(tables, dict):
            return tables
        values.check_text(list(tables))
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
        """Let the environment override the file's content, which is passed to the constructor."""
        return env_settings, init_settings
