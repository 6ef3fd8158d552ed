"""What became of a project: its plan, and how writing it went, in one result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from smart_sync.core.model import Outcome, Problem, Project
from smart_sync.core.plan import Plan
from smart_sync.core.results import ProjectResult, changes_of
from smart_sync.core.state import AccountState
from smart_sync.core.suspects import Suspect


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing a plan: new snapshots, and the accounts that could not be written, with the reason."""

    snapshots: int
    failed: Mapping[str, str] = field(default_factory=dict)


def result_of(plan: Plan, written: Written, problems: Sequence[Problem]) -> ProjectResult:
    """The result of a plan that has been written.  ``problems`` are those of the parsed values."""
    failed = written.failed
    outcome, error = Outcome.SYNCED, plan.trouble.reason if plan.trouble else ""
    if failed and len(failed) == plan.accounts:
        outcome, error = Outcome.FAILED, f"SQLite refused every account: {next(iter(failed.values()))}"
    elif plan.trouble is not None:
        outcome = Outcome.DEGRADED
    elif not (failed or plan.merged or plan.sheet or plan.sheet_gone or written.snapshots):
        outcome = Outcome.UNCHANGED
    return ProjectResult(
        plan.project,
        outcome,
        "",
        accounts=plan.accounts,
        sheet=plan.sheet_count,
        parsed=plan.parsed_count,
        updated=plan.accounts - len(failed),
        changed=sum(row.account_id not in failed for row in plan.changed),
        snapshots=written.snapshots,
        worksheet_read=plan.trouble is None and outcome is not Outcome.FAILED,
        error=error,
        remedy=plan.trouble.remedy if plan.trouble else "",
        failed_accounts=failed,
        problems=(*plan.problems, *problems),
        unmatched_rows=plan.unmatched_rows,
        unmatched_accounts=plan.unmatched_accounts,
        suspects=tuple(s for s in plan.suspects.open if s.account_id not in failed),
        new_suspects=tuple(s for s in plan.suspects.new if s.account_id not in failed),
        conflicts=tuple(c for c in plan.conflicts if c.account_id not in failed),
    )


def foreseen(plan: Plan, snapshots: int, problems: Sequence[Problem], states: Sequence[AccountState]) -> ProjectResult:
    """The result that writing ``plan`` would have, with every change it would make."""
    links = {state.id: state.link for state in states}
    changes = (
        change
        for row in plan.changed
        for change in changes_of(row.account_id, links[row.account_id], row.before, row.values)
    )
    return replace(result_of(plan, Written(snapshots), problems), changes=tuple(changes))


def unchanged(last: ProjectResult, suspects: Sequence[Suspect]) -> ProjectResult:
    """The same result once more, without what happened only once."""
    return replace(
        last,
        outcome=Outcome.UNCHANGED,
        changed=0,
        new_accounts=0,
        snapshots=0,
        suspects=tuple(suspects),
        new_suspects=(),
        conflicts=(),
    )


def failure(project: Project, reason: str) -> ProjectResult:
    """The result of a project of which nothing was written."""
    return ProjectResult(project, Outcome.FAILED, "", error=reason)
