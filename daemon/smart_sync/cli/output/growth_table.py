"""What people see of growth on a terminal.  Texts of others are shown as text, never obeyed."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from smart_sync.cli.output.terminal import console, count, line, when
from smart_sync.core.history.growth import condensed, sparkline
from smart_sync.core.wording import counted
from smart_sync.logs import printable

#: Bars of a sparkline, so that a line of growth fits into 80 columns.
BARS = 31


def show_growth(answer: dict[str, Any]) -> None:
    """A table per project, a line with a sparkline per account; then totals and the biggest movers."""
    screen = console()
    line(screen, f"{answer['metric']}, {answer['since']} to {answer['until']}", "bold")
    for project in answer["projects"]:
        own = [entry for entry in answer["accounts"] if entry["project_id"] == project["project_id"]]
        screen.print()
        line(screen, f"project {_total(project)}", "bold")
        screen.print(_growths(own))
    for entry in answer["platforms"]:
        line(screen, f"platform {_total(entry)}")
    for entry in answer["movers"]:
        line(screen, f"mover {_name(entry)}, {entry['platform']}: {_delta(entry['moved'])}{_left_out(entry)}")
    for entry in answer["left"]:
        since = f"since {when(entry['left_since'])}"
        line(screen, f"left {_name(entry)}, {entry['platform']}: {count(entry['last'])}, {since}, in no total")


def _total(entry: dict[str, Any]) -> str:
    accounts = counted(entry["accounts"], "account")
    compared = f", {entry['compared']} of them compared" if 0 < entry["compared"] < entry["accounts"] else ""
    average = "" if entry["average"] is None else f", {entry['average']:+,.1f} a day"
    grown = f"({_delta(entry['growth'])}{average})"
    return f"{entry['name'] or 'unnamed'}: {count(entry['last'])} {grown}, {accounts}{compared}{_covered(entry)}"


def _covered(entry: dict[str, Any]) -> str:
    """What is behind the sum, where not all of it is exact."""
    kinds = {kind: number for kind, number in entry["coverage"].items() if number}
    if not kinds.keys() - {"exact"}:
        return ""
    return f" ({', '.join(f'{number:,} {kind}' for kind, number in kinds.items())})"


def _growths(entries: Iterable[dict[str, Any]]) -> Table:
    table = Table("account", "platform", box=None, pad_edge=False, show_header=False)
    for _ in ("last", "growth", "percent"):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for entry in entries:
        growth = (count(entry["last"]), _delta(entry["growth"]), _percent(entry))
        table.add_row(
            Text(_name(entry)),
            Text(printable(entry["platform"], 20)),
            *growth,
            sparkline(condensed(entry["values"], BARS)),
            _since(entry),
        )
    return table


def _since(entry: dict[str, Any]) -> str:
    """What the growth is a growth of, where that is not what was asked for."""
    since = "" if entry["exact"] or entry["since"] is None else f"since {entry['since']}"
    return ", ".join(filter(None, (since, _ends(entry))))


def _ends(entry: dict[str, Any]) -> str:
    """Which days hold the growth of several, because the value was carried until then."""
    days = entry["ends_carried"]
    if len(days) > 1:
        return f"{len(days)} days end carried stretches"
    return f"{days[0]} ends a carried stretch" if days else ""


def _left_out(entry: dict[str, Any]) -> str:
    return f" (left out: {_ends(entry)})" if entry["ends_carried"] else ""


def _delta(value: int | None) -> str:
    return "–" if value is None else f"{value:+,}"


def _percent(entry: dict[str, Any]) -> str:
    return f"{entry['growth'] / entry['first']:+.1%}" if entry["growth"] is not None and entry["first"] else ""


def _name(entry: dict[str, Any]) -> str:
    return printable(entry["username"] or entry["link"], 60)
