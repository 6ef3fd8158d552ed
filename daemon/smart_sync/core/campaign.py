"""A project's campaign: its days, the videos that count, and their sums.

The web app's own rule: views are the sum over the videos that were published within the dates and have at least
``kpi_views`` views; videos are their number.  Followers are never of a campaign.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

#: What a parser's numbers are of: all that there ever was, or the campaign of the account's project.
Count = Literal["lifetime", "campaign"]

#: The dates that Smart Sync gives the projects it makes: they hold everything, so they are none.
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
#: The metrics that a campaign has.
OF_VIDEOS: Final = ("likes", "comments", "videos", "views")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
#: Anything else behind a date may be the end of a range: "2026-03-01-15".
_TIME = re.compile(_DATE.pattern + r"[T ](?:[01]\d|2[0-3]):\d{2}", re.ASCII)


class Campaign(NamedTuple):
    """The dates of a project, both included, on the clocks of ``timezone``, and its KPI; None: no such end."""

    start: date | None = None
    end: date | None = None
    kpi: int = 0
    timezone: str = "UTC"
    #: Why the project does not say which videos count; "" if it does.
    flaw: str = ""

    @property
    def key(self) -> str:
        """The key under which values are stored: the same key means that the same videos count."""
        if self.flaw:
            return f"unclear: {self.flaw}"
        clock = f" {self.timezone}" if self.start or self.end else ""
        return f"{self.start or ''}/{self.end or ''}{clock} {self.kpi}"

    @property
    def counts_all(self) -> bool:
        """Whether every video counts: there are no dates and no KPI."""
        return not (self.start or self.end or self.kpi or self.flaw)

    def words(self) -> str:
        """The dates and the KPI for a person; "" if there are none."""
        if self.flaw:
            return f"a campaign that is not clear ({self.flaw})"
        dates = " ".join([*([f"from {self.start}"] if self.start else []), *([f"to {self.end}"] if self.end else [])])
        return " and ".join(
            [*([f"dates ({dates})"] if dates else []), *([f"a KPI of {self.kpi} views"] if self.kpi else [])]
        )

    def warning(self, project: str, parser: str) -> str:
        """The warning if ``parser`` counts lifetime totals although ``project`` has dates or a KPI; "" if not."""
        if self.counts_all:
            return ""
        return (
            f"{project}: parser {parser} counts the lifetime of the accounts, and the project has {self.words()}; to"
            f' count its campaign: [parsers.{parser}] count = "campaign"'
        )

    def day_of(self, moment: datetime) -> date:
        """The day of ``moment`` in the campaign's time zone; at the limits of the calendar, in UTC."""
        try:
            return moment.astimezone(ZoneInfo(self.timezone)).date()
        except OverflowError:
            return moment.date()

    def is_before(self, moment: datetime | None) -> bool:
        """Whether a moment certainly lies before the first day."""
        return moment is not None and self.start is not None and self.day_of(moment) < self.start

    def holds(self, moment: datetime | None) -> bool | None:
        """Whether ``moment`` lies within the dates; None if it is unknown."""
        if not (self.start or self.end):
            return True
        if moment is None:
            return None
        day = self.day_of(moment)
        return (self.start is None or day >= self.start) and (self.end is None or day <= self.end)


#: What an account has that belongs to no project.
EVERYTHING: Final = Campaign()


def read(start: object, end: object, kpi: object, timezone: str) -> Campaign:
    """The campaign from the columns of ``projects``; what cannot be read is its `Campaign.flaw`, never guessed."""
    flaws: list[str] = []
    first, last = _date("start_date", start, timezone, flaws), _date("end_date", end, timezone, flaws)
    least = _count("kpi_views", kpi, flaws)
    first, last = None if first == FIRST else first, None if last == LAST else last
    if first and last and first > last:
        flaws.append(f"its start_date {first} is after its end_date {last}")
    return Campaign(first, last, least, timezone, "; ".join(flaws))


