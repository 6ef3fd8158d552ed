"""The result of a project, from its plan and how writing it went."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from smart_sync.core.counts import Counts
from smart_sync.core.links.identity import profile_link
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import Outcome, Problem, Project
from smart_sync.core.project_names import shared_worksheet
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
    """The result of writing a plan: new snapshots, and the accounts that could not be written, with reasons."""

    snapshots: int
    failed: Mapping[str, str] = field(default_factory=dict)
    #: The ids of the accounts whose snapshot of the day a rule of the table has refused.
    without_snapshot: tuple[str, ...] = ()


class _Trouble(NamedTuple):
    """Why a project is not up to date, who must do what, and its code in docs/faq.md."""

    reason: str
    remedy: str
    code: Code | Literal[""]


def result_of(
    plan: Plan, written: Written, problems: Sequence[Problem], not_created: Mapping[str, str] = NOTHING
) -> ProjectResult:
    """The result of a plan after writing. ``problems`` are those of the parsed values.

    ``not_created``: links of the accounts that the database refuses to create, with the reason.
    """
    failed = written.failed
    outcome, troubles = _outcome(plan, written, not_created)
    result = ProjectResult(
        plan.project,
        outcome,
        "",
        coverage=by_metric(plan.accounts_by_winners),
        left=tuple(link for account_id, link in plan.left.items() if account_id not in failed),
        returned=tuple(link for account_id, link in plan.returned.items() if account_id not in failed),
        worksheet_read=plan.trouble is None and outcome is not Outcome.FAILED,
        error="; ".join(one.reason for one in troubles),
        remedy="; ".join(dict.fromkeys(one.remedy for one in troubles)),
        code=next((one.code for one in troubles), ""),
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


def _outcome(plan: Plan, written: Written, not_created: Mapping[str, str]) -> tuple[Outcome, list[_Trouble]]:
    """The project's outcome and trouble; a failed one only has a reason."""
    failed = written.failed
    if failed and len(failed) == plan.counts.accounts:
        return Outcome.FAILED, [_refusal("refused every account", failed)]
    of_worksheet = plan.accidents if plan.trouble is None else (plan.trouble,)
    accidents = (*shared_worksheet(plan.project), *of_worksheet)
    troubles = [_Trouble(one.reason, one.remedy, one.trouble) for one in accidents]
    if failed:
        troubles.append(_refusal(f"refuses {len(failed)} of {plan.counts.accounts} accounts", failed))
    if not_created:
        troubles.append(_refusal(f"refuses to create {counted(len(not_created), 'account')}", not_created))
    if written.without_snapshot:
        of = counted(len(written.without_snapshot), "account")
        reason = f"a rule of account_snapshots refuses the row of the day of {of}: readers do not see the merged values"
        troubles.append(_Trouble(reason, "switch the web app's own sync off, or drop the rule", "two-masters"))
    if troubles:
        return Outcome.DEGRADED, troubles
    writes = plan.merged or plan.sheet or plan.absent or plan.left or plan.returned or written.snapshots
    return Outcome.SYNCED if writes else Outcome.UNCHANGED, []


def _refusal(what: str, reasons: Mapping[str, str]) -> _Trouble:
    """The trouble that the database refuses ``what``, with the first of the ``reasons``."""
    reason = next(iter(reasons.values()))
    remedy = "look at the triggers, rules and column types of the web app's tables"
    if "out of range for type" in reason:
        remedy = "make the counts of account_snapshots BIGINT, as docs/how-to/postgres.md says"
    return _Trouble(f"the database {what}: {reason}", remedy, "database-columns")


def _counts(plan: Plan, written: Written, result: ProjectResult) -> Counts:
    """The plan's counts without what could not be written, and the counts of writing."""
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
    """One problem for all accounts without a snapshot: the cause is the table."""
    if account_ids:
        more = f" and {counted(len(account_ids) - 1, 'other')}" if len(account_ids) > 1 else ""
        reason = "a rule of the table refuses Smart Sync's row of the day, and readers do not see the merged values"
        value = f"account {account_ids[0]}{more}"
        yield Problem(f"{reason}; see: smart-sync check", "account_snapshots", value=value, code="two-masters")


def _refused(plan: Plan, failed: Mapping[str, str]) -> Iterator[Problem]:
    """A problem for each account that the database refuses."""
    links = {row.account_id: row.link for row in plan.merged}
    return _some_refused(
        "account_metrics",
        [
            Problem(
                f"the database refuses this account, which stays as it was: {reason}",
                "account_metrics",
                value=links.get(account_id) or f"account {account_id}",
                code="database-columns",
            )
            for account_id, reason in failed.items()
        ],
    )


def _not_created(plan: Plan, refused: Mapping[str, str]) -> Iterator[Problem]:
    """A problem for each row whose account the database refuses to create."""
    rows = plan.unmatched_rows if refused else ()
    return _some_refused(
        plan.project.name,
        [
            Problem(
                f"the database refuses the account of this row: {reason}",
                plan.project.name,
                row.row,
                value=shown(row.link),
                code="database-columns",
            )
            for row in rows
            if (reason := refused.get(profile_link(row.link, row.platform))) is not None
        ],
    )


def _some_refused(place: str, problems: Sequence[Problem]) -> Iterator[Problem]:
    """The first `MAX_REFUSED`, and how many more there are."""
    yield from problems[:MAX_REFUSED]
    if (more := len(problems) - MAX_REFUSED) > 0:
        reason = f"the database refuses {counted(more, 'account')} more"
        yield Problem(reason, place, code="database-columns", count=more)


def dry_run_result(
    plan: Plan, snapshots: int, problems: Sequence[Problem], states: Sequence[AccountState]
) -> ProjectResult:
    """The result that writing ``plan`` would have, with every change."""
    links = {state.id: state.link for state in states}
    changes = (
        change
        for row in plan.changed
        for change in changes_of(row.account_id, links[row.account_id], row.before, row.values, row.winners)
    )
    return replace(result_of(plan, Written(snapshots), problems), changes=tuple(changes))


def failure(project: Project, reason: str, code: Code | Literal[""] = "") -> ProjectResult:
    """The result of a project for which nothing was written; ``code``: the reason's entry in docs/faq.md."""
    return ProjectResult(project, Outcome.FAILED, "", error=reason, code=code)
