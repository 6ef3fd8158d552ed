"""The sections of the configuration and the values that their keys may have."""

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
    field_validator,
    model_validator,
)

from smart_sync.config import secrets, values
from smart_sync.config.database_url import TAKEOVER, DatabaseUrl, Location
from smart_sync.config.values import (
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
from smart_sync.core.model import Metrics, Project
from smart_sync.core.worksheet.locales import is_known
from smart_sync.core.worksheet.titles import normal

#: The most spreadsheets that may be read at the same time.
MAX_CONCURRENCY = 64
#: A key, a title or a URL.
Spreadsheet = Annotated[str, AfterValidator(values.spreadsheet)]


class Section(BaseModel):
    """The base of all sections: no unknown keys, no unusable text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(values.check_text)


class DatabaseSettings(Section):
    """The database: an SQLite file, or a database on a PostgreSQL server."""

    #: The SQLite file, often the web app's own. It is made at the first start if it is not there.
    path: Path = Path("var/view_counter.db")
    #: In place of ``path``: a database of a PostgreSQL server, ``postgresql://USER:PASSWORD@HOST/DATABASE``, or where
    #: that is kept: ``env:NAME``, ``file:PATH`` or ``credential:NAME``. Needs the extra ``postgres``.
    url: DatabaseUrl | None = None
    #: With ``url``: how long a daemon may give no sign of life until another one on the same database takes over.
    takeover: Annotated[Seconds, Field(ge=1, le=3600)] = TAKEOVER

    @property
    def where(self) -> Location:
        """The path or the server, whichever is given."""
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
        return secrets.check_path(path)


class ScheduleSettings(Section):
    """When passes run by themselves: at an interval (``every``), or by a ``cron`` expression in ``timezone``."""

    #: Time from the start of one pass to the start of the next. Without ``every`` and ``cron``: 30 minutes.
    every: Seconds | None = None
    #: A cron expression of five fields, such as ``"*/30 * * * *"``, in place of ``every``; its times are those of
    #: ``timezone``.
    cron: Cron | None = None
    #: Whether a pass runs at once when the daemon starts, and after each reload.
    run_on_start: bool = True
    #: The time zone of ``cron`` and of the days: a day of snapshots ends at its midnight. A name such as
    #: ``"Europe/Berlin"``.
    timezone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.every is not None and self.cron is not None:
            raise ValueError("give either every or cron, not both")
        return self


class SheetsSettings(Section):
    """Where the worksheets are, and how they are read."""

    #: ``"google"``: Google Sheets; ``"csv"``: a folder with a file ``<worksheet>.csv`` for each project.
    source: Literal["csv", "google"] = "csv"
    #: The folder of the ``<worksheet>.csv`` files; needed by ``source = "csv"``.
    directory: PlainPath | None = None
    #: The spreadsheet whose worksheets are the projects: its key, URL or title (a title needs the Google Drive API).
    spreadsheet: Spreadsheet = ""
    #: The service account's JSON key: the path of its file, the JSON itself or base64 of it. Without it
    #: ``$SMART_SYNC_GOOGLE_CREDENTIALS`` is taken, or the systemd credential ``google``.
    credentials: GoogleKey | None = None
    #: The address of another server in Google's place, for tests and proxies; empty: Google's.
    api_url: Annotated[str, AfterValidator(values.web_address)] = ""
    #: How long one request to Google may take.
    timeout: Seconds = 30.0
    #: How long all tries of a pass for one worksheet may take together.
    deadline: Seconds = 120.0
    #: Requests to Google in any minute, of this daemon (on PostgreSQL: of all processes with this service account);
    #: Google's own quota is 60 for each service account.
    reads_per_minute: Annotated[int, Field(ge=1, le=3000)] = 60
    #: Spreadsheets read at the same time; each has one request in flight.
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = 8
    #: How ambiguous numbers are read, a CLDR name such as ``"de_DE"``; empty: as the spreadsheet's own locale has it.
    locale: str = ""
    #: The share of a worksheet's known links (0 to 1) that may be gone at once before that is taken for an accident
    #: and their last values stand in without a time limit.
    max_vanished: Annotated[float, Field(ge=0, le=1)] = 0.5
    #: How long the last values of a row that is gone stand in, counted in good reads; after it the sheet has no vote.
    gone_after: Seconds = 7 * 86400.0
    #: How long the reads of a project may fail before it is stale: ``/healthz``, the ping and the exit codes say so
    #: then.
    stale_after: Seconds = 6 * 3600.0
    #: More names for the columns: ``{ followers = ["Abonnenten"], link = ["Profil"] }``.
    columns: dict[Literal[MetricName, "link"], list[str]] = {}
    #: ``projects.google_sheet_name`` → the spreadsheet (key or URL) in which such projects are.
    spreadsheets: dict[str, Spreadsheet] = {}

    def where(self, name: str) -> str:
        """The spreadsheet for ``projects.google_sheet_name``, else the default one; "" if none is known."""
        return self.spreadsheets.get(name) or self.spreadsheet

    def explains(self, name: str) -> bool:
        """Whether ``name`` is a key of ``[sheets.spreadsheets]`` or the value of ``[sheets] spreadsheet``."""
        return name in self.spreadsheets or values.key_or_title(name) in ("", values.key_or_title(self.spreadsheet))

    def place(self, project: Project) -> str:
        """The spreadsheet of ``project``, the same text whatever name of it is used; "" of the directory."""
        if self.source == "csv":
            return ""
        unknown = project.one_of_several and not self.explains(project.spreadsheet)
        return project.spreadsheet if unknown else values.key_or_title(self.where(project.spreadsheet))

    @field_validator("locale", mode="after")
    @classmethod
    def _a_locale(cls, locale: str) -> str:
        if locale and not is_known(locale):
            raise ValueError('not a locale of CLDR; write language and country, as "de_DE" or "ru_RU"')
        return locale

    @field_validator("columns", mode="after")
    @classmethod
    def _one_field_each(cls, columns: dict[str, list[str]]) -> dict[str, list[str]]:
        owners: dict[str, str] = {}
        for field, titles in columns.items():
            for title in map(normal, titles):
                if owners.setdefault(title, field) != field:
                    raise ValueError(f'"{title}" is a name of {owners[title]} and of {field}; a column is one of them')
        return columns

    @model_validator(mode="after")
    def _what_the_source_needs(self) -> Self:
        if self.source == "csv" and self.directory is None:
            raise ValueError('source = "csv" needs directory, the folder of the <worksheet>.csv files')
        if self.source == "google" and not (self.spreadsheet or self.spreadsheets):
            raise ValueError('source = "google" needs spreadsheet: its key, URL or title')
        return self


class MergeSettings(Section):
    """Which side wins; the most specific of project, platform, metric and ``strategy`` decides."""

    #: Which side wins where no more specific rule is given: the larger value, the sheet, the parser, or what changed
    #: last.
    strategy: Strategy = "max"
    #: Metric → strategy: ``followers = "latest"``.
    metrics: dict[MetricName, Strategy] = {}
    #: Platform → {metric or ``strategy``: strategy}: ``tiktok = { views = "parsed" }``.
    platforms: dict[str, dict[Literal[MetricName, "strategy"], Strategy]] = {}
    #: Project's name → {metric or ``strategy``: strategy}; the most specific rule of all.
    projects: dict[str, dict[Literal[MetricName, "strategy"], Strategy]] = {}
    #: Metric → ``"counter"`` (it only grows, so a fall is suspect) or ``"gauge"`` (it goes both ways). Default:
    #: followers are a gauge, all others counters.
    kinds: dict[MetricName, Literal["gauge", "counter"]] = {}
    #: Whether the last good value stands in for a typed one that is suspect, until it is confirmed or has stood for a
    #: day.
    hold_suspects: bool = False
    #: A merged value that is so many times what it was is reported as suspect; a gauge also if it is only that part of
    #: it (10: a tenth).
    suspect: Annotated[float, Field(gt=1, le=1e18, allow_inf_nan=False)] = 10.0

    def policy(self) -> Policy:
        """The rules in the form that the merge uses."""
        return Policy(
            self.strategy,
            _texts(self.metrics),
            {platform.lower(): _texts(choices) for platform, choices in self.platforms.items()},
            {project: _texts(choices) for project, choices in self.projects.items()},
            frozenset(metric for metric in Metrics._fields if self.kind(metric) == "counter"),
        )

    def kind(self, metric: str) -> str:
        """Whether a metric is a "gauge" (followers go up and down) or a "counter" (lifetime totals)."""
        given = {str(name): kind for name, kind in self.kinds.items()}
        return given.get(metric, "gauge" if metric == "followers" else "counter")


def _texts(choices: Mapping[Any, str]) -> dict[str, str]:
    return {str(name): strategy for name, strategy in choices.items()}


class ParsedSettings(Section):
    """Parsed values: a query for those in the web app's own tables, and how long a value counts."""

    #: A SELECT on the database whose rows are parsed values: ``account_id``, any of the metrics, and if wanted
    #: ``source``, ``parsed_at``, ``precision``. Empty: none.
    query: str = ""
    #: The age from which a parsed value has no vote any more; without it a value counts however old it is.
    max_age: Seconds | None = None
    #: How long a source of the inbox, the query or a file may bring a project nothing new before that is reported.
    stale_after: Seconds = 3 * 86400.0


class SnapshotsSettings(Section):
    """What happens when the day already has a snapshot."""

    #: ``"update"``: the day's snapshot follows the merged values until the day is over; ``"skip"``: it stays as the
    #: first pass of the day left it.
    on_existing: Literal["update", "skip"] = "update"


class HistorySettings(Section):
    """How long the history of passes is kept."""

    #: How long passes, deliveries and the edits of cells stay on record.
    keep: Seconds = 90 * 86400.0


class ControlSettings(Section):
    """The Unix socket."""

    #: The Unix socket through which the daemon is asked (`smart-sync sync`, `curl --unix-socket`).
    socket: PlainPath = Path("var/control.sock")
    #: The file mode of the socket, octal, in quotes: ``"0660"``.
    mode: Mode = 0o660
    #: The group of the socket's file: its members may ask for passes, pin and reload; empty: the daemon's own group.
    group: str = ""


class LogSettings(Section):
    """The log's format; ``auto`` is console on a terminal and JSON otherwise."""

    #: ``auto``: console on a terminal, JSON otherwise.
    format: Literal["auto", "console", "json"] = "auto"
    #: The lowest level that is logged.
    level: Literal["debug", "info", "warning", "error"] = "info"


class ParserSettings(BaseModel):
    """``[parsers.<name>]``: the keys of every parser; each kind of parser has more of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(values.check_text)

    #: Which parser this is: ``youtube``, ``http_json``, or the name under which a package registers one. Default: the
    #: table's name.
    kind: PlainText = ""
    #: The ``source`` that its values carry in the database. Default: the table's name.
    source: PlainText = ""
    #: ``false`` switches the parser off; nothing else in its table is looked at then.
    enabled: bool = True
    #: The platforms whose accounts it is asked about, such as ``["tiktok"]``; empty: all.
    platforms: tuple[str, ...] = ()
    #: How long an account is not asked about again, over restarts; without it each pass asks.
    every: Seconds | None = None
    #: How long one pass of the parser may take; what it has fetched by then is kept.
    deadline: Seconds = 600.0
