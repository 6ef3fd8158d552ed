"""Requests to Google: with a valid token, within the quota, retried a few times, with a deadline."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import requests
from google.auth.transport.requests import AuthorizedSession
from gspread_asyncio import AsyncioGspreadClientManager

from smart_sync.aio.rate_limit import Limit, RateLimit
from smart_sync.config import SheetsSettings
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import credentials, transport
from smart_sync.sheets.access_token import AccessToken, TokenRequest
from smart_sync.sheets.google_errors import explain, overdue
from smart_sync.sheets.retries import Backoff, retried
from smart_sync.sheets.source import ReadUsage, SharedLimits
from smart_sync.store.engine import StoreError

T = TypeVar("T")

#: Google's window of the quota, in seconds.
WINDOW = 60.0


class Manager(AsyncioGspreadClientManager):
    """One spreadsheet's requests, one at a time.

    The library's own hooks repeat a failed request for ever, holding the lock: these raise.
    """

    def __init__(self, adapter: transport.Adapter, timeout: float) -> None:
        # Never a reason to authorize again: `AccessToken` renews the credentials.
        super().__init__(
            lambda: self._credentials, reauth_interval=10**9, gspread_timeout=(transport.CONNECT_SECONDS, timeout)
        )
        self._adapter = adapter
        self._credentials: credentials.Credentials | None = None
        self._session: requests.Session | None = None

    async def delay(self) -> None:
        """Nothing: `Calls` keeps the quota for all spreadsheets together."""

    async def handle_gspread_error(self, e: Exception, *_call: object) -> None:
        """Re-raise: `Calls` decides about retries."""
        raise e

    async def handle_requests_error(self, e: Exception, *_call: object) -> None:
        """Re-raise: `Calls` decides about retries."""
        raise e

    async def run(self, with_credentials: credentials.Credentials, fetch: Callable[..., T], *args: object) -> T:
        """Run ``fetch(gspread client, *args)`` in a thread, after any other request of this spreadsheet."""
        self._credentials = with_credentials
        client = (await self.authorize()).gc
        session = cast(AuthorizedSession, client.http_client.session)
        if self._session is not session:
            transport.equip(session, self._adapter)
            session.hooks["response"].append(transport.raise_for_status)
            self._session = session
        session.credentials = with_credentials
        result: T = await self._call(fetch, client, *args)  # type: ignore[no-untyped-call]
        return result

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()


class Calls:
    """Makes all spreadsheets' requests: ``concurrency`` at a time, ``reads_per_minute`` in any minute."""

    def __init__(
        self,
        settings: SheetsSettings,
        backoff: Backoff,
        environment: Mapping[str, str],
        limits: SharedLimits | None = None,
    ) -> None:
        self._settings = settings
        self._backoff = backoff
        self._limits = limits
        #: Service account → its quota.
        self._quotas: dict[str, Limit] = {}
        self._room = asyncio.Semaphore(settings.concurrency)
        #: The most seconds of one request.
        self._lasts = transport.CONNECT_SECONDS + settings.timeout
        self._meter = _Meter()
        self._managers: list[Manager] = []
        self._token_session = requests.Session()
        transport.equip(self._token_session, self._adapter())
        request = TokenRequest(self._token_session, (transport.CONNECT_SECONDS, settings.timeout))
        self._token = AccessToken(lambda: credentials.find(settings.credentials, environment), request, backoff)

    @property
    def email(self) -> str:
        """The service account's address, once its credentials were found."""
        return self._token.email

    def manager(self) -> Manager:
        """A manager for one more spreadsheet."""
        manager = Manager(self._adapter(), self._settings.timeout)
        self._managers.append(manager)
        return manager

    def reset(self) -> None:
        """Set the usage to 0."""
        self._meter = _Meter()

    def usage(self) -> ReadUsage:
        """The usage since `reset`."""
        return self._meter.usage()

    def close(self) -> None:
        """Close the connections."""
        self._token_session.close()
        for manager in self._managers:
            manager.close()

    async def make(self, what: str, manager: Manager, ends: float, fetch: Callable[..., T], *args: object) -> T:
        """Run ``fetch(gspread client, *args)`` through ``manager``; ``ends`` (loop time) is the deadline.

        ``what`` names the spreadsheet in messages.  Raises `SheetUnavailable` if it cannot be had.
        """

        async def once(number: int) -> T:
            if number > 1:
                self._meter.add(retries=1)
            return await self._with_token(manager, ends, fetch, *args)

        last: SheetUnavailable | None = None

        def failed(error: Exception) -> None:
            nonlocal last
            if isinstance(error, requests.RequestException):
                last = explain(error, self.email, what)

        if asyncio.get_running_loop().time() >= ends:
            raise overdue(what, self._settings.deadline)
        try:
            async with asyncio.timeout_at(ends):
                return await retried(once, what, ends, self._backoff, failed)
        except TimeoutError:
            raise overdue(what, self._settings.deadline, self._token.last_failure or last) from None
        except requests.RequestException as error:
            raise explain(error, self.email, what) from None
        except StoreError as error:
            raise SheetUnavailable(f"{what} was not asked for: {error.meaning}", trouble="google-away") from None

    async def _with_token(self, manager: Manager, ends: float, fetch: Callable[..., T], *args: object) -> T:
        """One try; a second with a new token if Google refuses the current one."""
        with_token = await self._token.credentials(ends)
        token = str(with_token.token)
        try:
            return await self._request(manager, with_token, fetch, *args)
        except requests.HTTPError as error:
            if error.response.status_code != requests.codes.unauthorized:
                raise
        with_token = await self._token.credentials(ends, refused=token)
        self._meter.add(retries=1)
        return await self._request(manager, with_token, fetch, *args)

    async def _request(
        self, manager: Manager, with_token: credentials.Credentials, fetch: Callable[..., T], *args: object
    ) -> T:
        # The room first: what a slot is taken for follows at once.
        async with self._room, self._quota(str(with_token.service_account_email)).slot(lasts=self._lasts) as waited:
            self._meter.add(calls=1, waited=waited)
            return await manager.run(with_token, fetch, *args)

    def _quota(self, email: str) -> Limit:
        """The quota of a service account, which other processes may share."""
        if email not in self._quotas:
            calls = self._settings.reads_per_minute
            shared = self._limits(f"google {email}", calls, WINDOW) if self._limits is not None else None
            self._quotas[email] = shared or RateLimit(calls, WINDOW)
        return self._quotas[email]

    def _adapter(self) -> transport.Adapter:
        return transport.Adapter(self._settings.api_url, self._settings.timeout, self._received)

    def _received(self, size: int) -> None:
        self._meter.add(received=size)


class _Meter:
    """Counts usage; threads report the bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, Any] = {"calls": 0, "retries": 0, "waited": 0.0, "bytes": 0}

    def add(self, calls: int = 0, retries: int = 0, waited: float = 0.0, received: int = 0) -> None:
        """Count calls and retries, seconds waited, bytes received."""
        with self._lock:
            for key, value in (("calls", calls), ("retries", retries), ("waited", waited), ("bytes", received)):
                self._spent[key] += value

    def usage(self) -> ReadUsage:
        """The usage so far."""
        with self._lock:
            return ReadUsage(**self._spent)
