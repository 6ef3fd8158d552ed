"""MAX and the other strategies that decide between a metric's two sides; `Policy` says which applies.

A strategy is a pure function of one metric: what the sheet says, what the parser says, how it was
before.  ``None`` is "no value" and never wins.  All of them are idempotent: deciding again with
nothing changed decides the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from smart_sync.core.model import METRICS
from smart_sync.core.project_names import named


class Winner:
    """Which side gave a merged value: plain text, which SQLite takes as it is (an enum's costs three times as much)."""

    SHEET: Final = "sheet"
    PARSED: Final = "parsed"
    BOTH: Final = "both"
    #: An earlier value is carried: the cell could not be read, or neither side has a value any more.
    CARRIED: Final = "carried"
    #: A person has pinned it.
    PINNED: Final = "pinned"


#: The metrics that only grow, if nothing else is configured.
COUNTERS: Final = frozenset(METRICS) - {"followers"}
#: The winners that "latest" compares with; not a pin: when it goes, both sides are looked at anew.
_WINNERS = frozenset({Winner.SHEET, Winner.PARSED, Winner.BOTH, Winner.CARRIED})


class Before(NamedTuple):
    """One metric as the last pass left it: the value on each side, and the decision."""

    sheet: int | None
    parsed: int | None
    merged: int | None
    winner: str | None


class Decision(NamedTuple):
    """A merged value and its side (a `Winner`); ``value`` is None if neither side has one."""

    value: int | None
    winner: str | None
    #: Both sides had changed and disagreed.
    conflict: bool = False


Strategy = Callable[[int | None, int | None, Before | None], Decision]

#: The decision where neither side has a value.
#: The decision where neither side has a value.
NO_WINNER = Decision(None, None)


def highest(sheet: int | None, parsed: int | None, _before: Before | None = None) -> Decision:
    """MAX(sheet, parsed): never below what a manager typed, never below what was collected."""
    if sheet is not None and (parsed is None or sheet > parsed):
        return Decision(sheet, Winner.SHEET)
    if parsed is None:
        return NO_WINNER
    return Decision(parsed, Winner.BOTH if sheet == parsed else Winner.PARSED)


def sheet_first(sheet: int | None, parsed: int | None, _before: Before | None = None) -> Decision:
    """The sheet when it has a positive value, else parsed."""
    return _won_by(Winner.SHEET if sheet or parsed is None else Winner.PARSED, sheet, parsed)


def parsed_first(sheet: int | None, parsed: int | None, _before: Before | None = None) -> Decision:
    """Parsed when it has a positive value, else the sheet."""
    return _won_by(Winner.PARSED if parsed or sheet is None else Winner.SHEET, sheet, parsed)


def latest(sheet: int | None, parsed: int | None, before: Before | None) -> Decision:
    """A three-way merge: the side that changed since the last pass wins, the sheet if both did.

    A parser that has no value has not changed; a manager who empties a cell withdraws its value.
    """
    if before is None or before.winner not in _WINNERS:
        return _won_by(Winner.PARSED if sheet is None else Winner.SHEET, sheet, parsed)
    sheet_changed = sheet != before.sheet
    parsed_changed = parsed is not None and parsed != before.parsed
    if sheet_changed and sheet is not None:
        return _won_by(Winner.SHEET, sheet, parsed)._replace(conflict=parsed_changed and sheet != parsed)
    if parsed_changed or (sheet_changed and parsed is not None):
        return Decision(parsed, Winner.PARSED)
    if sheet is None and parsed is None:
        return NO_WINNER
    if sheet is None and before.winner != Winner.PARSED:  # the side that had won has no vote any more
        return Decision(parsed, Winner.PARSED)
    return Decision(before.merged, Winner.SHEET if before.winner == Winner.CARRIED else before.winner)


STRATEGIES: Mapping[str, Strategy] = {
    "max": highest,
    "sheet": sheet_first,
    "parsed": parsed_first,
    "latest": latest,
}


def consistent(rounded: int, exact: int) -> bool:
    """Whether a platform that rounds or truncates would show ``exact`` as ``rounded``."""
    least, most = spread(rounded)
    return least <= exact <= most


def spread(rounded: int) -> tuple[int, int]:
    """The least and the greatest number that a platform shows as ``rounded``.

    The digits are those that are not trailing zeros, but at least two: "7M" is read as "7.0M".
    """
    if rounded < 10:
        return rounded, rounded
    digits = len(str(rounded))
    place: int = 10 ** min(digits - 2, digits - len(str(rounded).rstrip("0")))
    return rounded - place // 2, rounded + place - 1


def decide(
    strategy: Strategy,
    sheet: int | None,
    parsed: int | None,
    before: Before | None = None,
    *,
    rounded: bool = False,
    carried: bool = False,
) -> Decision:
    """Decide one metric of an account.

    ``rounded``: the parsed value is a rounded figure; consistent with the sheet's exact one it never beats it.
    ``carried``: the sheet value is an earlier one, since this pass could not read it.
    """
    if rounded and parsed is not None and sheet is not None and consistent(parsed, sheet):
        parsed = None
    decision = strategy(sheet, parsed, before)
    if carried and decision.winner == Winner.SHEET:
        return decision._replace(winner=Winner.CARRIED)
    return decision


def _won_by(winner: str, sheet: int | None, parsed: int | None) -> Decision:
    """The decision for the ``winner``'s side: `NO_WINNER` if it has no value, both if the sides agree."""
    value = sheet if winner == Winner.SHEET else parsed
    if value is None:
        return NO_WINNER
    return Decision(value, Winner.BOTH if sheet == parsed else winner)


class Rule(NamedTuple):
    """A strategy's name and the configuration key that chose it."""

    strategy: str
    key: str

    @property
    def function(self) -> Strategy:
        """The strategy's function."""
        return STRATEGIES[self.strategy]


#: ``{"strategy": …, "views": …}``: a table of ``[merge.platforms.…]`` or ``[merge.projects.…]``.
Choices = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """``[merge]`` in the form that the merge uses."""

    strategy: str = "max"
    metrics: Choices = field(default_factory=dict)
    platforms: Mapping[str, Choices] = field(default_factory=dict)
    projects: Mapping[str, Choices] = field(default_factory=dict)
    #: The metrics that only grow (``[merge.kinds]``: "counter"); the others go both ways ("gauge").
    counters: frozenset[str] = COUNTERS

    def rule(self, project: str, platform: str, metric: str) -> Rule:
        """The rule for one metric of an account: project, then platform, then metric, then the default."""
        own, choices_of_own = named(project, self.projects) or (project, {})
        scopes = (
            (f'merge.projects."{own}"', choices_of_own),
            (f"merge.platforms.{platform}", self.platforms.get(platform, {})),
            ("merge.metrics", self.metrics),
        )
        for key, choices in scopes:
            for name in (metric, "strategy"):
                if name in choices:
                    return Rule(choices[name], f"{key}.{name}")
        return Rule(self.strategy, "merge.strategy")

    def of_larger(self, project: str, platform: str) -> frozenset[str]:
        """The metrics for which the larger of sheet value and parsed value counts."""
        rules = zip(METRICS, self.rules(project, platform), strict=True)
        return frozenset(metric for metric, rule in rules if rule.strategy == "max")

    def rules(self, project: str, platform: str) -> tuple[Rule, ...]:
        """The rules of all metrics, in their order."""
        return tuple(self.rule(project, platform.lower(), metric) for metric in METRICS)