def _date(column: str, value: object, timezone: str, flaws: list[str]) -> date | None:
    """A date, or the date of a time without a zone.

    A time with a zone is a date only if it is the begin of a day on the clocks of ``timezone``, or the end of one: any
    other would take in hours that are not meant, or leave out some that are.
    """
    if value is None or value == "":
        return None
    text = value.isoformat() if isinstance(value, date) else value.strip() if isinstance(value, str) else ""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _TIME.match(text):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None or moment.date() in (FIRST, LAST):
                return moment.date()
            local = moment.astimezone(ZoneInfo(timezone))
            clock = f"{local:%H:%M:%S}"
            if (clock == "00:00:00" and not local.microsecond) or (clock == "23:59:59" and column == "end_date"):
                return local.date()
            at = f"{_shown(value)} is {local:%Y-%m-%d %H:%M} there"
            flaws.append(f"its {column} is within a day of {timezone} ({at}); write it as 2026-01-31")
            return None
    except (ValueError, OverflowError):
        pass
    flaws.append(f"its {column} is no date ({_shown(value)}); write it as 2026-01-31")
    return None


def target(value: object) -> tuple[int, str]:
    """The views in the column ``target_views`` (0: none), and why it cannot be read ("" if it can)."""
    flaws: list[str] = []
    return _count("target_views", value, flaws), "; ".join(flaws)


def _count(column: str, value: object, flaws: list[str]) -> int:
    text = value.strip() if isinstance(value, str) else value
    if text is None or text == "":
        return 0
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20:
        return int(text)
    if isinstance(text, int | float) and math.isfinite(text) and text >= 0 and text == int(text):
        return int(text)
    flaws.append(f"its {column} is no count ({_shown(value)})")
    return 0


def _shown(value: object) -> str:
    plain = "".join(sign if sign.isprintable() else "?" for sign in str(value)[:41])
    return plain if len(plain) < 41 else plain[:40] + "…"


class Video(NamedTuple):
    """A video as a platform reports it; None where it reports nothing."""

    published: datetime | None
    views: int | None
    likes: int | None = None
    comments: int | None = None
    #: What tells it from others; "" if nothing does.
    id: str = ""
    #: From what to what the ``views`` may be, as they are a rounded figure; None: they are exact.
    spread: tuple[int, int] | None = None

    def reaches(self, kpi: int) -> bool | None:
        """Whether it has at least ``kpi`` views; None if unknown."""
        if self.views is None:
            return None if kpi else True
        least, most = self.spread or (self.views, self.views)
        return least >= kpi if least >= kpi or most < kpi else None


class Flaw(NamedTuple):
    """Metrics that have no value, and why."""

    metrics: Sequence[str]
    reason: str

    def __str__(self) -> str:
        return f"{', '.join(self.metrics)}: {self.reason}"


class Tally(NamedTuple):
    """The sums over a campaign's videos: metric → value, and the metrics without a value."""

    counts: Mapping[str, int]
    flaws: tuple[Flaw, ...] = ()
    #: The list of videos broke off, and may be read to its end in a moment.
    unfinished: bool = False


def tally(videos: Iterable[Video], campaign: Campaign) -> Tally:
    """Sum the videos that count; ``videos`` must contain all within the dates.

    A metric has a value only if everything is known that it depends on: unknown is never zero.
    """
    if campaign.flaw:
        return Tally({}, (Flaw(OF_VIDEOS, f"which videos count is not clear: {campaign.flaw}"),))
    several = list(_without_duplicates(videos))
    within = {video: held for video in several if (held := campaign.holds(video.published)) is not False}
    within = {video: held for video, held in within.items() if video.reaches(campaign.kpi) is not False}
    if undated := sum(held is None for held in within.values()):
        return Tally({}, (Flaw(OF_VIDEOS, f"{_of(undated, several)} do not show when they were published"),))
    if unseen := sum(video.reaches(campaign.kpi) is None for video in within):
        reason = f"{_of(unseen, list(within))} do not show whether they have {campaign.kpi} views"
        return Tally({}, (Flaw(OF_VIDEOS, reason),))
    counted = list(within)
    counts, flaws = {"videos": len(counted)}, list[Flaw]()
    for metric in ("likes", "comments", "views"):
        shown = [value for video in counted if (value := getattr(video, metric)) is not None]
        if len(shown) == len(counted):
            counts[metric] = sum(shown)
        else:
            flaws.append(Flaw((metric,), f"{_of(len(counted) - len(shown), counted)} do not show theirs"))
    return Tally(counts, tuple(flaws))


def _without_duplicates(videos: Iterable[Video]) -> Iterable[Video]:
    """Each video once: one published while the list was read moves others to the next page."""
    seen: set[str] = set()
    for number, video in enumerate(videos):
        own = video.id or f"\0{number}"
        if own not in seen:
            seen.add(own)
            yield video._replace(id=own)


def _of(some: int, whole: Sequence[object]) -> str:
    return f"{some} of {len(whole)} videos"
