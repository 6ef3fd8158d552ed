"""Makes the plans of projects from the database and their worksheets; `project` tells the way of a number through it.

What the database holds is read by one query of each kind for all projects together, and what is computed is computed in
a thread, so that no worksheet holds up the event loop.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from smart_sync.config import Settings
from smart_sync.core.days import Day, stamp
from smart_sync.core.links.identity import profile_link
from smart_sync.core.matching.doubtful_rows import Doubt, EarlierDoubt, find_doubtful
from smart_sync.core.matching.missing import AbsenceTerms
from smart_sync.core.matching.sheet_side import Reading, Sheet, missing_accounts, read_sheet
from smart_sync.core.merge.counting_changes import without_earlier_profile
from smart_sync.core.merge.growth_band import Band, bands_of
from smart_sync.core.merge.plan import Plan, make_plan
from smart_sync.core.merge.suspects import NOTHING_JUDGED, Doubts, Judged
from smart_sync.core.merge.typed_cells import Cells, comparable_accounts, hold, judge_cells, typed_cells, unknown
from smart_sync.core.merge.typing_mistakes import TypingTerms
from smart_sync.core.model import Account, Problem, Project
from smart_sync.core.state import Absence, AccountState
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SmartSyncError
from smart_sync.store import absences, account_states, open_suspects, returning_accounts, sheet_edits
from smart_sync.store.account_states import Stored
from smart_sync.store.engine import OF_THE_WHOLE, Database, StoreError

T = TypeVar("T")
R = TypeVar("R")

#: Accounts whose histories are in memory at a time (one project alone may have more): each may have a hundred edits.
MAX_HISTORIES = 2_000


class MergeCrashed(SmartSyncError):
    """A bug in the pure part; its cause is the bug."""


@dataclass(frozen=True, slots=True)
class Case:
    """A project to decide about, the result of reading its worksheet, and accounts to treat as existing."""

    project: Project
    reading: Reading
    new: Sequence[Account] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, its accounts, the problems with their parsed values, and the accounts to create first."""

    plan: Plan
    states: Sequence[AccountState]
    problems: tuple[Problem, ...] = ()
    missing: Sequence[Account] = ()
    #: The absences of the accounts without a row, by id; None: the worksheet was not read.
    absences: Mapping[str, Absence] | None = None


