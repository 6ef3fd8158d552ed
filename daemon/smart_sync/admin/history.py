"""``smart-sync history`` and ``smart-sync growth``: past passes, and how numbers have grown. Only reads.

Numbers and days are those of `store.growth_rows`, as in the view ``account_growth``; totals are of the active accounts
that have not left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from smart_sync.config.database_url import Location
from smart_sync.core.answers import GrownAccount, GrownTotal, GrowthAnswer, HistoryAnswer, LeftAccount, NamedAccount
from smart_sync.core.days import stamp
from smart_sync.core.history.growth import Growth, History, average, change, combined, movers, newest_day, period, total
from smart_sync.core.model import Project
from smart_sync.core.parsed import VoteTerms, terms
from smart_sync.core.results.coverage import covered
from smart_sync.store import accounts, growth_rows, pass_history
from smart_sync.store.accounts import KnownAccount
from smart_sync.store.clock_changes import day_at
from smart_sync.store.growth_rows import Kinds
from smart_sync.store.requested_project import UnknownProject, projects_shown
from smart_sync.store.schema import open_existing

T = TypeVar("T")

MOVERS = 5


async def history(where: Location, limit: int, project: str | None, *, failed: bool) -> HistoryAnswer:
    """The newest passes: all, or those of one project (id or name, also a deleted one); ``failed``: only failed ones.

    Raises `UnknownProject` and `DatabaseError`.
    """
    async with open_existing(where, read_only=True) as database:
        project_id = None
        if project is not None:
            project_id = await pass_history.project_id(database, project)
            if project_id is None:
                raise UnknownProject(f"no pass on record had a project {project!r}")
        passes = await pass_history.recent_runs(database, limit, project_id, failed=failed)
    return {"success": True, "runs": passes}


@dataclass(frozen=True, slots=True)
class _AccountGrowth:
    """An account with its growth."""

    known: KnownAccount
    history: History
    change: Growth | None
    #: The mean growth of a day of the period.
    average: float | None


async def growth(
    where: Location,
    project: str | None,
    metric: str,
    days: int,
    now: datetime,
    vote_terms: VoteTerms | None = None,
    *,
    sort: str = "growth",
    top: int | None = None,
) -> GrowthAnswer:
    """The growth of ``metric`` over the last ``days`` days, for one project (id or name) or all active ones.

    ``sort``: one of `core.history.growth.SORTS`; ``top``: so many accounts of each project (None: all), while
    totals are of all of them.  ``vote_terms`` is what parsed values are judged by.
    Raises `UnknownProject` and `DatabaseError`.
    """
    async with open_existing(where, read_only=True) as database, database.steady():
        until = date.fromisoformat(await day_at(database, stamp(now)))
        projects = await projects_shown(database, project)
        candidates = [one for one in await accounts.of_projects(database, projects) if one.counts or one.left_since]
        told = await growth_rows.histories(database, [known.row_id for known in candidates], (metric,), days, until)
        unread = await growth_rows.unread(database, [known.row_id for known in candidates])
        kinds = await growth_rows.account_kinds(database, projects, vote_terms or terms(stamp(now), None))
    histories = [(known, told.get(known.account.id, History())) for known in candidates]
    grown: list[_AccountGrowth] = []
    for own in _grouped([one for one in histories if one[0].counts], lambda one: one[0].project.id).values():
        as_of = newest_day(history for _, history in own)
        grown += [_account_growth(known, history, as_of, days, until) for known, history in own]
    left = [one for one in histories if not one[0].counts]
    answer = _answer(metric, period(until, days), projects, grown, left, kinds)
    answer["unread_snapshots"] = [
        {**_named(known), **unread[known.account.id]} for known in candidates if known.account.id in unread
    ]
    answer["accounts"] = _chosen(answer["accounts"], sort, top)
    return answer


def _chosen(entries: Iterable[GrownAccount], sort: str, top: int | None) -> list[GrownAccount]:
    """The accounts sorted by ``sort`` within each project, at most ``top`` per project."""
    groups = _grouped(entries, lambda entry: entry["project_id"])
    return [entry for group in groups.values() for entry in sorted(group, key=lambda one: _rank(one, sort))[:top]]


def _rank(entry: GrownAccount, sort: str) -> tuple[bool, float, str]:
    """The sort key of an account: unknown values last, ties by name."""
    growth, first, name = entry["growth"], entry["first"], str(entry["username"] or entry["link"]).casefold()
    percent = growth / first if growth is not None and first else None
    value = {"growth": growth, "percent": percent, "value": entry["last"], "name": 0}[sort]
    return value is None, -(value or 0), name


def _account_growth(
    account: KnownAccount, history: History, as_of: int | None, days: int, until: date
) -> _AccountGrowth:
    last = until.toordinal()
    grown = None if as_of is None else change(history, 0, as_of, days)
    return _AccountGrowth(account, history, grown, average(history, 0, last - days, last))


def _answer(
    metric: str, labels: tuple[str, ...], projects: Sequence[Project], grown: Sequence[_AccountGrowth],
    left: Iterable[tuple[KnownAccount, History]], kinds: Kinds,
) -> GrowthAnswer:  # fmt: skip
    by_id = {one.known.account.id: one for one in grown}
    moved = movers({account_id: one.change for account_id, one in by_id.items()}, MOVERS)
    of_project = _grouped(grown, lambda one: one.known.project.id)
    of_platform = _grouped(grown, lambda one: one.known.account.platform)
    return {
        "success": True,
        "metric": metric,
        "since": labels[0],
        "until": labels[-1],
        "days": list(labels),
        "accounts": [_account(one, labels) for one in grown],
        "projects": [
            {**_total(one.name, of_project.get(one.id, ()), kinds, metric), "project_id": one.id} for one in projects
        ],
        "platforms": [_total(name, several, kinds, metric) for name, several in sorted(of_platform.items())],
        "movers": [_account(by_id[account_id], labels) for account_id in moved],
        "left": [_left(known, history) for known, history in left],
        "unread_snapshots": [],
    }


def _grouped(several: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for one in several:
        groups.setdefault(key(one), []).append(one)
    return groups


def _named(account: KnownAccount) -> NamedAccount:
    return {
        "account_id": account.account.id,
        "link": account.account.link,
        "username": account.account.username,
        "platform": account.account.platform,
        "project_id": account.project.id,
        "project_name": account.project.name,
    }


def _account(one: _AccountGrowth, labels: Sequence[str]) -> GrownAccount:
    change, first = one.change, date.fromisoformat(labels[0]).toordinal()
    last = _last(one.history)
    return {
        **_named(one.known),
        "first": change.before if change else last,
        "last": last,
        "growth": change.amount if change else None,
        "moved": change.moved if change else None,
        "average": one.average,
        "since": _label(change.since) if change else None,
        "exact": change is not None and change.exact,
        "values": one.history.window(0, first, len(labels)),
        "ends_carried": [_label(day) for day in change.ends] if change else [],
    }


def _left(account: KnownAccount, history: History) -> LeftAccount:
    return {**_named(account), "left_since": account.left_since, "last": _last(history)}


def _last(history: History) -> int | None:
    last = history.at(0, history.days[-1]) if history.days else None
    return last.value if last else None


def _total(name: str, grown: Sequence[_AccountGrowth], kinds: Kinds, metric: str) -> GrownTotal:
    """The sum over several accounts; those with nothing to compare with add nothing to the growth."""
    together = combined((one.change for one in grown), 0)
    return {
        "name": name,
        "accounts": len(grown),
        "last": total(_last(one.history) for one in grown),
        "growth": together.amount if together else None,
        "average": total(one.average for one in grown),
        "compared": together.accounts if together else 0,
        "coverage": covered((kinds.get(one.known.account.id) for one in grown), metric)._asdict(),
    }


def _label(day: int) -> str:
    return date.fromordinal(day).isoformat()
