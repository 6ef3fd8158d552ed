"""All webhooks and targets: what a pass has to tell is queued with its results, workers take it from there."""

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
from smart_sync.core.results import alerts, health
from smart_sync.core.results.results import PassResult
from smart_sync.core.results.stale import Freshness
from smart_sync.core.results.webhook_messages import Message, failure_message, messages, recovery_message
from smart_sync.logs import emit
from smart_sync.notify.delivery_worker import RETRIES, DeliveryWorker
from smart_sync.notify.receivers import Receiver, WebhookReceiver
from smart_sync.notify.sender import Sender
from smart_sync.store import outbox, pass_history
from smart_sync.store.engine import LONG_WAIT, Database, Lost, StoreError, Transaction


class Webhooks:
    """Use as ``async with``: inside, one task per webhook or target delivers; at the end they are cancelled.

    What could not be delivered by then stays queued: the next process that opens the database goes on with it.
    Without any there is no task, and nothing is written.
    """

    def __init__(
        self,
        settings: Sequence[WebhookSettings],
        database: Database,
        clock: Callable[[], datetime],
        *,
        sender: Sender | None = None,
        retries: Sequence[float] = RETRIES,
        targets: Sequence[Receiver] = (),
    ) -> None:
        self._clock = clock
        self._database = database
        #: Since when passes cannot be run, where not even that could be written; a stamp.
        self._failing_since: str | None = None
        #: Set once a pass has ended.
        self.woken = asyncio.Event()
        #: The ids of the messages that were sent past the queue.
        self._sent: set[str] = set()
        receivers = [*(WebhookReceiver(each, sender or Sender()) for each in settings), *targets]
        self._workers = [DeliveryWorker(each, database, clock, retries) for each in receivers]
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
        now = stamp(self._clock())
        since = await outbox.forget_failure(transaction) or self._failing_since
        if since is not None:
            told = (recovery_message(since, now), *told)
        await self.queue(transaction, told, changed=result.changed)
        self._failing_since = None

    async def queue(self, transaction: Transaction, told: Sequence[Message], *, changed: bool = True) -> None:
        """Queue ``told`` for those who want it, in the transaction that keeps it; then call `wake`.

        ``changed``: whether a pass that finished has changed what readers see.
        """
        if not (self._workers and told):
            return
        off = await outbox.disabled(transaction)
        for worker in self._workers:
            if worker.endpoint not in off:
                await self._add(transaction, worker, worker.receiver.wanted(told, changed=changed))

    async def _add(self, transaction: Transaction, worker: DeliveryWorker, wanted: Sequence[Message]) -> None:
        dropped = await outbox.add(transaction, worker.endpoint, wanted, stamp(self._clock()))
        if dropped:
            emit("webhook.overflowed", webhook=worker.label, dropped=dropped)

    async def unreached(self) -> list[str]:
        """The webhooks and targets that accept nothing for `health.SILENT`, a sentence each.  Raises `StoreError`."""
        if not self._workers:
            return []
        found = await outbox.unreached(self._database, stamp(self._clock() - health.SILENT))
        return [health.unreached(one.label, *found[one.endpoint]) for one in self._workers if one.endpoint in found]

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
                    await outbox.remember_failure(transaction, now)
                    await self.queue(transaction, [failed])
                self.wake()
        except Lost:
            return  # for the one that leads now to tell
        except (StoreError, TimeoutError):
            failed = failure_message("", trigger, reason, now)
            if failed.id not in self._sent:
                self._sent = {failed.id}
                self._failing_since = self._failing_since or now
                wanted = [(w, m) for w in self._workers for m in w.receiver.wanted([failed], changed=True)]
                await asyncio.gather(*(worker.send_now(one) for worker, one in wanted))

    def wake(self) -> None:
        """Let the workers look into the queue; returns at once."""
        self.woken.set()
        for worker in self._workers:
            worker.wake()

    async def flush(self, seconds: float) -> None:
        """Wait until nothing is due any more, at most ``seconds``; for processes that end after a pass."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self._workers:
                    await worker.idle()
