"""The results of a pass and of its projects, and the same as JSON for the control channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, cast

from smart_sync.core.answers import ConflictInPass, MetricChangeAnswer, PassAnswer, ProjectAnswer, SuspectInPass
from smart_sync.core.counts import Counts, PassCounts, Where, as_json
from smart_sync.core.merge.plan import Conflict
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.model import METRICS, Metrics, Outcome, Problem, Project, SheetRow, Trigger
from smart_sync.core.results.coverage import Coverage
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import counted

#: Problems, suspects and conflicts named in an answer; the counts are complete.
MAX_PROBLEMS = 100


class MetricChange(NamedTuple):
    """A merged value that a pass changed, or would change; ``before`` is None for a new account.

    ``after`` is None where it had a value and has none from now on.
    """

    account_id: str
    link: str
    metric: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class ProjectResult:
    """The result of one project in a pass."""

    project: Project
    outcome: Outcome
    #: When it was done: a stamp, naive UTC.
    timestamp: str
    counts: Counts = field(default_factory=Counts)
    #: Per metric, how many accounts' values are exact, stand in, are not known; without those that have left.
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    #: A good read: its worksheet was read in this pass, and what follows was written.
    worksheet_read: bool = False
    #: Judged at the end of the pass (`core.results.stale`), with the stamp of the last good read.
    stale: bool = False
    sheet_read_at: str | None = None
    #: Why it failed, or why the last known sheet values were carried.
    error: str = ""
    #: Who must do what about it.
    remedy: str = ""
    #: What docs/faq.md has that under, where it is decided with it.
    code: Code | Literal[""] = ""
    #: Account id → why it could not be written.
    failed_accounts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    #: Those of them that no earlier pass has told.
    new_problems: tuple[Problem, ...] = ()
    unmatched_rows: tuple[SheetRow, ...] = ()
    #: Links of the accounts that no row matches.
    unmatched_accounts: tuple[str, ...] = ()
    changes: tuple[MetricChange, ...] = ()
    #: Links of the accounts that have left with this pass.
    left: tuple[str, ...] = ()
    #: Links of the accounts that had left and are back.
    returned: tuple[str, ...] = ()
    #: All open suspects.
    suspects: tuple[Suspect, ...] = ()
    #: Those of them that this pass found.
    new_suspects: tuple[Suspect, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    #: Seconds, all together and by stage: read, decide, write.
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """What went wrong, and what to do about it; "" if nothing did."""
        return "; ".join(text for text in (self.error, self.remedy) if text)

    def brief(self) -> ProjectAnswer:
        """`answer` without the long parts: problems, changes, accounts that failed, suspects, conflicts."""
        said: ProjectAnswer = {
            "success": self.outcome is not Outcome.FAILED,
            "project_id": self.project.id,
            "project_name": self.project.name,
            "timestamp": self.timestamp,
            "outcome": self.outcome.value,
            "stale": self.stale,
            "sheet_read_at": self.sheet_read_at,
            "left": list(self.left),
            "returned": list(self.returned),
        }
        places = [Where.ANSWER]
        if self.outcome is Outcome.FAILED:
            said["error"] = self.error
        else:
            places.append(Where.GOOD_ANSWER)
            said["coverage"] = {
                metric: (own.as_stale() if self.stale else own)._asdict() for metric, own in self.coverage.items()
            }
            if not self.counts.accounts:
                said["message"] = "No accounts to sync"
                said["synced_count"] = 0
        said |= cast("ProjectAnswer", as_json(self.counts, *places))
        if self.outcome is Outcome.DEGRADED:
            said["warning"] = self.error
        if self.remedy:
            said["remedy"] = self.remedy
        if self.code:
            said["code"] = self.code
        return said

    def answer(self) -> ProjectAnswer:
        """The result as the control channel answers it (DESIGN §6)."""
        said = self.brief()
        said["problems"] = [str(problem) for problem in self.problems[:MAX_PROBLEMS]]
        said["problem_codes"] = [problem.code for problem in self.problems[:MAX_PROBLEMS]]
        said["failed_accounts"] = dict(self.failed_accounts)
        said["suspects"] = [cast("SuspectInPass", one._asdict()) for one in self.suspects[:MAX_PROBLEMS]]
        said["conflicts"] = [cast("ConflictInPass", one._asdict()) for one in self.conflicts[:MAX_PROBLEMS]]
        if self.changes:
            said["changes"] = [cast("MetricChangeAnswer", one._asdict()) for one in self.changes]
        return said


@dataclass(frozen=True)
class PassResult:
    """The result of a whole pass."""

    id: str
    trigger: Trigger
    started_at: str
    timestamp: str
    results: tuple[ProjectResult, ...]
    seconds: float = 0.0
    dry_run: bool = False
    #: The names of the projects created for worksheets that had none; of a dry run, those that would be.
    new_projects: tuple[str, ...] = ()
    #: Why worksheets without a project could not be looked for; empty if they could, or are not wanted.
    unlisted: str = ""
    #: Why there is no project to sync, where nothing fills the table; else empty.
    no_projects: str = ""

    def count(self, *outcomes: Outcome) -> int:
        """The number of projects with one of ``outcomes``."""
        return sum(result.outcome in outcomes for result in self.results)

    @cached_property
    def counts(self) -> Counts:
        """The sum of the projects' counts."""
        return sum((result.counts for result in self.results), Counts())

    @property
    def outcomes(self) -> PassCounts:
        """The number of projects per outcome."""
        failed = self.count(Outcome.FAILED)
        return PassCounts(
            projects=len(self.results),
            succeeded=len(self.results) - failed,
            failed=failed,
            degraded=self.count(Outcome.DEGRADED),
            unchanged=self.count(Outcome.UNCHANGED),
        )

    @property
    def changed(self) -> bool:
        """Whether readers of the database see a change; a refreshed snapshot with the same values is none."""
        return bool(self.new_projects) or any(
            one.counts.changed or one.counts.snapshots or one.counts.new_accounts or one.left or one.returned
            for one in self.results
        )

    @property
    def no_projects_reason(self) -> str:
        """Why there was no project, if that is a trouble; else ""."""
        if self.results:
            return ""
        return f"no project could be created: {self.unlisted}" if self.unlisted else self.no_projects

    @property
    def stale(self) -> int:
        """The number of stale projects."""
        return sum(result.stale for result in self.results)

    def of(self, project_id: str) -> ProjectResult | None:
        """The result of one project, if it took part."""
        return next((result for result in self.results if result.project.id == project_id), None)

    def answer(self) -> PassAnswer:
        """The result as the control channel answers it. ``success``: the pass ran to its end."""
        told = {
            "success": True,
            "results": [result.answer() for result in self.results],
            "timestamp": self.timestamp,
            "run_id": self.id,
            "stale_count": self.stale,
            "duration_seconds": round(self.seconds, 3),
            "dry_run": self.dry_run,
            "new_projects": list(self.new_projects),
            "no_projects": self.no_projects,
            **as_json(self.outcomes, Where.TOTAL_ANSWER),
        }
        return cast("PassAnswer", told)


