"""Checks of the worksheets: a dry run on a copy of the database, and what it found wrong."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from smart_sync.admin.checks.findings import Finding, default_spreadsheets, unknown_names
from smart_sync.clock import Clock, utc_now
from smart_sync.config import Settings
from smart_sync.config.database_url import Location
from smart_sync.core.links.identity import profile_link
from smart_sync.core.model import METRICS, Outcome, Trigger
from smart_sync.core.project_names import written
from smart_sync.core.results.parser_health import trouble_of
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.wording import by_text, confirm, counted, last_read, listed
from smart_sync.errors import DatabaseError, SheetUnavailable, SmartSyncError
from smart_sync.store import parser_records, pass_history
from smart_sync.store.clock_doubts import clock_doubt
from smart_sync.store.engine import StoreError
from smart_sync.store.pin_rows import everything
from smart_sync.store.schema import open_existing
from smart_sync.store.sqlite import scratch_copy
from smart_sync.store.sqlite.database import SqliteDatabase
from smart_sync.store.unread_projects import standing
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass


async def check_worksheets(
    settings: Settings, clock: Clock = utc_now, *, known: bool = True, original: Path | None = None
) -> list[Finding]:
    """Findings of a dry run with ``settings``, whose database is a copy, for each project and its names.

    ``original``: the file of which the copy has all but the snapshots.  Not ``known``: the database could not be read,
    the copy is empty, and only of Google anything can be said.
    """
    try:
        async with opened(settings, Reporter(), clock=clock) as resources:
            if isinstance(resources.database, SqliteDatabase) and original is not None:
                with contextlib.suppress(StoreError):  # what is wrong with that table has been told
                    await resources.database.take_snapshots_from(original)
            result = await SyncPass(resources).run(PassRequest(Trigger.CLI, dry_run=True))
            if not known:
                return [finding for finding in await _name_findings(resources, result) if finding.level == "error"]
            projects = (await standing(resources.database)).projects
            pinned = await everything(resources.database)
            pins = [Finding("ok", f"{one.link} ({one.project_name}): {one.pin}") for one in pinned]
            names = await _name_findings(resources, result)
            return [*_pass_findings(result, settings, projects), *pins, *_gauge_findings(settings), *names]
    except SmartSyncError as error:
        return [Finding("error", str(error), trouble=error.trouble)]


async def check_last_pass(where: Location, now: datetime) -> list[Finding]:
    """What only passes can tell: what the database refused in each project's newest one, and whether a clock jumped."""
    refusals: list[tuple[str, str, str]] = []
    doubted = ""
    with contextlib.suppress(DatabaseError):  # one without our tables of today has been told of
        async with open_existing(where, read_only=True) as database:
            refusals = await pass_history.refused_by_database(database)
            doubted = await clock_doubt(database, now)
    errors = by_text((name, f"the last pass, {at[:16].replace('T', ' ')} UTC: {error}") for name, error, at in refusals)
    of_clock = [Finding("warning", doubted, trouble="clock")] if doubted else []
    return of_clock + [
        Finding("error", f"{listed(names)}: {text}", trouble="database-columns") for text, names in errors.items()
    ]


def _gauge_findings(settings: Settings) -> Iterator[Finding]:
    """Warn of gauges decided by MAX everywhere: a fall shows late."""
    policy = settings.merge.policy()
    for metric in METRICS:
        if metric not in policy.counters and policy.rule("", "", metric).strategy == "max":
            message = f"{metric} go both ways, and MAX shows a fall only when the larger side falls too"
            yield Finding("ok", f'{message}; to follow falls: [merge.metrics] {metric} = "latest"')


async def _name_findings(resources: Resources, result: PassResult) -> list[Finding]:
    """Names known on one side only: the worksheets' or the configuration's."""
    titles, troubles = list[str](), list[Finding]()
    sheets = resources.settings.sheets
    if sheets.source != "google" or sheets.spreadsheet:  # without a default spreadsheet nothing belongs to nobody
        try:
            titles = await resources.sheets.titles()
        except SheetUnavailable as trouble:
            project_troubles = {one.trouble for one in result.results}
            troubles = (
                [Finding("error", str(trouble), trouble=trouble.trouble)]
                if str(trouble) not in project_troubles
                else []
            )
    names = await scratch_copy.names_in_use(resources.database)
    if resources.settings.sync.create_missing == "projects":
        names.projects.update(titles)
    active = [one.project for one in result.results]
    claimed = {written(project.name, titles) for project in active}
    return [
        *troubles,
        *await _failing_parsers(resources),
        *_unclaimed(titles, claimed),
        *default_spreadsheets(resources.settings, active),
        *unknown_names(resources.settings, names),
    ]


