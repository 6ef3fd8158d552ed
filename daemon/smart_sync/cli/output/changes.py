"""What a dry run would change, account by account, and all of it together."""

from collections.abc import Iterable

from rich.console import Console

from smart_sync.cli.output.tables import Column, print_line, print_table
from smart_sync.cli.output.terminal import count
from smart_sync.core.answers import MetricChangeAnswer, ProjectAnswer
from smart_sync.core.model import METRICS
from smart_sync.core.wording import counted
from smart_sync.logs import printable


def show_changes(screen: Console, results: Iterable[ProjectAnswer]) -> None:
    """Each project's accounts with their metrics, as ``12,480 → 12,655 (+175)``; at last the totals of each metric."""
    every: list[MetricChangeAnswer] = []
    for result in results:
        changes = result.get("changes", [])
        every += changes
        if changes:
            screen.print()
            print_line(screen, f"project {printable(result.get('project_name', result['project_id']))}", "bold")
        accounts: dict[str, list[MetricChangeAnswer]] = {}
        for change in changes:
            accounts.setdefault(change["link"], []).append(change)
        for link, own in accounts.items():
            print_line(screen, f"  {printable(link)}", hang=2)
            for change in own:
                print_line(screen, f"    {change['metric']:9}  {_told(change)}", hang=2)
    if every:
        screen.print()
        _print_totals(screen, every)
        screen.print()


def _told(change: MetricChangeAnswer) -> str:
    before, after = change["before"], change["after"]
    if before is None:
        return f"new: {count(after)}"
    return f"{count(before)} → {count(after)}" + (f" ({after - before:+,})" if after is not None else "")


def _print_totals(screen: Console, changes: Iterable[MetricChangeAnswer]) -> None:
    every = list(changes)
    columns = [Column("would change"), *(Column(head, True) for head in ("accounts", "before", "after", "change"))]
    rows = []
    for metric in METRICS:
        own = [change for change in every if change["metric"] == metric]
        if own:
            before, after = (sum(change[when] or 0 for change in own) for when in ("before", "after"))
            rows.append([metric, f"{len(own):,}", count(before), count(after), f"{after - before:+,}"])
    print_table(screen, columns, rows)
    print_line(screen, f"{counted(len({change['link'] for change in every}), 'account')} would change")
