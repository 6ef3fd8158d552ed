"""Delivers to one webhook or target: message after message, as they become due, for as long as the daemon lives."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from smart_sync.core.days import moment, stamp
from smart_sync.core.results.webhook_messages import Message
from smart_sync.logs import emit
from smart_sync.notify.receivers import Receiver
from smart_sync.notify.sender import AttemptResult
from smart_sync.store import outbox
from smart_sync.store.engine import Database, StoreError
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
#: Seconds until the queue is looked at again when the database could not be used.
STALLED = 60.0


class DeliveryWorker:
    """One receiver's part of the queue.  ``run`` is its one loop; without a message that waits it sleeps."""

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
        """Look into the queue: there may be something new."""
        self._idle.clear()
        self._awake.set()

    async def idle(self) -> None:
        """Wait until nothing is due."""
        await self._idle.wait()

    async def send_now(self, message: Message) -> None:
        """Send ``message`` past the queue, once; what comes of it is logged."""
        started = time.perf_counter()
        answer = await self.receiver.send(message, self._clock())
        self._log(Delivery(0, message, 0), answer, round(time.perf_counter() - started, 3), None)

    async def run(self) -> None:
        """Deliver until cancelled.  A message whose delivery is cut off is sent again, with the same id."""
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
        """Everything that is due; returns the seconds until the next message will be, None if none waits."""
        async with self._database.transaction() as transaction:
            await outbox.prune(transaction, self.endpoint, stamp(self._clock() - MAX_AGE))
        due = outbox.due_in_order if self.receiver.in_order else outbox.due
        while batch := await due(self._database, self.endpoint, stamp(self._clock())):
            for delivery in batch:
                if not await self._deliver(delivery):
                    break
        at = await outbox.next_due(self._database, self.endpoint)
        return None if at is None else (moment(at) - self._clock()).total_seconds()

    async def _deliver(self, delivery: Delivery) -> bool:
        """One attempt; whether those behind it may have theirs."""
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
