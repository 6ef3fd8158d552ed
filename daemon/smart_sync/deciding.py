"""Deciding about one project: read what SQLite holds, understand the worksheet, make the plan."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from smart_sync.config import Settings
from smart_sync.core.model import Account, Problem, Project
from smart_sync.core.plan import Plan, make_plan
from smart_sync.core.sheet import Reading, Sheet, edited, understand
from smart_sync.core.state import AccountState
from smart_sync.core.suspects import Doubts
from smart_sync.errors import SmartSyncError
from smart_sync.store import projects
from smart_sync.store.database import Database

T = TypeVar("T")


class MergeCrashed(SmartSyncError):
    """A bug of ours in the pure part; its cause is the bug."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, the accounts it was made for, and what is odd about their parsed values."""

    plan: Plan
    states: Sequence[AccountState]
    problems: tuple[Problem, ...] = ()


class Decider:
    """Decides about projects by one configuration, in threads, so that no worksheet holds up the event loop."""

    def __init__(self, database: Database, settings: Settings, query: str, turn: asyncio.Lock) -> None:
        """``query``: what `parsed_query.prepare` made.  Whoever has ``turn`` may compute: see `ProjectSync`."""
        self._database = database
        self._query = query
        self._policy = settings.merge.policy()
        self._synonyms = {str(name): headers for name, headers in settings.sheets.columns.items()}
        self._max_vanished = settings.sheets.max_vanished
        self._turn = turn

    async def decide(self, project: Project, reading: Reading, doubts: Doubts, new: Sequence[Account] = ()) -> Draft:
        """Decide about all accounts of ``project``, and about ``new`` ones as if they were there.

        Raises the driver's error, and `MergeCrashed`.
        """
        async with self._turn:
            states, problems = await projects.account_states(self._database, project, self._query)
            states += [AccountState(a.id, a.platform, a.username, a.link) for a in new]

            def decide() -> Plan:
                sheet = self._understand(reading, states)
                return make_plan(project, sheet, states, self._policy, doubts)

            return Draft(await _fenced(decide), states, tuple(problems))

    async def decide_edited(self, project: Project, reading: Reading, doubts: Doubts) -> Draft:
        """Decide about a project of which nothing but the worksheet has changed since it was decided last.

        Only accounts are looked at of which the worksheet says something else, so that the plan and the problems
        do not count the parsed values.  Raises as `decide` does.
        """
        async with self._turn:
            outlines = await projects.outlines(self._database, project)
            sheet = await _fenced(lambda: self._understand(reading, outlines))
            states, _ = await projects.account_states(self._database, project, only=edited(sheet, outlines))
            found = {state.id: state for state in states}
            everybody = [found.get(outline.id, outline) for outline in outlines]
            rest = frozenset(outline.id for outline in outlines if outline.id not in found)
            plan = await _fenced(lambda: make_plan(project, sheet, everybody, self._policy, doubts, settled=rest))
        return Draft(plan, everybody)

    def _understand(self, reading: Reading, states: Sequence[AccountState]) -> Sheet:
        return understand(reading, states, synonyms=self._synonyms, max_vanished=self._max_vanished)


async def _fenced(decide: Callable[[], T]) -> T:
    """What ``decide`` returns: it is pure, so a bug in it has harmed nothing and need not take other projects along."""
    try:
        return await asyncio.to_thread(decide)
    except Exception as error:
        raise MergeCrashed(f"internal error while merging: {type(error).__name__}") from error
