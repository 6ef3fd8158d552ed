"""What people see of parsed values that were stored, or taken back."""

from typing import Any

from smart_sync.cli.output.tables import print_line
from smart_sync.cli.output.terminal import console
from smart_sync.core.wording import counted

#: How many values are shown one by one.
_SHOWN = 50


def show_ingested(answer: dict[str, Any]) -> None:
    """What came of the lines; the mistakes are on standard error."""
    stored = f"{counted(answer['accounts'], 'account')}: {counted(answer['stored'], 'line')} stored"
    older = f"{answer['older']:,} older than what there is"
    print_line(console(), f"{stored}, {older}, {counted(len(answer['mistakes']), 'mistake')}")
    if answer["ahead"]:
        told = f"{counted(answer['ahead'], 'line')} with a parsed_at that is ahead"
        print_line(console(), f"{told}: it counts as now; set the clock of their source right", "yellow")


def show_forgotten(answer: dict[str, Any]) -> None:
    """The values that have been taken back."""
    screen = console()
    for one in answer["values"][:_SHOWN]:
        print_line(screen, f"{one['link']}: {one['metric']} {one['value']:,} ({one['source'] or 'unnamed'})")
    if len(answer["values"]) > _SHOWN:
        print_line(screen, f"and {counted(len(answer['values']) - _SHOWN, 'more', 'more')}")
    print_line(screen, f"{counted(answer['forgotten'], 'value')} taken back; the next pass goes by it")
