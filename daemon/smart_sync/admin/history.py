"""``smart-sync history`` and ``smart-sync growth``: what passes have done, and how numbers have grown.  Reads only.

Days are those of the view ``account_growth``: of ``[schedule] timezone``, of several snapshots of a day the last.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from smart_sync.core.days import stamp
from smart_sync.core.history import growth as core
from smart_sync.core.history.growth import Change, Series, movers, period, series, total
from smart_sync.core.project_names import written
from smart_sync.errors import SmartSyncError
from smart_sync.store import accounts
from smart_sync.store import pass_history as runs
from smart_sync.store.accounts import Known
from smart_sync.store.clock_changes import day_at
from smart_sync.store.schema import open_existing

MOVERS = 5
#: As in the report: what is older is a mistake.
_OLDEST = "1970-01-01"


@dataclass(frozen=True, slots=True)
class _Grown:
    """An account, its values in the period, and what they have grown, also against an older value."""

    known: Known
    series: Series
    change: Change | None

    @property
    def growth(self) -> int | None:
        return self.change.amount if self.change else None


class UnknownProject(SmartSyncError):
    """No project has that id or name."""


async def history(path: Path, limit: int, project: str | None, *, failed: bool) -> dict[str, Any]:
    """The newest passes, of one project (id or name, also one that is gone) or all; only the failed ones if wanted.

    Raises `UnknownProject` and `DatabaseError`.
    """
    async with open_existing(path, read_only=True) as database:
        project_id = None
        if project is not None:
            project_id = await runs.project_id(database, project)
            if project_id is None:
                raise UnknownProject(f"no pass on record had a project {project!r}")
        found = await runs.recent_runs(database, limit, project_id, failed=failed)
    return {"success": True, "runs": found}


async def growth(path: Path, project: str | None, metric: str, days: int, now: datetime) -> dict[str, Any]:
    """The growth of ``metric`` over the last ``days`` days, of one project (id or name) or all.

    Raises `UnknownProject` and `DatabaseError`.
    """
    async with open_existing(path, read_only=True) as database:
        labels = period(date.fromisoformat(await day_at(database, stamp(now))), days)
        everybody = _of_project(await accounts.everyone(database), project)
        ids = {known.project.id for known in everybody}
        only = next(iter(ids)) if project is not None else None
        values = await accounts.values_by_day(database, metric, _OLDEST, labels[-1], only)
    newest = _newest_days(everybody, values)
    found = {}
    for known in everybody:
        own = values.get(known.account.id, {})
        shown = series(labels, own)
        if shown.last is not None:
            found[known.account.id] = _Grown(known, shown, _change(own, newest[known.project.id], days))
    return _answer(metric, labels, found)


def _newest_days(everybody: list[Known], values: Mapping[str, Mapping[str, int | None]]) -> dict[str, int]:
    """The newest day of each project, from which its days are counted back, as in the report."""
    newest: dict[str, int] = {}
    for known in everybody:
        own = [day for day, value in values.get(known.account.id, {}).items() if value is not None]
        if own:
            day = date.fromisoformat(max(own)).toordinal()
            newest[known.project.id] = max(day, newest.get(known.project.id, day))
    return newest


def _change(values: Mapping[str, int | None], newest: int, days: int) -> Change | None:
    known = [
        core.Known(date.fromisoformat(day).toordinal(), value)
        for day, value in sorted(values.items())
        if value is not None
    ]
    asked = newest - days
    base = next((one for one in reversed(known) if one.day <= asked), None)
    inside = next((one for one in known if one.day > asked), None)
    return core.change(known[-1] if known else None, base, inside, asked)


def _of_project(everybody: list[Known], project: str | None) -> list[Known]:
    if project is None:
        return everybody
    by_id = [known for known in everybody if known.project.id == project]
    name = written(project, {known.project.name for known in everybody})
    chosen = by_id or [known for known in everybody if known.project.name == name]
    if not chosen:
        raise UnknownProject(f"no account belongs to a project {project!r}; smart-sync status lists the projects")
    return [known for known in chosen if known.project.id == chosen[0].project.id]


def _answer(metric: str, labels: tuple[str, ...], found: Mapping[str, _Grown]) -> dict[str, Any]:
    moved = movers({key: one.growth for key, one in found.items()}, MOVERS)
    return {
        "success": True,
        "metric": metric,
        "since": labels[0],
        "until": labels[-1],
        "days": list(labels),
        "accounts": [_account(one) for one in found.values()],
        "projects": _totals(found, lambda known: known.project.name),
        "platforms": _totals(found, lambda known: known.account.platform),
        "movers": [_account(found[key]) for key in moved],
    }


def _account(one: _Grown) -> dict[str, Any]:
    known, change = one.known, one.change
    return {
        "account_id": known.account.id,
        "link": known.account.link,
        "username": known.account.username,
        "platform": known.account.platform,
        "project_name": known.project.name,
        "first": change.before if change else one.series.last,
        "last": one.series.last,
        "growth": one.growth,
        "since": date.fromordinal(change.since).isoformat() if change else None,
        "exact": change is not None and change.exact,
        "values": list(one.series.values),
    }


def _totals(found: Mapping[str, _Grown], name_of: Callable[[Known], str]) -> list[dict[str, Any]]:
    groups: dict[str, list[tuple[int | None, int | None]]] = {}
    for one in found.values():
        groups.setdefault(name_of(one.known), []).append((one.series.last, one.growth))
    return [{"name": name, **asdict(total(several))} for name, several in sorted(groups.items())]
