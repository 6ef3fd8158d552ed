"""An account's videos, page by page, as far back as a campaign needs."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from smart_sync.clock import utc_now
from smart_sync.core.campaign import OF_VIDEOS, Campaign, Flaw, Tally, Video, tally
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics
from smart_sync.parsers.failures import AccountFailed, AccountGone, Refused
from smart_sync.parsers.per_account import Partly

#: So many pages are read of one account's list.
MAX_PAGES = 200
#: Before that no platform had a video: such a time is a placeholder.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: Nor can one be published later than now, on clocks that may be wrong by so much.
_AHEAD = timedelta(days=1)
#: So many entries of a list in a row from before the first day, and no later ones follow: single ones may be pinned
#: or dated back.
OLD_IN_A_ROW = 20
#: Numbers above that are milliseconds.
_MILLISECONDS = 1e11


class Page(NamedTuple):
    """A page of the list, newest first, and the cursor of the next one; None if it is the last."""

    videos: list[Video]
    following: str | None = None
    #: When each of its entries was published, in the order of the list; None: they are the ``videos``, and no others.
    times: list[datetime | None] | None = None


async def campaign_numbers(get: Callable[[str | None], Awaitable[Page]], campaign: Campaign) -> Tally:
    """The sums over the videos of ``campaign``; ``get`` fetches a page, None being the first.

    Read until `OLD_IN_A_ROW` entries lie before the first day.  Where the list cannot be read to its end, no metric
    has a value.  Raises `ParserFailed` where no further call makes sense.
    """
    if campaign.flaw:
        return tally((), campaign)
    videos: list[Video] = []
    token: str | None = None
    old = 0
    try:
        for _ in range(MAX_PAGES):
            page = await get(token)
            videos += page.videos
            for at in [video.published for video in page.videos] if page.times is None else page.times:
                old = old + 1 if campaign.is_before(at) else 0
            if page.following is None or old >= OLD_IN_A_ROW:
                return tally(videos, campaign)
            if page.following == token:
                return _no_numbers("the list of videos does not go on")
            token = page.following
    except (Refused, AccountFailed, AccountGone) as failure:
        return _no_numbers(f"the list of videos cannot be read to its end: {failure}", unfinished=True)
    return _no_numbers(f"the list of videos has more than {MAX_PAGES} pages within the dates")


def _no_numbers(reason: str, *, unfinished: bool = False) -> Tally:
    return Tally({}, (Flaw(OF_VIDEOS, reason),), unfinished)


def with_followers(followers: int | None, sums: Tally) -> Partly:
    """An account's followers together with its campaign's sums."""
    counts = {name: value for name, value in sums.counts.items() if value <= MAX_COUNT}
    flaws = [
        *map(str, sums.flaws),
        *(f"{name}: more than can be stored" for name in sums.counts if name not in counts),
    ]
    metrics = Metrics(*(followers if name == "followers" else counts.get(name) for name in METRICS))
    return Partly(metrics, "; ".join(flaws), sums.unfinished)


def published_at(value: object) -> datetime | None:
    """A time in platforms' formats: (milli)seconds since 1970, or ISO 8601 with a zone.

    None if it is none, or one at which no video can have been published, such as a placeholder in the year 9999.
    """
    try:
        if isinstance(value, str) and not value.strip().isdecimal():
            parsed = datetime.fromisoformat(value.strip())
            moment = parsed.astimezone(UTC) if parsed.tzinfo is not None else None
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = float(value)
            moment = datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and _EARLIEST <= moment <= utc_now() + _AHEAD else None