def lines(result: PassResult, most: int = 50) -> list[str]:
    """A pass in lines for a person: its counts, then each project in trouble, failed ones first."""
    troubled = [
        one for outcome in (Outcome.FAILED, Outcome.DEGRADED) for one in result.results if one.outcome is outcome
    ]
    counts = [f"{result.count(Outcome.FAILED)} failed", f"{result.count(Outcome.DEGRADED)} degraded"]
    changed = counted(result.counts.changed, "account")
    first = f"{counted(len(result.results), 'project')}: {', '.join(counts)}, {result.stale} stale; {changed} changed"
    rows = [
        f"{one.outcome.value}{', stale' if one.stale else ''}: {one.project.name}: {one.trouble}"
        for one in troubled[:most]
    ]
    if result.no_projects_reason:
        rows.append(result.no_projects_reason)
    return [first, *rows, *([f"and {len(troubled) - most} more"] if len(troubled) > most else [])]


def changes_of(
    account_id: str, link: str, before: Metrics | None, after: Metrics, winners: Sequence[str | None]
) -> list[MetricChange]:
    """The metrics of one account that differ; a metric without a winner has no value."""
    return [
        MetricChange(
            account_id,
            link,
            metric,
            before[index] if before else None,
            None if before and winners[index] is None else after[index],
        )
        for index, metric in enumerate(METRICS)
        if before is None or before[index] != after[index]
    ]
