"""Reports events: to the log, and to clients of ``GET /api/admin/events``."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from smart_sync.core.counts import Where, as_json
from smart_sync.core.daemon_answers import EventFields, PassUnderWay
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.openmetrics import Spent
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.results.stale import Freshness
from smart_sync.core.wording import by_text, last_read, wait
from smart_sync.logs import emit, redacted
from smart_sync.sheets.source import ReadUsage

T = TypeVar("T")

#: Events that wait for a slow follower; beyond it the oldest are dropped for that follower.
MAX_WAITING = 1000
#: Problems (conflicts, accounts) of one project that are logged one by one; its own line counts them all.
MAX_LOGGED_PROBLEMS = 20
#: Lines of each event about single cells, values or accounts in one pass: each costs as much as some accounts' merge.
MAX_LOGGED = 200
#: Projects that one line names.
MAX_NAMED = 100


class Reporter:
    """Logs events, passes them to followers, and reports each worksheet problem once."""

    def __init__(self) -> None:
        self._followers: set[asyncio.Queue[EventFields]] = set()
        #: Project id, "" for the projects themselves → what could not be created, and why.
        self._known_refusals: dict[str, Mapping[str, str]] = {}
        #: What reading has cost in all passes so far, over reloads too.
        self.spent = Spent()
        #: The pass under way: its trigger, its projects, and how many of them are done.
        self.progress: PassUnderWay | None = None
        #: Why the last pass had no project, as `PassResult.unlisted`.
        self.unlisted = ""
        #: Event → how many lines about single things the pass under way has had of it.
        self._logged: Counter[str] = Counter()

    def __call__(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Announce ``event``; it must be declared in `events.EVENTS`."""
        emit(event, exc_info=exc_info, **fields)
        if event == "request.retried" and self.progress is not None:
            self.progress["waiting"] = wait(fields)
        self._tell(event, **fields)

    def _tell(self, event: str, **fields: Any) -> None:
        """Send an event to followers only, not to the log."""
        if not self._followers:
            return
        line = redacted({"event": event} | {key: value for key, value in fields.items() if value is not None})
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(line)

    @contextlib.contextmanager
    def follow(self) -> Iterator[asyncio.Queue[EventFields]]:
        """A queue of all events from now on."""
        queue: asyncio.Queue[EventFields] = asyncio.Queue(MAX_WAITING)
        self._followers.add(queue)
        try:
            yield queue
        finally:
            self._followers.discard(queue)

    async def events(self) -> AsyncGenerator[EventFields, None]:
        """All events from now on, endlessly."""
        with self.follow() as queue:
            while True:
                yield await queue.get()

    def pass_started(self, run_id: str, trigger: Trigger, requested_by: str, projects: int, *, dry_run: bool) -> None:
        """Report the start of a pass."""
        self.progress = {"run_id": run_id, "trigger": trigger.value, "projects": projects, "done": 0}
        self._logged.clear()
        self(
            "sync.started",
            run_id=run_id,
            trigger=trigger.value,
            requested_by=requested_by or None,
            projects=projects,
            dry_run=dry_run,
        )

    def project_done(self, result: ProjectResult, *, dry_run: bool = False) -> None:
        """Report a project's new problems, then its summary line; a dry run's only to followers."""
        if self.progress is not None:
            self.progress["done"] += 1
            self.progress.pop("waiting", None)
        if not dry_run:
            self._report_new_problems(result)
            self._report_oddities(result)
        self._report_failed_accounts(result)
        say = self._tell if dry_run else self
        event = {Outcome.DEGRADED: "project.degraded", Outcome.FAILED: "project.failed"}.get(
            result.outcome, "project.synced"
        )
        counts: Mapping[str, Any] = as_json(result.counts, Where.LINE)
        say(
            event,
            project_id=result.project.id,
            project=result.project.name,
            outcome=result.outcome.value,
            reason=result.error or None,
            remedy=result.remedy or None,
            **counts,
            merged=result.counts.updated,
            seconds=round(result.seconds, 3),
            read_seconds=_rounded(result.stages.get("read")),
            decide_seconds=_rounded(result.stages.get("decide")),
            write_seconds=_rounded(result.stages.get("write")),
        )

    def accounts_refused(self, project: Project, refused: Mapping[str, str]) -> None:
        """Report accounts that the database newly refused to create, by link ("": all), with reasons."""
        for link, reason in self._new_refusals(project.id, refused):
            self("accounts.refused", project_id=project.id, project=project.name, link=link or None, reason=reason)

    def projects_refused(self, refused: Mapping[str, str]) -> None:
        """Report projects that the database newly refused to create, by name."""
        for name, reason in self._new_refusals("", refused):
            self("projects.refused", project=name or None, reason=reason)

    @property
    def refused_projects(self) -> Mapping[str, str]:
        """The projects that the last pass over all could not create, by name ("": all), with reasons."""
        refusals = self._known_refusals.get("", {})
        return {"": self.unlisted} if self.unlisted and not refusals else refusals

    def _new_refusals(self, project_id: str, refused: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        refusals = self._known_refusals.get(project_id, {})
        self._known_refusals[project_id] = refused
        new = [(what, reason) for what, reason in refused.items() if refusals.get(what) != reason]
        yield from new[:MAX_LOGGED_PROBLEMS]
        if len(new) > MAX_LOGGED_PROBLEMS:
            yield "", f"{len(new) - MAX_LOGGED_PROBLEMS} more were refused; the first: {new[0][1]}"

    def pass_done(self, result: PassResult, usage: ReadUsage, stale: int = 0) -> None:
        """Report a pass's summary line; ``usage``: the cost of reading; ``stale``: the number of stale projects."""
        self.progress = None
        self.unlisted = "" if result.results else result.unlisted
        self.spent = Spent(self.spent.calls + usage.calls, self.spent.waited + usage.waited)
        of_projects: Mapping[str, Any] = as_json(result.outcomes, Where.TOTAL_LINE)
        counts: Mapping[str, Any] = as_json(result.counts, Where.TOTAL_LINE)
        self(
            "sync.finished",
            run_id=result.id,
            trigger=result.trigger.value,
            **of_projects,
            stale=stale,
            **counts,
            calls=usage.calls,
            retries=usage.retries,
            quota_wait_seconds=round(usage.waited, 3),
            bytes=usage.bytes,
            seconds=round(result.seconds, 3),
            dry_run=result.dry_run,
        )

    def freshness_judged(self, judged: Freshness) -> None:
        """Report new troubles that projects share, and which projects became stale or recovered."""
        shared = by_text((result.project.name, result.trouble) for result in judged.newly_unread)
        for trouble, names in shared.items():
            if len(names) > 1:
                self("projects.troubled", projects=names[:MAX_NAMED], left_out=len(names[MAX_NAMED:]), reason=trouble)
        stale = judged.became_stale
        if stale:
            reasons = Counter(result.trouble for result in stale)
            self(
                "project.stale",
                projects=[f"{one.project.name} ({last_read(one.sheet_read_at)})" for one in stale[:MAX_NAMED]],
                project_ids=[result.project.id for result in stale[:MAX_NAMED]],
                left_out=len(stale[MAX_NAMED:]),
                reason=next(iter(reasons)),
                other_reasons=list(reasons)[1:MAX_LOGGED_PROBLEMS] or None,
            )
        if judged.read_again:
            self(
                "project.recovered",
                projects=[result.project.name for result in judged.read_again[:MAX_NAMED]],
                project_ids=[result.project.id for result in judged.read_again[:MAX_NAMED]],
                left_out=len(judged.read_again[MAX_NAMED:]),
            )

    def _first_few(self, event: str, findings: Sequence[T], most: int = MAX_LOGGED_PROBLEMS) -> tuple[Sequence[T], int]:
        """The first findings of a project, which ``event`` names one by one, and how many more there are."""
        shown = findings[: min(most, MAX_LOGGED - self._logged[event])]
        self._logged[event] += len(shown)
        return shown, len(findings) - len(shown)

    def _report_failed_accounts(self, result: ProjectResult) -> None:
        shown, more = self._first_few("account.failed", tuple(result.failed_accounts.items()))
        for account_id, reason in shown:
            self("account.failed", project_id=result.project.id, account_id=account_id, reason=reason)
        if more:
            reason = f"{more:,} more accounts were refused; smart-sync sync --json names them all"
            self("account.failed", project_id=result.project.id, reason=reason)

    def _report_new_problems(self, result: ProjectResult) -> None:
        new, more = self._first_few("worksheet.problem_found", result.new_problems)
        for problem in new:
            self(
                "worksheet.problem_found",
                project_id=result.project.id,
                worksheet=problem.worksheet,
                row=problem.row,
                column=problem.column,
                reason=problem.reason,
                value=problem.value or None,
            )
        if more:
            self(
                "worksheet.problem_found",
                project_id=result.project.id,
                worksheet=result.new_problems[-1].worksheet,
                reason=f"{more:,} more new problems; smart-sync check lists them all",
            )

    def _report_oddities(self, result: ProjectResult) -> None:
        project_id = result.project.id
        for event, links in (("account.left", result.left), ("account.returned", result.returned)):
            some, more = self._first_few(event, links, MAX_LOGGED)
            for link in some:
                self(event, project_id=project_id, project=result.project.name, link=link)
            if more:
                self(event, project_id=project_id, project=result.project.name, more=more)
        suspects, more = self._first_few("value.suspected", result.new_suspects, MAX_LOGGED)
        for suspect in suspects:
            self(
                "value.suspected",
                project_id=project_id,
                account_id=suspect.account_id,
                link=suspect.link,
                metric=suspect.metric,
                before=suspect.old,
                after=suspect.new,
                place=suspect.place or None,
                cause=suspect.cause or None,
                held=suspect.held or None,
            )
        if more:
            remedy = "smart-sync check lists them all"
            self("values.suspected", project_id=project_id, project=result.project.name, more=more, remedy=remedy)
        for conflict in self._first_few("value.conflicted", result.conflicts)[0]:
            fields = {**conflict._asdict(), "place": conflict.place or None}
            self("value.conflicted", project_id=project_id, **fields)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
