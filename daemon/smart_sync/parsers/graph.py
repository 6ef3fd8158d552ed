"""What Meta's Graph API answers when it refuses: Instagram, Facebook and Threads share it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from smart_sync.parsers import error_responses
from smart_sync.parsers.counts import mapping
from smart_sync.parsers.failures import AccountGone, AccountRefused, CallFailed, Refused, Throttled
from smart_sync.parsers.http import Answer

_THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_PASSING = frozenset({1, 2})
_TOKEN = frozenset({102, 190})
#: The app or its user is blocked, whatever is asked; 200 only where it says so.
_BLOCKED = frozenset({101, 368})
_ACCESS = 200
#: No such user, alias or object, or moved; 100 only with its subcode "cannot be loaded".
_GONE = frozenset({21, 24, 110, 803})
_CANNOT_BE_LOADED = 33
_INVALID_PARAMETER = 100


def judge(answer: Answer, now: datetime, table: str) -> Any:
    """The JSON of a good answer; else by Meta's error code, which says more than the status.

    Only what concerns the token or the app is everybody's trouble; any other refusal is one of the object that was
    asked for.  ``table`` is where the credentials stand.  Raises as `answers.judge`.
    """
    body = error_responses.decoded(answer)
    error = mapping(mapping(body).get("error"))
    if error:
        _refused(error, answer, now, table)
    return error_responses.judge(answer, now)


def _refused(error: Mapping[str, Any], answer: Answer, now: datetime, table: str) -> None:
    code = found if isinstance(found := error.get("code"), int) else None
    told = error_responses.said(error.get("message", ""))
    if code in _THROTTLED:
        raise Throttled(f"too many calls, says Meta ({code})", after=error_responses.retry_after(answer, now))
    if code in _PASSING:
        raise CallFailed(f"Meta answers: {told} ({code})")
    if code in _TOKEN:
        raise Refused(f"Meta refuses the token: {told}; renew the token of {table}")
    if code in _BLOCKED or (code == _ACCESS and "API access" in told):
        raise Refused(f"Meta refuses the app: {told} ({code}); see the app's dashboard for {table}")
    if code in _GONE or (code == _INVALID_PARAMETER and error.get("error_subcode") == _CANNOT_BE_LOADED):
        raise AccountGone(f"Meta does not show it: {told}")
    if answer.status < 500 and answer.status not in {404, 408, 429}:
        raise AccountRefused(f"Meta refuses: {told} ({code})")
