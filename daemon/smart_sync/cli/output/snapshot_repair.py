"""What people see of a fixed snapshot."""

from typing import Any

from smart_sync.cli.output.tables import print_line
from smart_sync.cli.output.terminal import console


def show_repaired(answer: dict[str, Any]) -> None:
    """What the snapshot says now, and whether the day does."""
    screen = console()
    for metric, change in answer["changes"].items():
        old = "-" if change["old"] is None else f"{change['old']:,}"
        print_line(screen, f"{answer['link']}: snapshot of {answer['day']}, {metric}: {old} → {change['new']:,}")
    if not answer["counts"]:
        print_line(screen, "a later snapshot of that day, by another writer, is the one that counts", "yellow")
