"""The sections of the configuration, and what their keys may say."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from smart_sync.config import secrets, urls
from smart_sync.config.database_url import TAKEOVER, DatabaseUrl, Location
from smart_sync.config.values import (
    ColumnValue,
    Cron,
    GoogleKey,
    MetricName,
    Mode,
    PlainPath,
    PlainText,
    Seconds,
    Strategy,
    TimeZone,
)
from smart_sync.core.merge.strategies import Policy
from smart_sync.core.model import Metrics

#: A key, a title or a URL.
Spreadsheet = Annotated[str, AfterValidator(urls.spreadsheet)]


class Section(BaseModel):
    """What all sections have: no unknown keys, and no text that nothing could be made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(urls.demand_text)


class DatabaseSettings(Section):
    """Where the database is: an SQLite file, or one of a PostgreSQL server."""

    path: Path = Path("var/view_counter.db")
    url: DatabaseUrl | None = None
    #: With ``url``: how long a daemon may give no sign of life until another one on the same database takes over.
    takeover: Annotated[Seconds, Field(ge=1, le=3600)] = TAKEOVER

    @property
    def where(self) -> Location:
        """The one of the two that is given."""
        return self.path if self.url is None else replace(self.url, takeover=self.takeover)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.url is not None and "path" in self.model_fields_set:
            raise ValueError("give either path or url, not both")
        if self.url is None and "takeover" in self.model_fields_set:
            raise ValueError("takeover is for a database with url: an SQLite file has one daemon; remove it")
        return self

    @field_validator("path", mode="after")
    @classmethod
    def _no_url(cls, path: Path) -> Path:
        # Never shown: it may hold a password.
        if re.search(r"^\W*[A-Za-z][A-Za-z0-9+.-]+:/|[a-z]:/+[^/]*@|\bpassword\s*=", str(path)):
            raise ValueError(
                "expected the path of an SQLite file, not a URL or what else says how to connect (that is url)"
            )
        return secrets.demand_path(path)


class ScheduleSettings(Section):
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


class SheetsSettings(Section):
    """Where the worksheets are, and how politely they are read."""

    source: Literal["csv", "google"] = "csv"
    directory: PlainPath | None = None
    spreadsheet: Spreadsheet = ""
    credentials: GoogleKey | None = None
    api_url: Annotated[str, AfterValidator(urls.web_address)] = ""
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
    #: Seconds of good reads for which a row may be gone before its sheet values lose their vote.
    gone_after: Seconds = 7 * 86400.0
    #: Seconds that the reads of a project may fail before it is stale.
    stale_after: Seconds = 6 * 3600.0
    #: More header names: {"followers": ["Abonnenten"], "link": ["Profil"]}.
    columns: dict[Literal[MetricName, "link"], list[str]] = {}
    #: ``projects.google_sheet_name`` → the spreadsheet (key or URL) it stands for.
    spreadsheets: dict[str, Spreadsheet] = {}

    @model_validator(mode="after")
    def _what_the_source_needs(self) -> Self:
        if self.source == "csv" and self.directory is None:
            raise ValueError('source = "csv" needs directory, the folder of the <worksheet>.csv files')
        if self.source == "google" and not (self.spreadsheet or self.spreadsheets):
            raise ValueError('source = "google" needs spreadsheet: its key, URL or title')
        return self


#: The columns of a new row that are filled from the worksheet, or by Smart Sync itself.
_FILLED = {
    "projects": {"id", "name", "created_at", "is_active"},
    "accounts": {"id", "project_id", "platform", "username", "profile_link", "added_at", "is_active"},
}


