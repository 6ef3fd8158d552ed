"""What may come of a call to a platform instead of values."""

from smart_sync.errors import ParserFailed


class Refused(ParserFailed):
    """The platform does not accept the credentials, or they do not allow the call."""


class AccountGone(Exception):
    """The platform does not have the account, or does not show it."""


class AccountFailed(Exception):
    """This account cannot be fetched now; the others may be."""

    #: Which of several steps failed, from 1; 0 where there are none.
    step: int = 0


class TokenRefused(AccountFailed):
    """The account's own token is not accepted, which says nothing of any other account."""


class CallFailed(AccountFailed):
    """A call came to nothing; ``retry``: the same call may succeed in a moment, after ``after`` seconds if told."""

    def __init__(self, reason: str, *, retry: bool = True, after: float | None = None) -> None:
        super().__init__(reason)
        self.retry = retry
        self.after = after


class AccountRefused(CallFailed):
    """The platform answers, and refuses what was asked for: an object, not the credentials."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retry=False)


class Throttled(CallFailed):
    """Too many calls, says the platform."""
