"""What people see of numbers on a terminal: why, when, how much.  Texts of others are shown as text, never obeyed."""

from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smart_sync.cli.output.pin_lines import pin_told
from smart_sync.cli.output.terminal import STYLES, console, count, line, when
from smart_sync.core.model import METRICS
from smart_sync.core.wording import confirm, counted
from smart_sync.logs import printable


def show_explanations(answer: dict[str, Any]) -> None:
    """Every account that was meant, each with all that is known of its numbers."""
    screen = console()
    for number, account in enumerate(answer["accounts"]):
        if number:
            screen.print()
        _show_account(screen, account)


def _show_account(screen: Console, account: dict[str, Any]) -> None:
    state = "" if account["active"] else ", inactive"
    state += f", has left {when(account['left_since'])}" if account["left_since"] else ""
    line(screen, f"{account['link']}  ({account['platform']}, project {account['project_name']}{state})", "bold")
    line(screen, f"sheet   {_sheet(account['sheet'])}")
    line(screen, f"merged  {when(account['updated_at']) if account['updated_at'] else 'no pass has seen it yet'}")
    table = Table("metric", box=None, pad_edge=False)
    for name in ("sheet", "parsed", "result"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("winner")
    table.add_column("changed", no_wrap=True)
    for metric, told in account["metrics"].items():
        table.add_row(
            metric,
            *(count(told[name]) for name in ("sheet", "parsed", "value")),
            _winner(told),
            when(told["changed_at"]),
        )
    screen.print(table)
    _show_together(screen, "strategy", {m: f"{t['strategy']} ({t['rule']})" for m, t in account["metrics"].items()})
    _show_together(screen, "parsed by", {m: _origin(told) for m, told in account["metrics"].items()})
    for told in account["metrics"].values():
        for pin in told["pins"]:
            line(screen, pin_told(pin), "bold")
    for told in dict.fromkeys(_without_vote(one) for one in account["without_vote"]):
        voiceless = [one for one in account["without_vote"] if _without_vote(one) == told]
        values = ", ".join(f"{one['metric']} {count(one['value'])}" for one in voiceless)
        line(screen, f"no vote, {told}: {values}")
    for note in _notes(account):
        line(screen, note, "yellow")
    for edit in account["edits"]:
        change = f"{edit['metric']}: {count(edit['old'])} → {count(edit['new'])}"
        line(screen, f"{when(edit['read_at'])}  edited {change} ({edit['worksheet']}!{edit['cell']})")
    for repair in account["repairs"]:
        change = f"{repair['metric']}: {count(repair['old'])} → {count(repair['new'])}"
        line(screen, f"{when(repair['at'])}  repaired the snapshot of {repair['day']}, {change}")
    _show_past(screen, account)


def _winner(told: Mapping[str, Any]) -> str:
    """Which side gave the value, and since when it stands in."""
    since = f" since {when(told['carried_since'])}" if told["carried_since"] else ""
    return f"{told['winner'] or 'nobody'}{since}"


def _show_together(screen: Console, title: str, texts: Mapping[str, str]) -> None:
    """A line for each text, with the metrics that share it."""
    for text in dict.fromkeys(text for text in texts.values() if text):
        line(screen, f"{title} {text}: {', '.join(metric for metric, own in texts.items() if own == text)}")


def _sheet(place: dict[str, Any] | None) -> str:
    if place is None:
        return "no row of the worksheet is this account's"
    read, confirmed = when(place["read_at"]), when(place["confirmed_at"])
    if place["gone_since"]:
        vote = "its last values stand in" if place["has_vote"] else "it has no vote any more"
        return f"worksheet {place['worksheet']}, row {place['row']}: gone since {when(place['gone_since'])}, {vote}"
    return f"worksheet {place['worksheet']}, row {place['row']}, read {read}, last confirmed {confirmed}"


def _origin(told: dict[str, Any]) -> str:
    if told["parsed"] is None:
        return ""
    rounded = ", rounded" if told["precision"] == "rounded" else ""
    return f"{told['source'] or 'unnamed'}, {when(told['parsed_at']) or 'now'}{rounded}"


def _without_vote(one: dict[str, Any]) -> str:
    return f"{one['reason']}: {one['source'] or 'unnamed'}, {when(one['parsed_at']) or 'now'}"


def _notes(account: dict[str, Any]) -> Iterable[str]:
    yield from account["problems"]
    yield from account["warnings"]
    for metric, told in account["metrics"].items():
        if suspect := told["suspect"]:
            place = f" ({suspect['place']})" if suspect["place"] else ""
            yield (
                f"{metric}: suspect since {when(suspect['since'])}: {count(suspect['old'])} → "
                f"{count(suspect['new'])}{place}{_cause(suspect)}; correct it, or: {confirm(account['link'], metric)}"
            )
        if conflict := told["conflict"]:
            yield (
                f"{metric}: both sides had changed at {when(conflict['at'])}: the sheet's {count(conflict['sheet'])} "
                f"was taken, the parsed {count(conflict['parsed'])} was not"
            )
        if told["next"] is not None:
            yield f"{metric}: one side has changed since; the next pass makes it {count(told['next'])}"


def _cause(suspect: Mapping[str, Any]) -> str:
    """What probably happened, and whether the value before stands in."""
    held = ", held until it is confirmed or has stood for a day" if suspect["held"] else ""
    return f", {suspect['cause']}{held}" if suspect["cause"] else held


def _show_past(screen: Console, account: dict[str, Any]) -> None:
    """What happened when, newest first, what happened together in one line; and that the last pass was."""
    for run in account["passes"][:1]:
        line(screen, f"{when(run['finished_at'])}  last pass: {run['outcome']}", _style(run["outcome"]))
    together: dict[tuple[str, str], list[str]] = {}
    for event in account["timeline"]:
        changed = together.setdefault((_at(event), _why(event)), [])
        changed += [_change(event)] if "metric" in event else []
    for (at, why), changed in together.items():
        line(screen, f"{at:16}  {': '.join(filter(None, (', '.join(changed), why)))}", "dim")


def _at(event: dict[str, Any]) -> str:
    """When: to the minute, or the day."""
    return printable(event["day"]) if event["event"] == "seen" else when(event["at"])


def _change(event: dict[str, Any]) -> str:
    """What became of a metric."""
    if event["event"] == "conflict":
        return f"{event['metric']} {count(event['sheet'])}, not {count(event['parsed'])}"
    if event["event"] == "suspect":
        return f"{event['metric']} {count(event['old'])} → {count(event['new'])}"
    snapshot = event["snapshot"]
    before = f" ({count(snapshot['value'])} in the snapshot before)" if snapshot else ""
    return f"{event['metric']} {count(event['value'])}{before}"


def _why(event: dict[str, Any]) -> str:
    """Why, and how sure that is: what metrics may share."""
    match event["event"]:
        case "changed":
            asked = f", asked by {event['requested_by']}" if event["requested_by"] else ""
            by = f"pass by {event['trigger']}{asked}" if event["trigger"] else ""
            return "; ".join(filter(None, (by, _snapshot(event))))
        case "seen":
            return f"as the day's snapshot shows; {_snapshot(event)}"
        case "suspect":
            return f"suspect {event['place']}".rstrip()
        case "conflict":
            return f"both sides had changed, the sheet's was taken {event['place']}".rstrip()
    times = f" ({event['passes']} passes until {when(event['until'])})" if event["passes"] > 1 else ""
    return f"{event['event']}{times}: {event['error']}"


def _snapshot(event: dict[str, Any]) -> str:
    return f"the snapshot before is of {when(event['snapshot']['at'])}" if event["snapshot"] else ""


def show_history(answer: dict[str, Any]) -> None:
    """The passes, newest first, and under each who asked and the projects that are worth a line."""
    screen = console()
    for run in answer["runs"]:
        seconds = "" if run["seconds"] is None else f", {run['seconds']:.1f} s"
        counts = ", ".join(
            (
                counted(run["projects"], "project"),
                counted(run["accounts"], "account"),
                f"{run['changed']:,} changed",
                counted(run["snapshots"], "snapshot"),
            )
        )
        outcome = run["outcome"]
        line(screen, f"{when(run['started_at'])}  {run['trigger']:7}  {outcome}: {counts}{seconds}", _style(outcome))
        if run["requested_by"]:
            line(screen, f"    asked by {run['requested_by']}", "dim")
        for result in run["results"]:
            line(screen, f"    {_project(result)}", _style(result["outcome"]))
            for problem in result["problems"]:
                line(screen, f"        {problem}")
    if not answer["runs"]:
        line(screen, "no pass like that is on record")


def _project(result: dict[str, Any]) -> str:
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result["stages"].items())
    told = result["error"] or f"{result['changed']} of {counted(result['accounts'], 'account')} changed"
    return f"{result['project_name']}  {result['outcome']}: {told}" + (f" ({stages})" if stages else "")


