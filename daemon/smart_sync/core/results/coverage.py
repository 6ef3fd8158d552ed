"""Coverage of a total: how many of its values are exact, carried, pinned, or unknown.

A sum of numbers hides what is behind them.  Every total of ours says it: exact + rounded + carried + stale + pinned +
unknown = accounts.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from smart_sync.core.merge.strategies import Winner
from smart_sync.core.model import METRICS

#: The kinds of values, in the order in which they are told.
KINDS: Final = ("exact", "rounded", "carried", "stale", "pinned", "unknown")


class Coverage(NamedTuple):
    """The number of accounts per kind of value, for one metric."""

    exact: int = 0
    #: A platform's rounded figure counts.
    rounded: int = 0
    #: An earlier value is carried.
    carried: int = 0
    #: The same, because the project's worksheet could not be read for long.
    stale: int = 0
    pinned: int = 0
    #: Nobody knows a value; it adds nothing to the total.
    unknown: int = 0

    @property
    def accounts(self) -> int:
        """The number of all accounts."""
        return sum(self)

    def __add__(self, other: object) -> "Coverage":
        """Of two totals together."""
        if not isinstance(other, Coverage):
            return NotImplemented
        return Coverage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def as_stale(self) -> "Coverage":
        """The coverage of a stale project: its carried values count as stale."""
        return self._replace(carried=0, stale=self.stale + self.carried)

    def text(self) -> str:
        """``of 12 accounts: 9 exact, 2 carried, 1 unknown``: in words, without empty kinds."""
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in zip(KINDS, self, strict=True) if number)
        noun = "account" if self.accounts == 1 else "accounts"
        return f"of {self.accounts:,} {noun}: {kinds}" if kinds else "of no account"


def kind_of(winner: str | None, *, rounded: bool) -> str:
    """The kind of a merged value by its winner; ``rounded``: the parsed value is rounded."""
    if winner is None:
        return "unknown"
    if winner == Winner.PINNED:
        return "pinned"
    if winner == Winner.CARRIED:
        return "carried"
    return "rounded" if rounded and winner == Winner.PARSED else "exact"


#: Who gave the values of an account, metric by metric, and which parsed ones are rounded figures.
Given = tuple[tuple[str | None, ...], frozenset[str]]


def by_metric(accounts: Mapping[Given, int]) -> dict[str, Coverage]:
    """The coverage of each metric over ``accounts``, which are numbers of accounts by their values' kinds."""
    numbers = {metric: dict.fromkeys(KINDS, 0) for metric in METRICS}
    for (winners, rounded), several in accounts.items():
        for metric, winner in zip(METRICS, winners, strict=True):
            numbers[metric][kind_of(winner, rounded=metric in rounded)] += several
    return {metric: Coverage(**kinds) for metric, kinds in numbers.items()}


def covered(accounts: Iterable[Mapping[str, str] | None], metric: str) -> Coverage:
    """The coverage of one metric over ``accounts``: each account's kinds, None for an account without values."""
    numbers = dict.fromkeys(KINDS, 0)
    for kinds in accounts:
        numbers[kinds.get(metric, "unknown") if kinds else "unknown"] += 1
    return Coverage(**numbers)
