"""What a person should look at: values corrected by hand, what is stale, and how the last passes went."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from smart_sync.core.model import METRICS
from smart_sync.report.inputs import AccountFacts, PassFacts, ProjectFacts
from smart_sync.report.markup import Html, count, day, el, join, named, short, signed, stamp, table
from smart_sync.report.trend import newest

#: Older than this is stale.
WORKSHEET_AGE = timedelta(days=1)
PARSED_AGE = timedelta(days=2)
MAX_ERROR = 300


def corrections_section(project: ProjectFacts) -> Html:
    """Each metric where what a manager typed stands against another parsed value."""
    rows = [
        (
            named(account.username or account.link),
            c.metric,
            _place(c.worksheet, c.row) + (", stands in" if c.carried else ""),
            count(c.value),
            count(c.parsed),
            signed(c.value - c.parsed),
            "–" if c.since is None else day(c.since),
        )
        for account in project.accounts
        for c in account.corrections
    ]
    heads = ("Account", "Metric", "Where", "By hand", "Parsed", "Difference", "Value since")
    shown = (
        table("Values corrected by hand", heads, rows, text_columns=3)
        if rows
        else el("p", "No value in a worksheet stands against another parsed one.")
    )
    return join((el("h3", "Corrected by hand"), shown))


def _place(worksheet: str, row: int | None) -> str:
    return f"{short(worksheet, 40)}, row {row}" if row is not None else "no row any more"


def left_section(project: ProjectFacts) -> Html | None:
    """The accounts that have left, with their last values; none: nothing is said."""
    if not project.left:
        return None
    rows = [
        (
            named(account.username or account.link),
            short(account.platform, 20),
            stamp(account.left_since),
            *(count(newest(account, place)) for place in range(len(METRICS))),
        )
        for account in project.left
    ]
    heads = ("Account", "Platform", "Since", *(metric.capitalize() for metric in METRICS))
    why = "Their rows are gone from the worksheet, and no parser has a value: they are in no total."
    shown = table("Accounts that have left", heads, rows, text_columns=3)
    return join((el("h3", "Left"), el("p", why, class_="note"), shown))


def stale_section(project: ProjectFacts, now: datetime) -> Html:
    """What is older than it should be: the project's worksheet, then its accounts."""
    rows = [*_stale_project(project, now)]
    for account in project.accounts:
        rows += [(named(account.username or account.link), *what) for what in _stale_account(account, project, now)]
    shown = (
        table("Stale", ("What", "Why", "Since"), rows, text_columns=3)
        if rows
        else el("p", "Nothing: the worksheet, the parsed values and the snapshots are recent.")
    )
    return join((el("h3", "Stale"), shown))


def _stale_project(project: ProjectFacts, now: datetime) -> Iterator[tuple[Html | str, str, str]]:
    run = project.last_run
    if run and run.outcome in ("degraded", "failed"):
        yield "the project", f"{run.outcome}: {short(run.error, MAX_ERROR)}", stamp(run.finished_at)
    if project.stale_since is not None:
        yield "the project", "stale: its worksheet cannot be read", stamp(project.stale_since)
    if project.worksheet_read_at is None:
        yield "the worksheet", "has never been read", "–"
    elif now - project.worksheet_read_at > WORKSHEET_AGE:
        yield "the worksheet", f"last read {_ago(now - project.worksheet_read_at)}", stamp(project.worksheet_read_at)


def _stale_account(account: AccountFacts, project: ProjectFacts, now: datetime) -> Iterator[tuple[str, str]]:
    if account.last_day is None:
        yield "has no values yet", "–"
    elif project.as_of is not None and account.last_day < project.as_of:
        yield f"newest values {project.as_of - account.last_day} days behind the project's", day(account.last_day)
    if account.parsed and account.parsed_at is None:
        yield "parsed at a time that cannot be read", "–"
    elif account.parsed_at is not None and now - account.parsed_at > PARSED_AGE:
        yield f"parsed {_ago(now - account.parsed_at)}", stamp(account.parsed_at)


def _ago(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} days ago" if hours >= 48 else f"{hours} hours ago"


def passes_section(passes: tuple[PassFacts, ...]) -> Html:
    """The last passes, newest first."""
    heads = (
        "Started",
        "Trigger",
        "Ended",
        "Projects",
        "Degraded",
        "Failed",
        "Accounts",
        "Changed",
        "Snapshots",
        "Calls",
    )
    rows = [
        (
            stamp(p.started_at),
            p.trigger,
            _took(p),
            *map(count, (p.projects, p.degraded, p.failed, p.accounts, p.changed, p.snapshots, p.calls)),
        )
        for p in passes
    ]
    shown = table("Last passes", heads, rows, text_columns=3) if rows else el("p", "No pass has been run yet.")
    return el("section", el("h2", "Last passes", id="passes"), shown, aria_labelledby="passes")


def _took(one: PassFacts) -> str:
    if one.finished_at is None:
        return "not finished: running, or cut off"
    return f"after {(one.finished_at - one.started_at).total_seconds():.1f} s" if one.started_at else "yes"
