"""What a parser has to remember between passes: whom it asked when, who is gone, when it may ask again.

Kept in memory: a restart asks about everybody once more.  Reads no clock.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from smart_sync.core.model import Account

_NEVER = datetime.min.replace(tzinfo=UTC)
_FIRST_REST = timedelta(hours=1)
_LONGEST_REST = timedelta(days=1)
#: Ticks come a little early or late: an account is due when its time is nearly up.
_SLACK = timedelta(seconds=60)


class Agenda:
    """One parser's; ``every`` is how often an account is asked about (None: in each pass)."""

    def __init__(self, every: timedelta | None = None) -> None:
        self._every = every
        self._asked: dict[str, datetime] = {}
        self._answered: dict[str, datetime] = {}
        self._gone: dict[str, tuple[timedelta, datetime]] = {}
        self._not_before = _NEVER

    def due(self, accounts: Iterable[Account], now: datetime, *, everybody: bool = True) -> list[Account]:
        """The accounts to ask about now, the longest unasked first, so that a deadline starves nobody.

        If ``accounts`` are ``everybody`` there is, those that are not among them are forgotten.
        """
        known = {account.id: account for account in accounts}
        if everybody:
            self._asked = {key: when for key, when in self._asked.items() if key in known}
            self._answered = {key: when for key, when in self._answered.items() if key in known}
            self._gone = {key: rest for key, rest in self._gone.items() if key in known}
        if now < self._not_before:
            return []
        due = [account for account in known.values() if self._is_due(account.id, now)]
        return sorted(due, key=lambda account: self._asked.get(account.id, _NEVER))

    def answered(self, account_id: str, now: datetime) -> None:
        """The account has values, or the source has none to give."""
        self._asked[account_id] = self._answered[account_id] = now
        self._gone.pop(account_id, None)

    def failed(self, account_id: str, now: datetime) -> bool:
        """The account could not be fetched; whether that is news."""
        news = account_id not in self._asked or account_id in self._answered
        self._asked[account_id] = now
        self._answered.pop(account_id, None)
        return news

    def is_gone(self, account_id: str) -> bool:
        """Whether the account was private or deleted when it was last asked about."""
        return account_id in self._gone

    def gone(self, account_id: str, now: datetime) -> bool:
        """The account is private or deleted; whether that is news.  Each time, the rest doubles, up to a day."""
        before = self._gone.get(account_id)
        rest = min(before[0] * 2, _LONGEST_REST) if before else _FIRST_REST
        self._gone[account_id] = rest, now + rest
        self._asked[account_id] = now
        return before is None

    def paused(self, until: datetime) -> None:
        """Nobody may be asked before ``until``."""
        self._not_before = max(self._not_before, until)

    def _is_due(self, account_id: str, now: datetime) -> bool:
        if account_id in self._gone:
            return now >= self._gone[account_id][1] - _SLACK
        answered = self._answered.get(account_id)
        return answered is None or self._every is None or now - answered >= self._every - min(_SLACK, self._every / 10)
