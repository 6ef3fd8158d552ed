"""Terminal output of `explain` (sentences, table, problems, last days) and of pins."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.text import Text

from smart_sync.cli.output.terminal import STYLES, Column, console, count, print_line, print_table, when
from smart_sync.core.explain_answer import (
    ExplainAnswer,
    ExplainedAccount,
    MetricAnswer,
    PinAnswer,
    PinnedNow,
    PinsAnswer,
    SheetPlace,
    SuspectAnswer,
    TimelineEvent,
    Unpinned,
    WithoutVote,
)
from smart_sync.core.model import METRICS
from smart_sync.core.wording import confirm, counted, unread_snapshots, with_code
from smart_sync.logs import printable


def pin_line(pin: PinAnswer) -> str:
    """A pin in one line: since when, by whom, until when, and why."""
    by = f" by {pin['by']}" if pin["by"] else ""
    until = f" until {pin['until']}" if pin["until"] else ""
    why = f": {pin['why']}" if pin["why"] else ""
    return f"{pin['metric']} pinned to {count(pin['value'])} since {when(pin['since'])}{by}{until}{why}"


def show_pinned(answer: PinnedNow) -> None:
    """Show the value that is pinned now."""
    for one in answer["pinned"]:
        print_line(console(), f"{one['link']} ({one['project_name']}): {pin_line(one)}; the next pass goes by it")


def show_unpinned(answer: Unpinned) -> None:
    """Show the pins that were removed."""
    text = counted(answer["unpinned"], "pin")
    print_line(console(), f"{', '.join(answer['accounts'])}: {text} taken back; the next pass goes by it")


def show_pins(answer: PinsAnswer) -> None:
    """Show the pins, one per line."""
    screen = console()
    for one in answer["pins"]:
        print_line(screen, f"{one['link']} ({one['project_name']}): {pin_line(one)}")
    if not answer["pins"]:
        print_line(screen, "nothing is pinned")


#: Edits of the worksheet that are shown.
_EDITS = 20
#: Events that the table of days shows already.
_IN_DAYS = frozenset({"changed", "seen"})


def show_explanations(answer: ExplainAnswer) -> None:
    """Show every matching account with everything known about its numbers."""
    screen = console()
    for number, account in enumerate(answer["accounts"]):
        if number:
            screen.print()
        _show_account(screen, account)


def _show_account(screen: Console, account: ExplainedAccount) -> None:
    state = "" if account["active"] else ", inactive"
    state += f", has left {when(account['left_since'])}" if account["left_since"] else ""
    print_line(screen, f"{account['link']}  ({account['platform']}, project {account['project_name']}{state})", "bold")
    print_line(screen, _sheet(account["sheet"], active=account["active"]))
    screen.print()
    for told in account["metrics"].values():
        print_line(screen, told["sentence"], hang=2)
    for note in _notes(account):
        print_line(screen, note, "yellow", hang=2)
    screen.print()
    _print_metrics(screen, account)
    _print_days(screen, account)
    _print_edits(screen, account)
    _print_events(screen, account)


def _sheet(place: SheetPlace | None, *, active: bool) -> str:
    if place is None and not active:
        return "the account or its project is inactive (is_active): it is not synced, and its row is not looked for"
    if place is None:
        return "no row of the worksheet is this account's"
    row = f"worksheet {place['worksheet']}, row {place['row']}"
    if place["gone_since"]:
        vote = "its last known values are used" if place["has_vote"] else "its values count no more"
        return f"{row}: gone since {when(place['gone_since'])}, {vote}"
    return f"{row}, last changed {when(place['read_at'])}, last read {when(place['confirmed_at'])}"


def _notes(account: ExplainedAccount) -> Iterable[str]:
    """What a person has to look at, line by line."""
    # A daemon of an earlier version answers no codes.
    codes = account.get("problem_codes", [])
    yield from (with_code(told, code) for told, code in zip_longest(account["problems"], codes, fillvalue=""))
    yield from (with_code(told, "campaign-unclear") for told in account["warnings"])
    if unread := account.get("unread_snapshots"):
        yield with_code(unread_snapshots(**unread), "database-clock")
    for metric, text in account["metrics"].items():
        if suspect := text["suspect"]:
            place = f" ({suspect['place']})" if suspect["place"] else ""
            yield (
                f"{metric}: suspect since {when(suspect['since'])}: {count(suspect['old'])} → "
                f"{count(suspect['new'])}{place}{_cause(suspect)}; correct it, or: {confirm(account['link'], metric)}"
            )
        if conflict := text["conflict"]:
            yield (
                f"{metric}: both sides had changed at {when(conflict['at'])}: the sheet's {count(conflict['sheet'])} "
                f"was taken, the parsed {count(conflict['parsed'])} was not"
            )


def _cause(suspect: SuspectAnswer) -> str:
    """The probable cause, and whether the previous value is carried."""
    held = ", held until it is confirmed or has stood for a day" if suspect["held"] else ""
    return f", {suspect['cause']}{held}" if suspect["cause"] else held


def _print_metrics(screen: Console, account: ExplainedAccount) -> None:
    heads = (Column("metric"), *(Column(head, True) for head in ("sheet", "parsed", "result")))
    columns = [*heads, Column("winner"), Column("changed")]
    rows = [
        [metric, *(count(told[side]) for side in ("sheet", "parsed", "value")), told["winner"] or "–",
         when(told["changed_at"])]
        for metric, told in account["metrics"].items()
    ]  # fmt: skip
    print_table(screen, columns, rows)
    _print_shared(screen, "strategy", {m: f"{t['strategy']} ({t['rule']})" for m, t in account["metrics"].items()})
    _print_shared(screen, "parsed by", {m: _origin(told) for m, told in account["metrics"].items()})
    _print_shared(
        screen,
        "last known values used since",
        {m: when(told["carried_since"]) for m, told in account["metrics"].items()},
    )
    for told in account["metrics"].values():
        for pin in told["pins"]:
            print_line(screen, pin_line(pin), "bold", hang=2)
    for why in dict.fromkeys(_without_vote(one) for one in account["without_vote"]):
        voiceless = [one for one in account["without_vote"] if _without_vote(one) == why]
        values = ", ".join(f"{one['metric']} {count(one['value'])}" for one in voiceless)
        print_line(screen, f"no vote, {why}: {values}", hang=2)


def _print_shared(screen: Console, title: str, texts: Mapping[str, str]) -> None:
    """Print each text once, with the metrics that it applies to."""
    for text in dict.fromkeys(text for text in texts.values() if text):
        metrics = [metric for metric, own in texts.items() if own == text]
        print_line(screen, f"{title} {text}: {', '.join(metrics)}", hang=2)


def _origin(metric: MetricAnswer) -> str:
    if metric["parsed"] is None:
        return ""
    rounded = ", rounded" if metric["precision"] == "rounded" else ""
    return f"{metric['source'] or 'unnamed'}, {when(metric['parsed_at']) or 'now'}{rounded}"


def _without_vote(one: WithoutVote) -> str:
    return f"{one['reason']}: {one['source'] or 'unnamed'}, {when(one['parsed_at']) or 'now'}"


def _print_days(screen: Console, account: ExplainedAccount) -> None:
    """Print the last days, newest first, with the growth below each value."""
    metrics = list(account["metrics"])
    if not account["days"]:
        return
    rows: list[list[str | Text]] = []
    for day in account["days"]:
        rows.append([day["day"], *(_on_day(day, metric) for metric in metrics)])
        deltas = [day[f"{metric}_delta"] for metric in metrics]
        if any(deltas):
            rows.append(["", *(Text(f"{delta:+,}" if delta else "", style="green") for delta in deltas)])
    screen.print()
    print_table(screen, [Column("day"), *(Column(metric, True) for metric in metrics)], rows)
    if any(day["ends_carried"] for day in account["days"]):
        print_line(screen, "* last known values were used until that day: its growth is of several days", "dim")


def _on_day(day: Mapping[str, Any], metric: str) -> str:
    return f"{'*' if metric in day['ends_carried'] else ''}{count(day[metric])}"


def _print_edits(screen: Console, account: ExplainedAccount) -> None:
    """Print edits of the worksheet and corrected snapshots, newest first."""
    own = account["sheet"]["worksheet"] if account["sheet"] else None
    edits = sorted(account["edits"], key=lambda edit: METRICS.index(edit["metric"]))
    edits.sort(key=lambda edit: str(edit["read_at"]), reverse=True)
    if edits:
        screen.print()
        columns = [Column("edited, seen at"), Column("cell"), Column("metric")]
        rows = [
            [
                when(edit["read_at"]),
                edit["cell"] if edit["worksheet"] == own else f"{edit['worksheet']}!{edit['cell']}",
                edit["metric"],
                count(edit["old"]),
                count(edit["new"]),
            ]
            for edit in edits[:_EDITS]
        ]
        print_table(screen, [*columns, Column("from", True), Column("to", True)], rows)
        if len(edits) > _EDITS:
            print_line(screen, f"and {counted(len(edits) - _EDITS, 'earlier edit')}; all of them: --all --json", "dim")
    for repair in account["repairs"]:
        change = f"{repair['metric']}: {count(repair['old'])} → {count(repair['new'])}"
        print_line(screen, f"{when(repair['at'])}  repaired the snapshot of {repair['day']}, {change}", hang=2)


def _print_events(screen: Console, account: ExplainedAccount) -> None:
    """Print the last pass, who asked for the last changes, and then the failures, newest first."""
    events = [event for event in account["timeline"] if event["event"] not in _IN_DAYS]
    asked = [_asked(event) for event in account["timeline"] if event["event"] == "changed" and _asked(event)][:1]
    if account["passes"] or asked or events:
        screen.print()
    for run in account["passes"][:1]:
        print_line(
            screen, f"{when(run['finished_at'])}  last pass: {run['outcome']}", STYLES.get(run["outcome"], ""), hang=2
        )
    for line in asked:
        print_line(screen, line, hang=2)
    for event in events:
        print_line(screen, f"{when(event['at'])}  {_what(event)}", "dim", hang=2)


def _asked(event: TimelineEvent) -> str:
    """When the last change came, and in which pass."""
    if not event["trigger"]:
        return ""
    by = f", asked by {event['requested_by']}" if event["requested_by"] else ""
    return f"{when(event['at'])}  last changed by a pass ({event['trigger']}{by})"


def _what(event: TimelineEvent) -> str:
    """What went wrong, or needs a look."""
    match event["event"]:
        case "suspect":
            change = f"{count(event['old'])} → {count(event['new'])}"
            return f"{event['metric']} {change}: suspect {event['place']}".rstrip()
        case "conflict":
            taken = f"{count(event['sheet'])}, not {count(event['parsed'])}"
            return f"{event['metric']} {taken}: both sides had changed, the sheet's was taken {event['place']}".rstrip()
    times = f" ({event['passes']:,} passes until {when(event['until'])})" if event["passes"] > 1 else ""
    return printable(f"{event['event']}{times}: {event['error']}")
