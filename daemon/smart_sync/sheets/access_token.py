"""The access token shared by all requests: fetched once, however many wait for it."""

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import google.auth.transport
import requests
from google.auth.exceptions import GoogleAuthError

from smart_sync.aio.plain_files import FILE_PATIENCE, NO_ANSWER
from smart_sync.aio.tasks import DetachedThreads
from smart_sync.core.foreign_text import read_json
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.credentials import Credentials
from smart_sync.sheets.google_errors import SpreadsheetUnavailable, explain, explain_token, is_passing
from smart_sync.sheets.retries import Backoff, retried

#: Seconds that a token is kept at the most; Google's live for one hour.
MAX_LIFE = 86_400.0
#: What may stand behind ``Bearer`` in a header, and as long as Google's own may be, four times over.
_TOKEN = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class _Answer(google.auth.transport.Response):
    status: int
    headers: Mapping[str, str]
    data: bytes


class TokenRequest(google.auth.transport.Request):
    """The HTTP transport by which google-auth reaches the token endpoint: one try per call.

    google-auth would repeat a 503 by itself, sleeping in its thread, and fail on HTML with a TypeError.
    """

    def __init__(self, session: requests.Session, timeout: tuple[float, float]) -> None:
        self._session = session
        self._timeout = timeout

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = None,
        **_options: object,
    ) -> _Answer:
        """Raises `requests.RequestException` for whatever may be otherwise in a moment."""
        response = self._session.request(method, url, data=body, headers=headers, timeout=self._timeout)
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            if is_passing(error):
                raise
        fields = _object(response.content)
        answer = request_grant(fields, response) if response.ok else _refusal(fields, response)
        return _Answer(response.status_code, {}, json.dumps(answer).encode())


class AccessToken:
    """Credentials with a valid token; if they are refused the key is read again, so that a new one is noticed."""

    def __init__(self, find: Callable[[], Credentials], request: TokenRequest, backoff: Backoff) -> None:
        self._find = find
        self._request = request
        self._backoff = backoff
        self._credentials: Credentials | None = None
        self._lock = asyncio.Lock()
        self._files = DetachedThreads()
        self._failures = 0
        self._failure = SpreadsheetUnavailable("", trouble="google-key")
        #: What the last try of a refresh that is still being tried has come to.
        self.last_failure: SheetUnavailable | None = None

    @property
    def email(self) -> str:
        """The account to share spreadsheets with."""
        return str(self._credentials.service_account_email) if self._credentials else "the service account"

    async def credentials(self, ends: float, refused: str = "") -> Credentials:
        """Credentials with a valid token, other than the one Google ``refused``.

        Those who wait together share one refresh and, if it fails, its failure: `SheetUnavailable`.
        """
        failures = self._failures
        async with self._lock:
            if self._credentials is not None and self._credentials.valid and self._credentials.token != refused:
                return self._credentials
            if failures != self._failures:
                raise SpreadsheetUnavailable(self._failure.reason, self._failure.remedy, trouble=self._failure.trouble)
            try:
                self._credentials = await self._refreshed(ends)
            except SheetUnavailable as failure:
                self._failures += 1
                self._failure = SpreadsheetUnavailable(failure.reason, failure.remedy, trouble=failure.trouble)
                raise self._failure from None
            return self._credentials

    async def _refreshed(self, ends: float) -> Credentials:
        """New credentials; the second attempt reads the key again."""
        credentials = self._credentials or await self._load()
        try:
            await self._refresh(credentials, ends)
        except GoogleAuthError:
            credentials = await self._load()
            try:
                await self._refresh(credentials, ends)
            except GoogleAuthError as error:
                raise explain_token(error, str(credentials.service_account_email)) from None
        return credentials

    async def _load(self) -> Credentials:
        try:
            return await self._files.run(FILE_PATIENCE, self._find)
        except TimeoutError:
            raise SpreadsheetUnavailable(
                f"the file of the Google credentials cannot be read: {NO_ANSWER}", trouble="google-key"
            ) from None

    async def _refresh(self, credentials: Credentials, ends: float) -> None:
        async def once(_number: int) -> None:
            await asyncio.to_thread(credentials.refresh, self._request)

        def failed(error: Exception) -> None:
            if isinstance(error, requests.RequestException):
                self.last_failure = explained(error)

        def explained(error: requests.RequestException) -> SheetUnavailable:
            return explain(error, str(credentials.service_account_email), "an access token")

        self.last_failure = None
        try:
            await retried(once, "an access token", ends, self._backoff, failed)
        except requests.RequestException as error:
            raise explained(error) from None
        self.last_failure = None


def request_grant(fields: Mapping[str, object], response: requests.Response) -> dict[str, object]:
    """A valid token and its lifetime in seconds, if given; google-auth itself does not check either.

    What cannot be used must not be kept: its whole hour would be lost.
    """
    token, lives = fields.get("access_token"), fields.get("expires_in")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise requests.exceptions.InvalidJSONError("expected an access token", response=response)
    if lives is None:
        return {"access_token": token}
    try:
        seconds = float(lives) if isinstance(lives, str | int | float) and not isinstance(lives, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds):
        raise requests.exceptions.InvalidJSONError("expected the seconds that the token lives", response=response)
    return {"access_token": token, "expires_in": int(min(max(0.0, seconds), MAX_LIFE))}


def _refusal(fields: Mapping[str, object], response: requests.Response) -> dict[str, str]:
    """Why there is no token, in the form google-auth expects."""
    texts = {key: text for key in ("error", "error_description") if isinstance(text := fields.get(key), str)}
    return {"error": f"status {response.status_code}"} | texts


def _object(content: bytes) -> Mapping[str, object]:
    try:
        fields = read_json(content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
