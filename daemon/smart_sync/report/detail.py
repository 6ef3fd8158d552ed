"""The detail chart: drawn by report.js with uPlot; without a script, and on paper, a drawn one stands in."""

from collections.abc import Iterable

from smart_sync.core.model import METRICS
from smart_sync.report.chart import axes_chart
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.markup import Html, el, join, short
from smart_sync.report.series import ProjectSeries, shown_metric
from smart_sync.report.totals import Joined
from smart_sync.report.trend import VIEWS, Window
from smart_sync.report.words import Words

_SHOWS = ("level", "daily")
_BUTTONS = ("in", "out", "all")
#: Days named on which accounts joined; the number of those left out is told.
MAX_JOINED = 8


def detail_section(
    project: ProjectFacts, series: ProjectSeries, window: Window, number: int, goal: int | None, words: Words
) -> Html:
    """The chart of the project numbered ``number``, in both forms; ``goal`` is the line at the views to reach."""
    metric = shown_metric(series.totals)
    joined = series.joined[metric]
    return join(
        (
            el("h3", words.say("in_detail")),
            _plain(series, window, metric, goal if metric == VIEWS else None, words),
            _live(project, number, goal, words),
            _joined(joined, window, METRICS[metric], words),
        )
    )


def _plain(series: ProjectSeries, window: Window, metric: int, goal: int | None, words: Words) -> Html:
    known = [value for value in series.totals[metric] if value is not None]
    span = words.say("span", first=words.day(window.start), last=words.day(window.end))
    name = words.say("of_all_accounts", metric=words.metrics()[metric])
    label = f"{name}, {span}"
    if known:
        label += f": {words.say('lowest_highest', low=words.count(min(known)), high=words.count(max(known)))}"
    if goal is not None:
        label += f"; {words.say('goal_line', views=words.count(goal))}"
    chart = axes_chart(series.totals[metric], window, label, words, series.joined[metric], goal)
    return el("figure", el("figcaption", label), chart, class_="static")


def _joined(joined: list[Joined], window: Window, metric: str, words: Words) -> Html | None:
    """When accounts joined: the total rose by their numbers, and nothing had grown."""
    if not joined:
        return None
    told = [
        words.say(
            "joined_on",
            day=words.day(window.start + one.day),
            accounts=words.counted(one.accounts, "account"),
            amount=words.count(one.amount),
            metric=words.metric(metric),
        )
        for one in joined[-MAX_JOINED:]
    ]
    more = len(joined) - MAX_JOINED
    listed = "; ".join(told) + (f"; {words.say('more', number=words.count(more))}" if more > 0 else "")
    return el("p", words.say("joined", days=listed), class_="note")


def _live(project: ProjectFacts, number: int, goal: int | None, words: Words) -> Html:
    who = [
        (-1, words.say("all_accounts")),
        *((i, _option(a.username or a.link, a.platform)) for i, a in enumerate(project.accounts)),
    ]
    shows = [(show, words.say(f"show_{show}")) for show in _SHOWS]
    controls = el(
        "div",
        el("label", f"{words.say('account')} ", _select("account", who, -1)),
        el("label", f"{words.say('metric')} ", _select("metric", enumerate(words.metrics()), VIEWS)),
        el("label", f"{words.say('show')} ", _select("show", shows, "level")),
        *(el("button", words.say(f"zoom_{zoom}"), type="button", data_zoom=zoom) for zoom in _BUTTONS),
        class_="controls",
    )
    plot = el(
        "div",
        class_="plot",
        tabindex=0,
        role="slider",
        aria_orientation="horizontal",
        aria_label=words.say("day_in_chart"),
    )
    rows = el("details", el("summary", words.say("as_table")), el("div", class_="numbers"))
    return el(
        "div",
        controls,
        el("output", class_="readout"),
        plot,
        el("p", words.say("chart_hint"), class_="note"),
        rows,
        class_="live",
        data_project=number,
        data_goal=goal,
        hidden=True,
    )


def _option(name: str, platform: str) -> str:
    return f"{short(name.strip() or '–', 60)} ({short(platform, 20)})" if platform else short(name, 60)


def _select(name: str, options: Iterable[tuple[object, str]], chosen: object) -> Html:
    shown = (el("option", text, value=str(value), selected=value == chosen) for value, text in options)
    return el("select", *shown, name=name, autocomplete="off")
