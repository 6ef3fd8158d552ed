"""The queue: a pass puts messages into the outbox with its results; a worker per receiver sends, and tries again.

One attempt is made by `notify.sender` (webhooks) or apprise (`notify.receivers`).
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from smart_sync.aio.tasks import BackgroundTasks
from smart_sync.config import WebhookSettings
from smart_sync.core.days import moment, stamp
from smart_sync.core.model import Trigger
from smart_sync.core.parsed import AHEAD
from smart_sync.core.results import alerts
from smart_sync.core.results.results import PassResult
from smart_sync.core.results.stale import Freshness
from smart_sync.core.results.webhook_messages import (
    Message,
    failure_message,
    messages,
    recovery_message,
    standing_messages,
)
from smart_sync.logs import emit
from smart_sync.notify.receivers import Receiver, WebhookReceiver, list_unreached
from smart_sync.notify.sender import AttemptResult, Sender
from smart_sync.store import outbox, parser_records, pass_history
from smart_sync.store.engine import LONG_WAIT, Database, Lost, StoreError, Transaction
from smart_sync.store.outbox import Delivery

#: Seconds after each attempt until the next; after the last one a message is given up.
RETRIES = (5.0, 5 * 60.0, 30 * 60.0, 2 * 3600.0, 5 * 3600.0, 10 * 3600.0)
#: The share by which a wait is longer or shorter, so that receivers do not get everything at one moment.
JITTER = 0.1
#: Attempts that hold up what is behind a message to people when they fail.  The next one, 35 minutes after the first,
#: does not: the message may be refused for what it says.
HOLDS_UP = 3
#: Older messages tell nobody anything; the last retry comes after 17.6 hours.
MAX_AGE = timedelta(days=3)
#: Messages of lasting troubles, and how old one that was given up may be for the trouble to be told once more.
LASTING = ("project.failed", "project.degraded", "project.stale", "parser.failed")
GIVEN_UP_AGE = timedelta(days=30)
#: How long after it was given up it is, whether or not its receiver has accepted anything since.
TRIED_AGAIN = timedelta(days=1)
#: Seconds until the queue is looked at again when the database could not be used.
STALLED = 60.0


class DeliveryWorker:
    """Delivers one receiver's queue. ``run`` is its only loop; it sleeps while no message waits."""

    def __init__(
        self,
        receiver: Receiver,
        database: Database,
        clock: Callable[[], datetime],
        retries: Sequence[float],
    ) -> None:
        self.receiver = receiver
        self.endpoint = receiver.endpoint
        self.label = receiver.label
        self._database = database
        self._clock = clock
        self._retries = retries
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()

    def wake(self) -> None:
        """Check the queue for new messages."""
        self._idle.clear()
        self._awake.set()

    async def idle(self) -> None:
        """Wait until nothing is due."""
        await self._idle.wait()

    async def send_now(self, message: Message) -> None:
        """Send ``message`` once, bypassing the queue; the result is logged."""
        started = time.perf_counter()
        answer = await self.receiver.send(message, self._clock())
        self._log(Delivery(0, message, 0), answer, round(time.perf_counter() - started, 3), None)

    async def run(self) -> None:
        """Deliver until cancelled. A message whose delivery is interrupted is sent again with the same id."""
        while True:
            self._awake.clear()
            try:
                pause = await self._deliver_due()
            except StoreError as error:
                emit("webhook.stalled", webhook=self.label, reason=str(error.meaning))
                pause = STALLED
            if not self._awake.is_set():
                self._idle.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._awake.wait()

    async def _deliver_due(self) -> float | None:
        """Deliver all due messages; return the seconds until the next is due, None if none waits."""
        async with self._database.transaction() as transaction:
            now = self._clock()
            await outbox.prune(transaction, self.endpoint, stamp(now - MAX_AGE), stamp(now - GIVEN_UP_AGE))
            longest = timedelta(seconds=max(self._retries, default=0.0) * (1 + JITTER))
            await outbox.bound_waits(transaction, self.endpoint, stamp(now), stamp(now + longest + AHEAD))
        due = outbox.due_in_order if self.receiver.in_order else outbox.due
        while batch := await due(self._database, self.endpoint, stamp(self._clock())):
            for delivery in batch:
                if not await self._deliver(delivery):
                    break
        at = await outbox.next_due(self._database, self.endpoint)
        return None if at is None else (moment(at) - self._clock()).total_seconds()

    async def _deliver(self, delivery: Delivery) -> bool:
        """Attempt one delivery; return whether later messages may be attempted."""
        started = time.perf_counter()
        answer = await self.receiver.send(delivery.message, self._clock())
        seconds = round(time.perf_counter() - started, 3)
        now = self._clock()
        retry_at = None if answer.accepted or answer.gone else self._retry_at(delivery, now)
        holds_up = self.receiver.in_order and retry_at is not None and delivery.attempts < HOLDS_UP
        status = "delivered" if answer.accepted else "waiting" if retry_at else "failed"
        dropped = 0
        async with self._database.transaction() as transaction:
            await outbox.attempted(
                transaction, delivery, status, answer.reason or str(answer.status or "accepted"), stamp(now), retry_at
            )
            if holds_up and retry_at is not None:
                await outbox.postpone(transaction, self.endpoint, delivery, retry_at)
            if answer.gone:
                dropped = await outbox.disable(transaction, self.endpoint, stamp(now))
        self._log(delivery, answer, seconds, retry_at)
        if answer.gone:
            emit("webhook.disabled", webhook=self.label, dropped=dropped)
        return not (answer.gone or holds_up)

    def _retry_at(self, delivery: Delivery, now: datetime) -> str | None:
        if delivery.due_at > stamp(now):
            return delivery.due_at  # it was tried because one behind it was due
        if delivery.attempts >= len(self._retries):
            return None
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret depends on it
        return stamp(now + timedelta(seconds=self._retries[delivery.attempts] * jitter))

    def _log(self, delivery: Delivery, answer: AttemptResult, seconds: float, retry_at: str | None) -> None:
        emit(
            "webhook.delivered" if answer.accepted else "webhook.failed",
            webhook=self.label,
            message_id=delivery.message.id,
            type=delivery.message.type,
            attempt=delivery.attempts + 1,
            seconds=seconds,
            reason=answer.reason or None,
            retry_at=retry_at,
        )


