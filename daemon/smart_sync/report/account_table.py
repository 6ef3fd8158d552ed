"""The accounts of a project: a small chart each, and all numbers in a table."""

from urllib.parse import urlsplit

from smart_sync.core.model import METRICS
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, change_cell, count, day, el, join, named, short, table
from smart_sync.report.series import ProjectSeries, shown_metric
from smart_sync.report.trend import FOLLOWERS, HORIZONS, VIEWS, WEEK, Series, Window, change, newest, sparkline

MAX_LINK = 500


def accounts_section(project: ProjectFacts, series: ProjectSeries, window: Window) -> Html:
    """Small multiples, then the table behind them."""
    cards = join(
        _card(account, metrics, window, project.as_of)
        for account, metrics in zip(project.accounts, series.accounts, strict=True)
    )
    note = el(
        "p", "Each line runs from its own lowest to its own highest value; the changes are of 7 days.", class_="note"
    )
    whole = el("details", el("summary", "All accounts as a table"), _table(project))
    return join((el("h3", "Accounts"), note, el("ul", cards, class_="cards"), whole))


def _card(account: AccountFacts, metrics: list[Series], window: Window, as_of: int | None) -> Html:
    metric = shown_metric(metrics)
    known = [value for value in metrics[metric] if value is not None]
    span = f"{day(window.start)} to {day(window.end)}"
    label = f"{METRICS[metric].capitalize()}, {span}: " + (
        f"from {count(known[0])} to {count(known[-1])}" if known else "no values"
    )
    return el(
        "li",
        el("p", _linked(account), " ", el("small", short(account.platform, 20)), class_="who"),
        sparkline(metrics[metric], label) if known else el("p", "no values in this time", class_="none"),
        el("p", _figure(account, VIEWS, as_of), _figure(account, FOLLOWERS, as_of), class_="figures"),
    )


def _figure(account: AccountFacts, metric: int, as_of: int | None) -> Html:
    found = None if as_of is None else change(account.history, metric, as_of, WEEK)
    return el(
        "span", el("b", count(newest(account, metric))), f" {METRICS[metric]} ", change_cell(found) if found else None
    )


def _linked(account: AccountFacts) -> Html:
    """The account's name; a link to it only where that leads to a web page."""
    name = named(account.username or account.link)
    if len(account.link) > MAX_LINK or not _is_web(account.link):
        return name
    return el("a", name, href=account.link, rel="noopener noreferrer nofollow")


def _is_web(link: str) -> bool:
    try:
        return urlsplit(link).scheme in ("http", "https") and link.isprintable() and bool(urlsplit(link).hostname)
    except ValueError:
        return False


def _table(project: ProjectFacts) -> Html:
    heads = (
        "Account",
        "Platform",
        *(m.capitalize() for m in METRICS),
        *(f"Views, {d} d" for d in HORIZONS),
        "Values of",
    )
    rows = [
        (
            named(account.username or account.link),
            short(account.platform, 20),
            *(count(newest(account, metric)) for metric in range(len(METRICS))),
            *(_views_change(project, account, days) for days in HORIZONS),
            "–" if account.last_day is None else day(account.last_day),
        )
        for account in project.accounts
    ]
    return table("All accounts", heads, rows, text_columns=2)


def _views_change(project: ProjectFacts, account: AccountFacts, days: int) -> Html:
    return change_cell(None if project.as_of is None else change(account.history, VIEWS, project.as_of, days))