def _style(outcome: str) -> str:
    return STYLES.get(outcome, "")


def show_rules(rows: Iterable[dict[str, Any]]) -> None:
    """The strategies as they come out, each with the key that set it where that is not the default."""
    table = Table("project", "platform", *METRICS, box=None, pad_edge=False)
    for row in rows:
        names = (Text(printable(row[name] or "all others", 40)) for name in ("project", "platform"))
        table.add_row(*names, *(_rule(row[metric]) for metric in METRICS))
    console().print(table)


def _rule(rule: dict[str, str]) -> Text:
    if rule["rule"] == "merge.strategy":
        return Text(rule["strategy"])
    return Text.assemble(rule["strategy"], "\n", (printable(rule["rule"].removeprefix("merge.")), "dim"))


#: How many of the things confirmed are shown one by one.
_SHOWN = 50
_CONFIRMED = {
    "gone": "its row is gone",
    "emptied": "{metric}: {value} stands in no more",
    "column": "{metric}: {value} stands in no more",
    "suspect": "{metric}: {value} is meant",
    "doubtful": "the account is created",
    "worksheet": "project {project_id} has no worksheet",
}


def show_confirmed(answer: dict[str, Any]) -> None:
    """What the next passes go by."""
    screen = console()
    findings = answer["findings"]
    for finding in findings[:_SHOWN]:
        value = count(finding.get("value"))
        told = _CONFIRMED[finding["kind"]].format(**{"metric": "", **finding, "value": value})
        line(screen, f"{finding['link']}: {told}" if "link" in finding else told)
    if len(findings) > _SHOWN:
        line(screen, f"and {counted(len(findings) - _SHOWN, 'more', 'more')}")
    line(screen, f"{counted(len(findings), 'finding')} confirmed; the next pass goes by it")