class Webhooks(BackgroundTasks):
    """Use as ``async with``: inside, one task per webhook or target delivers; the end of the block cancels them.

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
        super().__init__({f"webhook:{each.endpoint}": each.run for each in self._workers})

    async def enqueue(self, transaction: Transaction, result: PassResult, freshness: Freshness) -> None:
        """Queue the messages about ``result`` in the transaction that stores it; then call `wake`."""
        if not self._workers:
            return
        read_again = {one.project.id for one in freshness.read_again}
        before = await outbox.troubles(transaction)
        judgement = alerts.decide_alerts(result.results, before, read_again)
        await outbox.remember_troubles(transaction, judgement.troubles)
        told = messages(result, judgement, freshness.became_stale)
        now = stamp(self._clock())
        since = await outbox.forget_failure(transaction) or self._failing_since
        if since is not None:
            told = (recovery_message(since, now), *told)
        await self.queue(transaction, told, changed=result.changed)
        self._failing_since = None
        if before.keys() <= {one.project.id for one in result.results}:
            await self._tell_again(transaction, result, alerts.standing(judgement, result.results, before))

    async def _tell_again(self, transaction: Transaction, result: PassResult, lasting: Sequence[alerts.Alert]) -> None:
        """Queue lasting troubles again for receivers that accept messages again after dropping some.

        Of one that is sent nothing else nobody can know: it is tried after `TRIED_AGAIN`.

        ``result``: of a pass over all projects in trouble; ``lasting``: the troubles that it does not tell anyway.
        """
        before = stamp(self._clock() - TRIED_AGAIN)
        if not (again := await outbox.to_try_again(transaction, LASTING, before)):
            return
        told = standing_messages(result, lasting, await parser_records.told_failing(transaction))
        for worker in self._workers:
            if worker.endpoint in again:
                await outbox.forget_given_up(transaction, worker.endpoint, LASTING)
                await self._add(transaction, worker, worker.receiver.wanted(told, changed=True))

    async def queue(self, transaction: Transaction, messages: Sequence[Message], *, changed: bool = True) -> None:
        """Queue ``messages`` for the receivers that want them, in the given transaction; then call `wake`.

        ``changed``: whether a pass that finished has changed what readers see.
        """
        if not (self._workers and messages):
            return
        off = await outbox.disabled(transaction)
        for worker in self._workers:
            if worker.endpoint not in off:
                await self._add(transaction, worker, worker.receiver.wanted(messages, changed=changed))

    async def _add(self, transaction: Transaction, worker: DeliveryWorker, wanted: Sequence[Message]) -> None:
        dropped = await outbox.add(transaction, worker.endpoint, wanted, stamp(self._clock()))
        if dropped:
            emit("webhook.overflowed", webhook=worker.label, dropped=dropped)

    async def unreached(self) -> list[str]:
        """A sentence for each receiver that has accepted nothing for an hour. Raises `StoreError`."""
        if not self._workers:
            return []
        return await list_unreached([one.receiver for one in self._workers], self._database, self._clock())

    async def tell_of_failure(self, trigger: Trigger, reason: str) -> None:
        """Report that a pass could not run: once for each reason, until a pass ends.

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
        """Make the workers check the queue; returns at once."""
        self.woken.set()
        for worker in self._workers:
            worker.wake()

    async def flush(self, seconds: float) -> None:
        """Wait until nothing is due, at most ``seconds``; for processes that end after a pass."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self._workers:
                    await worker.idle()
