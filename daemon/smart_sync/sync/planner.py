"""Deciding about one project: read what SQLite holds, understand the worksheet, make the plan."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from smart_sync.config import Settings
from smart_sync.core.days import moment
from smart_sync.core.links.identity import profile_link
from smart_sync.core.matching.doubtful_rows import Doubt, doubtful
from smart_sync.core.matching.missing_rows import Terms
from smart_sync.core.matching.sheet_side import Reading, Sheet, understand
from smart_sync.core.merge.accidents import Terms as TypedTerms
from smart_sync.core.merge.accidents import bands_of
from smart_sync.core.merge.baseline import Band
from smart_sync.core.merge.plan import Plan, make_plan
from smart_sync.core.merge.suspects import Doubts, Judged
from smart_sync.core.merge.typed_cells import hold, judged, others, typed_cells, unknown
from smart_sync.core.model import Account, Problem, Project
from smart_sync.core.state import AccountState
from smart_sync.errors import SmartSyncError
from smart_sync.store import absences, account_states, number_histories
from smart_sync.store.engine import Database, StoreError

T = TypeVar("T")


class MergeCrashed(SmartSyncError):
    """A bug of ours in the pure part; its cause is the bug."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, the accounts it was made for, and what is odd about their parsed values."""

    plan: Plan
    states: Sequence[AccountState]
    problems: tuple[Problem, ...] = ()


class Planner:
    """Decides about projects by one configuration, in threads, so that no worksheet holds up the event loop."""

    def __init__(self, database: Database, settings: Settings, query: str, turn: asyncio.Lock) -> None:
        """``query``: what `parsed_query.prepare` made.  Computes only while it holds ``turn``: see `ProjectSync`."""
        self._database = database
        self._query = query
        self._policy = settings.merge.policy()
        self._synonyms = {str(name): headers for name, headers in settings.sheets.columns.items()}
        self._sheets = settings.sheets
        self._vote_terms = settings.vote_terms
        self._creates = settings.sync.create_missing != "none"
        self._turn = turn

    async def decide(
        self, project: Project, reading: Reading, doubts: Doubts, done: Collection[str], new: Sequence[Account] = ()
    ) -> Draft:
        """Decide about all accounts of ``project``, and about ``new`` ones as if they were there.

        ``done`` projects are up to date: an account of theirs that misses its row is known to do so.
        Raises the driver's error, and `MergeCrashed`.
        """
        async with self._turn:
            terms = await self._terms(project, doubts)
            states, problems = await self._states(project, doubts, self._query)
            states += [AccountState(a.id, a.platform, a.username, a.link) for a in new]
            sheet = await _fenced(lambda: understand(reading, states, terms, synonyms=self._synonyms))
            doubtful = await self._doubtful(sheet, terms, done)
            typed = await self._typed(project, sheet, states, doubts)
            held = hold(sheet, typed.accidents)
            plan = await _fenced(
                lambda: make_plan(project, held, states, self._policy, doubts, doubtful=doubtful, typed=typed)
            )
            return Draft(plan, states, tuple(problems))

    async def _states(
        self, project: Project, doubts: Doubts, query: str = "", only: Sequence[str] | None = None
    ) -> tuple[list[AccountState], list[Problem]]:
        """The accounts as SQLite has them; what is odd beyond our imagination is one project's failure."""
        judged_by = self._vote_terms(doubts.now)
        try:
            return await account_states.read(self._database, project, judged_by, query, only)
        except (StoreError, SmartSyncError):
            raise
        except Exception as error:
            raise _crashed(error) from error

    async def _typed(self, project: Project, sheet: Sheet, states: Sequence[AccountState], doubts: Doubts) -> Judged:
        """What is to be made of the cells that were edited, by what they and others were on the last days."""
        counters = self._policy.counters
        cells = await _fenced(lambda: typed_cells(sheet, states, doubts.open, counters))
        now = moment(doubts.now)
        histories = await number_histories.read(self._database, cells.close, now)
        bands: Mapping[str, Band] = {}
        if lacking := unknown(cells, histories):
            alike = dict.fromkeys(others(states, cells), lacking)
            known = await number_histories.read(self._database, alike, now)
            bands = await _fenced(lambda: bands_of(known, counters))
        terms = TypedTerms(number_histories.at(now), counters, histories, bands, math.log(doubts.factor) - 1e-9)
        return await _fenced(lambda: judged(cells, sheet, states, terms, doubts, project.name))

    async def _terms(self, project: Project, doubts: Doubts) -> Terms:
        """By what missing rows and values are judged now."""
        last = await absences.last_read(self._database, project.id, doubts.now)
        return Terms(
            doubts.now,
            project.id,
            project.name,
            last.clock,
            self._sheets.gone_after,
            self._sheets.max_vanished,
            last.accepted,
        )

    async def _doubtful(self, sheet: Sheet, terms: Terms, done: Collection[str]) -> Sequence[Doubt]:
        """The rows that could become accounts, and must not: they may be those of accounts that miss theirs."""
        if not self._creates or not any(profile_link(row.link, row.platform) for row in sheet.unmatched):
            return ()  # the usual case, where accounts of all the other projects need not be looked at
        elsewhere = await absences.elsewhere(self._database, terms.project_id, done)
        past = await absences.past_doubts(self._database, terms.project_id)
        return await _fenced(lambda: doubtful(sheet, elsewhere, past))


async def _fenced(decide: Callable[[], T]) -> T:
    """What ``decide`` returns: it is pure, so a bug in it has harmed nothing and need not take other projects along."""
    try:
        return await asyncio.to_thread(decide)
    except Exception as error:
        raise _crashed(error) from error


def _crashed(error: Exception) -> MergeCrashed:
    return MergeCrashed(f"internal error while merging: {type(error).__name__}")
