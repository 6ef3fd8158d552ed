"""An account's snapshot of the day under ``[snapshots] on_existing = "update"``: insert, update or nothing.

There is one row of ours per account and local day; other writers may have rows of the same day, which are left alone.
The row's time moves to now where a reader of the newest snapshot, or of the last one of a UTC date, would otherwise
see something else than the merged values.  It never moves to a UTC date later than the day's label: that date is for
the next day's row.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

from smart_sync.core.days import Day
from smart_sync.core.model import NAMESPACE

#: Local times differ from UTC by multiples of this.
_QUARTER = timedelta(minutes=15)
#: No local day is longer than this.
_LONGEST_DAY = timedelta(hours=26)


class StoredSnapshot(NamedTuple):
    """A snapshot of the day, by any writer: its id, the UTC date of its time, its values in the order of `METRICS`.

    The values are as SQLite has them: those of another writer need not be counts.
    """

    id: str
    utc_date: str
    values: tuple[Any, ...]


class SnapshotAction(Enum):
    """What to do with an account's snapshot of the day."""

    NOTHING = auto()
    INSERT = auto()
    #: Give our row the merged values, and leave its time.
    REFRESH = auto()
    #: Give our row the merged values, and the time of the pass.
    MOVE = auto()


def snapshot_action(
    account_id: str, seen: Sequence[StoredSnapshot], merged: tuple[Any, ...], utc_date: str, day: Day
) -> tuple[SnapshotAction, str]:
    """What a pass on ``utc_date`` must do with an account's snapshot of ``day``, and the id of our row.

    ``seen`` are the day's snapshots, the newest last.  The id is "" where nothing is to be done.
    """
    if not seen:
        return SnapshotAction.INSERT, snapshot_id(account_id, day.start)
    newest, label = seen[-1], day.label
    # The UTC date that bears the label has just begun, and has no row yet.
    first_of_date = utc_date == label and newest.utc_date < label
    if newest.values == merged and not first_of_date:
        return SnapshotAction.NOTHING, ""
    own_id = snapshot_id(account_id, day.start)
    our_row = next((one for one in seen if one.id == own_id), None)
    if our_row is None:
        return SnapshotAction.INSERT, own_id
    if utc_date <= label:
        return SnapshotAction.MOVE, own_id
    return (SnapshotAction.NOTHING, "") if our_row.values == merged else (SnapshotAction.REFRESH, own_id)


def snapshot_id(account_id: str, start: str) -> str:
    """The id of an account's snapshot of the day with that `Day.start`: the same wherever and however often it is made.

    By the start: where the time zone is changed, another day may bear the same label.
    """
    return str(uuid.uuid5(NAMESPACE, f"{account_id}:{start}"))


class OwnSnapshots:
    """Recognises our snapshots by their ids, whatever time zone they were made in.

    It remembers at what time of the day (UTC) the last one's day began, for that of the next is likely the same.
    """

    def __init__(self) -> None:
        self._likely = timedelta()

    def __call__(self, row_id: object, account_id: object, snapshot_time: object) -> bool:
        """Whether a row of ``account_snapshots`` is ours, whatever its columns hold; never raises."""
        text = str(row_id)
        if len(text) != 36 or text[14] != "5":
            return False
        try:
            moment = datetime.fromisoformat(str(snapshot_time))
            moment = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
            return any(self._is_id(text, str(account_id), start) for start in self._starts(moment))
        except (ValueError, OverflowError):
            return False

    def _starts(self, moment: datetime) -> Iterator[datetime]:
        """The possible starts of the local day of ``moment``, likeliest first."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        yield midnight + self._likely
        yield midnight + self._likely - timedelta(days=1)
        last = midnight + (moment - midnight) // _QUARTER * _QUARTER
        yield from (last - back * _QUARTER for back in range(_LONGEST_DAY // _QUARTER + 1))

    def _is_id(self, text: str, account_id: str, start: datetime) -> bool:
        if snapshot_id(account_id, start.isoformat(timespec="microseconds")) != text:
            return False
        self._likely = timedelta(hours=start.hour, minutes=start.minute)
        return True
