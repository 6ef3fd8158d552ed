"""The report's numbers as CSV files: plain numbers, ISO dates, one header line, UTF-8 with a byte order mark.

A text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from smart_sync.core.history.growth import Growth, change
from smart_sync.core.model import METRICS
from smart_sync.errors import SmartSyncError
from smart_sync.report.inputs import ProjectFacts, ReportInputs
from smart_sync.report.totals import breakdowns, lifetime_sources, standing, weighed
from smart_sync.report.trend import FOLLOWERS, VIEWS, WEEK, newest, total, total_change, window

Cell = str | int | float | None
Row = Sequence[Cell]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class NotWritten(SmartSyncError):
    """A file, or the folder for the files, cannot be created or written."""


def tables(facts: ReportInputs, days: int, since: date | None, lifetime: frozenset[str]) -> dict[str, list[Row]]:
    """File name → its rows, header first; ``days.csv`` has the last ``days`` days, or those ``since`` a day."""
    projects, start = facts.projects, None if since is None else since.toordinal()
    return {
        "projects.csv": [_PROJECTS, *(_project(one, facts.today, lifetime) for one in projects)],
        "totals.csv": [_TOTALS, *(row for one in projects for row in _totals(one))],
        "accounts.csv": [_ACCOUNTS, *(row for one in projects for row in _accounts(one))],
        "corrections.csv": [_CORRECTIONS, *(row for one in projects for row in _corrections(one))],
        "to_put_right.csv": [_TO_DO, *(row for one in projects for row in _to_do(one))],
        "days.csv": [_DAYS, *_days(projects, days, start)],
    }


def write(folder: Path, files: Mapping[str, Sequence[Row]]) -> None:
    """Write the files into ``folder``, creating it if missing; each atomically. Raises `NotWritten`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in files.items():
            _put(folder / name, encoded(rows))
    except OSError as error:
        raise NotWritten(f"{folder}: cannot be written: {error.strerror}; give --csv a folder that can") from None


def write_page(path: Path, page: bytes) -> None:
    """Write ``page`` atomically; a device or FIFO is written directly. Raises `NotWritten`."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(page)
        else:
            _put(path.resolve(), page)
    except OSError as error:
        raise NotWritten(f"{path}: cannot be written: {error.strerror}; give --output a file that can") from None


def _put(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def encoded(rows: Sequence[Row]) -> bytes:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return round(cell, 2)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _iso(day: int | None) -> str | None:
    return None if day is None else date.fromordinal(day).isoformat()


def _amount(change: Growth | None) -> int | None:
    return None if change is None else change.amount


_PROJECTS: Row = (
    "project_id", "project", "accounts", "values_of", "views", "views_7_days", "followers", "followers_7_days",
    "target_views", "start_date", "end_date", "day", "days", "views_per_day", "projected_views", "verdict",
)  # fmt: skip


def _project(project: ProjectFacts, today: int, lifetime: frozenset[str]) -> Row:
    as_of = project.as_of
    row: list[Cell] = [project.id, project.name, len(project.accounts), _iso(as_of)]
    for metric in (VIEWS, FOLLOWERS):
        row.append(None if as_of is None else total(project.accounts, metric, as_of))
        row.append(None if as_of is None else _amount(total_change(project.accounts, metric, as_of, WEEK)))
    progress = standing(project, today)
    if progress is None:
        return [*row, *[None] * 7, "no_target"]
    goal = progress.target
    row += [goal.views, _iso(goal.start), _iso(goal.end), progress.day, progress.days]
    if project.target_flaw or lifetime_sources(project, lifetime):
        return [*row, None, None, "unknown"]
    return [*row, progress.pace.per_day if progress.pace else None, progress.projected, progress.verdict.value]


_TOTALS: Row = (
    "project", "by", "name", "accounts", "views", "share_percent", "views_7_days", "followers", "followers_7_days",
)  # fmt: skip


def _totals(project: ProjectFacts) -> Iterator[Row]:
    for by, groups in breakdowns(project):
        for one in groups:
            changes = _amount(one.views_change), one.followers, _amount(one.followers_change)
            yield project.name, by, one.name, one.accounts, one.views, one.share, *changes


_ACCOUNTS: Row = (
    "project", "account_id", "username", "link", "platform", "topic", "person", *METRICS, "views_7_days", "values_of",
)  # fmt: skip


def _accounts(project: ProjectFacts) -> Iterator[Row]:
    for one in project.accounts:
        values = [newest(one, place) for place in range(len(METRICS))]
        grown = None if project.as_of is None else _amount(change(one.history, VIEWS, project.as_of, WEEK))
        names = one.id, one.username, one.link, one.platform, one.topic, one.person
        yield project.name, *names, *values, grown, _iso(one.last_day)


_CORRECTIONS: Row = (
    "project", "account_id", "link", "metric", "worksheet", "row", "by_hand", "parsed", "difference",
    "share_of_change_percent",
)  # fmt: skip


def _corrections(project: ProjectFacts) -> Iterator[Row]:
    for one in weighed(project):
        correction = one.correction
        where = one.account.id, one.account.link, correction.metric, correction.worksheet, correction.row
        yield project.name, *where, correction.value, correction.parsed, one.difference, one.share


_TO_DO: Row = ("project", "what", "link", "metric", "before", "now", "counts", "since", "problem", "cause")


def _to_do(project: ProjectFacts) -> Iterator[Row]:
    for one in project.suspects:
        counts = one.old if one.held else one.new
        yield project.name, "jumped", one.link, one.metric, one.old, one.new, counts, one.since, one.place, one.cause
    for problem in project.last_run.problems if project.last_run else ():
        yield project.name, "cell", *[None] * 6, str(problem), None


_DAYS: Row = ("project", "account_id", "day", *METRICS)


def _days(projects: Sequence[ProjectFacts], days: int, since: int | None) -> Iterator[Row]:
    shown = window(projects, days, since)
    for project in projects if shown else ():
        for account in project.accounts:
            for day, values in zip(account.history.days, account.history.values, strict=True):
                if shown and shown.start <= day <= shown.end:
                    yield project.name, account.id, _iso(day), *values
