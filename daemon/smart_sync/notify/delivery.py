"""All webhooks: what a pass has to tell goes into the queue with its results, workers take it from there."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config import WebhookSettings
from smart_sync.core.days import stamp
from smart_sync.core.model import Trigger
from smart_sync.core.results import alerts
from smart_sync.core.results.results import PassResult
from smart_sync.core.results.stale import Freshness
from smart_sync.core.results.webhook_messages import Message, failure_message, messages
from smart_sync.logs import emit
from smart_sync.notify.delivery_worker import RETRIES, DeliveryWorker
from smart_sync.notify.sender import Sender
from smart_sync.store import outbox, pass_history
from smart_sync.store.engine import LONG_WAIT, Database, StoreError, Transaction


class Webhooks:
    """Use as ``async with``: inside, one task per webhook delivers; at the end they are cancelled.

    What could not be delivered by then stays queued: the next process that opens the database goes on with it.
    Without webhooks there is no task, and nothing is written.
    """

    def __init__(
        self,
        settings: Sequence[WebhookSettings],
        database: Database,
        clock: Callable[[], datetime],
        *,
        sender: Sender | None = None,
        retries: Sequence[float] = RETRIES,
    ) -> None:
        self._clock = clock
        self._database = database
        #: The ids of the messages that were sent past the queue.
        self._sent: set[str] = set()
        self._workers = [DeliveryWorker(each, database, clock, sender or Sender(), retries) for each in settings]
        self._background = BackgroundTasks({f"webhook:{each.endpoint}": each.run for each in self._workers})

    async def __aenter__(self) -> Self:
        await self._background.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._background.__aexit__(kind, error, trace)

    async def enqueue(self, transaction: Transaction, result: PassResult, freshness: Freshness) -> None:
        """Queue what ``result`` has to tell, in the transaction that keeps the result; then call `wake`."""
        if not self._workers:
            return
        read_again = {one.project.id for one in freshness.read_again}
        judgement = alerts.judge(result.results, await outbox.troubles(transaction), read_again)
        await outbox.remember_troubles(transaction, judgement.troubles)
        told = messages(result, judgement, freshness.became_stale)
        await self.queue(transaction, told, changed=result.changed)

    async def queue(self, transaction: Transaction, told: Sequence[Message], *, changed: bool = True) -> None:
        """Queue ``told`` for the webhooks that want it, in the transaction that keeps it; then call `wake`.

        ``changed``: whether a pass that finished has changed what readers see.
        """
        if not (self._workers and told):
            return
        off = await outbox.disabled(transaction)
        for worker in self._workers:
            if worker.endpoint in off:
                continue
            webhook = worker.webhook
            wanted = [
                message
                for message in told
                if message.type in webhook.events
                and (changed or not webhook.only_changed or message.type != alerts.SYNC_FINISHED)
            ]
            dropped = await outbox.add(transaction, worker.endpoint, wanted, stamp(self._clock()))
            if dropped:
                emit("webhook.overflowed", webhook=worker.label, dropped=dropped)

    async def tell_of_failure(self, trigger: Trigger, reason: str) -> None:
        """A pass could not be run: told once for each reason, until a pass ends.

        Where not even the queue can be written, it is sent past the queue, once.
        """
        if not self._workers:
            return
        now = stamp(self._clock())
        try:
            async with asyncio.timeout(LONG_WAIT):
                last = await pass_history.last_run(self._database)
                failed = failure_message(last["id"] if last else "", trigger, reason, now)
                async with self._database.transaction() as transaction:
                    await self.queue(transaction, [failed])
                self.wake()
        except (StoreError, TimeoutError):
            failed = failure_message("", trigger, reason, now)
            if failed.id not in self._sent:
                self._sent = {failed.id}
                wanted = [each for each in self._workers if failed.type in each.webhook.events]
                await asyncio.gather(*(each.send_now(failed) for each in wanted))

    def wake(self) -> None:
        """Let the workers look into the queue; returns at once."""
        for worker in self._workers:
            worker.wake()

    async def flush(self, seconds: float) -> None:
        """Wait until nothing is due any more, at most ``seconds``; for processes that end after a pass."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self._workers:
                    await worker.idle()
