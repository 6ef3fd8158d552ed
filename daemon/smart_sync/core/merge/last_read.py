"""The cells of a worksheet's last read, which `core.merge.typing_mistakes` searches for a number typed since."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from smart_sync.core.model import METRICS, Metrics

#: Numbers with fewer digits (without zeros at the end) may be equal by chance, so that they are not compared.
DISTINCT: Final = 3
#: How many rows away a cell is nearby.
NEARBY: Final = 3
_NEAREST_FIRST: Final = (0, *(away * sign for away in range(1, NEARBY + 1) for sign in (1, -1)))


class Typed(NamedTuple):
    """A cell with another number than in the last read."""

    account_id: str
    metric: str
    #: The number of its row now.
    row: int
    #: The cell's number in the last read, None if there was none.
    old: int | None
    new: int
    #: The parsed value that counts, None if there is none.
    parsed: int | None = None
    #: Whether ``old`` is an open suspect.
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class LastRead:
    """The cells of the last read, by row."""

    #: Row → its values.
    rows: Mapping[int, Metrics] = field(default_factory=dict)
    #: Row → the name of its account.
    names: Mapping[int, str] = field(default_factory=dict)
    #: Row → the id of its account.  A row without one is taken for that of the account which has this row now: links
    #: may have moved against the numbers.
    ids: Mapping[int, str] = field(default_factory=dict)
    #: Metric → number → the rows that held it: made for the metrics that `anywhere` is asked about.
    _rows_of: dict[str, dict[int | None, list[int]]] = field(default_factory=dict, repr=False, compare=False)

    def nearby(self, typed: Typed) -> Iterator[tuple[int, str]]:
        """The cells in or near its row that had a typed number: the distance in rows, and the metric.

        In another account's row that is the cell of the same metric, in the account's own row one of another metric.
        """
        if not is_distinct(typed.new):
            return
        for away in _NEAREST_FIRST:
            values = self.rows.get(typed.row + away)
            if values is not None and typed.new in values:
                own = self.is_own(typed, away)
                for metric, value in zip(METRICS, values, strict=True):
                    if value == typed.new and own == (metric != typed.metric):
                        yield away, metric

    def is_own(self, typed: Typed, away: int) -> bool:
        """Whether the row at that distance was the account's own."""
        owner = self.ids.get(typed.row + away)
        return owner == typed.account_id if owner is not None else not away

    def says(self, typed: Typed, away: int) -> bool:
        """Whether the same metric's cell at that distance had a typed number."""
        values = self.rows.get(typed.row + away)
        return values is not None and values[METRICS.index(typed.metric)] == typed.new

    def named(self, typed: Typed, away: int, metric: str) -> tuple[str, str]:
        """The name of a cell in another row or column, as `Evidence.cells` has it."""
        return metric, "" if self.is_own(typed, away) else self.names.get(typed.row + away, "another account")

    def anywhere(self, typed: Typed) -> tuple[int, str] | None:
        """The first cell in another account's row that had a typed number."""
        if not is_distinct(typed.new):
            return None
        if typed.metric not in self._rows_of:
            index = METRICS.index(typed.metric)
            by_number = self._rows_of[typed.metric] = {}
            for row, values in self.rows.items():
                by_number.setdefault(values[index], []).append(row)
        away = (row - typed.row for row in self._rows_of[typed.metric].get(typed.new, ()))
        return next(((one, typed.metric) for one in away if not self.is_own(typed, one)), None)


def is_distinct(number: int, digits: int = DISTINCT) -> bool:
    """Whether a number has at least so many digits without trailing zeros."""
    return len(str(number).rstrip("0")) >= digits
