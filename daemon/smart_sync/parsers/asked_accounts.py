"""One parser's memory between passes: when it asked for each account, which are gone, when it may ask again.

`Collector` fills it from the database and keeps what changes there.  Reads no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from smart_sync.core import schedule
from smart_sync.core.links.identity import same_profile
from smart_sync.core.model import Account
from smart_sync.core.schedule import Asked

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes to store."""

    asked: Mapping[str, Asked]
    paused: tuple[datetime, str] | None

    def __bool__(self) -> bool:
        return bool(self.asked) or self.paused is not None


class AskedAccounts:
    """One parser's accounts; ``every``: how often an account is asked for (None: in each pass).

    ``counts_campaign``: an account whose project has other dates or another KPI is one that was never asked about.
    """

    def __init__(self, every: timedelta | None = None, *, counts_campaign: bool = False) -> None:
        self.every = every
        self._counts_campaign = counts_campaign
        #: What each account is asked for now.
        self._counted: dict[str, str] = {}
        self._asked: dict[str, Asked] = {}
        self._links: dict[str, str] = {}
        self._changed: set[str] = set()
        self._in_database: set[str] = set()
        #: Nobody may be asked before, and why; "" if there is no reason to wait.
        self.not_before = _NEVER
        self.pause_reason = ""
        self._is_pause_new = False
        #: Whether a pass has ended before everybody was asked: then the others come first the next time.
        self.was_cut_off = False
        #: Whether what the database knows is here.
        self.is_recalled = False

    def recall(self, asked: Mapping[str, Asked], paused: tuple[datetime, str] | None) -> None:
        """Take over the stored accounts, and the time before which none may be asked for."""
        self._asked = dict(asked)
        self._in_database = set(asked)
        if paused is not None:
            self.not_before, self.pause_reason = paused
        self.is_recalled = True

    def changes(self, *, everybody: bool = True) -> Changes:
        """The changes since the last `kept`; unless ``everybody``, only of accounts that fail or have failed.

        Where all others are asked in each pass, nothing follows from when they were.
        """
        paused = (self.not_before, self.pause_reason) if self._is_pause_new else None
        if not everybody:
            self._changed = {key for key in self._changed if key in self._in_database or self._asked[key].failures}
        return Changes({account_id: self._asked[account_id] for account_id in self._changed}, paused)

    def kept(self, changes: Changes) -> None:
        """``changes`` have been stored."""
        self._in_database |= changes.asked.keys()
        self._changed -= {key for key, asked in changes.asked.items() if self._asked.get(key) == asked}
        self._is_pause_new &= changes.paused != (self.not_before, self.pause_reason)

    def due(self, accounts: Iterable[Account], now: datetime) -> list[Account]:
        """The accounts to ask for now, longest waiting first, so that a deadline starves none."""
        if self._is_paused(now):
            return []
        due = []
        for account in accounts:
            self._counted[account.id] = account.campaign.key if self._counts_campaign else ""
            asked = self._known(account)
            self._links[account.id] = account.link
            if schedule.is_due(asked, now, self.every):
                due.append((asked.at if asked else _NEVER, account))
        return [account for _, account in sorted(due, key=lambda one: one[0])]

    def answered(self, account_id: str, now: datetime) -> None:
        """Record that the account has values, or that the source has none for it."""
        self._note(account_id, schedule.answered(self._link(account_id), now))

    def failed(self, account_id: str, now: datetime, until: datetime | None = None) -> bool:
        """Record that the account could not be fetched and pauses (at least ``until``); return whether that is new."""
        before = self._asked.get(account_id)
        self._note(account_id, schedule.failed(before, self._link(account_id), now, self.every, until))
        return before is None or not before.failures

    def cut_off(self, account_id: str, now: datetime, *, has_started_job: bool) -> None:
        """Record that the pass ended while the account was asked for: next time it comes first among those of the pass.

        It rests first if a job has been started for it.
        """
        before = self._asked.get(account_id)
        self._note(account_id, schedule.cut_off(before, self._link(account_id), now, has_started_job=has_started_job))

    def gone(self, account_id: str, now: datetime) -> bool:
        """Record that the account is private or deleted; return whether that is new. The pause doubles, up to a day."""
        news = not self.is_gone(account_id)
        self._note(account_id, schedule.gone(self._asked.get(account_id), self._link(account_id), now, self.every))
        return news

    def is_gone(self, account_id: str) -> bool:
        """Whether the account was private or deleted when it was last asked for."""
        return account_id in self._asked and self._asked[account_id].gone

    def paused(self, until: datetime, reason: str, now: datetime) -> None:
        """Ask for no account before ``until``, at most `schedule.LONGEST_PAUSE` from now."""
        until = min(until, now + schedule.LONGEST_PAUSE)
        if until > self.not_before or not self._is_paused(now):
            self.not_before, self.pause_reason, self._is_pause_new = until, reason, True

    def _is_paused(self, now: datetime) -> bool:
        """Whether no account may be asked for; a pause longer than possible comes from a clock that was ahead."""
        return now < self.not_before <= now + schedule.LONGEST_PAUSE

    def retry_failed(self) -> None:
        """End all pauses after failures: the credentials have changed."""
        for account_id, asked in self._asked.items():
            if asked.failures and not asked.gone:
                self._note(account_id, replace(asked, not_before=asked.at))
        if self.pause_reason:
            self.not_before, self._is_pause_new = _NEVER, True

    def _known(self, account: Account) -> Asked | None:
        """The record of the account; none if its link or its videos have changed."""
        asked = self._asked.get(account.id)
        if asked is None or (asked.link == account.link and asked.counted == self._counted[account.id]):
            return asked
        is_same = asked.link == account.link or same_profile(asked.link, account.link, account.platform)
        # Who is gone is so whatever is counted.
        if is_same and (asked.gone or asked.counted == self._counted[account.id]):
            return asked
        self._asked.pop(account.id)
        self._changed.discard(account.id)
        return None

    def _link(self, account_id: str) -> str:
        return self._links.get(account_id, "")

    def _note(self, account_id: str, asked: Asked) -> None:
        self._asked[account_id] = replace(asked, counted=self._counted.get(account_id, asked.counted))
        self._changed.add(account_id)
