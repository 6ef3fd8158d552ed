"""Which parsed values have a vote (are valid now: `core.parsed`), and which counts: per metric the one parsed last.

A value has no vote once it is *forgotten* (a person has taken it back), once it was parsed for an *earlier link* of the
account that means another profile, once it is of *other videos* than the parser's ``votes_of`` and the project's dates
and KPI want now, or once it is *too old* (``[parsed] max_age``).  All but the last are taken back: they leave no trace
in the merge.  Another value, or the same one parsed later, has a vote.

Times are stamps (`core.days.stamp`).  A time that is more than `AHEAD` of ours counts as the time when the value was
first seen.  A query that gives none speaks of now; any other value without a time is older than those with one, and
never too old.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from smart_sync.core.campaign import OF_VIDEOS
from smart_sync.core.links.identity import identity, platform_for_parsers, profile_link, username
from smart_sync.core.parsed import (
    BY_HAND,
    EARLIER_LINK,
    FORGOTTEN,
    INBOX,
    NO_PAST,
    OF_CAMPAIGN,
    OF_LIFETIME,
    OTHER_CAMPAIGN,
    OWN,
    QUERY,
    TOO_OLD,
    AheadSince,
    Counting,
    Key,
    LostVote,
    Mark,
    ParsedAccount,
    ParsedChanges,
    ParsedHistory,
    ParsedValue,
    Votes,
    VoteTerms,
    folded_name,
)

#: Of two values that are of one time the one at the later place counts.
_RANKS: Final = {INBOX: 0, OWN: 1, QUERY: 2}

_Rank = tuple[str, int, bool, int]


def votes_of(
    account_id: str,
    values: Sequence[ParsedValue],
    history: ParsedHistory,
    account: ParsedAccount,
    vote_terms: VoteTerms,
) -> Votes:
    """The votes of an account's parsed ``values``."""
    if (
        history is NO_PAST
        and account.last_link in (None, account.link)
        and _all_have_votes(values, account, vote_terms)
    ):
        return _newest(values, vote_terms)
    scrutiny = _VoteJudge(history, account, vote_terms)
    chosen: dict[str, tuple[_Rank, ParsedValue]] = {}
    newly: dict[str, _Rank] = {}
    lost: list[LostVote] = []
    newly_lost: list[ParsedValue] = []
    for one in values:
        at = scrutiny.effective(one)
        rank = (at or "", _RANKS[one.place], not one.rounded, one.value)
        reason = scrutiny.why_no_vote(one, at)
        if not reason:
            if one.metric not in chosen or rank > chosen[one.metric][0]:
                chosen[one.metric] = rank, one
            continue
        lost.append(LostVote(one, reason))
        if reason != TOO_OLD and _key(one) not in history.taken_back:
            newly_lost.append(one)
            newly[one.metric] = max(rank, newly.get(one.metric, rank))
    concerned = {m for m, rank in newly.items() if m not in chosen or rank > chosen[m][0]}
    taken_back = {metric: {one.value for one in newly_lost if one.metric == metric} for metric in concerned}
    without = {id(one) for one, _ in lost}
    return Votes(
        {metric: one for metric, (_, one) in chosen.items()},
        tuple(lost),
        taken_back,
        tuple(one for one in scrutiny.ahead if id(one) not in without),
        scrutiny.news(account_id, frozenset(_key(one) for one, reason in lost if reason != TOO_OLD)),
    )


def _all_have_votes(values: Iterable[ParsedValue], account: ParsedAccount, vote_terms: VoteTerms) -> bool:
    """Whether nothing about the values themselves can cost them their vote: the usual case, decided cheaply."""
    earliest, latest = vote_terms.oldest or "", vote_terms.ahead
    return all(
        (one.at is None or earliest < one.at <= latest)
        and one.link in ("", account.link)
        and not other_videos(one, vote_terms.counting, account)
        for one in values
    )


