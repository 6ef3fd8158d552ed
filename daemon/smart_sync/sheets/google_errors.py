"""Google's errors in words: which may be retried, and who must fix the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError

from smart_sync import logs
from smart_sync.aio import http_client
from smart_sync.core.foreign_text import read_json, storable
from smart_sync.errors import SheetUnavailable

_PASSING = frozenset({408, 429, *range(500, 600)})
#: Drive says 403 where Sheets says 429.
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_DISABLED_REASONS = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_BROKEN_CONNECTION = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidJSONError,
)


class SpreadsheetUnavailable(SheetUnavailable):
    """None of the spreadsheet's worksheets can be read: asking for another is useless."""


class SpreadsheetMissing(SpreadsheetUnavailable):
    """There is no spreadsheet with this key that the service account may see."""


class RangeRefused(SheetUnavailable):
    """A batch names a worksheet that the spreadsheet does not have."""


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code in _PASSING or bool(_RATE_REASONS & _reasons(error.response))
    return isinstance(error, _BROKEN_CONNECTION)


def retry_after(error: Exception, now: datetime) -> float | None:
    """The seconds in ``Retry-After`` (seconds or a date); None without it."""
    response = getattr(error, "response", None)
    return http_client.retry_after(response.headers.get("Retry-After", ""), now) if response is not None else None


def trouble(error: Exception) -> str:
    """Why a request is retried, in a few words."""
    if isinstance(error, requests.HTTPError):
        code = error.response.status_code
        if code == requests.codes.too_many_requests or _RATE_REASONS & _reasons(error.response):
            return "Google asks to slow down"
        return f"Google answered {code}"
    return "Google did not answer in time" if isinstance(error, requests.Timeout) else "the connection to Google broke"


def explain(error: requests.RequestException, email: str, spreadsheet: str) -> SheetUnavailable:
    """The failure for a person, and who must do what; ``email`` is the service account's."""
    if isinstance(error, requests.HTTPError):
        return _explain_refusal(error.response, email, spreadsheet)
    if isinstance(error, requests.exceptions.InvalidJSONError):
        return SheetUnavailable(
            f"Google's answer for {spreadsheet} is not what it should be: {_short(error)}",
            "if it lasts, look for a proxy between here and Google",
            trouble="google-away",
        )
    if isinstance(error, requests.Timeout):
        return SheetUnavailable(
            f"Google did not answer in time for {spreadsheet}",
            "if it lasts, raise [sheets] timeout",
            trouble="google-away",
        )
    if isinstance(error, _BROKEN_CONNECTION):
        return SheetUnavailable(
            f"Google cannot be reached for {spreadsheet}: {_cause(error)}",
            "if it lasts, check the network",
            trouble="google-away",
        )
    return SpreadsheetUnavailable(
        f"the request for {spreadsheet} could not be made: {_cause(error)}",
        "check [sheets] api_url and spreadsheet",
        trouble="google-away",
    )


def explain_token(error: GoogleAuthError, email: str) -> SpreadsheetUnavailable:
    """Why Google gives ``email`` no access token."""
    return SpreadsheetUnavailable(
        f"Google refuses the credentials of {email}: {_short(error.args[0] if error.args else error)}",
        f"check that {email} and its key still exist in Google Cloud and that this machine's clock is right",
        trouble="google-key",
    )


def overdue(spreadsheet: str, seconds: float, last: SheetUnavailable | None = None) -> SheetUnavailable:
    """The failure that reading took longer than ``[sheets] deadline``; ``last``: the failure of its last try."""
    reason = f"Google did not give {spreadsheet} within {seconds:g} s"
    if last is not None:
        return SheetUnavailable(f"{reason}; the last answer: {last.reason}", last.remedy, trouble=last.trouble)
    return SheetUnavailable(reason, "if it lasts, check the network, or raise [sheets] deadline", trouble="google-away")


def _explain_refusal(response: requests.Response, email: str, spreadsheet: str) -> SheetUnavailable:
    message, status = _message(response), response.status_code
    if status == 400 and "Unable to parse range" in message:
        return RangeRefused(message)
    if status == 400 and "not supported for this document" in message:
        return SpreadsheetUnavailable(
            f"{spreadsheet} is not a Google spreadsheet",
            "open it and choose File → Save as Google Sheets",
            step="convert",
            trouble="not-a-spreadsheet",
        )
    if status == 401:
        return SpreadsheetUnavailable(
            f"Google does not accept the token of {email}",
            f"check that {email} is enabled in Google Cloud",
            trouble="google-key",
        )
    if status == 403:
        return _explain_forbidden(response, email, spreadsheet)
    if status == 404:
        return SpreadsheetMissing(
            f"there is no spreadsheet {spreadsheet}",
            f"correct [sheets] spreadsheet, or share the spreadsheet with {email} as Viewer",
            step="share",
            trouble="sheet-not-shared",
        )
    if status == 429:
        return SheetUnavailable(
            "Google's read quota is used up",
            "lower [sheets] reads_per_minute, or raise the quota",
            trouble="google-quota",
        )
    if status in _PASSING:
        return SheetUnavailable(
            f"Google answers {status} for {spreadsheet}: {message}",
            "nothing to do unless it lasts",
            trouble="google-away",
        )
    return SpreadsheetUnavailable(
        f"Google refuses to read {spreadsheet}: {status} {message}",
        "check [sheets] spreadsheet and api_url",
        trouble="google-away",
    )


def _explain_forbidden(response: requests.Response, email: str, spreadsheet: str) -> SheetUnavailable:
    message = _message(response)
    if _RATE_REASONS & _reasons(response):
        return SheetUnavailable(
            "Google's quota is used up", "lower [sheets] reads_per_minute, or raise the quota", trouble="google-quota"
        )
    if _DISABLED_REASONS & _reasons(response) or "has not been used in project" in message:
        return SpreadsheetUnavailable(
            "the Google Sheets API (or Drive API) is not enabled for the service account",
            f"enable both in the Cloud project of {email}",
            step="enable",
            trouble="google-api-off",
        )
    return SpreadsheetUnavailable(
        f"{email} may not read {spreadsheet}",
        f"share the spreadsheet with {email} as Viewer",
        step="share",
        trouble="sheet-not-shared",
    )


def _error(response: requests.Response) -> Mapping[str, Any]:
    """Google's error object; empty if the body is not Google's."""
    try:
        body = read_json(response.content)
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _message(response: requests.Response) -> str:
    message = _error(response).get("message")
    return _short((message if isinstance(message, str) else "") or response.reason or "no reason given")


def _reasons(response: requests.Response) -> set[str]:
    error = _error(response)
    lists = [entries for key in ("errors", "details") if isinstance(entries := error.get(key), list)]
    reasons = [item.get("reason") for entries_of_kind in lists for item in entries_of_kind if isinstance(item, dict)]
    return {reason for reason in reasons if isinstance(reason, str)}


def _cause(error: Exception) -> str:
    """The innermost failure: ``Connection refused`` instead of urllib3's description."""
    inner = http_client.innermost(error)
    return _short(getattr(inner, "strerror", None) or inner)


def _short(text: object) -> str:
    # Who refuses a request may repeat it, token and all.
    flat = logs.redact(storable(" ".join(str(text).split())))
    return flat if len(flat) <= 200 else flat[:199] + "…"
