"""What ``smart-sync check`` found."""

from typing import Any

from rich.text import Text

from smart_sync.cli.output import data, terminal
from smart_sync.cli.output.tables import print_line
from smart_sync.core.wording import counted
from smart_sync.logs import printable


def show_check(answer: dict[str, Any]) -> None:
    """Everything that is wrong, and what was found in order."""
    console = terminal.console()
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}
    for finding in answer["findings"]:
        mark, style = marks[finding["level"]]
        print_line(console, Text.assemble((mark, style), " ", printable(finding["message"])), hang=2)
    if answer["merge"]:
        data.show_rules(answer["merge"])
    errors = sum(finding["level"] == "error" for finding in answer["findings"])
    warnings = sum(finding["level"] == "warning" for finding in answer["findings"])
    print_line(console, f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
