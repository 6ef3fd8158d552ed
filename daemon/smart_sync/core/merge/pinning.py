"""Applies pins to an account's decisions, and reports problems with them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from smart_sync.core.merge.strategies import Decision, Winner
from smart_sync.core.model import METRICS, Metrics, SheetRow
from smart_sync.core.pins import CELL, COMMAND, Pin, cell_pins, in_force, is_far, is_over, read_cells
from smart_sync.core.state import AccountState
from smart_sync.core.wording import unpin


class Pinned(NamedTuple):
    """An account's pins in a pass."""

    #: Metric → the pin that counts.
    in_force: Mapping[str, Pin]
    #: New and changed pins of cells, to be stored.
    kept: Sequence[Pin] = ()
    #: Pins of cells that have lost their mark, to be deleted.
    forgotten: Sequence[Pin] = ()
    #: Pins of the command that are past their date.
    over: Sequence[Pin] = ()
    #: Pins of the command whose metric is pinned in its cell too.
    twice: Sequence[Pin] = ()


def pinned(
    state: AccountState,
    row: SheetRow | None,
    side: Metrics,
    carried: Collection[str],
    now: str,
    today: str,
    cell: str,
) -> Pinned:
    """The pins of an account whose sheet values are ``side``; pins of carried metrics stay as they were.

    ``cell``: where its row is, for a person.
    """
    before = cell_pins(state.pins)
    marked = {*(row.pinned if row is not None else ()), *(metric for metric in before if metric in carried)}
    where = cell if row is not None else next((pin.by for pin in before.values()), cell)
    cells = read_cells(side, marked, before, now, where)
    commands = [pin for pin in state.pins if pin.place == COMMAND]
    over = [pin for pin in commands if is_over(pin, today)]
    now_marked = {pin.metric for pin in cells}
    return Pinned(
        in_force([*cells, *commands], today),
        [pin for pin in cells if before.get(pin.metric) != pin],
        [pin for pin in before.values() if pin.metric not in now_marked],
        over,
        [pin for pin in commands if pin.metric in now_marked and pin not in over],
    )


def with_pins(decisions: Sequence[Decision], pins: Mapping[str, Pin], carried: Collection[str]) -> list[Decision]:
    """The decisions of an account with pinned values in place of those from the two sides.

    For a cell that cannot be read, or whose row is gone, the pinned value is carried, as any sheet value is.
    """
    pinned_decisions = list(decisions)
    for index, metric in enumerate(METRICS):
        if (pin := pins.get(metric)) is not None:
            is_carried = pin.place == CELL and metric in carried
            pinned_decisions[index] = Decision(pin.value, Winner.CARRIED if is_carried else Winner.PINNED)
    return pinned_decisions


def contradicted(pinned: Pinned, decisions: Sequence[Decision], parsed: Metrics) -> Iterator[Pin]:
    """The pins far from what the sides say: both sides for a pin by command, the parser for one in a cell."""
    for index, metric in enumerate(METRICS):
        pin = pinned.in_force.get(metric)
        if pin is None:
            continue
        decision = decisions[index]
        other_value = (
            parsed[index] if pin.place == CELL else decision.value if decision.winner != Winner.CARRIED else None
        )
        if is_far(pin.value, other_value):
            yield pin


def reasons(pins: Pinned, decisions: Sequence[Decision], parsed: Metrics, link: str) -> Iterator[tuple[str, str]]:
    """What a person should know about an account's pins: the metric, and a sentence that is stable while it is true."""
    for pin in pins.over:
        yield pin.metric, f"{pin}: past its date; worksheet and parsers decide again"
    for pin in pins.twice:
        remedy = f"take the mark out of the cell, or: {unpin(link, pin.metric)}"
        yield pin.metric, f"{pin}, and by a mark in its cell too; the command's counts; {remedy}"
    for pin in contradicted(pins, decisions, parsed):
        by_command = pin.place == COMMAND
        sources = "worksheet and parsers say" if by_command else "the parser says"
        remedy = f"if it is over: {unpin(link, pin.metric)}" if by_command else "if it is over, take the mark away"
        yield pin.metric, f"{pin}, 20 % or more off what {sources} now; {remedy}"
