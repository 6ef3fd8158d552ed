"""Parsed values of an account and their history: the data types of `core.merge.votes`.

A parsed value *has a vote* if it is valid now: the merge looks only at such values.  It may have none, because it was
taken back, is too old, or belongs to another profile or to other videos (`FORGOTTEN` and the following).  Of several
with a vote one counts, the newest.  Of a sheet value, "vote" says the same: that the worksheet has one that is valid.

Times are stamps (`core.days.stamp`), None where a source gives none.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from smart_sync.core.campaign import Count
from smart_sync.core.model import METRICS, Metrics

#: How far a clock elsewhere may be ahead of ours.
AHEAD: Final = timedelta(minutes=5)

#: Where parsed values come from (``place``); of two values of one time that from the later of these places counts.
INBOX: Final = "parsed_metrics"
OWN: Final = "parsed_values"
QUERY: Final = "parsed.query"

#: Why a value has no vote.
FORGOTTEN: Final = "forgotten"
EARLIER_LINK: Final = "earlier link"
TOO_OLD: Final = "too old"
OF_LIFETIME: Final = "of the lifetime, not of the campaign"
OF_CAMPAIGN: Final = "of a campaign, not of the lifetime"
OTHER_CAMPAIGN: Final = "of other dates or another KPI"


#: The source of what a person brings from a file that names none: nobody knows what it is of.
BY_HAND: Final = "ingest"


class CampaignParser(NamedTuple):
    """The accounts whose campaign a parser counts: platforms (none: all), user names (None: all)."""

    platforms: frozenset[str]
    names: frozenset[str] | None = None


def folded_name(name: str) -> str:
    """A user name normalised for comparison."""
    return name.strip().removeprefix("@").casefold()


class Counting(NamedTuple):
    """What a project's numbers are to count: by source the parsers' settings, and the project's campaign."""

    #: Sources that no configured parser has are not in it; of a parser that cannot say what it counts it is empty.
    sources: Mapping[str, frozenset[Count]]
    #: On whose clocks the dates of projects are meant.
    timezone: str
    #: The `Campaign.key` of the project.
    campaign: str = ""
    #: The enabled parsers that count campaigns.
    parsers: tuple[CampaignParser, ...] = ()


class VoteTerms(NamedTuple):
    """The terms of a vote: now, the limit for clocks that are ahead, and the time before which values are too old."""

    now: str
    ahead: str
    oldest: str | None = None
    #: None: whatever they are of.
    counting: Counting | None = None
    #: The time since which a source should have brought something new; None: it need not.
    fresh: str | None = None
    #: Where a file is read that another program keeps up to date: the sources of ``parsed_values`` that are not of it,
    #: parsers that are asked and persons; None: no file is read.
    beside_files: frozenset[str] | None = None

    def must_stay_fresh(self, one: "ParsedValue") -> bool:
        """Whether a value comes from a program we do not run (inbox, query or file), which should bring newer ones."""
        return one.place != OWN or (self.beside_files is not None and one.source not in self.beside_files)


def terms(
    now: str,
    max_age: float | None,
    counting: Counting | None = None,
    stale_after: float | None = None,
    beside_files: frozenset[str] | None = None,
) -> VoteTerms:
    """The terms at the stamp ``now``; ``[parsed] max_age`` and ``stale_after`` in seconds (None: no limit)."""
    ahead = moved(now, AHEAD.total_seconds()) or now
    oldest, fresh = (None if age is None else moved(now, -age) for age in (max_age, stale_after))
    return VoteTerms(now, ahead, oldest, counting, fresh, beside_files)


