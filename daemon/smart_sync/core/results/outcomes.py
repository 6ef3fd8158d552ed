"""What became of a project: its plan, and how writing it went, in one result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import Literal

from smart_sync.core.counts import Counts
from smart_sync.core.links.identity import profile_link
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import Outcome, Problem, Project
from smart_sync.core.results.coverage import by_metric
from smart_sync.core.results.results import ProjectResult, changes_of
from smart_sync.core.state import AccountState
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import counted, shown

#: Accounts that the database refuses, told one by one.
MAX_REFUSED = 20
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing a plan: new snapshots, and the accounts that could not be written, with the reason."""

    snapshots: int
    failed: Mapping[str, str] = field(default_factory=dict)
    #: The ids of the accounts whose snapshot of the day a rule of the table has refused.
    without_snapshot: tuple[str, ...] = ()


def result_of(
    plan: Plan, written: Written, problems: Sequence[Problem], not_created: Mapping[str, str] = NOTHING
) -> ProjectResult:
    """The result of a plan that has been written.  ``problems`` are those of the parsed values.

    ``not_created``: links of the accounts that the database refuses to create, with the reason.
    """
    failed = written.failed
    troubles = plan.accidents if plan.trouble is None else (plan.trouble,)
    reasons, remedies = [trouble.reason for trouble in troubles], [trouble.remedy for trouble in troubles]
    codes: list[Code | Literal[""]] = [trouble.trouble for trouble in troubles]
    if failed:
        first = next(iter(failed.values()))
        reasons.append(f"the database refuses {len(failed)} of {plan.counts.accounts} accounts: {first}")
        remedies.append("look at the triggers and rules of the web app's tables")
        codes.append("database-columns")
    if not_created:
        first = next(iter(not_created.values()))
        reasons.append(f"the database refuses to create {counted(len(not_created), 'account')}: {first}")
        remedies.append("look at the triggers and rules of the web app's tables")
        codes.append("database-columns")
    outcome = Outcome.SYNCED
    if failed and len(failed) == plan.counts.accounts:
        outcome, reasons = Outcome.FAILED, [f"the database refused every account: {next(iter(failed.values()))}"]
    elif reasons:
        outcome = Outcome.DEGRADED
    elif not (_writes(plan) or written.snapshots):
        outcome = Outcome.UNCHANGED
    result = ProjectResult(
        plan.project,
        outcome,
        "",
        coverage=by_metric(plan.given),
        left=tuple(link for account_id, link in plan.left.items() if account_id not in failed),
        returned=tuple(link for account_id, link in plan.returned.items() if account_id not in failed),
        worksheet_read=plan.trouble is None and outcome is not Outcome.FAILED,
        error="; ".join(reasons),
        remedy="; ".join(dict.fromkeys(remedies)),
        code=next(iter(codes), ""),
        failed_accounts=failed,
        problems=(
            *plan.problems,
            *problems,
            *_without_snapshot(written.without_snapshot),
            *_refused(plan, failed),
            *_not_created(plan, not_created),
        ),
        unmatched_rows=plan.unmatched_rows,
        unmatched_accounts=plan.unmatched_accounts,
        suspects=tuple(s for s in plan.suspects.open if s.account_id not in failed),
        new_suspects=tuple(s for s in plan.suspects.new if s.account_id not in failed),
        conflicts=tuple(c for c in plan.conflicts if c.account_id not in failed),
    )
    return replace(result, counts=_counts(plan, written, result))


def _counts(plan: Plan, written: Written, result: ProjectResult) -> Counts:
    """What the plan counts, less what could not be written, with what came of it."""
    return replace(
        plan.counts,
        updated=plan.counts.accounts - len(written.failed),
        changed=sum(row.account_id not in written.failed for row in plan.changed),
        snapshots=written.snapshots,
        problems=len(result.problems),
        all_problems=sum(one.count for one in result.problems) + len(result.unmatched_rows),
        suspects=len(result.suspects),
        conflicts=len(result.conflicts),
        unmatched_rows=len(result.unmatched_rows),
        unmatched_accounts=len(result.unmatched_accounts),
    )


def _without_snapshot(account_ids: Sequence[str]) -> Iterator[Problem]:
    """One problem for all of them: its cause is the table's."""
    if account_ids:
        more = f" and {counted(len(account_ids) - 1, 'other')}" if len(account_ids) > 1 else ""
        reason = "a rule of the table refuses Smart Sync's row of the day, and readers do not see the merged values"
        value = f"account {account_ids[0]}{more}"
        yield Problem(f"{reason}; see: smart-sync check", "account_snapshots", value=value, code="two-masters")


def _refused(plan: Plan, failed: Mapping[str, str]) -> Iterator[Problem]:
    """The accounts that the database refuses, the first `MAX_REFUSED` by name."""
    links = {row.account_id: row.link for row in plan.merged}
    for account_id, reason in islice(failed.items(), MAX_REFUSED):
        said = f"the database refuses this account, which stays as it was: {reason}"
        value = links.get(account_id) or f"account {account_id}"
        yield Problem(said, "account_metrics", value=value, code="database-columns")
    if (more := len(failed) - MAX_REFUSED) > 0:
        said = f"the database refuses {counted(more, 'account')} more"
        yield Problem(said, "account_metrics", code="database-columns", count=more)


def _not_created(plan: Plan, refused: Mapping[str, str]) -> Iterator[Problem]:
    """The rows whose accounts the database refuses to create, the first `MAX_REFUSED`."""
    rows = plan.unmatched_rows if refused else ()
    found = [(row, why) for row in rows if (why := refused.get(profile_link(row.link, row.platform))) is not None]
    for row, reason in found[:MAX_REFUSED]:
        said = f"the database refuses the account of this row: {reason}"
        yield Problem(said, plan.project.name, row.row, value=shown(row.link), code="database-columns")
    if (more := len(found) - MAX_REFUSED) > 0:
        said = f"the database refuses {counted(more, 'account')} more"
        yield Problem(said, plan.project.name, code="database-columns", count=more)


def _writes(plan: Plan) -> bool:
    """Whether writing ``plan`` changes anything about the accounts."""
    return bool(plan.merged or plan.sheet or plan.absent or plan.left or plan.returned)


def foreseen(plan: Plan, snapshots: int, problems: Sequence[Problem], states: Sequence[AccountState]) -> ProjectResult:
    """The result that writing ``plan`` would have, with every change it would make."""
    links = {state.id: state.link for state in states}
    changes = (
        change
        for row in plan.changed
        for change in changes_of(row.account_id, links[row.account_id], row.before, row.values, row.winners)
    )
    return replace(result_of(plan, Written(snapshots), problems), changes=tuple(changes))


def failure(project: Project, reason: str) -> ProjectResult:
    """The result of a project of which nothing was written."""
    return ProjectResult(project, Outcome.FAILED, "", error=reason)