def show_repaired(answer: dict[str, Any]) -> None:
    """What the snapshot says now, and whether the day does."""
    screen = console()
    for metric, change in answer["changes"].items():
        old = "-" if change["old"] is None else f"{change['old']:,}"
        line(screen, f"{answer['link']}: snapshot of {answer['day']}, {metric}: {old} → {change['new']:,}")
    if not answer["counts"]:
        line(screen, "a later snapshot of that day, by another writer, is the one that counts", "yellow")


#: How many values are shown one by one.
_INGESTED_SHOWN = 50


def show_ingested(answer: dict[str, Any]) -> None:
    """What came of the lines; the mistakes are on standard error."""
    stored = f"{counted(answer['accounts'], 'account')}: {counted(answer['stored'], 'line')} stored"
    older = f"{answer['older']:,} older than what there is"
    line(console(), f"{stored}, {older}, {counted(len(answer['mistakes']), 'mistake')}")
    if answer["ahead"]:
        told = f"{counted(answer['ahead'], 'line')} with a parsed_at that is ahead"
        line(console(), f"{told}: it counts as now; set the clock of their source right", "yellow")


def show_forgotten(answer: dict[str, Any]) -> None:
    """The values that have been taken back."""
    screen = console()
    for one in answer["values"][:_INGESTED_SHOWN]:
        line(screen, f"{one['link']}: {one['metric']} {one['value']:,} ({one['source'] or 'unnamed'})")
    if len(answer["values"]) > _INGESTED_SHOWN:
        line(screen, f"and {counted(len(answer['values']) - _INGESTED_SHOWN, 'more', 'more')}")
    line(screen, f"{counted(answer['forgotten'], 'value')} taken back; the next pass goes by it")


def show_moved(answer: dict[str, Any]) -> None:
    """What `migrate-store` has copied, and what could not be as it was."""
    rows = sum(answer["rows"].values())
    click.echo(f"{answer['to']}: {counted(rows, 'row')} of {counted(len(answer['rows']), 'table')}, compared")
    for told in answer["told"]:
        click.echo(f"  {printable(told)}")
    if answer["odd"] > len(answer["told"]):
        click.echo(f"  and {answer['odd'] - len(answer['told'])} more odd values")
    if answer["left"]:
        click.echo(f"not copied, for they are the web app's alone: {printable(', '.join(answer['left']))}")
