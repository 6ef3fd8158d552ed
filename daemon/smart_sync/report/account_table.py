"""The accounts of a project: a small chart each, and all numbers in a table."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from smart_sync.core.history.growth import change
from smart_sync.core.model import METRICS
from smart_sync.report.charts import ProjectSeries, shown_metric
from smart_sync.report.headline import horizon_name
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, change_cell, el, join, named, short, table
from smart_sync.report.trend import FOLLOWERS, VIEWS, WEEK, Horizon, Series, Window, newest, sparkline
from smart_sync.report.words import Words

MAX_LINK = 500
#: The metrics in the order of the table: what is asked for first comes first, where a phone shows it.
_ORDER = (VIEWS, FOLLOWERS, *(place for place in range(len(METRICS)) if place not in (VIEWS, FOLLOWERS)))


def accounts_section(
    project: ProjectFacts, series: ProjectSeries, window: Window, shown: Sequence[Horizon], words: Words
) -> Html:
    """Small charts, then the table behind them."""
    cards = join(
        _card(account, metrics, window, project.as_of, words)
        for account, metrics in zip(project.accounts, series.accounts, strict=True)
    )
    note = el("p", words.say("cards_note", week=words.counted(WEEK, "day")), class_="note")
    whole = el("details", el("summary", words.say("accounts_table")), _table(project, shown, words))
    return join((el("h3", words.say("accounts")), note, el("ul", cards, class_="cards"), whole))


def _card(account: AccountFacts, metrics: list[Series], window: Window, as_of: int | None, words: Words) -> Html:
    metric = shown_metric(metrics)
    known = [value for value in metrics[metric] if value is not None]
    span = words.say("span", first=words.day(window.start), last=words.day(window.end))
    values = words.say("no_values")
    if known:
        values = words.say("from_to", first=words.count(known[0]), last=words.count(known[-1]))
    label = f"{words.metrics()[metric]}, {span}: {values}"
    return el(
        "li",
        el("p", _linked(account), " ", el("small", short(account.platform, 20)), class_="who"),
        sparkline(metrics[metric], label) if known else el("p", words.say("no_values_in_time"), class_="none"),
        el("p", *(_figure(account, metric, as_of, words) for metric in (VIEWS, FOLLOWERS)), class_="figures"),
    )


def _figure(account: AccountFacts, metric: int, as_of: int | None, words: Words) -> Html:
    growth = None if as_of is None else change(account.history, metric, as_of, WEEK)
    value, name = newest(account, metric), METRICS[metric]
    return el(
        "span",
        el("b", words.count(value)),
        f" {words.noun(value, name)} ",
        change_cell(words, growth) if growth else None,
    )


def _linked(account: AccountFacts) -> Html:
    """The account's name, as a link if that is a web address."""
    name = named(account.name)
    if len(account.link) > MAX_LINK or not _is_web(account.link):
        return name
    return el("a", name, href=account.link, rel="noopener noreferrer nofollow")


def _is_web(link: str) -> bool:
    try:
        return urlsplit(link).scheme in ("http", "https") and link.isprintable() and bool(urlsplit(link).hostname)
    except ValueError:
        return False


def _table(project: ProjectFacts, shown: Sequence[Horizon], words: Words) -> Html:
    names = words.metrics()
    views = [f"{names[VIEWS]}, {horizon_name(one, words)}" for one in shown]
    heads = (
        words.say("account"), names[VIEWS], *views, *(names[place] for place in _ORDER[1:]), words.say("platform"),
        words.say("values_of_head"),
    )  # fmt: skip
    rows = [
        (
            named(account.name),
            words.count(newest(account, VIEWS)),
            *(_views_change(project, account, one, words) for one in shown),
            *(words.count(newest(account, place)) for place in _ORDER[1:]),
            short(account.platform, 20),
            "–" if account.last_day is None else words.day(account.last_day),
        )
        for account in project.accounts
    ]
    return table(words.say("accounts_table"), heads, rows)


def _views_change(project: ProjectFacts, account: AccountFacts, horizon: Horizon, words: Words) -> Html:
    as_of = project.as_of
    return change_cell(words, None if as_of is None else change(account.history, VIEWS, as_of, horizon.back(as_of)))
