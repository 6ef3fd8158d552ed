"""What people see of numbers on a terminal: why, when, how much.  Texts of others are shown as text, never obeyed."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smart_sync.core.growth import sparkline
from smart_sync.core.model import METRICS
from smart_sync.logs import printable

_STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red", "cut off or running": "red"}


def show_explanations(answer: dict[str, Any]) -> None:
    """Every account that was meant, each with all that is known of its numbers."""
    console = Console(highlight=False)
    for number, account in enumerate(answer["accounts"]):
        if number:
            console.print()
        _show_account(console, account)


def _show_account(console: Console, account: dict[str, Any]) -> None:
    state = "" if account["active"] else ", inactive"
    _line(console, f"{account['link']}  ({account['platform']}, project {account['project_name']}{state})", "bold")
    _line(console, f"sheet   {_sheet(account['sheet'])}")
    _line(console, f"merged  {_when(account['updated_at']) if account['updated_at'] else 'no pass has seen it yet'}")
    table = Table("metric", box=None, pad_edge=False)
    for name in ("sheet", "parsed", "result"):
        table.add_column(name, justify="right")
    for name in ("winner", "changed", "strategy", "parsed by"):
        table.add_column(name)
    for metric, told in account["metrics"].items():
        table.add_row(
            metric,
            *(_count(told[name]) for name in ("sheet", "parsed", "value")),
            told["winner"] or "nobody",
            _when(told["changed_at"]),
            Text(printable(f"{told['strategy']} ({told['rule']})")),
            Text(printable(_origin(told))),
        )
    console.print(table)
    for note in _notes(account):
        _line(console, note, "yellow")
    _show_past(console, account)


def _sheet(place: dict[str, Any] | None) -> str:
    if place is None:
        return "no row of the worksheet is this account's"
    read, confirmed = _when(place["read_at"]), _when(place["confirmed_at"])
    return f"worksheet {place['worksheet']}, row {place['row']}, read {read}, last confirmed {confirmed}"


def _origin(told: dict[str, Any]) -> str:
    if told["parsed"] is None:
        return ""
    rounded = ", rounded" if told["precision"] == "rounded" else ""
    return f"{told['source'] or 'unnamed'}, {_when(told['parsed_at']) or 'now'}{rounded}"


def _notes(account: dict[str, Any]) -> Iterable[str]:
    for metric, told in account["metrics"].items():
        if suspect := told["suspect"]:
            place = f" ({suspect['place']})" if suspect["place"] else ""
            yield (
                f"{metric}: suspect since {_when(suspect['since'])}: {_count(suspect['old'])} → "
                f"{_count(suspect['new'])}{place}; correct it, or: smart-sync confirm {account['link']}"
            )
        if conflict := told["conflict"]:
            yield (
                f"{metric}: both sides had changed at {_when(conflict['at'])}: the sheet's {_count(conflict['sheet'])} "
                f"was taken, the parsed {_count(conflict['parsed'])} was not"
            )
        if told["next"] is not None:
            yield f"{metric}: one side has changed since; the next pass makes it {_count(told['next'])}"


def _show_past(console: Console, account: dict[str, Any]) -> None:
    """The days on which something changed, and the last passes."""
    for day in account["days"]:
        changes = [f"{m} {_count(day[m])}{_delta(day[f'{m}_delta'])}" for m in account["metrics"] if _tells(day, m)]
        if changes:
            _line(console, f"{day['day']}  {', '.join(changes)}", "dim")
    for run in account["passes"]:
        error = f": {run['error']}" if run["error"] else ""
        _line(console, f"{_when(run['finished_at'])}  {run['outcome']}{error}", _STYLES.get(run["outcome"], ""))


def _tells(day: dict[str, Any], metric: str) -> bool:
    """Whether the day says something about the metric: a change, or a first value after a gap."""
    return day[metric] is not None and day[f"{metric}_delta"] != 0


def show_history(answer: dict[str, Any]) -> None:
    """The passes, newest first, and under each the projects that are worth a line."""
    console = Console(highlight=False)
    table = Table("started", "trigger", "outcome", box=None, pad_edge=False)
    for name in ("projects", "accounts", "changed", "snapshots", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("asked by")
    for run in answer["runs"]:
        outcome = run["outcome"]
        counts = (str(run[name]) for name in ("projects", "accounts", "changed", "snapshots"))
        table.add_row(
            _when(run["started_at"]),
            run["trigger"],
            Text(outcome, style=_STYLES.get(outcome, "")),
            *counts,
            "" if run["seconds"] is None else f"{run['seconds']:.1f}",
            Text(printable(run["requested_by"])),
        )
        for result in run["results"]:
            table.add_row("", "", Text(result["outcome"], style=_STYLES.get(result["outcome"], "")), *_project(result))
    console.print(table)
    if not answer["runs"]:
        _line(console, "no pass like that is on record")


def _project(result: dict[str, Any]) -> tuple[Any, ...]:
    """A project's cells in the row under its pass."""
    counts = (str(result[name]) for name in ("accounts", "changed", "snapshots"))
    stages = " ".join(f"{stage} {seconds:.1f}" for stage, seconds in result["stages"].items())
    about = f"{result['project_name']}: {result['error'] or stages}"
    problems = f", {len(result['problems'])} problems" if result["problems"] else ""
    return "", *counts, f"{result['seconds']:.1f}", Text(printable(about + problems))


