"""What people see of pins."""

from smart_sync.cli.output.tables import print_line
from smart_sync.cli.output.terminal import console, count, when
from smart_sync.core.explain_answer import PinAnswer, PinnedNow, PinsAnswer, Unpinned
from smart_sync.core.wording import counted


def pin_told(told: PinAnswer) -> str:
    """Since when a value is pinned, by whom, until when, and why."""
    by = f" by {told['by']}" if told["by"] else ""
    until = f" until {told['until']}" if told["until"] else ""
    why = f": {told['why']}" if told["why"] else ""
    return f"{told['metric']} pinned to {count(told['value'])} since {when(told['since'])}{by}{until}{why}"


def show_pinned(answer: PinnedNow) -> None:
    """What is pinned now."""
    for one in answer["pinned"]:
        print_line(console(), f"{one['link']} ({one['project_name']}): {pin_told(one)}; the next pass goes by it")


def show_unpinned(answer: Unpinned) -> None:
    """What was taken back."""
    told = counted(answer["unpinned"], "pin")
    print_line(console(), f"{', '.join(answer['accounts'])}: {told} taken back; the next pass goes by it")


def show_pins(answer: PinsAnswer) -> None:
    """The pins, one a line."""
    screen = console()
    for one in answer["pins"]:
        print_line(screen, f"{one['link']} ({one['project_name']}): {pin_told(one)}")
    if not answer["pins"]:
        print_line(screen, "nothing is pinned")
