"""Headers and body of a webhook's request: signed by Standard Webhooks, or plain."""

from datetime import UTC, datetime

from smart_sync.config import WebhookSettings
from smart_sync.core.results.webhook_messages import Message

WITHOUT_BODY = ("GET", "DELETE")


def headers(webhook: WebhookSettings, message: Message, now: datetime) -> dict[str, str]:
    """The content type, the signatures at the time ``now`` if there is a secret, and the configured headers."""
    configured = {name: value.get_secret_value() for name, value in webhook.headers.items()}
    typed = {} if webhook.method in WITHOUT_BODY else {"Content-Type": "application/json"}
    own = typed | _signed(webhook, message, now) if webhook.secret else typed
    taken = {name.lower() for name in configured}
    return {name: value for name, value in own.items() if name.lower() not in taken} | configured


def body(webhook: WebhookSettings, message: Message) -> str:
    """The JSON of ``message``; "" for a method that has no body."""
    return "" if webhook.method in WITHOUT_BODY else message.body


def _signed(webhook: WebhookSettings, message: Message, now: datetime) -> dict[str, str]:
    from standardwebhooks import Webhook

    signatures = (
        Webhook(secret.get_secret_value()).sign(message.id, now.astimezone(UTC), body(webhook, message))
        for secret in webhook.secret
    )
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