def show_growth(answer: dict[str, Any]) -> None:
    """A line per account with its sparkline, then totals and the biggest movers."""
    console = Console(highlight=False)
    _line(console, f"{answer['metric']}, {answer['since']} to {answer['until']}", "bold")
    table = Table("project", "platform", "account", box=None, pad_edge=False)
    for name in (answer["metric"], "growth", "percent"):
        table.add_column(name, justify="right")
    table.add_column("days", no_wrap=True)
    for entry in answer["accounts"]:
        names = (Text(printable(entry[name], 40)) for name in ("project_name", "platform"))
        growth = (_count(entry["last"]), _delta(entry["growth"]).strip(" ()"), _percent(entry))
        table.add_row(*names, Text(_name(entry)), *growth, sparkline(entry["values"]))
    console.print(table)
    for kind in ("projects", "platforms"):
        for entry in answer[kind]:
            _line(
                console,
                f"{kind[:-1]} {entry['name'] or 'unnamed'}: {_count(entry['last'])}{_delta(entry['growth'])}, "
                f"{entry['accounts']} accounts",
            )
    for entry in answer["movers"]:
        _line(console, f"mover {_name(entry)}:{_delta(entry['growth'])}")


def show_rules(rows: Iterable[dict[str, Any]]) -> None:
    """The strategies as they come out, each with the key that set it where that is not the default."""
    table = Table("project", "platform", *METRICS, box=None, pad_edge=False)
    for row in rows:
        names = (Text(printable(row[name] or "all others", 40)) for name in ("project", "platform"))
        table.add_row(*names, *(_rule(row[metric]) for metric in METRICS))
    Console(highlight=False).print(table)


def _rule(rule: dict[str, str]) -> Text:
    if rule["rule"] == "merge.strategy":
        return Text(rule["strategy"])
    return Text.assemble(rule["strategy"], "\n", (printable(rule["rule"].removeprefix("merge.")), "dim"))


def show_ingested(answer: dict[str, Any]) -> None:
    """How many accounts got values; the mistakes are on standard error."""
    told = f"{answer['stored']} accounts stored, {answer['older']} had newer values"
    Console(highlight=False).print(f"{told}, {len(answer['mistakes'])} lines left out")


def show_confirmed(answer: dict[str, Any]) -> None:
    """What is no longer suspect."""
    console = Console(highlight=False)
    for link in answer["accounts"]:
        _line(console, link)
    console.print(f"{answer['confirmed']} suspect values confirmed")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(printable(text), style=style), soft_wrap=True)


def _when(stamp: str | None) -> str:
    """A stamp, in UTC, to the minute."""
    return "" if stamp is None else printable(stamp[:16].replace("T", " "))


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _delta(value: int | None) -> str:
    return "" if value is None else f" ({value:+,})"


def _percent(entry: dict[str, Any]) -> str:
    return f"{entry['growth'] / entry['first']:+.1%}" if entry["growth"] is not None and entry["first"] else ""


def _name(entry: dict[str, Any]) -> str:
    return printable(entry["username"] or entry["link"], 60)
