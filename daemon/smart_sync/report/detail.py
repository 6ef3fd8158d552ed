"""The detail chart: drawn by report.js with uPlot; without a script, and on paper, a plain line stands in."""

from collections.abc import Iterable

from smart_sync.core.model import METRICS
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.markup import Html, count, day, el, join, short
from smart_sync.report.series import ProjectSeries, shown_metric
from smart_sync.report.trend import VIEWS, Window, sparkline

_SHOWS = (("level", "total"), ("daily", "change per day"))
_BUTTONS = (("in", "Zoom in"), ("out", "Zoom out"), ("all", "All days"))


def detail_section(project: ProjectFacts, series: ProjectSeries, window: Window, number: int) -> Html:
    """The chart of the project numbered ``number``, in both forms."""
    return join((el("h3", "In detail"), _plain(series, window), _live(project, number)))


def _plain(series: ProjectSeries, window: Window) -> Html:
    metric = shown_metric(series.totals)
    known = [value for value in series.totals[metric] if value is not None]
    name = f"{METRICS[metric].capitalize()} of all accounts"
    label = f"{name}, {day(window.start)} to {day(window.end)}: lowest {count(min(known))}, highest {count(max(known))}"
    return el(
        "figure",
        el("figcaption", label),
        sparkline(series.totals[metric], label, class_="plain"),
        class_="static",
    )


def _live(project: ProjectFacts, number: int) -> Html:
    who = [
        (-1, "All accounts"),
        *((i, _option(a.username or a.link, a.platform)) for i, a in enumerate(project.accounts)),
    ]
    controls = el(
        "div",
        el("label", "Account ", _select("account", who, -1)),
        el("label", "Metric ", _select("metric", enumerate(METRICS), VIEWS)),
        el("label", "Show ", _select("show", _SHOWS, "level")),
        *(el("button", text, type="button", data_zoom=zoom) for zoom, text in _BUTTONS),
        class_="controls",
    )
    plot = el(
        "div", class_="plot", tabindex=0, role="slider", aria_orientation="horizontal", aria_label="Day in the chart"
    )
    hint = "Drag to zoom, double-click for all days; with the keyboard: arrows, Home, End, + and −, 0."
    rows = el("details", el("summary", "These numbers as a table"), el("div", class_="numbers"))
    readout = el("output", class_="readout")
    return el(
        "div",
        controls,
        readout,
        plot,
        el("p", hint, class_="note"),
        rows,
        class_="live",
        data_project=number,
        hidden=True,
    )


def _option(name: str, platform: str) -> str:
    return f"{short(name.strip() or '(no name)', 60)} ({short(platform, 20)})" if platform else short(name, 60)


def _select(name: str, options: Iterable[tuple[object, str]], chosen: object) -> Html:
    shown = (el("option", text, value=str(value), selected=value == chosen) for value, text in options)
    return el("select", *shown, name=name, autocomplete="off")
