"""``smart-sync history`` and ``smart-sync growth``: what passes have done, and how numbers have grown.  Reads only.

Days are those of the view ``account_growth``: UTC days, of several snapshots of a day the last.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from smart_sync.core.growth import Series, movers, period, series, total
from smart_sync.errors import SmartSyncError
from smart_sync.store import accounts
from smart_sync.store import history as runs
from smart_sync.store.accounts import Known
from smart_sync.store.schema import open_existing

MOVERS = 5


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
    labels = period(now.date(), days)
    async with open_existing(path, read_only=True) as database:
        everybody = _of_project(await accounts.everyone(database), project)
        ids = {known.project.id for known in everybody}
        only = next(iter(ids)) if project is not None else None
        values = await accounts.values_by_day(database, metric, labels[0], labels[-1], only)
    found = {known.account.id: (known, series(labels, values.get(known.account.id, {}))) for known in everybody}
    return _answer(metric, labels, {key: entry for key, entry in found.items() if entry[1].last is not None})


def _of_project(everybody: list[Known], project: str | None) -> list[Known]:
    if project is None:
        return everybody
    by_id = [known for known in everybody if known.project.id == project]
    chosen = by_id or [known for known in everybody if known.project.name == project]
    if not chosen:
        raise UnknownProject(f"no account belongs to a project {project!r}; smart-sync status lists the projects")
    return [known for known in chosen if known.project.id == chosen[0].project.id]


def _answer(metric: str, labels: tuple[str, ...], found: Mapping[str, tuple[Known, Series]]) -> dict[str, Any]:
    moved = movers({key: one.growth for key, (_, one) in found.items()}, MOVERS)
    return {
        "success": True,
        "metric": metric,
        "since": labels[0],
        "until": labels[-1],
        "days": list(labels),
        "accounts": [_account(known, one) for known, one in found.values()],
        "projects": _totals(found, lambda known: known.project.name),
        "platforms": _totals(found, lambda known: known.account.platform),
        "movers": [_account(*found[key]) for key in moved],
    }


def _account(known: Known, one: Series) -> dict[str, Any]:
    return {
        "account_id": known.account.id,
        "link": known.account.link,
        "username": known.account.username,
        "platform": known.account.platform,
        "project_name": known.project.name,
        "first": one.first,
        "last": one.last,
        "growth": one.growth,
        "values": list(one.values),
    }


def _totals(found: Mapping[str, tuple[Known, Series]], name_of: Callable[[Known], str]) -> list[dict[str, Any]]:
    groups: dict[str, list[Series]] = {}
    for known, one in found.values():
        groups.setdefault(name_of(known), []).append(one)
    return [{"name": name, **asdict(total(several))} for name, several in sorted(groups.items())]
