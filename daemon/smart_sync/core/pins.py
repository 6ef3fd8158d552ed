"""Pins: a value of one metric set by a person, which wins over worksheet and parsers until it is removed.

A cell pins its number with a mark (``950!``, read by `core.worksheet.table.read_pinned`); the command and the control
channel pin without the sheet.  Of both for one metric the command's counts, for it says who, why and until when.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from smart_sync.core.explain_answer import PinAnswer
from smart_sync.core.model import METRICS, Metrics

#: Where a pin is from.
CELL: Final = "cell"
COMMAND: Final = "command"
#: A pin that is so far from what worksheet and parsers say is reported.
_FAR: Final = 0.2


class Pin(NamedTuple):
    """A pinned value: since when (a stamp), by whom, until which local day (None: forever), and why."""

    metric: str
    value: int
    since: str
    place: str = COMMAND
    by: str = ""
    until: str | None = None
    why: str = ""

    def answer(self) -> PinAnswer:
        """The pin as ``--json`` prints it."""
        return PinAnswer(
            metric=self.metric,
            value=self.value,
            since=self.since,
            place=self.place,
            by=self.by,
            until=self.until,
            why=self.why,
        )

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        until = f" until {self.until}" if self.until else ""
        return f"{self.metric} pinned to {self.value:,} since {self.since[:10]}{by}{until}"


NO_PINS: Final[tuple[Pin, ...]] = ()


def is_over(pin: Pin, today: str) -> bool:
    """Whether a pin's last local day has passed."""
    return pin.until is not None and pin.until < today


def in_force(pins: Iterable[Pin], today: str) -> dict[str, Pin]:
    """The pins that count today, by metric."""
    pins_by_metric: dict[str, Pin] = {}
    for pin in pins:
        if not is_over(pin, today) and (pin.place == COMMAND or pin.metric not in pins_by_metric):
            pins_by_metric[pin.metric] = pin
    return pins_by_metric


def cell_pins(pins: Iterable[Pin]) -> dict[str, Pin]:
    """The pins set by a row's cells in the last read, by metric."""
    return {pin.metric: pin for pin in pins if pin.place == CELL}


def read_cells(values: Metrics, marked: Collection[str], before: Mapping[str, Pin], now: str, cell: str) -> list[Pin]:
    """The pins of a row's cells; ``marked``: the metrics with the mark. A new one begins now."""
    pins = []
    for metric, value in zip(METRICS, values, strict=True):
        if metric in marked and value is not None:
            pin = before.get(metric)
            pins.append(Pin(metric, value, pin.since if pin else now, CELL, cell))
    return pins


def is_far(pinned: int, other: int | None) -> bool:
    """Whether a pinned value differs by 20 % or more from another value; False if there is none."""
    return other is not None and abs(pinned - other) >= max(_FAR * other, 1)
