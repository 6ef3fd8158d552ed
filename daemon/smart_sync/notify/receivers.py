"""The receivers of the outbox: webhooks by signed requests, people through apprise."""

import asyncio
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from smart_sync.config import NotifySettings, TargetSettings, WebhookSettings
from smart_sync.config.notify import apprise_log, scheme_of, service
from smart_sync.core.days import stamp
from smart_sync.core.notices.reader import Reader
from smart_sync.core.notices.texts import fitted, texts
from smart_sync.core.results import health
from smart_sync.core.results.alerts import SYNC_FINISHED
from smart_sync.core.results.webhook_messages import Message
from smart_sync.notify.sender import AttemptResult, Sender, endpoint_of, failure_reason, label_of
from smart_sync.store import outbox
from smart_sync.store.engine import Database

#: Seconds for one attempt to reach a person; apprise waits 4 s for a connection and for each part of an answer.
PATIENCE = 60.0


class Receiver(Protocol):
    """One endpoint of the outbox."""

    @property
    def endpoint(self) -> str:
        """Its name in the database, which does not reveal its URL."""

    @property
    def label(self) -> str:
        """Its name for people."""

    @property
    def events(self) -> Collection[str]:
        """The types of messages it wants."""

    @property
    def in_order(self) -> bool:
        """Whether a message waits for those queued earlier."""

    def wanted(self, messages: Sequence[Message], *, changed: bool) -> list[Message]:
        """The messages it wants, as they are sent; ``changed``: whether readers of the database see a change."""

    def as_read(self, messages: Sequence[Message]) -> list[Message]:
        """``messages`` in the form in which they are sent."""

    async def send(self, message: Message, now: datetime) -> AttemptResult:
        """Attempt to send a message of `as_read`; every failure is a result."""


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """One of ``[[webhooks]]``."""

    webhook: WebhookSettings
    sender: Sender

    @property
    def endpoint(self) -> str:
        """The hash of its URL."""
        return endpoint_of(self.webhook.url)

    @property
    def label(self) -> str:
        """Its host."""
        return label_of(self.webhook)

    @property
    def events(self) -> Collection[str]:
        """As configured."""
        return self.webhook.events

    @property
    def in_order(self) -> bool:
        """False: a program sorts messages by their time."""
        return False

    def wanted(self, messages: Sequence[Message], *, changed: bool) -> list[Message]:
        """Selected by type, and finished passes by whether something changed."""
        only_changed = self.webhook.only_changed and not changed
        wanted = [one for one in messages if one.type in self.webhook.events]
        return self.as_read([one for one in wanted if not (only_changed and one.type == SYNC_FINISHED)])

    def as_read(self, messages: Sequence[Message]) -> list[Message]:
        """Unchanged."""
        return list(messages)

    async def send(self, message: Message, now: datetime) -> AttemptResult:
        """Send by an HTTP request."""
        return await self.sender.send(self.webhook, message, now)


@dataclass(slots=True)
class TargetReceiver:
    """One of ``[[notify.targets]]``; ``number`` from 1."""

    target: TargetSettings
    number: int
    reader: Reader
    patience: float = PATIENCE
    #: The thread that sends; one that hangs is left behind, and another begins only when it has ended.
    _thread: threading.Thread | None = field(default=None, init=False)

    @property
    def endpoint(self) -> str:
        """The hash of its URL."""
        return endpoint_of(self.target.url)

    @property
    def label(self) -> str:
        """``target 1 (tgram)``: in most of these URLs the host is a secret too."""
        return f"target {self.number} ({scheme_of(self.target.url)})"

    @property
    def events(self) -> Collection[str]:
        """As configured."""
        return self.target.events

    @property
    def in_order(self) -> bool:
        """True: people take the last message for the current state."""
        return True

    def wanted(self, messages: Sequence[Message], *, changed: bool) -> list[Message]:
        """Selected by type."""
        return self.as_read([one for one in messages if one.type in self.target.events])

    def as_read(self, messages: Sequence[Message]) -> list[Message]:
        """As text, messages of one kind joined."""
        return texts(messages, self.reader)

    async def send(self, message: Message, now: datetime) -> AttemptResult:
        """Send in a thread of its own, for at most ``patience`` seconds."""
        if self._thread is not None:
            return AttemptResult(None, "the attempt before has not ended yet")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[AttemptResult] = loop.create_future()

        def settle(answer: AttemptResult) -> None:
            if not ended.done():
                ended.set_result(answer)

        def work() -> None:
            answer = self._sent(message.body)
            # Before the answer: what waits for it may send the next message before this thread has ended.
            self._thread = None
            try:
                loop.call_soon_threadsafe(settle, answer)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        # No thread of a pool: the end of a process would wait for it.
        self._thread = threading.Thread(target=work, name=f"notify:{self.label}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(self.patience):
                return await ended
        except TimeoutError:
            return AttemptResult(None, f"no answer within {self.patience:g} s")

    def _sent(self, text: str) -> AttemptResult:
        """Send; blocks."""
        title, _, body = text.partition("\n")
        try:
            sender = service(self.target.url)
            with apprise_log() as lines:
                # Many services have the title in the text.
                head, rest = fitted(title if body else "", body or title, sender.body_maxlen - 8, self.reader)
                accepted = sender.notify(body=rest, title=head, body_format="text")
        except ValueError as error:  # apprise is gone, or knows the service no more
            return AttemptResult(None, str(error))
        except Exception as error:  # a plugin may raise anything, and its message may hold the URL
            return AttemptResult(None, f"apprise failed with {type(error).__name__}")
        return AttemptResult(None, "", accepted=True) if accepted else AttemptResult(None, failure_reason(lines))


def receivers_of(settings: NotifySettings, timezone: str, patience: float = PATIENCE) -> list[TargetReceiver]:
    """The targets of ``[notify]``, in order."""
    return [
        TargetReceiver(each, number, Reader(each.lang or settings.lang, timezone), patience)
        for number, each in enumerate(settings.targets, 1)
    ]


async def list_unreached(receivers: Iterable[Receiver], database: Database, now: datetime) -> list[str]:
    """A sentence for each receiver that has accepted nothing for `health.SILENT`. Raises `StoreError`."""
    unreached = await outbox.unreached(database, stamp(now - health.SILENT))
    return [health.unreached(one.label, *unreached[one.endpoint]) for one in receivers if one.endpoint in unreached]