def _newest(values: Iterable[ParsedValue], vote_terms: VoteTerms) -> Votes:
    """The result of `votes_of` if all values have a vote."""
    chosen: dict[str, tuple[_Rank, ParsedValue]] = {}
    for one in values:
        at = one.at or (vote_terms.now if one.place == QUERY else "")
        best = chosen.get(one.metric)
        if best is None or at >= best[0][0]:
            rank = (at, _RANKS[one.place], not one.rounded, one.value)
            if best is None or rank > best[0]:
                chosen[one.metric] = rank, one
    return Votes({metric: one for metric, (_, one) in chosen.items()})


def other_videos(one: ParsedValue, counting: Counting | None, account: ParsedAccount) -> str:
    """Why a value is of other videos than those that count now; "" if it is not. Followers depend on no videos.

    Where a parser counts the campaign of the account, no other parser's lifetime counts next to it, nor what a table
    has brought that is there no more.
    """
    if counting is None or one.metric not in OF_VIDEOS:
        return ""
    wanted = counting.sources.get(one.source)
    if not one.counted:
        if wanted and "lifetime" not in wanted:
            return OF_LIFETIME
        is_parsers = bool(wanted) if wanted is not None else one.place == OWN and one.source != BY_HAND
        return OF_LIFETIME if is_parsers and is_campaign_counted(account.link, account.platform, counting) else ""
    if wanted is not None and "campaign" not in wanted:
        return OF_CAMPAIGN
    return "" if one.counted == counting.campaign else OTHER_CAMPAIGN


def is_campaign_counted(link: str, platform: str, counting: Counting) -> bool:
    """Whether a parser counts the campaign for an account."""
    for parser in counting.parsers:
        if parser.platforms and platform_for_parsers(link, platform) not in parser.platforms:
            continue
        if parser.names is None or folded_name(username(profile_link(link, platform) or link)) in parser.names:
            return True
    return False


def _key(one: ParsedValue) -> Key:
    return Key(one.metric, one.place, one.source, one.value, one.at or "")


class _VoteJudge:
    """Judges the values of one account, and collects what must be stored about them."""

    def __init__(self, history: ParsedHistory, account: ParsedAccount, vote_terms: VoteTerms) -> None:
        self._past, self._whose, self._terms = history, account, vote_terms
        self._seen = {(a.metric, a.place, a.source): a for a in history.ahead}
        self._new_ahead: list[AheadSince] = []
        self._new_marks: list[Mark] = []
        self.ahead: list[ParsedValue] = []
        last = account.last_link if account.last_link is not None or not history.links else history.links[-1][1]
        # A link that means no profile is not remembered: it would hide that the next one means another.
        is_new = account.last_link not in (None, account.link) and identity(account.link, account.platform)
        self._new_link = account.link if is_new else None
        self._relinked = last is not None and not self._is_same(last)
        begun = history.links or (("", last or ""),)
        self._new_links = ((*begun, (vote_terms.now, account.link))[len(history.links) :]) if self._relinked else ()
        self._links = (*history.links, *self._new_links)

    def effective(self, one: ParsedValue) -> str | None:
        """The time by which a value counts."""
        at, now = one.at, self._terms.now
        if at is None:
            return now if one.place == QUERY else None
        ahead = at > self._terms.ahead
        if not (ahead or self._seen):
            return at
        if ahead:
            self.ahead.append(one)
        seen_at = self._seen.get((one.metric, one.place, one.source))
        if seen_at is not None and seen_at.parsed_at == at:
            return seen_at.seen_at
        if ahead:
            self._new_ahead.append(AheadSince(one.metric, one.place, one.source, at, now))
        return now if ahead else at

    def is_new_ahead(self, one: ParsedValue) -> bool:
        """Whether a value's time is in the future, and was not seen so before."""
        seen_at = self._seen.get((one.metric, one.place, one.source))
        return one.at is not None and one.at > self._terms.ahead and (seen_at is None or seen_at.parsed_at != one.at)

    def why_no_vote(self, one: ParsedValue, at: str | None) -> str:
        """Why a value has no vote, counted as of ``at``; "" if it has one."""
        for mark in self._past.marks:
            if is_marked(one, at, mark):
                return mark.reason
        if self._is_of_earlier_link(one, at):
            return EARLIER_LINK
        if other := other_videos(one, self._terms.counting, self._whose):
            return other
        oldest = self._terms.oldest
        return TOO_OLD if oldest is not None and at is not None and at <= oldest else ""

    def news(self, account_id: str, taken_back: frozenset[Key]) -> ParsedChanges | None:
        """What must be stored about the votes; None if nothing."""
        is_unchanged = taken_back == self._past.taken_back
        changes = ParsedChanges(
            account_id,
            self._new_link,
            self._new_links,
            tuple(self._new_ahead),
            tuple(self._new_marks),
            None if is_unchanged else taken_back,
        )
        return None if changes == ParsedChanges(account_id) else changes

    def _is_of_earlier_link(self, one: ParsedValue, at: str | None) -> bool:
        if one.link:
            return not self._is_same(one.link)
        if not self._links or (one.at is None and one.place == QUERY):
            return False
        if at is None:  # its time will never tell, so that this value itself is marked
            if self._relinked:
                self._new_marks.append(Mark(one.metric, one.value, one.source, False, "", "", EARLIER_LINK))
            return self._relinked
        earlier = [link for since, link in self._links if since < at or not since]
        return not self._is_same(earlier[-1] if earlier else self._links[0][1])

    def _is_same(self, link: str) -> bool:
        """Whether ``link`` shows the same profile as the account's; a link that shows none proves nothing."""
        account_link, platform = self._whose.link, self._whose.platform
        if link == account_link:
            return True
        one, other = identity(link, platform), identity(account_link, platform)
        return one == other or not (one and other)


