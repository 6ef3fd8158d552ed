"""Reading the database for the report: read-only, in one transaction, beside a daemon that goes on writing."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from smart_sync.core.days import stamp
from smart_sync.core.growth import History
from smart_sync.core.merge import Winner, consistent
from smart_sync.core.model import METRICS
from smart_sync.report.facts import AccountFacts, Correction, Facts, LastRun, PassFacts, ProjectFacts
from smart_sync.report.growth import HORIZONS
from smart_sync.store import accounts, freshness, growth, history, provenance
from smart_sync.store.accounts import Known
from smart_sync.store.chosen import shown
from smart_sync.store.database import Database
from smart_sync.store.days import day_at
from smart_sync.store.provenance import Parsed
from smart_sync.store.schema import open_existing

LAST_PASSES = 10


async def read(path: Path, project: str | None, days: int, now: datetime) -> Facts:
    """What the database at ``path`` says of all active projects, or of ``project`` (its id, else its name).

    ``days`` is how far back charts go.  Raises `DatabaseError` where there is no readable database, and
    `UnknownProject`.
    """
    async with open_existing(path, read_only=True) as database, database.steady():
        return await _facts(database, project, max(days, *HORIZONS), now)


async def _facts(database: Database, wanted: str | None, days: int, now: datetime) -> Facts:
    today = date.fromisoformat(await day_at(database, stamp(now)))
    projects = await shown(database, wanted)
    found = [one for one in await accounts.of_projects(database, projects) if one.counts or one.left_since]
    ids = [known.row_id for known in found]
    histories = await growth.histories(database, ids, METRICS, days, today)
    parsed = await provenance.parsed(database)
    of_project: dict[str, list[AccountFacts]] = defaultdict(list)
    left: dict[str, list[AccountFacts]] = defaultdict(list)
    for known in sorted(found, key=lambda one: one.account.id):
        facts = _account(known, histories, parsed)
        (of_project if known.counts else left)[known.project.id].append(facts)
    inactive = await accounts.count_inactive(database)
    read_at = await freshness.read_times(database)
    stale = {one.project_id: one.stale_since for one in await freshness.stale_projects(database)}
    return Facts(
        tuple(
            [
                ProjectFacts(
                    one.id,
                    one.name,
                    tuple(of_project[one.id]),
                    tuple(left[one.id]),
                    inactive.get(one.id, 0),
                    await _last_run(database, one.id),
                    _moment(read_at.get(one.id)),
                    _moment(stale.get(one.id)),
                )
                for one in projects
            ]
        ),
        tuple(_pass(run) for run in await history.recent_runs(database, LAST_PASSES)),
        await growth.left_out(database, ids, today),
    )


def _account(known: Known, histories: Mapping[str, History], parsed: Mapping[str, Parsed]) -> AccountFacts:
    account = known.account
    inbox = parsed.get(account.id)
    return AccountFacts(
        account.id,
        account.platform,
        account.username,
        account.link,
        histories.get(account.id, History()),
        _corrections(inbox) if inbox else (),
        inbox is not None,
        _moment(inbox.parsed_at) if inbox else None,
        _moment(known.left_since),
    )


def _corrections(found: Parsed) -> tuple[Correction, ...]:
    """Where the sheet won over a parsed value that is another number, and not the same one rounded."""
    rows = zip(METRICS, found.merged, found.winners, found.changed_on, found.parsed, strict=True)
    return tuple(
        Correction(
            metric,
            value,
            other,
            found.worksheet,
            found.row,
            date.fromisoformat(since).toordinal() if since else None,
            winner == Winner.CARRIED,
        )
        for metric, value, winner, since, other in rows
        if winner in (Winner.SHEET, Winner.CARRIED) and value is not None and other is not None and other != value
        if not (found.rounded and consistent(other, value))
    )


async def _last_run(database: Database, project_id: str) -> LastRun | None:
    for run in await history.project_runs(database, project_id, 1):
        return LastRun(run["outcome"], run["error"], _moment(run["finished_at"]))
    return None


def _pass(run: Mapping[str, Any]) -> PassFacts:
    counts = (run[name] for name in ("projects", "degraded", "failed", "accounts", "changed", "snapshots", "calls"))
    return PassFacts(run["trigger"], _moment(run["started_at"]), _moment(run["finished_at"]), *counts)


def _moment(text: str | None) -> datetime | None:
    """A stamp of ours, naive UTC, as a moment; None for what is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
