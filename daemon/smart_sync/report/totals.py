"""A project's numbers by platform, topic and person; its largest corrections; accounts that joined."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smart_sync.core.history import target
from smart_sync.core.history.growth import Growth, History
from smart_sync.core.history.target import Standing
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import AccountFacts, Correction, ProjectFacts
from smart_sync.report.trend import FOLLOWERS, VIEWS, WEEK, Window, total, total_change


def standing(project: ProjectFacts, today: int) -> Standing | None:
    """The project's progress towards its target; None if it has none."""
    if project.target is None:
        return None
    as_of = project.as_of
    views = None if as_of is None else total(project.accounts, VIEWS, as_of)
    histories = [account.history for account in project.accounts]
    pace = None if as_of is None else target.pace(histories, VIEWS, as_of)
    return Standing(project.target, views, as_of, today, pace)


def lifetime_sources(project: ProjectFacts, lifetime: frozenset[str]) -> list[str]:
    """The sources of parsed views that are lifetime totals although the project has dates or a KPI."""
    if not project.has_campaign:
        return []
    return sorted({account.views_from for account in project.accounts} & lifetime)


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """The total of a group of accounts; ``name`` is "" for those without one."""

    name: str
    accounts: int
    views: int | None
    #: Of the project's views, in percent.
    share: float | None
    views_change: Growth | None
    followers: int | None
    followers_change: Growth | None


def breakdowns(project: ProjectFacts) -> list[tuple[str, list[GroupTotal]]]:
    """The totals by ``platform``, ``topic`` and ``person``; groupings that no account has are left out."""
    groupings = [
        ("platform", totals(project, lambda account: account.platform.strip().casefold())),
        ("topic", totals(project, lambda account: account.topic)),
        ("person", totals(project, lambda account: account.person)),
    ]
    return [(what, several) for what, several in groupings if any(one.name for one in several)]


def totals(project: ProjectFacts, key: Callable[[AccountFacts], str]) -> list[GroupTotal]:
    """The groups of accounts by ``key``, most views first; changes are of a week."""
    as_of = project.as_of
    if as_of is None:
        return []
    groups: dict[str, list[AccountFacts]] = {}
    for account in project.accounts:
        groups.setdefault(key(account), []).append(account)
    whole = total(project.accounts, VIEWS, as_of)
    sums = [_total(name, several, as_of, whole) for name, several in groups.items()]
    return sorted(sums, key=lambda one: (one.views is None, -(one.views or 0), one.name))


def _total(name: str, accounts: Sequence[AccountFacts], as_of: int, whole: int | None) -> GroupTotal:
    views = total(accounts, VIEWS, as_of)
    return GroupTotal(
        name,
        len(accounts),
        views,
        100 * views / whole if views is not None and whole else None,
        total_change(accounts, VIEWS, as_of, WEEK),
        total(accounts, FOLLOWERS, as_of),
        total_change(accounts, FOLLOWERS, as_of, WEEK),
    )


class WeighedCorrection(NamedTuple):
    """A correction, and its difference in percent of the metric's weekly change in the project."""

    account: AccountFacts
    correction: Correction
    share: float | None

    @property
    def difference(self) -> int:
        """The typed value minus the parsed one."""
        return self.correction.value - self.correction.parsed


def weighed(project: ProjectFacts) -> list[WeighedCorrection]:
    """The corrections of a project, the largest share of a week's change first."""
    as_of = project.as_of
    changes = {
        metric: None if as_of is None else total_change(project.accounts, place, as_of, WEEK)
        for place, metric in enumerate(METRICS)
    }
    corrections = [
        WeighedCorrection(account, one, _share(one, changes[one.metric]))
        for account in project.accounts
        for one in account.corrections
    ]
    return sorted(corrections, key=lambda one: (one.share is None, -(one.share or 0), -abs(one.difference)))


def _share(one: Correction, change: Growth | None) -> float | None:
    return 100 * abs(one.value - one.parsed) / abs(change.amount) if change and change.amount else None


class Joined(NamedTuple):
    """Accounts whose first value is on a day in the chart: the total rises without any growth."""

    #: Its place in the window.
    day: int
    accounts: int
    amount: int


def joined(histories: Iterable[History], metric: int, window: Window) -> list[Joined]:
    """The days of ``window`` on which accounts join others that were there before, in order."""
    firsts = [first for history in histories if (first := history.after(metric, 0)) is not None]
    begun = max(window.start, min((first.day for first in firsts), default=0))
    days: dict[int, list[int]] = {}
    for first in firsts:
        if begun < first.day <= window.end:
            days.setdefault(first.day - window.start, []).append(first.value)
    return [Joined(day, len(values), sum(values)) for day, values in sorted(days.items())]
