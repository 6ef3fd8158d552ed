"""Reads the report's inputs: read-only, in one transaction, while a daemon keeps writing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from smart_sync.config.database_url import Location
from smart_sync.core.campaign import Campaign
from smart_sync.core.days import moment, stamp
from smart_sync.core.history.growth import History
from smart_sync.core.history.target import Target
from smart_sync.core.merge.strategies import Winner, consistent
from smart_sync.core.model import METRICS, NO_METRICS, Project
from smart_sync.core.parsed import VoteTerms, terms
from smart_sync.core.state import AccountState
from smart_sync.report.inputs import AccountFacts, Correction, LastRun, Options, ProjectFacts, ReportInputs
from smart_sync.report.trend import HORIZONS
from smart_sync.store import account_states, accounts, growth_rows, open_suspects, pass_history, unread_projects
from smart_sync.store.accounts import KnownAccount, Labels, Place
from smart_sync.store.clock_changes import day_at
from smart_sync.store.engine import Database
from smart_sync.store.projects import project_campaign, project_target
from smart_sync.store.requested_project import projects_shown
from smart_sync.store.schema import open_existing

LAST_PASSES = 10
DEFAULT = Options()
_LONGEST = max(horizon.days for horizon in HORIZONS)


async def read(
    where: Location,
    project: str | None,
    days: int,
    now: datetime,
    vote_terms: VoteTerms | None = None,
    options: Options = DEFAULT,
) -> ReportInputs:
    """The inputs for all active projects in the database at ``where``, or for ``project`` (id, else name).

    ``days`` is how far back charts go, unless ``options`` say since when; ``vote_terms`` is what parsed values are
    judged by.  The database is only read.  Raises `DatabaseError` where there is no readable one, and `UnknownProject`.
    """
    if isinstance(where, Path) and where.is_file() and not where.stat().st_size:  # nobody has made a table yet
        return ReportInputs()
    async with open_existing(where, read_only=True) as database, database.steady():
        today = date.fromisoformat(await day_at(database, stamp(now)))
        projects = await projects_shown(database, project)
        candidates = await accounts.of_projects(database, projects)
        wanted = [one for one in candidates if one.counts or one.left_since]
        ids = [one.row_id for one in wanted]
        back = days if options.since is None else (today - options.since).days + 1
        histories = await growth_rows.histories(database, ids, METRICS, max(back, _LONGEST), today)
        accounts_of: dict[str, list[KnownAccount]] = defaultdict(list)
        for one in sorted(candidates, key=lambda one: one.account.id):
            accounts_of[one.project.id].append(one)
        reading = _Reading(database, vote_terms or terms(stamp(now), None), options.timezone, now)
        projects_read = [await reading.project(one, accounts_of[one.id], histories) for one in projects]
        passes = await pass_history.recent_runs(database, LAST_PASSES)
        left_out = await growth_rows.left_out(database, ids, today)
        return ReportInputs(tuple(projects_read), passes, left_out, today.toordinal())


@dataclass(frozen=True, slots=True)
class _Reading:
    """What reading any project needs."""

    database: Database
    vote_terms: VoteTerms
    timezone: str
    now: datetime

    async def project(
        self, project: Project, known_accounts: list[KnownAccount], histories: Mapping[str, History]
    ) -> ProjectFacts:
        """One project, with its accounts ``known_accounts``."""
        database = self.database
        states, _ = await account_states.read(
            database, project, self.vote_terms, only=[one.account.id for one in known_accounts]
        )
        by_id = {state.id: state for state in states}
        places = await accounts.places(database, project)
        labels = await accounts.labels(database, project)

        def facts(one: KnownAccount) -> AccountFacts:
            key = one.account.id
            account = _account(one, histories.get(key, History()), by_id.get(key), places.get(key, Place()))
            topic, person = labels.get(key, Labels())
            return replace(_known(account, by_id.get(key), stale=stale_since is not None), topic=topic, person=person)

        stale_since = _moment(await unread_projects.stale_since(database, project.id))
        campaign = await project_campaign(database, self.timezone, project.id)
        views, flaw = await project_target(database, project.id)
        suspects = (await open_suspects.of_projects(database, [project.id], self.now))[project.id]
        return ProjectFacts(
            project.id,
            project.name,
            tuple(facts(one) for one in known_accounts if one.counts),
            tuple(facts(one) for one in known_accounts if one.left_since),
            sum(not one.account_active and not one.left_since for one in known_accounts),
            await _last_run(database, project.id),
            _moment(await unread_projects.read_time(database, project.id)),
            stale_since,
            _target(views, campaign),
            # Dates that nobody can read matter only where there is something to reach by them.
            flaw or (campaign.flaw if views else ""),
            not campaign.counts_all,
            tuple(suspects.values()),
        )


def _target(views: int, campaign: Campaign) -> Target | None:
    start, end = (None if day is None else day.toordinal() for day in (campaign.start, campaign.end))
    return Target(views, start, end) if views else None


def _account(known: KnownAccount, history: History, state: AccountState | None, place: Place) -> AccountFacts:
    account, chosen = known.account, state.votes.chosen if state else {}
    return AccountFacts(
        account.id,
        account.platform,
        account.username,
        account.link,
        history,
        corrections=tuple(_corrections(state, place)) if state else (),
        parsed=bool(chosen),
        parsed_at=_moment(max((one.at or "" for one in chosen.values()), default=None)),
        views_from=chosen["views"].source if "views" in chosen else "",
        left_since=_moment(known.left_since),
    )


def _known(account: AccountFacts, state: AccountState | None, *, stale: bool) -> AccountFacts:
    """The account with its values."""
    if state is None:
        return account
    since = zip(METRICS, state.carried_since, strict=True)
    return replace(
        account,
        kinds=growth_rows.value_kinds(state, stale=stale),
        carried_since={metric: _moment(at) for metric, at in since if at},
        pins=state.pins,
        said=frozenset(state.votes.chosen),
    )


def _corrections(state: AccountState, place: Place) -> Iterator[Correction]:
    """Metrics where the sheet won over a different parsed value that is not just its rounding."""
    merged, parsed = state.merged or NO_METRICS, state.parsed or NO_METRICS
    rows = zip(METRICS, merged, state.winners, place.changed_on, parsed, strict=True)
    for metric, value, winner, since, other in rows:
        if value is None or other is None or other == value or winner not in (Winner.SHEET, Winner.CARRIED):
            continue
        if not (metric in state.rounded and consistent(other, value)):
            day = date.fromisoformat(since).toordinal() if since else None
            carried = winner == Winner.CARRIED
            yield Correction(metric, value, other, place.worksheet, state.sheet_row, day, carried)


async def _last_run(database: Database, project_id: str) -> LastRun | None:
    run, problems = await pass_history.last_of_project(database, project_id)
    return None if run is None else LastRun(run["outcome"], run["error"], _moment(run["finished_at"]), problems)


def _moment(text: str | None) -> datetime | None:
    """A stamp of ours, naive UTC, as a moment; None if it is none."""
    try:
        return moment(text) if text else None
    except ValueError:
        return None
