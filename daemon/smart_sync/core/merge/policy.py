"""Which strategy decides a metric: the most specific rule of the configuration wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from smart_sync.core.merge.strategies import STRATEGIES, Strategy
from smart_sync.core.model import METRICS
from smart_sync.core.project_names import named


class Rule(NamedTuple):
    """A strategy's name and the configuration key that chose it."""

    strategy: str
    key: str

    @property
    def function(self) -> Strategy:
        """The strategy itself."""
        return STRATEGIES[self.strategy]


#: ``{"strategy": …, "views": …}``: a table of ``[merge.platforms.…]`` or ``[merge.projects.…]``.
Choices = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """``[merge]``, as the merge needs it."""

    strategy: str = "max"
    metrics: Choices = field(default_factory=dict)
    platforms: Mapping[str, Choices] = field(default_factory=dict)
    projects: Mapping[str, Choices] = field(default_factory=dict)

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

    def rules(self, project: str, platform: str) -> tuple[Rule, ...]:
        """The rules of all metrics, in their order."""
        return tuple(self.rule(project, platform.lower(), metric) for metric in METRICS)
