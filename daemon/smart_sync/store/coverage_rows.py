"""Of which kind the merged values of accounts are: what totals carry beside their sums."""

from collections.abc import Iterable, Mapping

from smart_sync.core.model import METRICS, Project
from smart_sync.core.parsed import VoteTerms
from smart_sync.core.results.coverage import kind_of
from smart_sync.core.state import AccountState
from smart_sync.store import account_states, unread_projects
from smart_sync.store.engine import Database

#: Account id → metric → the kind of its value (`core.results.coverage`).
Kinds = Mapping[str, Mapping[str, str]]


async def kinds(database: Database, projects: Iterable[Project], judged_by: VoteTerms) -> Kinds:
    """Those of all accounts of ``projects``, as the last passes have left them."""
    found: dict[str, Mapping[str, str]] = {}
    for project in projects:
        states, _ = await account_states.read(database, project, judged_by)
        stale = await unread_projects.stale_since(database, project.id) is not None
        found |= {state.id: of_state(state, stale=stale) for state in states}
    return found


def of_state(state: AccountState, *, stale: bool) -> dict[str, str]:
    """The kinds of an account's values; what stands in is stale where its project is."""
    kinds = {
        metric: kind_of(winner, rounded=metric in state.rounded)
        for metric, winner in zip(METRICS, state.winners, strict=True)
    }
    return {metric: "stale" if stale and kind == "carried" else kind for metric, kind in kinds.items()}