def is_marked(one: ParsedValue, at: str | None, mark: Mark) -> bool:
    """Whether `forget` has taken the vote of a value that was reported `at` this time."""
    if (one.metric, one.value) != (mark.metric, mark.value) or not (mark.any_source or one.source == mark.source):
        return False
    if one.at is None or one.at == mark.parsed_at:  # no time, or the same: nobody has looked again
        return True
    return at is not None and at <= mark.until


def take_back(
    values: Iterable[ParsedValue],
    history: ParsedHistory,
    account: ParsedAccount,
    vote_terms: VoteTerms,
    *,
    any_source: bool,
) -> list[Mark]:
    """The marks that take back an account's ``values``; none for values that were taken back already."""
    scrutiny = _VoteJudge(history, account, vote_terms)
    marks = []
    for one in values:
        at = scrutiny.effective(one)
        if scrutiny.why_no_vote(one, at) != FORGOTTEN:
            marks.append(Mark(one.metric, one.value, one.source, any_source, one.at or "", at or vote_terms.now))
    return marks


def has_vote(value: ParsedValue, history: ParsedHistory, account: ParsedAccount, vote_terms: VoteTerms) -> bool:
    """Whether a stored value counts now."""
    scrutiny = _VoteJudge(history, account, vote_terms)
    return not scrutiny.why_no_vote(value, scrutiny.effective(value))


def is_outdated(
    new: ParsedValue, stored: ParsedValue, history: ParsedHistory, account: ParsedAccount, vote_terms: VoteTerms
) -> bool:
    """Whether ``stored`` stays in place of ``new``: it is later by its source, or of the right profile.

    What was taken back keeps nothing out, nor does what is of an unknown time ahead.
    """
    scrutiny = _VoteJudge(history, account, vote_terms)
    stored_at = scrutiny.effective(stored)
    if scrutiny.is_new_ahead(stored) or scrutiny.why_no_vote(stored, stored_at):
        return False
    at = scrutiny.effective(new)
    if new.link and scrutiny.why_no_vote(new, at) == EARLIER_LINK:
        return True
    return at is not None and stored_at is not None and at < stored_at
