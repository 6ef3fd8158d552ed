"""Problems with a project's stored values; reported with each pass, without effect on decisions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from smart_sync.core.campaign import Campaign
from smart_sync.core.merge.counting_changes import not_counted, not_counted_since
from smart_sync.core.merge.votes import is_campaign_counted
from smart_sync.core.model import METRICS, NO_METRICS, Problem, Project
from smart_sync.core.parsed import INBOX, OWN, TOO_OLD, Counting, VoteTerms
from smart_sync.core.state import AccountState, as_text
from smart_sync.core.wording import counted, when

#: Accounts with values of other programs, of which each that gets none is reported.
FEW = 3


def odd_values(
    project: Project, campaign: Campaign, counting: Counting | None, states: Sequence[AccountState]
) -> list[Problem]:
    """A problem for each kind of oddity in the values of ``project``'s accounts."""
    return [*_ahead(states), *_overwritten(states), *_campaign_problems(project, campaign, counting, states)]


class Brought(NamedTuple):
    """The newest time of an account's parsed values by one source, and their table."""

    at: str
    place: str


def note_source_times(
    brought: dict[str, list[Brought]], state: AccountState, inbox: Sequence[str | None], terms: VoteTerms
) -> None:
    """Note, by source, the times of an account's parsed values that other programs bring.

    Those of the inbox, of the query, and of files; also where they are too old to count.  ``inbox``: source and time of
    its row, empty if there is none; what has no time is of now.
    """
    if not state.active:
        return
    votes = state.votes
    if not (votes.chosen or votes.lost):  # the usual case
        if inbox and state.parsed is not None and state.parsed != NO_METRICS:
            brought.setdefault(as_text(inbox[0]), []).append(Brought(inbox[1] or terms.now, INBOX))
        return
    newest: dict[str, Brought] = {}
    for v in (*votes.chosen.values(), *(one.said for one in votes.lost if one.reason == TOO_OLD)):
        if terms.must_stay_fresh(v):
            newest[v.source] = max(Brought(v.at or terms.now, v.place), newest.get(v.source, Brought("", "")))
    for source, one in newest.items():
        brought.setdefault(source, []).append(one)


def silent_sources(brought: Mapping[str, Sequence[Brought]], terms: VoteTerms, campaign: Campaign) -> list[Problem]:
    """A problem for each source that brought nothing for too long: old numbers are shown as today's.

    ``brought``: the newest values of each account by source.  Of a campaign that was over by then nothing is expected;
    of a source with one of several accounts it may be the account.
    """
    fresh, oldest = terms.fresh, terms.oldest or ""
    if fresh is None or (campaign.end is not None and campaign.end.isoformat() < fresh[:10]):
        return []
    few = sum(map(len, brought.values())) < FEW
    newest = {source: max(each) for source, each in brought.items() if few or len(each) > 1}
    return [
        Problem(
            f"{source or 'the inbox'} has brought no parsed value since {when(one.at)}; "
            + ("older than [parsed] max_age, its values do not count any more; " if one.at <= oldest else "")
            + "see what should have written them, or set [parsed] stale_after",
            one.place if one.place == OWN else INBOX,
            value=source,
            code="parsed-values",
        )
        for source, one in sorted(newest.items())
        if one.at < fresh or one.at <= oldest
    ]


def _campaign_problems(
    project: Project, campaign: Campaign, counting: Counting | None, states: Sequence[AccountState]
) -> Iterable[Problem]:
    """Problems about an unclear campaign, and about metrics that could not be counted in the last look."""
    active = [state for state in states if state.active] if counting is not None and counting.parsers else []
    if (
        campaign.flaw
        and counting
        and any(is_campaign_counted(state.link, state.platform, counting) for state in active)
    ):
        reason = f"{campaign.flaw}; until then its campaign is not counted"
        yield Problem(reason, "projects", value=project.name, code="campaign-unclear")
    accounts_by_metrics: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for state in active:
        if since := not_counted_since(state.votes):
            accounts_by_metrics.setdefault(tuple(since), []).append((min(since.values()), state.link or state.id))
    for metrics, several in accounts_by_metrics.items():
        oldest, link = min(several)
        more = f" and {counted(len(several) - 1, 'other account')}" if len(several) > 1 else ""
        yield Problem(not_counted(metrics, oldest), OWN, value=f"{link}{more}", code="campaign-unclear")


def _ahead(states: Iterable[AccountState]) -> list[Problem]:
    """A problem for each source whose clock is ahead, with one account as an example."""
    links_by_source: dict[tuple[str, str], set[str]] = {}
    for state in states:
        for one in state.votes.ahead:
            links_by_source.setdefault((one.place, one.source), set()).add(state.link or state.id)
    return [
        Problem(
            f"values of {source or 'an unnamed source'} have a parsed_at more than 5 minutes ahead; each counts as of"
            " when it was first seen; set that clock right",
            place,
            value=f"{min(links)}{' and others' if len(links) > 1 else ''}",
            code="parsed-values",
        )
        for (place, source), links in sorted(links_by_source.items())
    ]


def _overwritten(states: Iterable[AccountState]) -> Iterable[Problem]:
    """A problem for each active account whose merged values another program has changed: they are written again."""
    for state in states:
        if state.active and state.merged is not None and None in state.merged:
            metrics = ", ".join(m for m, value in zip(METRICS, state.merged, strict=True) if value is None)
            yield Problem(
                f"a program has written what is no count into the merged {metrics}; only Smart Sync may write there;"
                " the value is decided anew",
                "account_metrics",
                value=state.link or f"account {state.id}",
                code="two-masters",
            )
