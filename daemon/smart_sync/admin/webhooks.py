"""``smart-sync webhooks``: shows the webhooks and sends tests; a daemon may be running."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from smart_sync.clock import utc_now
from smart_sync.config import Settings
from smart_sync.config.database_url import Location
from smart_sync.core.command_answers import DeliveryAnswer, WebhooksAnswer, WebhookTest, WebhookTests
from smart_sync.core.days import stamp
from smart_sync.core.results.webhook_messages import message
from smart_sync.notify.receivers import Receiver, WebhookReceiver, list_unreached, receivers_of
from smart_sync.notify.sender import Sender
from smart_sync.store import outbox
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_existing

TEST = "webhook.test"
#: Deliveries that are listed.
SHOWN = 50


async def overview(settings: Settings) -> WebhooksAnswer:
    """The webhooks with their newest deliveries. Raises `DatabaseError`."""
    receivers = _receivers(settings)
    labels = {one.endpoint: one.label for one in receivers}
    off: frozenset[str] = frozenset()
    deliveries: list[DeliveryAnswer] = []
    async with _open_beside_daemon(settings.database.where) as database:
        if database is not None:
            off = await outbox.disabled(database)
            deliveries = await outbox.recent(database, labels, SHOWN)
    return {
        "success": True,
        "webhooks": [
            {"webhook": one.label, "events": list(one.events), "disabled": one.endpoint in off} for one in receivers
        ],
        "deliveries": deliveries,
    }


async def unreached(settings: Settings) -> list[str]:
    """A sentence for each webhook and target that has accepted nothing for an hour. Raises `DatabaseError`."""
    receivers = _receivers(settings)
    if not receivers:
        return []
    async with _open_beside_daemon(settings.database.where, read_only=True) as database:
        return [] if database is None else await list_unreached(receivers, database, utc_now())


async def send_tests(settings: Settings, sender: Sender | None = None) -> WebhookTests:
    """Send every webhook and target a message now, bypassing the queue; one that accepts it is enabled again.

    Raises `DatabaseError`.
    """
    receivers = _receivers(settings, sender)
    results = await asyncio.gather(*(_test(one) for one in receivers))
    accepted = [one for one, result in zip(receivers, results, strict=True) if result["accepted"]]
    await _enable(settings.database.where, accepted)
    return {"success": all(result["accepted"] for result in results), "results": results}


def _receivers(settings: Settings, sender: Sender | None = None) -> list[Receiver]:
    webhooks = (WebhookReceiver(each, sender or Sender()) for each in settings.webhooks)
    return [*webhooks, *receivers_of(settings.notify, settings.schedule.timezone)]


async def _test(receiver: Receiver) -> WebhookTest:
    now = utc_now()
    test = message(str(uuid.uuid4()), TEST, stamp(now), {"message": "a test from smart-sync webhooks test"})
    (sent,) = receiver.as_read([test])
    answer = await receiver.send(sent, now)
    return {
        "webhook": receiver.label,
        "message_id": test.id,
        "accepted": answer.accepted,
        "status": answer.status,
        "reason": answer.reason,
    }


async def _enable(path: Location, receivers: Sequence[Receiver]) -> None:
    """Enable disabled receivers again; write nothing if none is disabled, since the database is the daemon's."""
    async with _open_beside_daemon(path) as database:
        off = await outbox.disabled(database) if database is not None else frozenset()
        back = [one.endpoint for one in receivers if one.endpoint in off]
        if database is not None and back:
            async with database.transaction() as transaction:
                for endpoint in back:
                    await outbox.enable(transaction, endpoint)


@contextlib.asynccontextmanager
async def _open_beside_daemon(path: Location, *, read_only: bool = False) -> AsyncIterator[Database | None]:
    """Open the daemon's database without checks or migration; None if no daemon has created our tables."""
    if isinstance(path, Path) and not await asyncio.to_thread(path.exists):
        yield None
        return
    async with open_existing(path, read_only=read_only, patience=5.0, checked=False) as database:
        yield database if await outbox.has_tables(database) else None
