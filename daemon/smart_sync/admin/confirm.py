"""``smart-sync confirm``: a person accepts what the last pass reported about an account or a project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from smart_sync.config import Settings
from smart_sync.core.command_answers import ConfirmAnswer
from smart_sync.core.days import stamp
from smart_sync.core.links.identity import owner, same_profile
from smart_sync.core.matching.sheet_side import new_account
from smart_sync.core.merge.plan import Confirmation, of_account
from smart_sync.core.model import NO_METRICS, Project
from smart_sync.core.parsed import VoteTerms
from smart_sync.core.state import AccountState
from smart_sync.errors import SmartSyncError
from smart_sync.store import absences, account_states, accounts, open_suspects, parsed_query, projects
from smart_sync.store.absences import DoubtfulRow
from smart_sync.store.engine import Database
from smart_sync.store.requested_project import choose
from smart_sync.store.schema import open_existing


class NothingToConfirm(SmartSyncError):
    """The last pass found nothing of the kind."""


@dataclass(slots=True)
class _Scope:
    """What is to be confirmed: whole projects, accounts of theirs, or rows that have no account."""

    projects: list[Project] = field(default_factory=list)
    accounts: list[tuple[Project, AccountState]] = field(default_factory=list)
    rows: list[DoubtfulRow] = field(default_factory=list)


async def confirm(settings: Settings, wanted: str, metric: str | None, now: datetime) -> ConfirmAnswer:
    """Accept what the last pass reported, and nothing else.

    A daemon may be at work: this is one short transaction of its own.  Raises `NothingToConfirm` (also where
    nobody is meant), `DatabaseError` and `ConfigError`.
    """
    async with open_existing(settings.database.where, read_only=False) as database:
        query = await parsed_query.prepare(database, settings.parsed.query)
        scope = await _scope(database, wanted, settings.vote_terms(stamp(now)), query)
        findings = await _findings(database, scope, metric)
        if not findings:
            raise NothingToConfirm(_nothing(scope, wanted, metric))
        await _accept(database, scope, findings, stamp(now), settings.sync.defaults.accounts)
    links = list(dict.fromkeys(finding.link for finding in findings if finding.link))
    return {
        "success": True,
        "accounts": links,
        "confirmed": len(findings),
        "findings": [finding.answer() for finding in findings],
    }


def _nothing(scope: _Scope, wanted: str, metric: str | None) -> str:
    if not (scope.projects or scope.accounts or scope.rows):
        return f"no account or project matches {wanted!r}; give a link, an id, a name, or a project's name"
    what = f"the {metric} of {wanted}" if metric else wanted
    return f"the last pass found nothing about {what} that could be confirmed; see: smart-sync check"


async def _scope(database: Database, wanted: str, vote_terms: VoteTerms, query: str) -> _Scope:
    scope = _Scope()
    project = (await choose(database, wanted, by_name=True)).project
    doubts = await absences.doubtful_rows(database)
    if project is not None:
        states, _ = await account_states.read(database, project, vote_terms, query)
        scope.projects.append(project)
        scope.accounts += [(project, state) for state in states]
        scope.rows += [row for row in doubts if row.project_id == project.id]
    for account in await accounts.find(database, wanted):
        if account.project not in scope.projects:
            states, _ = await account_states.read(database, account.project, vote_terms, query, [account.account.id])
            scope.accounts += [(account.project, state) for state in states]
    scope.rows += [row for row in doubts if row not in scope.rows and _is_meant(row, wanted)]
    return scope


def _is_meant(row: DoubtfulRow, wanted: str) -> bool:
    if wanted.startswith("@"):
        return wanted[1:].casefold() in {row.username.casefold(), owner(row.link).username.casefold()}
    return wanted == row.link or same_profile(wanted, row.link, row.platform)


async def _findings(database: Database, scope: _Scope, metric: str | None) -> list[Confirmation]:
    findings = [
        Confirmation("worksheet", project.id)
        for project in scope.projects
        if metric is None and await absences.has_no_worksheet(database, project.id)
    ]
    ids = {project.id for project, _ in scope.accounts}
    lost = {project_id: await absences.lost_columns(database, project_id) for project_id in ids}
    suspect = await absences.suspect_values(database)
    for project, state in scope.accounts:
        findings += of_account(state, project.id, metric, lost[project.id], suspect.get(state.id, {}))
    if metric is None:
        findings += [Confirmation("doubtful", row.project_id, link=row.link) for row in scope.rows]
    return findings


async def _accept(
    database: Database, scope: _Scope, findings: list[Confirmation], now: str, defaults: Mapping[str, object]
) -> None:
    doubtful = {(finding.project_id, finding.link) for finding in findings if finding.kind == "doubtful"}
    new = [new_account(*row) for row in scope.rows if (row.project_id, row.link) in doubtful]
    by_account: dict[str, list[Confirmation]] = {}
    for finding in findings:
        by_account.setdefault(finding.account_id, []).append(finding)
    async with database.transaction() as transaction:
        for project in scope.projects:
            if any(f.kind == "worksheet" and f.project_id == project.id for f in findings):
                await absences.accept_worksheet(transaction, project)
        await absences.accept_gone(transaction, [f.account_id for f in findings if f.kind == "gone"])
        for _, state in scope.accounts:
            cells = [f for f in by_account.get(state.id, ()) if f.kind in ("column", "emptied")]
            if columns := [f.metric for f in cells if f.kind == "column"]:
                await absences.accept_cells(transaction, state.id, columns)
            # Where a parser has a value, the next pass takes that one.
            parsed = state.parsed or NO_METRICS
            await absences.take_back(transaction, [f for f in cells if getattr(parsed, f.metric) is None])
        for finding in findings:
            if finding.kind == "suspect":
                await open_suspects.confirm(transaction, finding.account_id, finding.metric)
        new = await projects.with_free_ids(transaction, new)
        _, refused = await projects.create_accounts(transaction, new, now, defaults)
        await absences.forget_doubts(transaction, [account for account in new if account.link not in refused])
    for link, reason in refused.items():
        raise NothingToConfirm(f"the database refuses the account {link}: {reason}; see: smart-sync check")
