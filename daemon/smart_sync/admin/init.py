"""``smart-sync init``: writes a first configuration and tests it step by step."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smart_sync.admin import checks
from smart_sync.admin.checks.findings import OF_DATABASE
from smart_sync.config import Settings, database_url, secrets
from smart_sync.config.database_url import Server
from smart_sync.core.matching.missing import AbsenceTerms
from smart_sync.core.matching.sheet_side import Sheet, read_sheet
from smart_sync.core.model import METRICS, Project
from smart_sync.core.wording import counted
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import ConfigError, SheetUnavailable, SmartSyncError
from smart_sync.sheets import open_sheets
from smart_sync.sheets.source import SheetSource

DATABASE = "var/view_counter.db"

_TEMPLATE = """\
# Smart Sync.  Relative paths are relative to this file.  Every key can be set in the environment too:
# SMART_SYNC_DATABASE__PATH=/var/lib/smart-sync/view_counter.db

[database]
{database}

[schedule]
every = "30m"                     # or cron = "*/30 * * * *"
run_on_start = true               # and after each reload
timezone = {timezone}                  # where a day of snapshots ends

[sheets]
source = "google"
spreadsheet = {spreadsheet}
{credentials}
reads_per_minute = 60             # Google's quota per user
stale_after = "6h"                # failing for so long, a project is stale: /healthz, the ping and exit codes say so
gone_after = "7d"                 # of good reads: for so long the values of a row that is gone stand in
# [sheets.spreadsheets]           # projects that live in other spreadsheets
# "<projects.google_sheet_name>" = "<key or URL>"

[sync]
create_missing = {create_missing}       # what the sheets have and the database lacks: none, accounts, projects
# [sync.defaults.projects]        # what a web app's table demands of a new row: column = value
# start_date = 2026-01-01         # and [sync.defaults.accounts]

[merge]
strategy = "max"                  # or sheet, parsed, latest; also by metric, platform, project
# hold_suspects = true            # keep the last good value until a suspect one is confirmed, or a day old

[snapshots]
on_existing = "update"            # follow the values through the day; or "skip": keep the day's first

[control]
socket = {socket}
mode = "0660"
group = ""                        # who may ask for a pass without being root

[log]
format = "auto"                   # console on a terminal, JSON otherwise
level = "info"

# [parsed]
# max_age = "14d"                 # a parsed value that is older has no vote; default: none is too old

# [parsers.youtube]               # new numbers from the platforms
# key = "env:YOUTUBE_KEY"
# every = "6h"                    # kept over restarts
# budget = "8000/d"               # requests in any 24 hours
# count = "campaign"              # videos within the project's dates and KPI; default: "lifetime"

# [[webhooks]]                    # who is told, and of what
# url = "https://hooks.example.com/smart-sync"
# secret = "env:SMART_SYNC_WEBHOOK_SECRET"

# [[webhooks]]                    # a call of the web app's own, such as the one that drops its cache
# url = "https://app.example.com/api/admin/cache"
# format = "plain"                # no secret needed
# method = "DELETE"
# headers = {{ Authorization = "env:APP_TOKEN" }}
# only_changed = true             # after passes that changed something, and no others

# [notify]                        # messages to people: pip install 'smart-sync-daemon[notify]'
# digest = "09:00"                # one message a day, in [schedule] timezone
# [[notify.targets]]
# url = "file:telegram.url"       # tgram://<token>/<chat>, mailtos://…: https://appriseit.com/services/

# [ping]                          # a dead man's switch, such as healthchecks.io
# url = "https://hc-ping.com/<uuid>"
# style = "healthchecks"          # or "push": the address of a push monitor of Uptime Kuma
"""

_OTHER_FILE = "name another file in [database] path"
_HEADER = "type into the first row of the worksheet: Link, Followers, Likes, Comments, Videos, Views"
#: What has to be done at Google (`SheetUnavailable.step`) → where to click for it.
CLICKS = {
    "key": "console.cloud.google.com → IAM & Admin → Service accounts → Create service account"
    " (no role) → Keys → Add key → Create new key → JSON",
    "new_key": "console.cloud.google.com → IAM & Admin → Service accounts → Keys → Add key → JSON",
    "share": "open the spreadsheet in the browser → Share → paste that address → Viewer → Send",
    "enable": "console.cloud.google.com → APIs & Services → Library → Google Sheets API → Enable,"
    " Google Drive API → Enable",
    "header": _HEADER,
    "convert": "open the file in the browser → File → Save as Google Sheets; then take the new address",
}


class Answers(NamedTuple):
    """What only the administrator can answer."""

    #: Key, URL or title.
    spreadsheet: str
    #: Empty: the environment or systemd has the key.
    credentials: str = ""
    #: The file, or where the address of a PostgreSQL database is: ``env:NAME``, an address without a password.
    database: str = DATABASE
    timezone: str = "UTC"
    #: Empty: next to the database.
    socket: str = ""


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step of the configuration's test, and its result."""

    name: str
    ok: bool
    message: str
    #: What to click or type.
    how: str = ""


def refuse_existing(path: Path) -> None:
    """Raise `ConfigError` if ``path`` exists; called before any question is asked."""
    if os.path.lexists(path):
        raise ConfigError((f"{path}: exists already and is left as it is; name another file with -o FILE",))