def moved(at: str, seconds: float) -> str | None:
    """A stamp so many seconds later; None if that is out of range, or ``at`` is no time."""
    try:
        return (datetime.fromisoformat(at) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None


def is_no_time(at: str | None) -> bool:
    """Whether a source's stamp is no time: "", or a number, which SQLite takes for a Julian day."""
    return at is not None and at < "1970"


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a time is further in the future than clocks may differ."""
    return moment > now + AHEAD


class ParsedValue(NamedTuple):
    """One metric of an account by one source; ``link``: the link that was asked for ("": unknown)."""

    metric: str
    value: int
    at: str | None
    source: str
    rounded: bool
    link: str
    place: str
    #: The `Campaign.key` of the videos that it is of; "": of the lifetime, or nobody knows.
    counted: str = ""


def of_row(metrics: Metrics, at: str | None, source: str, place: str, *, rounded: bool) -> list[ParsedValue]:
    """The values of a row of all metrics, with its one time, source and precision."""
    return [
        ParsedValue(metric, value, at, source, rounded, "", place)
        for metric, value in zip(METRICS, metrics, strict=True)
        if value is not None
    ]


class Mark(NamedTuple):
    """The mark of a value that was taken back: a row of the table ``forgotten_values``."""

    metric: str
    value: int
    source: str
    any_source: bool
    parsed_at: str
    until: str
    reason: str = FORGOTTEN


class AheadSince(NamedTuple):
    """When a value with a time in the future was first seen, by metric, source and place."""

    metric: str
    place: str
    source: str
    parsed_at: str
    seen_at: str


class Key(NamedTuple):
    """The key of a value that was taken back, as in the table ``values_taken_back``."""

    metric: str
    place: str
    source: str
    value: int
    parsed_at: str


class ParsedHistory(NamedTuple):
    """What earlier passes and persons have recorded about an account's parsed values."""

    marks: tuple[Mark, ...] = ()
    #: (since, link), in order.
    links: tuple[tuple[str, str], ...] = ()
    ahead: tuple[AheadSince, ...] = ()
    taken_back: frozenset[Key] = frozenset()


NO_PAST: Final = ParsedHistory()


class ParsedAccount(NamedTuple):
    """The account: its link, its platform, and its link in the last pass (None: there was none)."""

    link: str
    platform: str = ""
    last_link: str | None = None


class LostVote(NamedTuple):
    """A value without a vote, and why."""

    said: ParsedValue
    reason: str


class ParsedChanges(NamedTuple):
    """What a pass must store about an account's parsed values."""

    account_id: str
    #: The account's link, if the last pass decided with another one.
    link: str | None = None
    #: (since, link) to add to the account's earlier links, if that link means another profile.
    links: tuple[tuple[str, str], ...] = ()
    #: Values whose time is in the future, seen for the first time.
    ahead: tuple[AheadSince, ...] = ()
    marks: tuple[Mark, ...] = ()
    #: All values that are taken back, if they are others than in the last pass.
    taken_back: frozenset[Key] | None = None


class Votes(NamedTuple):
    """An account's parsed values that count, and those without a vote."""

    #: Metric → the value that counts.
    chosen: Mapping[str, ParsedValue] = MappingProxyType({})
    #: The values without a vote.
    lost: tuple[LostVote, ...] = ()
    #: Metric → the values that were taken back since the last pass, where one of them would have counted.
    taken_back: Mapping[str, Collection[int]] = MappingProxyType({})
    #: Values with a vote whose time is in the future.
    ahead: tuple[ParsedValue, ...] = ()
    #: What the pass must store; None: nothing has changed.
    news: ParsedChanges | None = None

    @property
    def metrics(self) -> Metrics:
        """The values that count."""
        return Metrics._make([self.chosen[m].value if m in self.chosen else None for m in METRICS])

    @property
    def rounded(self) -> frozenset[str]:
        """The metrics whose value is a rounded figure."""
        return frozenset(metric for metric, said in self.chosen.items() if said.rounded)

    @property
    def relinked(self) -> bool:
        """Whether the account's link shows another profile than in the last pass."""
        return self.news is not None and bool(self.news.links)

    @property
    def too_old(self) -> frozenset[str]:
        """The metrics without a value that counts, of which one is too old."""
        return frozenset(one.said.metric for one in self.lost if one.reason == TOO_OLD) - self.chosen.keys()

    def silent(self, metric: str) -> bool:
        """Whether no value of a metric has a vote although there are some."""
        return metric not in self.chosen and any(lost.said.metric == metric for lost in self.lost)


NO_VOTES: Final = Votes()
