"""What the command ``webhooks`` shows and does; a daemon may be running meanwhile."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smart_sync.config import Settings, WebhookSettings
from smart_sync.config.database_url import Location
from smart_sync.core.days import stamp
from smart_sync.core.results.webhook_messages import message
from smart_sync.notify.sender import Sender, endpoint_of, label_of
from smart_sync.store import outbox
from smart_sync.store.engine import Database
from smart_sync.store.schema import open_existing

#: Deliveries that are listed.
SHOWN = 50


async def overview(settings: Settings) -> dict[str, Any]:
    """The webhooks, and their newest deliveries.  Raises `DatabaseError`."""
    labels = {endpoint_of(webhook): label_of(webhook) for webhook in settings.webhooks}
    off: frozenset[str] = frozenset()
    rows: list[dict[str, Any]] = []
    async with _beside(settings.database.where) as database:
        if database is not None:
            off = await outbox.disabled(database)
            rows = await outbox.recent(database, list(labels), SHOWN)
    return {
        "success": True,
        "webhooks": [
            {"webhook": label_of(each), "events": list(each.events), "disabled": endpoint_of(each) in off}
            for each in settings.webhooks
        ],
        "deliveries": [{"webhook": labels[row.pop("endpoint")], **row} for row in rows],
    }


async def send_tests(settings: Settings, sender: Sender | None = None) -> dict[str, Any]:
    """Send each webhook one message now, past the queue; one that accepts it is enabled again if it was disabled.

    Raises `DatabaseError`.
    """
    sent = sender or Sender()
    results = await asyncio.gather(*(_test(webhook, sent) for webhook in settings.webhooks))
    accepted = [w for w, result in zip(settings.webhooks, results, strict=True) if result["accepted"]]
    await _enable(settings.database.where, accepted)
    return {"success": all(result["accepted"] for result in results), "results": results}


async def _test(webhook: WebhookSettings, sender: Sender) -> dict[str, Any]:
    now = datetime.now(UTC)
    test = message(str(uuid.uuid4()), "webhook.test", stamp(now), {"message": "a test from smart-sync webhooks test"})
    answer = await sender.send(webhook, test, now)
    return {
        "webhook": label_of(webhook),
        "message_id": test.id,
        "accepted": answer.accepted,
        "status": answer.status,
        "reason": answer.reason,
    }


async def _enable(path: Location, webhooks: Sequence[WebhookSettings]) -> None:
    """Written only where one is disabled: the database is the daemon's."""
    async with _beside(path) as database:
        off = await outbox.disabled(database) if database is not None else frozenset()
        back = [endpoint_of(webhook) for webhook in webhooks if endpoint_of(webhook) in off]
        if database is not None and back:
            async with database.transaction() as transaction:
                for endpoint in back:
                    await outbox.enable(transaction, endpoint)


@contextlib.asynccontextmanager
async def _beside(path: Location) -> AsyncIterator[Database | None]:
    """The daemon's database as it is, neither checked nor migrated; None if no daemon has ever made our tables."""
    if isinstance(path, Path) and not await asyncio.to_thread(path.exists):
        yield None
        return
    async with open_existing(path, read_only=False, patience=5.0, checked=False) as database:
        yield database if await outbox.is_there(database) else None
