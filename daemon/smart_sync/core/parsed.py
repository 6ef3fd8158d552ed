"""Parsed values of an account, and what is remembered of them: the data types of `core.merge.votes`.

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

#: Where parsed values stand; of two that are of one time the later place counts.
INBOX: Final = "parsed_metrics"
OWN: Final = "parsed_values"
QUERY: Final = "parsed.query"

FORGOTTEN: Final = "forgotten"
EARLIER_LINK: Final = "earlier link"
TOO_OLD: Final = "too old"
OF_LIFETIME: Final = "of the lifetime, not of the campaign"
OF_CAMPAIGN: Final = "of a campaign, not of the lifetime"
OTHER_CAMPAIGN: Final = "of other dates or another KPI"


#: The source of what a person brings from a file that names none: nobody knows what it is of.
BY_HAND: Final = "ingest"


class CampaignParser(NamedTuple):
    """Of which accounts a parser counts the campaign: platforms (none: all), user names (None: all)."""

    platforms: frozenset[str]
    names: frozenset[str] | None = None


def folded_name(name: str) -> str:
    """A user name as names are compared."""
    return name.strip().removeprefix("@").casefold()


class Counting(NamedTuple):
    """What the numbers of a project are to be of: by source what its parsers count, and the project's campaign."""

    #: Sources that no configured parser has are not in it; of a parser that cannot say what it counts it is empty.
    sources: Mapping[str, frozenset[Count]]
    #: On whose clocks the dates of projects are meant.
    timezone: str
    #: The `Campaign.key` of the project.
    campaign: str = ""
    #: The enabled parsers that count campaigns.
    parsers: tuple[CampaignParser, ...] = ()


class VoteTerms(NamedTuple):
    """What values are judged by: the time, the limit of clocks that are ahead, the time at which they are too old."""

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
        """Whether a program that nobody asks should bring a newer value in time: by inbox, query or file."""
        return one.place != OWN or (self.beside_files is not None and one.source not in self.beside_files)


def terms(
    now: str,
    max_age: float | None,
    counting: Counting | None = None,
    stale_after: float | None = None,
    beside_files: frozenset[str] | None = None,
) -> VoteTerms:
    """The terms at the stamp ``now``; ``[parsed] max_age`` and ``stale_after`` in seconds (None: however old)."""
    ahead = moved(now, AHEAD.total_seconds()) or now
    oldest, fresh = (None if age is None else moved(now, -age) for age in (max_age, stale_after))
    return VoteTerms(now, ahead, oldest, counting, fresh, beside_files)


def moved(at: str, seconds: float) -> str | None:
    """A stamp so many seconds later; None where that is no time, or ``at`` is none."""
    try:
        return (datetime.fromisoformat(at) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None


def is_no_time(at: str | None) -> bool:
    """Whether a source gives a time that is none, as a stamp: "", or a number that SQLite takes for a Julian day."""
    return at is not None and at < "1970"


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a time lies further ahead than clocks may."""
    return moment > now + AHEAD


class ParsedValue(NamedTuple):
    """What one source says of one metric of an account; ``link``: the link that was asked for ("": not known)."""

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
    """A row of all metrics, as values of its one time, source and precision."""
    return [
        ParsedValue(metric, value, at, source, rounded, "", place)
        for metric, value in zip(METRICS, metrics, strict=True)
        if value is not None
    ]


class Mark(NamedTuple):
    """A value that was taken back: see the table ``forgotten_values``."""

    metric: str
    value: int
    source: str
    any_source: bool
    parsed_at: str
    until: str
    reason: str = FORGOTTEN


class AheadSince(NamedTuple):
    """When a value of a metric, by a source at a place, was first seen whose time is ahead."""

    metric: str
    place: str
    source: str
    parsed_at: str
    seen_at: str


class Key(NamedTuple):
    """A value that was taken back, as ``values_taken_back`` knows it."""

    metric: str
    place: str
    source: str
    value: int
    parsed_at: str


class ParsedHistory(NamedTuple):
    """What earlier passes and persons have left about an account's parsed values."""

    marks: tuple[Mark, ...] = ()
    #: (since, link), in order.
    links: tuple[tuple[str, str], ...] = ()
    ahead: tuple[AheadSince, ...] = ()
    taken_back: frozenset[Key] = frozenset()


NO_PAST: Final = ParsedHistory()


class ParsedAccount(NamedTuple):
    """The account: its link, what platform it is on, and the link it had in the last pass (None: there was none)."""

    link: str
    platform: str = ""
    last_link: str | None = None


class LostVote(NamedTuple):
    """A value without a vote, and why."""

    said: ParsedValue
    reason: str


class ParsedChanges(NamedTuple):
    """What a pass must remember of an account's parsed values."""

    account_id: str
    #: The link that it decides with, if the last pass had another; and if that means another profile, since when.
    link: str | None = None
    links: tuple[tuple[str, str], ...] = ()
    ahead: tuple[AheadSince, ...] = ()
    marks: tuple[Mark, ...] = ()
    #: All that is taken back, if it is not what the last pass knew.
    taken_back: frozenset[Key] | None = None


class Votes(NamedTuple):
    """What became of an account's parsed values: those that count, and those without a vote."""

    chosen: Mapping[str, ParsedValue] = MappingProxyType({})
    lost: tuple[LostVote, ...] = ()
    #: Metric → the values that were taken back since the last pass, where one of them would have counted.
    taken_back: Mapping[str, Collection[int]] = MappingProxyType({})
    #: Those whose time is ahead.
    ahead: tuple[ParsedValue, ...] = ()
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
        """Whether the account's link means another profile than in the last pass."""
        return self.news is not None and bool(self.news.links)

    @property
    def too_old(self) -> frozenset[str]:
        """The metrics of which no value counts, and one is too old."""
        return frozenset(one.said.metric for one in self.lost if one.reason == TOO_OLD) - self.chosen.keys()

    def silent(self, metric: str) -> bool:
        """Whether all that is said of a metric has no vote."""
        return metric not in self.chosen and any(lost.said.metric == metric for lost in self.lost)


NO_VOTES: Final = Votes()
