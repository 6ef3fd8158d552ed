"""A chart with axes as it stands, for paper and where no script runs: an ``svg`` with its numbers and days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from smart_sync.core.history.growth import condensed
from smart_sync.report.markup import Html, el
from smart_sync.report.totals import Joined
from smart_sync.report.trend import MAX_POINTS, Window
from smart_sync.report.words import Words

WIDTH, HEIGHT = 720, 240
#: Room for the numbers at the left, the days below, and half a day's text at the right.
LEFT, BOTTOM, RIGHT, TOP = 64, 24, 40, 10
_TICKS, _DAYS = 5, 6


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where a day's place and a value are in the drawing."""

    days: int
    bottom: int
    top: int

    def x(self, day: int) -> str:
        """Of the day with this place in the window, from 0; one day alone is in the middle."""
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (day / (self.days - 1) if self.days > 1 else 0.5):.1f}"

    def y(self, value: int) -> str:
        """Of a value between ``bottom`` and ``top``."""
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (self.top - value) / (self.top - self.bottom):.1f}"


def axes_chart(
    series: Sequence[int | None], window: Window, label: str, words: Words, joined: Sequence[Joined], target: int | None
) -> Html:
    """``series`` with axes; days on which accounts join are marked, and the ``target``, if any, is a line."""
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
    """As a path, broken where days have no value; a value between two gaps is a dot."""
    step, points = max(-(-len(series) // MAX_POINTS), 1), condensed(series, MAX_POINTS)
    pen_down = False
    for place, value in enumerate(points):
        # Each point stands for the days up to it; the last one is the last day.
        day = max(len(series) - 1 - (len(points) - 1 - place) * step, 0)
        if value is not None:
            yield f"{'L' if pen_down else 'M'}{plane.x(day)} {plane.y(value)}" + ("" if pen_down else "h.1")
        pen_down = value is not None


def scale(low: int, high: int) -> list[int]:
    """Round numbers from the last one at or below ``low`` to the first at or above ``high``, not many; whole ones."""
    rough = max((high - low) / (_TICKS - 1), 1)
    power = 10 ** (len(str(int(rough))) - 1)
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    first, last = low // step, -(-high // step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def day_marks(window: Window) -> list[int]:
    """The places of days that are named below a chart: the last one, and others as far apart as it takes."""
    step = max(-(-(window.length - 1) // _DAYS), 1)
    return list(range(window.length - 1, -1, -step))[::-1]