async def _failing_parsers(resources: Resources) -> list[Finding]:
    """The configured parsers that fail, as passes have reported, or cannot read a part of their source."""
    names = {str(parser["parser"]) for parser in resources.parsers()}
    return [
        Finding(
            "warning" if one.since is None else "error",
            f"parser {one}",
            trouble="parsed-values" if one.since is None else trouble_of(one.reason),
        )
        for one in await parser_records.failing(resources.database)
        if one.must_be_told and one.parser in names
    ]


def _unclaimed(titles: Iterable[str], claimed: Collection[str | None]) -> Iterator[Finding]:
    for title in titles:
        if title not in claimed:
            yield Finding("warning", f"worksheet {title!r} belongs to no active project", trouble="sheet-unclaimed")


def _pass_findings(result: PassResult, settings: Settings, projects: int) -> Iterator[Finding]:
    """The findings of one dry run; ``projects``: how many there are, including inactive ones."""
    if not result.results:
        creates = settings.sync.create_missing == "projects"
        yield Finding(
            "ok" if creates else "warning" if projects else "error",
            "there is no active project yet; "
            + (
                "they are created from the worksheets"
                if creates
                else "insert some into projects (name: the worksheet's title), or let the sheets create them:"
                ' [sync] create_missing = "projects"'
            ),
            trouble="no-projects",
        )
    for name in result.new_projects:
        yield Finding("ok", f"worksheet {name!r} will become a project")
    troubled = [r for r in result.results if r.outcome in (Outcome.FAILED, Outcome.DEGRADED)]
    troubles = [(r.project.name, r.trouble) for r in troubled]
    codes = {told: r.code for r, (_, told) in zip(troubled, troubles, strict=True)}
    for trouble, concerned in by_text(troubles).items():
        yield Finding("error", f"{listed(concerned)}: {trouble}", trouble=codes.get(trouble, ""))
    for last, concerned in by_text(
        (r.project.name, last_read(r.sheet_read_at)) for r in result.results if r.stale
    ).items():
        yield Finding("error", f"{listed(concerned)}: stale, {last}", trouble="stale")
    for project in result.results:
        yield from _project_findings(project)


def _project_findings(result: ProjectResult) -> Iterator[Finding]:
    name = result.project.name
    if result.outcome not in (Outcome.FAILED, Outcome.DEGRADED):
        new = result.counts.new_accounts
        coming = f"; {counted(new, 'row')} will become {'an account' if new == 1 else 'accounts'}" if new else ""
        in_sheet, known_accounts = result.counts.sheet - new, result.counts.accounts - new
        are = "is" if known_accounts == 1 else "are"
        yield Finding(
            "ok", f"{name}: {in_sheet:,} of {counted(known_accounts, 'account')} {are} in the worksheet{coming}"
        )
    for link in result.left:
        message = f"{name}: {link} will leave: its row is gone for good, and no parser has a value"
        yield Finding("warning", message, trouble="rows-gone")
    for problem in result.problems:
        yield Finding("warning", str(problem), trouble=problem.code)
    for suspect in result.suspects:
        place = suspect.place or name
        before = "no value" if suspect.old is None else f"{suspect.old:,}"
        yield Finding(
            "warning",
            f"{place}: {suspect.metric} of {suspect.link} jumped from {before} to {suspect.new:,}"
            f"{f': {suspect.cause}' if suspect.cause else ''}; "
            f"correct it, or: {confirm(suspect.link, suspect.metric)}",
            trouble="suspect-value",
        )
    rows = {problem.row for problem in result.problems if problem.code == "no-account"}
    gone = {problem.value for problem in result.problems if problem.code == "rows-gone"}
    for row in result.unmatched_rows:
        if row.row in rows or not profile_link(row.link, row.platform):
            continue  # a problem already
        yield Finding("warning", f"{name}!{row.row}: no account has this link ({row.link})", trouble="no-account")
    for link in result.unmatched_accounts:
        if link in gone:
            continue  # a problem already
        yield Finding("warning", f"{name}: no row has the link of account {link}", trouble="rows-gone")
