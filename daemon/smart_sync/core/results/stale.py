"""Which projects are stale: their reads have failed for longer than ``[sheets] stale_after``.

Counted from the first failed attempt after the last good read, so that neither a night without passes nor one failure
makes a project stale.  Judged at the end of a pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from smart_sync.core.days import seconds_between
from smart_sync.core.results.results import ProjectResult


@dataclass(frozen=True, slots=True)
class Unread:
    """A project whose last read failed; times are stamps."""

    #: The first failed attempt after the last good read.
    since: str
    #: When a pass found it stale; None: it is not.
    stale_since: str | None = None
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Which projects are stale, became stale, or recovered, by a pass."""

    #: The results, each with ``stale`` and ``sheet_read_at``.
    results: tuple[ProjectResult, ...]
    #: Project id → what is to be remembered of it, None if it was read.
    unread: Mapping[str, Unread | None]
    #: Projects that this pass made stale.
    became_stale: tuple[ProjectResult, ...] = ()
    #: Stale projects that it has read again.
    read_again: tuple[ProjectResult, ...] = ()
    #: Those that could not be read for another reason than before, or were read before.
    newly_unread: tuple[ProjectResult, ...] = ()
    #: All projects that are stale now, those that took no part in the pass included.
    stale: int = 0


def judge_freshness(
    results: Iterable[ProjectResult], before: Mapping[str, Unread], read_at: Mapping[str, str], stale_after: float
) -> Freshness:
    """Decide from ``results`` which projects are stale.

    ``before``: what was remembered of the projects whose last read failed; ``read_at``: the stamps of the last good
    reads of those that have one; ``stale_after``: seconds.
    """
    judged: list[ProjectResult] = []
    unread: dict[str, Unread | None] = {}
    became, again, newly = [], [], []
    for result in results:
        key = result.project.id
        old = before.get(key)
        new = None if result.worksheet_read else _unread(result, old, stale_after)
        last = result.timestamp if result.worksheet_read else read_at.get(key)
        stale = new is not None and new.stale_since is not None
        marked = replace(result, stale=stale, sheet_read_at=last)
        judged.append(marked)
        was_stale = old is not None and old.stale_since is not None
        if stale and not was_stale:
            became.append(marked)
        if was_stale and not stale:
            again.append(marked)
        if new is not None and (old is None or (old.reason, old.remedy) != (new.reason, new.remedy)):
            newly.append(marked)
        if new != old:
            unread[key] = new
    after = {**before, **unread}
    stale_now = sum(one is not None and one.stale_since is not None for one in after.values())
    return Freshness(tuple(judged), unread, tuple(became), tuple(again), tuple(newly), stale_now)


def _unread(result: ProjectResult, old: Unread | None, stale_after: float) -> Unread:
    now = result.timestamp
    # A clock that was put back must not keep a project from ever becoming stale.
    since = min(old.since, now) if old is not None else now
    stale_since = old.stale_since if old is not None else None
    if stale_since is None and seconds_between(since, now) > stale_after:
        stale_since = now
    return Unread(since, stale_since, result.error, result.remedy)
