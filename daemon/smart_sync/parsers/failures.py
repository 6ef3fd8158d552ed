"""What may come of a call to a platform instead of values."""

from smart_sync.errors import ParserFailed


class Refused(ParserFailed):
    """The platform does not accept the credentials, or they do not allow the call."""


class AccountGone(Exception):
    """The platform does not have the account, or does not show it."""


class AccountFailed(Exception):
    """This account cannot be fetched now; the others may be."""


class CallFailed(AccountFailed):
    """A call came to nothing; ``retry``: the same call may succeed in a moment, after ``after`` seconds if told."""

    def __init__(self, reason: str, *, retry: bool = True, after: float | None = None) -> None:
        super().__init__(reason)
        self.retry = retry
        self.after = after


class Throttled(CallFailed):
    """Too many calls, says the platform."""