def write(path: Path, answers: Answers) -> None:
    """Write the configuration to ``path``. Raises `ConfigError` if the path exists or cannot be written."""
    text = rendered(answers, path.absolute().parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise ConfigError((f"{path}: cannot be written: {error.strerror}",)) from None


def rendered(answers: Answers, folder: Path) -> str:
    """The text of the configuration with ``answers``, for a file in ``folder``."""
    server = database_url.looked_up(answers.database) if is_server(answers.database) else None
    database = Path(DATABASE if server else answers.database).expanduser()
    if not server and answers.database != DATABASE:
        # It was typed where the command runs; in the file it would be relative to the file.
        database = database.absolute()
    filled = has_projects(server) if server else os.path.exists(folder / database)  # noqa: PTH110  never raises
    key = '# credentials = "google.json"    # it is in $SMART_SYNC_GOOGLE_CREDENTIALS or a systemd credential'
    if answers.credentials:
        key = f"credentials = {_quoted(_absolute(answers.credentials))}"
    return _TEMPLATE.format(
        database=f"url = {_quoted(answers.database)}" if server else f"path = {_quoted(str(database))}",
        socket=_quoted(answers.socket or str(database.parent / "control.sock")),
        timezone=_quoted(answers.timezone),
        spreadsheet=_quoted(answers.spreadsheet),
        credentials=key,
        # In a database of the web app's nothing appears unasked.
        create_missing='"none"' if filled else '"projects"',
    )


def is_server(database: str) -> bool:
    """Whether an answer names a server's database, not a file."""
    return ":/" in database or secrets.is_elsewhere(database)


def has_projects(server: Server) -> bool:
    """Whether a web app keeps projects there; True also if that is unknown, so that none is created unasked."""
    from smart_sync.store.postgres.server_inventory import asked

    try:
        return bool(asked(server, "SELECT 1 WHERE to_regclass('projects') IS NOT NULL"))
    except SmartSyncError:
        return True


def _absolute(path: str) -> str:
    """The absolute path of the key file; the key itself is returned unchanged."""
    path_or_key = secrets.path_or_secret(path)
    return str(path_or_key.expanduser().absolute()) if isinstance(path_or_key, Path) else path_or_key.get_secret_value()


def _quoted(text: str) -> str:
    """``text`` as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


async def trial(settings: Settings) -> AsyncIterator[SetupStep]:
    """Test credentials, spreadsheet, worksheets and database; each is tested even if one before it failed.

    What has been told is not told again of what cannot be better for it.
    """
    messages: list[str] = []
    for attempt in (_credentials, _worksheets, _database):
        steps = await attempt(settings)
        for step in steps:
            # A worksheet's trouble is its project's too.
            if step.ok or not any(message in step.message for message in messages):
                yield step
        messages += [step.message for step in steps if not step.ok]


def local_timezone(environment: Mapping[str, str], link: Path = Path("/etc/localtime")) -> str:
    """The name of this machine's time zone, from $TZ or the target of ``link``; UTC if neither names one."""
    named = environment.get("TZ", "").removeprefix(":")
    name = named or os.path.realpath(link).partition("/zoneinfo/")[2]
    return name if is_timezone(name) else "UTC"


def is_timezone(name: str) -> bool:
    """Whether a time zone has this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return bool(name)


async def _credentials(settings: Settings) -> list[SetupStep]:
    from smart_sync.sheets import credentials

    try:
        key = await asyncio.to_thread(credentials.find, settings.sheets.credentials)
    except SheetUnavailable as trouble:
        return [_failed("credentials", trouble)]
    return [SetupStep("credentials", True, f"the service account {key.service_account_email}")]


async def _worksheets(settings: Settings) -> list[SetupStep]:
    async with open_sheets(settings.sheets) as sheets:
        sheets.begin()
        try:
            titles = await sheets.titles()
        except SheetUnavailable as trouble:
            return [_failed("spreadsheet", trouble)]
        # Read together, they are one request.
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(_worksheet(sheets, title, settings), name=f"init:{title}") for title in titles]
    return [SetupStep("spreadsheet", True, counted(len(titles), "worksheet")), *(read.result() for read in reads)]


async def _worksheet(sheets: SheetSource, title: str, settings: Settings) -> SetupStep:
    name = f"worksheet {title}"
    try:
        worksheet = await sheets.read(Project("", title))
    except SheetUnavailable as trouble:
        return _failed(name, trouble)
    titles = Titles(settings.sheets.columns)
    sheet = read_sheet(worksheet, (), AbsenceTerms("", "", title), titles=titles)
    if sheet.trouble is not None:
        return _failed(name, sheet.trouble)
    return SetupStep(name, True, _content(sheet))


def _content(sheet: Sheet) -> str:
    columns = ", ".join(metric for metric in METRICS if metric in sheet.letters) or "no metric"
    content = f"{counted(len(sheet.unmatched), 'account')} with {columns}"
    return content + (f"; {counted(len(sheet.problems), 'problem')}, see: smart-sync check" if sheet.problems else "")


async def _database(settings: Settings) -> list[SetupStep]:
    """The findings of ``smart-sync check`` for the database, which is not changed, and the projects in it."""
    path = settings.database.where
    findings = (await checks.check(settings)).findings
    errors = [finding for finding in findings if finding.level == "error"]
    if about_it := [finding.message for finding in errors if finding.about == OF_DATABASE]:
        other = "name another database in [database] url" if isinstance(path, Server) else _OTHER_FILE
        return [SetupStep("database", False, about_it[0], f"fix that, or {other}")]
    seen = next((finding.message for finding in findings if finding.about == OF_DATABASE), str(path))
    return [SetupStep("database", True, seen), *(SetupStep("project", False, one.message) for one in errors)]


def _failed(name: str, trouble: SheetUnavailable) -> SetupStep:
    return SetupStep(name, False, str(trouble), CLICKS.get(trouble.step, ""))