class DefaultsSettings(Section):
    """Column → value of the rows that ``create_missing`` makes, for what no worksheet says."""

    projects: dict[str, ColumnValue] = {}
    #: ``topic`` and ``telegram_user`` are for rows whose cells say nothing.
    accounts: dict[str, ColumnValue] = {}

    @field_validator("projects", "accounts", mode="after")
    @classmethod
    def _not_filled(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if filled := sorted(name for name in given if name.lower() in _FILLED[str(info.field_name)]):
            raise ValueError(f"{', '.join(filled)}: filled by Smart Sync itself")
        return given


class SyncSettings(Section):
    """How a pass works."""

    create_missing: Literal["none", "accounts", "projects"] = "none"
    defaults: DefaultsSettings = DefaultsSettings()
    #: Projects merged together; those that are ready share a transaction.
    concurrency: Annotated[int, Field(ge=1, le=256)] = 32
    #: Seconds that a pass waits for the parsers; what they bring later is merged by the next pass.
    parsers_wait: Seconds = 10.0


class MergeSettings(Section):
    """Which side wins; the most specific of projects, platforms, metrics and ``strategy`` decides."""

    strategy: Strategy = "max"
    metrics: dict[MetricName, Strategy] = {}
    #: Platform (in lower case) or project name → {metric or "strategy": strategy}.
    platforms: dict[str, dict[Literal[MetricName, "strategy"], Strategy]] = {}
    projects: dict[str, dict[Literal[MetricName, "strategy"], Strategy]] = {}
    #: "counter": it only grows; "gauge": it goes both ways.
    kinds: dict[MetricName, Literal["gauge", "counter"]] = {}
    #: The last good value stands in for a typed one that is suspect, until that is confirmed or has stood for a day.
    hold_suspects: bool = False
    #: A value so many times what it was is reported as suspect (`core.merge.suspects`).
    suspect: Annotated[float, Field(gt=1, le=1e18, allow_inf_nan=False)] = 10.0

    def policy(self) -> Policy:
        """The rules, as the merge needs them."""
        return Policy(
            self.strategy,
            _texts(self.metrics),
            {platform.lower(): _texts(choices) for platform, choices in self.platforms.items()},
            {project: _texts(choices) for project, choices in self.projects.items()},
            frozenset(metric for metric in Metrics._fields if self.kind(metric) == "counter"),
        )

    def kind(self, metric: str) -> str:
        """Whether a metric is a "gauge" or a "counter"; followers come and go, the others are lifetime counts."""
        given = {str(name): kind for name, kind in self.kinds.items()}
        return given.get(metric, "gauge" if metric == "followers" else "counter")


def _texts(choices: Mapping[Any, str]) -> dict[str, str]:
    return {str(name): strategy for name, strategy in choices.items()}


class ParsedSettings(Section):
    """Parsed values: those that tables of the web app's hold, and how long any of them counts."""

    #: One SELECT: account_id, any of the metrics, and if wanted source, parsed_at, precision.  Empty: none.
    query: str = ""
    #: Seconds after which a parsed value has no vote any more; None: it has one however old it is.
    max_age: Seconds | None = None


class SnapshotsSettings(Section):
    """What happens when the day already has a snapshot."""

    #: "update": it follows the merged values until the day is over; "skip": it stays as the first pass left it.
    on_existing: Literal["update", "skip"] = "update"


class HistorySettings(Section):
    """How long the history of passes is kept."""

    keep: Seconds = 90 * 86400.0


class ControlSettings(Section):
    """The Unix socket."""

    socket: PlainPath = Path("var/control.sock")
    mode: Mode = 0o660
    group: str = ""


class LogSettings(Section):
    """How the log looks; ``auto`` is console on a terminal and JSON otherwise."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ParserSettings(BaseModel):
    """``[parsers.<name>]``: what every parser has; a parser's own keys are in its subclass (``Parser.settings``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(urls.demand_text)

    #: Which parser: the name of its entry point; the table's name unless given.
    kind: PlainText = ""
    #: What ``source`` its values carry; the table's name unless given.
    source: PlainText = ""
    enabled: bool = True
    #: The platforms it is asked about, in lower case; empty: all.
    platforms: tuple[str, ...] = ()
    #: Seconds until an account is asked about again; None: in each pass.
    every: Seconds | None = None
    #: Seconds that one pass of the parser may take; what it has fetched by then is kept.
    deadline: Seconds = 600.0