#: The draft of a project, or why there is none.
DraftOrFailure = Draft | MergeCrashed | StoreError


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A project before its typed numbers are judged."""

    project: Project
    states: Sequence[AccountState]
    problems: tuple[Problem, ...]
    doubts: Doubts
    sheet: Sheet
    cells: Cells
    #: Whether a row that matches no account could become one.
    may_create: bool
    judged: Judged = NOTHING_JUDGED


class Planner:
    """Plans projects by one configuration."""

    def __init__(self, database: Database, settings: Settings, query: str) -> None:
        """``query``: what `parsed_query.prepare` made."""
        self._database = database
        self._query = query
        self._policy = settings.merge.policy()
        self._titles = Titles(settings.sheets.columns)
        self._sheets = settings.sheets
        self._merge = settings.merge
        self._vote_terms = settings.vote_terms
        self._creates = settings.sync.create_missing != "none"

    async def decide(
        self,
        cases: Sequence[Case],
        now: datetime,
        day: Day,
        done: Collection[str] = (),
        rehearsed: Mapping[str, Mapping[str, Absence] | None] = MappingProxyType({}),
    ) -> dict[str, DraftOrFailure]:
        """Plan all accounts of the projects of ``cases``; by project, each independently.

        ``done`` projects are up to date: the database says already which of their accounts have no row.  ``rehearsed``:
        project → the absences of its accounts, by id, where a dry run has decided about it, for then the database does
        not say so; None: its worksheet is gone.
        """
        try:
            return await self._decide(cases, now, day, done, rehearsed)
        except SmartSyncError:
            raise
        except Exception as error:
            failure = error if isinstance(error, StoreError) else crash_of(error)
            if len(cases) == 1 or isinstance(error, OF_THE_WHOLE):
                return {case.project.id: failure for case in cases}
        # A query or the merge has failed for all of them, probably by a row of one: each project is tried by itself.
        apart: dict[str, DraftOrFailure] = {}
        for case in cases:
            apart |= await self.decide([case], now, day, done, rehearsed)
        return apart

    async def _decide(
        self,
        cases: Sequence[Case],
        now: datetime,
        day: Day,
        done: Collection[str],
        rehearsed: Mapping[str, Mapping[str, Absence] | None],
    ) -> dict[str, DraftOrFailure]:
        ids = [case.project.id for case in cases]
        doubts = Doubts(
            stamp(now), self._merge.suspect, {}, day.label, self._policy.counters, hold=self._merge.hold_suspects
        )
        stored = await account_states.fetch(
            self._database, [case.project for case in cases], self._vote_terms(doubts.now), self._query
        )
        if new := [account for case in cases for account in case.new]:
            stored = await returning_accounts.with_remains(self._database, stored, new)
        suspects = await open_suspects.of_projects(self._database, ids, now)
        reads = await absences.last_reads(self._database, ids, doubts.now)

        def prepare(case: Case) -> _Prepared:
            project = case.project
            own_doubts = replace(doubts, open=suspects.get(project.id, {}))
            last, gone_after, most = reads[project.id], self._sheets.gone_after, self._sheets.max_vanished
            terms = AbsenceTerms(own_doubts.now, project.id, project.name, last.clock, gone_after, most, last.accepted)
            return self._prepare(case, stored, terms, own_doubts)

        prepared, decided = await _each(prepare, {case.project.id: case for case in cases})
        groups = [*_in_batches(prepared.values())]
        while groups:
            judged, crashed = await self._judge(groups.pop(0), now)
            prepared |= judged
            decided |= crashed
        asking = [project_id for project_id, one in prepared.items() if one.may_create and project_id not in decided]
        elsewhere = await self._other_accounts(prepared, done, rehearsed) if asking else absences.NO_OTHERS
        past = await absences.past_doubts(self._database, asking) if asking else {}

        def draft(one: _Prepared) -> Draft:
            unsure: Sequence[Doubt] = ()
            if one.may_create:
                unsure = find_doubtful(one.sheet, elsewhere.of(one.project.id), past.get(one.project.id, _NO_DOUBTS))
            return self._draft(one, unsure)

        drafts, crashed = await _each(draft, {key: one for key, one in prepared.items() if key not in decided})
        await asyncio.to_thread(let_go, stored.rows, prepared)
        return {**decided, **crashed, **drafts}

    async def _other_accounts(
        self,
        prepared: Mapping[str, _Prepared],
        done: Collection[str],
        rehearsed: Mapping[str, Mapping[str, Absence] | None],
    ) -> absences.OtherAccounts:
        """The accounts of other projects that a row may belong to, as this pass leaves them."""
        own = {key: one.sheet.absences for key, one in prepared.items() if one.sheet.trouble is None}
        missing = {**{key: rows for key, rows in rehearsed.items() if rows is not None}, **own}
        lost = {key for key, one in prepared.items() if one.sheet.trouble and one.sheet.trouble.code == "missing"}
        lost |= {key for key, rows in rehearsed.items() if rows is None}
        return await absences.other_accounts(self._database, done, missing, lost)

    def _prepare(self, case: Case, stored: Stored, terms: AbsenceTerms, doubts: Doubts) -> _Prepared:
        states, problems = stored.states(case.project)
        known = {state.id for state in states}
        states += [AccountState(a.id, a.platform, a.username, a.link) for a in case.new if a.id not in known]
        sheet = read_sheet(case.reading, states, terms, titles=self._titles)
        states = [one if one.votes.news is None else without_earlier_profile(one, sheet.rows) for one in states]
        of_larger = partial(self._policy.of_larger, case.project.name)
        cells = typed_cells(sheet, states, doubts.open, self._policy.counters, of_larger)
        # Whose rows those of a worksheet of several projects are nobody can tell.
        creates = self._creates and not case.project.namesakes
        may_create = creates and any(profile_link(row.link, row.platform) for row in sheet.unmatched)
        return _Prepared(case.project, states, tuple(problems), doubts, sheet, cells, may_create)

    async def _judge(
        self, group: Sequence[_Prepared], now: datetime
    ) -> tuple[dict[str, _Prepared], dict[str, MergeCrashed]]:
        """Judge the edited cells by their histories and those of similar accounts."""
        counters = self._policy.counters
        close = {key: metrics for one in group for key, metrics in one.cells.close.items()}
        histories = await sheet_edits.read_histories(self._database, close, now)
        alike: dict[str, Collection[str]] = {}
        by_project: dict[str, list[str]] = {}
        for one in group:
            if lacking := unknown(one.cells, histories):
                by_project[one.project.id] = comparable_accounts(one.states, one.cells)
                alike |= dict.fromkeys(by_project[one.project.id], lacking)
        edit_histories = await sheet_edits.read_histories(self._database, alike, now)

        def judge(one: _Prepared) -> _Prepared:
            bands: Mapping[str, Band] = {}
            if (ids := by_project.get(one.project.id)) is not None:
                own = {
                    (key, metric): edit_histories[key, metric]
                    for key in ids
                    for metric in alike[key]
                    if (key, metric) in edit_histories
                }
                bands = bands_of(own, counters)
            least = math.log(one.doubts.factor) - 1e-9
            terms = TypingTerms(sheet_edits.day_number(now), counters, histories, bands, least)
            judged = judge_cells(one.cells, one.sheet, one.states, terms, one.doubts, one.project.name)
            return replace(one, judged=judged, sheet=hold(one.sheet, judged.mistakes))

        return await _each(judge, {one.project.id: one for one in group})

    def _draft(self, one: _Prepared, unsure: Sequence[Doubt]) -> Draft:
        plan = make_plan(
            one.project, one.sheet, one.states, self._policy, one.doubts, doubtful=unsure, typed=one.judged
        )
        missing: Sequence[Account] = ()
        if one.may_create and plan.unmatched_rows:
            missing = missing_accounts(one.project, plan.unmatched_rows, [doubt.row for doubt in plan.doubtful])
        known = one.sheet.absences if one.sheet.trouble is None else None
        return Draft(plan, one.states, one.problems, missing, absences=known)


_NO_DOUBTS: Mapping[str, EarlierDoubt] = {}


def _in_batches(prepared: Collection[_Prepared]) -> Iterator[Sequence[_Prepared]]:
    """Split ``prepared`` so that no batch needs too many histories."""
    group: list[_Prepared] = []
    accounts = 0
    for one in prepared:
        accounts += len(one.cells.close)
        if group and accounts > MAX_HISTORIES:
            yield group
            group, accounts = [], len(one.cells.close)
        group.append(one)
    yield group


async def _each(decide: Callable[[T], R], cases: Mapping[str, T]) -> tuple[dict[str, R], dict[str, MergeCrashed]]:
    """The results of ``decide``, or its exceptions: it is pure, so a bug in it has harmed nothing.

    All in one thread: threads that compute side by side only take the interpreter from each other.
    """

    def all_of_them() -> tuple[dict[str, R], dict[str, MergeCrashed]]:
        done: dict[str, R] = {}
        crashed: dict[str, MergeCrashed] = {}
        for project_id, one in cases.items():
            try:
                done[project_id] = decide(one)
            except Exception as error:
                crashed[project_id] = crash_of(error)
        return done, crashed

    return await asyncio.to_thread(all_of_them)


def let_go(*several: dict[str, Any]) -> None:
    """Free the states of projects one by one in a thread: all at once it blocks the event loop.

    (20,000 accounts: 60 ms what was decided, 20 ms what it was decided from.)
    """
    for known in several:
        while known:
            known.popitem()


def crash_of(error: Exception) -> MergeCrashed:
    """A bug, in words for a person."""
    crash = MergeCrashed(f"internal error while merging: {type(error).__name__}")
    crash.__cause__ = error
    return crash
