"""Metrics that now count something else: other dates, another KPI, the campaign instead of the lifetime.

Or of another profile, to which the account's link leads now; or of the sheet, since the parsed one is too old
(``[parsed] max_age``), and of a parser again when it has a new one.

Such a number is the first of its kind.  It begins anew: no growth from what it was, and nothing to doubt in a leap.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from smart_sync.core.campaign import OF_VIDEOS, Campaign
from smart_sync.core.merge.strategies import Winner
from smart_sync.core.model import METRICS, NO_METRICS
from smart_sync.core.parsed import Votes
from smart_sync.core.state import AccountState
from smart_sync.core.wording import when

_NONE: frozenset[str] = frozenset()
#: What a metric is of whose parsed values are all too old to count; no `Campaign.key` reads so.
OUTDATED: Final = "too old"


def counts_other_videos(state: AccountState) -> bool:
    """Whether a parsed value is of other videos than in the last pass, or too old; usually neither."""
    votes = state.votes
    # No generator where there is nothing to look through, as with most accounts.
    if not (any(state.counted) or votes.lost or (votes.chosen and any(o.counted for o in votes.chosen.values()))):
        return False
    return any((old or "") != (new or "") for old, new in zip(state.counted, counted_videos(state), strict=True))


def without_earlier_profile(state: AccountState, rows: Container[str]) -> AccountState:
    """An account whose row shows another profile than in the last pass, without its earlier values.

    So its cells do not count as typed, and nothing is carried.  ``rows``: the ids of the accounts that have a row;
    without one the last sheet values are carried as for any row that is gone: a person may only have corrected the
    link.
    """
    if not state.votes.relinked or state.sheet is None or state.id not in rows:
        return state
    return state._replace(sheet=None, emptied=_NONE, winners=(None,) * len(METRICS))


def counted_videos(state: AccountState) -> tuple[str | None, ...]:
    """The videos that the parsed values are of; if none counts, those of the last one, or `OUTDATED`."""
    counted, chosen, parsed = state.counted, state.votes.chosen, state.parsed or NO_METRICS
    outdated = state.votes.too_old if state.votes.lost else _NONE
    return tuple(
        [
            (chosen[metric].counted if metric in chosen else "")
            if parsed[index] is not None
            else (OUTDATED if metric in outdated else counted[index])
            for index, metric in enumerate(METRICS)
        ]
    )


def restarted_metrics(
    state: AccountState, winners: Sequence[str | None], counted: Sequence[str | None]
) -> frozenset[str]:
    """The metrics whose parsed value is of other videos than before; all metrics for another profile.

    And those that go from a parser's value to the sheet's as the former is too old, or back; one that is carried
    meanwhile goes on.
    """
    if state.votes.relinked:
        return frozenset(m for m, now in zip(METRICS, winners, strict=True) if now not in (None, Winner.CARRIED))
    if state.counted == counted:  # the usual case
        return _NONE
    each = zip(METRICS, state.counted, counted, state.winners, winners, strict=True)
    return frozenset(
        metric
        for metric, old, new, before, now in each
        if old is not None
        and old != new
        and (_goes_over(before, now) if OUTDATED in (old, new) else _of_parsers(before, now))
    )


def _of_parsers(before: str | None, now: str | None) -> bool:
    return bool({before, now} & {Winner.PARSED, Winner.BOTH})


def _goes_over(before: str | None, now: str | None) -> bool:
    """Whether a metric changes from the parsers' value to another side's, or back."""
    return (before == Winner.PARSED) != (now == Winner.PARSED) and not {before, now} & {None, Winner.CARRIED}


def not_counted_since(votes: Votes) -> Mapping[str, str]:
    """A campaign's metrics that the source could not count in a later look → the stamp of their values."""
    newest: dict[str, str] = {}
    for one in votes.chosen.values():
        newest[one.source] = max(one.at or "", newest.get(one.source, ""))
    return {
        metric: said.at
        for metric in OF_VIDEOS
        if (said := votes.chosen.get(metric)) and said.counted and said.at and said.at < newest[said.source]
    }


def not_counted(metrics: Sequence[str], since: str) -> str:
    """The sentence that a campaign's sums are those that could be counted last."""
    return (
        f"{', '.join(metrics)}: not counted since {when(since)}, as the parser could not see all that it takes (log:"
        " parser.finished); the last sums stand"
    )


def sources_of_unknown_videos(votes: Votes) -> Mapping[str, Sequence[str]]:
    """Sources whose numbers count without saying which videos they are of → the metrics."""
    metrics_by_source: dict[str, list[str]] = {}
    for metric in OF_VIDEOS:
        one = votes.chosen.get(metric)
        if one is not None and not one.counted:
            metrics_by_source.setdefault(one.source or one.place, []).append(metric)
    return metrics_by_source


def unknown_videos(project: str, campaign: Campaign, source: str, metrics: Sequence[str]) -> str:
    """The sentence about such numbers in a ``project`` whose campaign is counted."""
    return (
        f"{project}: {', '.join(metrics)} of {source} count, and nobody says of which videos they are; the project has"
        f" {campaign.words()}; if they are of the lifetime: smart-sync ingest --forget-source {source}"
    )
