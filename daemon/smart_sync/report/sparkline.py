"""Small charts as inline SVG: they need no script, so they show in a mail preview and on paper too."""

from collections.abc import Sequence

from smart_sync.core.history.growth import condensed
from smart_sync.report.markup import Html, el

WIDTH, HEIGHT = 300, 100
#: More points than this are not to be seen.
MAX_POINTS = 100


def sparkline(series: Sequence[int | None], label: str, *, class_: str = "spark") -> Html:
    """``series`` as a line from its lowest to its highest value, broken where days have no value."""
    points = condensed(series, MAX_POINTS)
    known = [value for value in points if value is not None]
    lowest, highest = min(known, default=0), max(known, default=0)
    step = WIDTH / max(len(points) - 1, 1)
    lines, dots, pen_down = [], [], False
    for place, value in enumerate(points):
        if value is None:
            pen_down = False
            continue
        height = HEIGHT / 2 if highest == lowest else (highest - value) / (highest - lowest) * HEIGHT
        spot = f"{place * step:.0f} {height:.0f}"
        lines.append(f"{'L' if pen_down else 'M'}{spot}")
        # A value between two gaps has no line; a line of no length with round ends is a dot.
        if not pen_down and (place + 1 == len(points) or points[place + 1] is None):
            dots.append(f"M{spot}h0")
        pen_down = True
    paths = [el("path", d="".join(lines)), el("path", d="".join(dots), class_="dots") if dots else None]
    box = f"-4 -8 {WIDTH + 8} {HEIGHT + 16}"
    return el("svg", *paths, class_=class_, viewBox=box, preserveAspectRatio="none", role="img", aria_label=label)
