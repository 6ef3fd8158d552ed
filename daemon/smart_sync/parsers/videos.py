"""The videos of an account, page by page, as far as a campaign needs them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

from smart_sync.core.campaign import OF_VIDEOS, Campaign, Tally, Video, tally
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics
from smart_sync.parsers.failures import AccountFailed, AccountGone, Refused
from smart_sync.parsers.per_account import Partly

#: So many pages are read of one account's list.
MAX_PAGES = 200
#: Before that no platform had a video: such a time is a placeholder.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: Numbers above that are milliseconds.
_MILLISECONDS = 1e11


class Page(NamedTuple):
    """A page of the list, newest first, and how the next one is asked for; None: it is the last."""

    videos: list[Video]
    following: str | None = None


async def numbers(get: Callable[[str | None], Awaitable[Page]], campaign: Campaign, first: Page | None = None) -> Tally:
    """What the videos of ``campaign`` come to; ``get`` asks for a page of the list, unless it is the ``first``.

    Read until a whole page lies before the first day: single videos may be pinned above newer ones.  Where the list
    cannot be read to its end, no metric has a value.  Raises `ParserFailed` where no further call makes sense.
    """
    if campaign.flaw:
        return tally((), campaign)
    videos: list[Video] = []
    token: str | None = None
    try:
        for _ in range(MAX_PAGES):
            page = first if first is not None and token is None else await get(token)
            videos += page.videos
            is_past = bool(page.videos) and all(campaign.is_before(video.published) for video in page.videos)
            if page.following is None or is_past:
                return tally(videos, campaign)
            if page.following == token:
                return _without("the list of videos does not go on")
            token = page.following
    except (Refused, AccountFailed, AccountGone) as failure:
        return _without(f"the list of videos cannot be read to its end: {failure}")
    return _without(f"the list of videos has more than {MAX_PAGES} pages within the dates")


def _without(reason: str) -> Tally:
    return Tally({}, (f"{', '.join(OF_VIDEOS)}: {reason}",))


def partly(followers: int | None, found: Tally) -> Partly:
    """An account's followers with what its campaign comes to."""
    counts = {name: value for name, value in found.counts.items() if value <= MAX_COUNT}
    flaws = [*found.flaws, *(f"{name}: more than can be stored" for name in found.counts if name not in counts)]
    metrics = Metrics(*(followers if name == "followers" else counts.get(name) for name in METRICS))
    return Partly(metrics, "; ".join(flaws))


def published_at(given: object) -> datetime | None:
    """A time as platforms write it: (milli)seconds since 1970, or ISO 8601 with its zone; None if it is none."""
    try:
        if isinstance(given, str) and not given.strip().isdecimal():
            found = datetime.fromisoformat(given.strip())
            moment = found.astimezone(UTC) if found.tzinfo is not None else None
        elif isinstance(given, str | int | float) and not isinstance(given, bool):
            seconds = float(given)
            moment = datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and moment >= _EARLIEST else None
