"""The trial of a new configuration, step by step."""

from rich.text import Text

from smart_sync.admin.init import SetupStep
from smart_sync.cli.output import terminal
from smart_sync.cli.output.tables import print_line
from smart_sync.logs import printable


def show_step(step: SetupStep) -> None:
    """What came of one step, and what to click or type if it failed."""
    console = terminal.console()
    mark = ("✓", "green") if step.ok else ("✗", "red")
    told = f"{printable(step.name)}: {printable(step.message)}"
    print_line(console, Text.assemble(mark, " ", told), hang=2)
    if step.how:
        print_line(console, f"  → {step.how}", "yellow", hang=2)
