"""The charts: daily series, drawn as SVG, and the detail chart, drawn by report.js with uPlot.

On paper, and where no script runs, an ``svg`` with its numbers and days stands in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from smart_sync.core.history.growth import condensed
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.markup import Html, el, join, short
from smart_sync.report.totals import Joined, joined
from smart_sync.report.trend import FOLLOWERS, MAX_POINTS, VIEWS, Series, Window, daily, summed
from smart_sync.report.words import Words

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NO_VALUE = "."


def pack(series: Iterable[int | None]) -> str:
    """``series`` as text of `DIGITS` and `NO_VALUE`, which need no escaping in HTML or JSON."""
    last, parts = 0, []
    for value in series:
        if value is None:
            parts.append(NO_VALUE)
        else:
            parts.append(_number(value - last))
            last = value
    return "".join(parts)


@lru_cache(maxsize=100_000)
def _number(difference: int) -> str:
    rest = difference * 2 if difference >= 0 else -difference * 2 - 1
    digits = ""
    while rest > 31:
        digits += DIGITS[rest % 32 + 32]
        rest //= 32
    return digits + DIGITS[rest]


@dataclass(frozen=True, slots=True)
class ProjectSeries:
    """Series per metric: of each account (in the project's order), their total, and its daily growth."""

    accounts: list[list[Series]]
    totals: list[Series]
    daily: list[Series]
    #: Metric by metric.
    joined: list[list[Joined]]

    @property
    def empty(self) -> bool:
        """Whether no day has any value."""
        return all(value is None for series in self.totals for value in series)

    def packed(self) -> dict[str, object]:
        """The form that report.js reads: an account is its metrics' texts separated by spaces."""
        return {
            "total": " ".join(map(pack, self.totals)),
            "daily": " ".join(map(pack, self.daily)),
            "accounts": [" ".join(map(pack, metrics)) for metrics in self.accounts],
            "joined": self.joined,
        }


def series_of(project: ProjectFacts, window: Window) -> ProjectSeries:
    """The series of ``project`` in ``window``."""
    histories = [account.history for account in project.accounts]
    places = range(len(METRICS))
    accounts = [[one.window(place, window.start, window.length) for place in places] for one in histories]
    by_metric = [[metrics[place] for metrics in accounts] for place in places]
    return ProjectSeries(
        accounts,
        [summed(histories, rows, place, window.start) for place, rows in enumerate(by_metric)],
        [daily(histories, place, window) for place in places],
        [joined(histories, place, window) for place in places],
    )


def shown_metric(metrics: list[Series]) -> int:
    """The metric of the small chart: views, or followers if an account has no views."""
    return VIEWS if any(metrics[VIEWS]) else FOLLOWERS


WIDTH, HEIGHT = 720, 240
#: Room for the numbers at the left, the days below, and half a day's text at the right.
LEFT, BOTTOM, RIGHT, TOP = 64, 24, 40, 10
_TICKS, _DAYS = 5, 6


@dataclass(frozen=True, slots=True)
class _Plane:
    """The coordinates of a chart."""

    days: int
    bottom: int
    top: int

    def x(self, day: int) -> str:
        """The x of the day with this index in the window; a single day is in the middle."""
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (day / (self.days - 1) if self.days > 1 else 0.5):.1f}"

    def y(self, value: int) -> str:
        """The y of a value between ``bottom`` and ``top``."""
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (self.top - value) / (self.top - self.bottom):.1f}"


def axes_chart(
    series: Sequence[int | None], window: Window, label: str, words: Words, joined: Sequence[Joined], target: int | None
) -> Html:
    """``series`` with axes; days on which accounts join are marked, and ``target``, if any, is a line."""
    known = [value for value in series if value is not None]
    goal = [] if target is None else [target]
    ticks = scale(min([*known, *goal], default=0), max([*known, *goal], default=1))
    plane = _Plane(len(series), ticks[0], ticks[-1])
    parts: list[Html] = []
    for tick in ticks:
        parts.append(el("path", d=f"M{LEFT} {plane.y(tick)}H{WIDTH - RIGHT}", class_="grid"))
        parts.append(el("text", words.short(tick), x=LEFT - 6, y=plane.y(tick), class_="at-left"))
    with_year = date.fromordinal(window.start).year != date.fromordinal(window.end).year
    for day in day_marks(window):
        text = words.short_day(window.start + day, with_year=with_year)
        parts.append(el("text", text, x=plane.x(day), y=HEIGHT - 6, class_="below"))
    parts += [el("path", d=f"M{plane.x(one.day)} {TOP}V{HEIGHT - BOTTOM}", class_="joined") for one in joined]
    parts += [el("path", d=f"M{LEFT} {plane.y(value)}H{WIDTH - RIGHT}", class_="goal") for value in goal]
    parts.append(el("path", d="".join(_line(series, plane)), class_="line"))
    return el("svg", *parts, class_="axes", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)


def _line(series: Sequence[int | None], plane: _Plane) -> Iterator[str]:
    """The series as a path, interrupted at days without a value; a value between two gaps is a dot."""
    step, points = max(-(-len(series) // MAX_POINTS), 1), condensed(series, MAX_POINTS)
    pen_down = False
    for place, value in enumerate(points):
        # Each point stands for the days up to it; the last one is the last day.
        day = max(len(series) - 1 - (len(points) - 1 - place) * step, 0)
        if value is not None:
            yield f"{'L' if pen_down else 'M'}{plane.x(day)} {plane.y(value)}" + ("" if pen_down else "h.1")
        pen_down = value is not None


def scale(low: int, high: int) -> list[int]:
    """A few round, whole numbers from at or below ``low`` to at or above ``high``."""
    rough = max((high - low) / (_TICKS - 1), 1)
    power = 10 ** (len(str(int(rough))) - 1)
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    first, last = low // step, -(-high // step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def day_marks(window: Window) -> list[int]:
    """The indexes of labelled days below a chart: the last one, and others at equal distances."""
    step = max(-(-(window.length - 1) // _DAYS), 1)
    return list(range(window.length - 1, -1, -step))[::-1]


_SHOWS = ("level", "daily")
_BUTTONS = ("in", "out", "all")
#: Days named on which accounts joined; the number of those left out is told.
MAX_JOINED = 8


def detail_section(
    project: ProjectFacts, series: ProjectSeries, window: Window, number: int, goal: int | None, words: Words
) -> Html:
    """The chart of project ``number``, in both forms; ``goal`` is the line at the views to reach."""
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
    """The note when accounts joined: the total rose by their numbers without any growth."""
    if not joined:
        return None
    texts = [
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
    listed = "; ".join(texts) + (f"; {words.say('more', number=words.count(more))}" if more > 0 else "")
    return el("p", words.say("joined", days=listed), class_="note")


def _live(project: ProjectFacts, number: int, goal: int | None, words: Words) -> Html:
    who = [
        (-1, words.say("all_accounts")),
        *((i, _option(a.name, a.platform)) for i, a in enumerate(project.accounts)),
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
