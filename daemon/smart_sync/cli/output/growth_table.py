"""Terminal output of `growth`."""

from collections.abc import Iterable, Sequence
from datetime import date

from rich.console import Console

from smart_sync.cli.output.terminal import Column, console, count, left_over, print_line, print_table, when
from smart_sync.core.answers import GrownAccount, GrownTotal, GrowthAnswer, NamedAccount
from smart_sync.core.history.growth import condensed, sparkline
from smart_sync.core.wording import counted, listed, unread_snapshots, with_code
from smart_sync.logs import printable

#: Bars of a sparkline: it takes what the terminal has left beside names and numbers, and is left out below the least.
MOST_BARS, LEAST_BARS = 62, 7
_NAMED = 5


def show_growth(answer: GrowthAnswer) -> None:
    """Show a table per project, one line with a sparkline per account; then platforms and the largest movers."""
    screen = console()
    print_line(screen, f"{answer['metric']}, {answer['since']} to {answer['until']}", "bold")
    for project in answer["projects"]:
        own = [entry for entry in answer["accounts"] if entry["project_id"] == project["project_id"]]
        screen.print()
        since = _shared_since(own)
        print_line(screen, f"project {_total(project)}{f', since {since}' if since else ''}", "bold")
        _print_accounts(screen, own, answer, shows_since=not since)
        if more := project["accounts"] - len(own):
            print_line(screen, f"and {counted(more, 'more account', 'more accounts')}, in the total", "dim")
    if not answer["projects"]:
        print_line(screen, "no active project; see: smart-sync check")
    if answer["platforms"]:
        screen.print()
        _print_totals(screen, answer["platforms"])
    if answer["movers"]:
        screen.print()
        _print_movers(screen, answer["movers"])
    for entry in answer["left"]:
        since = f"since {when(entry['left_since'])}"
        print_line(screen, f"left: {_name(entry)}, {entry['platform']}: {count(entry['last'])}, {since}, in no total")
    for unread in answer["unread_snapshots"][:_NAMED]:
        told = f"{_name(unread)}, {unread['platform']}: {unread_snapshots(unread['count'], unread['example'])}"
        print_line(screen, with_code(told, "database-clock"), "yellow", hang=2)
    if (more := len(answer["unread_snapshots"]) - _NAMED) > 0:
        print_line(screen, f"and {counted(more, 'more account')} with such snapshots; all of them: --json", "yellow")


def _total(entry: GrownTotal) -> str:
    accounts = counted(entry["accounts"], "account")
    compared = f", {entry['compared']:,} of them compared" if 0 < entry["compared"] < entry["accounts"] else ""
    average = "" if entry["average"] is None else f", {entry['average']:+,.1f} a day"
    grown = f"({_delta(entry['growth'])}{average})"
    return f"{entry['name'] or 'unnamed'}: {count(entry['last'])} {grown}, {accounts}{compared}{_covered(entry)}"


def _covered(entry: GrownTotal) -> str:
    """The coverage of a total, if not all of it is exact."""
    kinds = {kind: number for kind, number in entry["coverage"].items() if number}
    if not kinds.keys() - {"exact"}:
        return ""
    return f" ({', '.join(f'{number:,} {kind}' for kind, number in kinds.items())})"


def _print_accounts(
    screen: Console, entries: Sequence[GrownAccount], answer: GrowthAnswer, *, shows_since: bool
) -> None:
    if not entries:
        return
    columns = [
        Column("account"),
        Column("platform"),
        *(Column(head, True) for head in (answer["metric"], "growth", "%")),
    ]
    several = len({entry["platform"] for entry in entries}) > 1
    rows: list[list[str]] = [
        [_name(entry), entry["platform"], count(entry["last"]), _delta(entry["growth"]), _percent(entry)]
        for entry in entries
    ]
    if not several:
        columns.pop(1)
        rows = [[row[0], *row[2:]] for row in rows]
    if shows_since and any(map(_since, entries)):
        columns.append(Column("since"))
        rows = [[*row, _short(_since(entry), answer["until"])] for row, entry in zip(rows, entries, strict=True)]
    bars = min(left_over(columns, rows, screen.width), MOST_BARS)
    if bars >= LEAST_BARS:
        columns.append(Column(counted(len(answer["days"]) - 1, "day")))
        rows = [[*row, sparkline(condensed(entry["values"], bars))] for row, entry in zip(rows, entries, strict=True)]
    print_table(screen, columns, rows)
    for entry in entries:
        if ends := _ends(entry):
            print_line(screen, f"  {_name(entry)}: {ends}", "dim", hang=2)


def _since(entry: GrownAccount) -> str:
    """The day from which the growth is counted, if it is not the requested one."""
    return "" if entry["exact"] or entry["since"] is None else str(entry["since"])


def _shared_since(entries: Sequence[GrownAccount]) -> str:
    """That day for all entries, if it is the same for all."""
    days = {_since(entry) for entry in entries}
    return days.pop() if len(days) == 1 else ""


def _short(day: str, until: str) -> str:
    """A day without its year if that is the year of ``until``."""
    return f"{date.fromisoformat(day):%d %b}" if day[:4] == until[:4] else day


def _ends(entry: GrownAccount) -> str:
    """The days that contain the growth of several days, because values were carried before."""
    days = entry["ends_carried"]
    if not days:
        return ""
    until = listed(days, _NAMED)
    return f"last known values used until {until}; that growth, of several days, is in no average and moves nobody"


def _print_totals(screen: Console, platforms: Iterable[GrownTotal]) -> None:
    columns = [Column("platform"), *(Column(head, True) for head in ("accounts", "together", "growth", "a day"))]
    print_table(
        screen,
        columns,
        [
            [
                entry["name"] or "unnamed", f"{entry['accounts']:,}", count(entry["last"]), _delta(entry["growth"]),
                "–" if entry["average"] is None else f"{entry['average']:+,.1f}",
            ]
            for entry in platforms
        ],
    )  # fmt: skip


def _print_movers(screen: Console, movers: Iterable[GrownAccount]) -> None:
    columns = [Column("moved most"), Column("platform"), Column("project"), Column("by", True)]
    print_table(
        screen,
        columns,
        [[_name(entry), entry["platform"], entry["project_name"], _delta(entry["moved"])] for entry in movers],
    )


def _delta(value: int | None) -> str:
    return "–" if value is None else f"{value:+,}"


def _percent(entry: GrownAccount) -> str:
    return f"{entry['growth'] / entry['first']:+,.1%}" if entry["growth"] is not None and entry["first"] else ""


def _name(entry: NamedAccount) -> str:
    return printable(entry["username"] or entry["link"])
