"""The failures of a call to a platform."""

from datetime import datetime
from typing import Literal

from smart_sync.core.trouble_codes import Code
from smart_sync.errors import ParserFailed


class Refused(ParserFailed):
    """The platform rejects the credentials, or they do not permit the call."""

    trouble: Code | Literal[""] = "parser-key"


class TokenEnded(Refused):
    """The platform rejects the token: it has expired or was revoked."""

    trouble = "token-ended"


class AccountGone(Exception):
    """The platform does not have the account, or does not show it."""

    #: Its code in docs/faq.md.
    trouble: Code | Literal[""] = "account-gone"
    #: The HTTP status of the answer that says so; 0: none was judged by it.
    status: int = 0
    #: Whether requests for the same had been answered before.
    after_answers: bool = False


class AccountFailed(Exception):
    """This account cannot be fetched now; others may be."""

    #: Its code in docs/faq.md.
    trouble: Code | Literal[""] = "parser-failed"
    #: As `AccountGone`.
    status: int = 0
    after_answers: bool = False
    #: Which of several steps failed, from 1; 0 where there are none.
    step: int = 0
    #: The platform wants the account to be left alone until then.
    until: datetime | None = None


class TokenRefused(AccountFailed):
    """The account's own token is rejected or rate limited, which says nothing about other accounts."""

    trouble = "token-ended"

    def __init__(self, reason: str, until: datetime | None = None) -> None:
        super().__init__(reason)
        self.until = until


class CallFailed(AccountFailed):
    """A call failed; ``retry``: it may succeed in a moment, after ``after`` seconds if given."""

    def __init__(self, reason: str, *, retry: bool = True, after: float | None = None) -> None:
        super().__init__(reason)
        self.retry = retry
        self.after = after


class NotReady(CallFailed):
    """The platform accepted the request and has no result yet: worth another try (``after``)."""

    def __init__(self, reason: str, after: float | None) -> None:
        super().__init__(reason, retry=after is not None, after=after)


class AccountRefused(CallFailed):
    """The platform rejects the requested object, not the credentials."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retry=False)


class TooMuch(AccountRefused):
    """The platform will answer if less is asked for at once."""


class Throttled(CallFailed):
    """The platform reports too many calls."""

    trouble = "parser-quota"
