"""Sends tasks to Celery's workers; the library is imported when the first is sent."""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from smart_sync.errors import SmartSyncError

if TYPE_CHECKING:
    from celery import Celery

#: The task that brings the projects of one spreadsheet up to date, and the queue in which it waits for a worker.
TASK, QUEUE = "smart_sync_spreadsheet", "smart-sync"
#: Seconds for reaching the broker.
CONNECTING = 5.0
#: Seconds after which a task that no worker has taken is dropped.
EXPIRES = 6 * 3600.0
#: Tasks in a second that a broker takes which is slow (one nearby takes 250).
LEAST = 50


class BrokerUnavailable(SmartSyncError):
    """Tasks cannot be sent."""

    trouble = "no-worker"


class TaskQueue:
    """Sends tasks to the broker at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._app: Celery | None = None

    async def send(self, run_id: str, spreadsheets: Iterable[str]) -> None:
        """Send a task for each spreadsheet. Raises `BrokerUnavailable`, maybe after sending some."""
        try:
            tasks = list(spreadsheets)
            async with asyncio.timeout(4 * CONNECTING + len(tasks) / LEAST):
                await asyncio.to_thread(self._send, run_id, tasks)
        except TimeoutError:
            raise BrokerUnavailable("the broker of the workers does not answer; is it running?") from None

    def _send(self, run_id: str, spreadsheets: list[str]) -> None:
        app = self._application()  # first: where Celery is missing, so is kombu
        from kombu.exceptions import KombuError

        try:
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=CONNECTING)
                for spreadsheet in spreadsheets:
                    app.send_task(
                        TASK,
                        args=(run_id, spreadsheet),
                        queue=QUEUE,
                        expires=EXPIRES,
                        connection=connection,
                        retry=False,
                        ignore_result=True,
                    )
        except (KombuError, OSError, ValueError, ImportError, LookupError) as error:
            raise BrokerUnavailable(
                f"the broker of the workers cannot be reached ({type(error).__name__}); is it running?"
                " See [sync] broker and CELERY_BROKER_URL"
            ) from None

    def _application(self) -> "Celery":
        if self._app is None:
            try:
                from celery import Celery
            except ImportError:
                message = "[sync] workers needs Celery; pip install 'smart-sync-daemon[celery,postgres]'"
                raise BrokerUnavailable(message) from None
            logging.getLogger("kombu").setLevel(logging.ERROR)
            self._app = Celery("smart_sync_sender", broker=self._url, set_as_current=False)
            self._app.conf.update(
                broker_connection_timeout=CONNECTING,
                broker_transport_options={"socket_connect_timeout": CONNECTING, "socket_timeout": CONNECTING},
            )
        return self._app
